"""confluent-kafka under quotas: how many bytes a second it gets through in the long run.

usage: BOOTSTRAP TOPIC produce|consume SECONDS    prints the rate
"""

import sys
import time

from confluent_kafka import Consumer, Producer, TopicPartition

bootstrap, topic, what, seconds = sys.argv[1:]
seconds = float(seconds)
# What is allowed at once at first is used up by then.
skipped = 2.0
size = 10_000


class Meter:
    """Bytes from the first moment after what is skipped."""

    def __init__(self):
        self.begun = time.monotonic()
        self.counted = 0
        self.first = self.last = None

    def add(self, count):
        now = time.monotonic()
        if now - self.begun < skipped:
            return
        if self.first is None:
            self.first = now
            return
        self.counted += count
        self.last = now

    def done(self):
        return time.monotonic() - self.begun >= skipped + seconds

    def rate(self):
        return self.counted / (self.last - self.first)


meter = Meter()
if what == "produce":
    producer = Producer(
        {"bootstrap.servers": bootstrap, "batch.size": 2 * size, "queue.buffering.max.messages": 20}
    )

    def delivered(error, _message):
        assert error is None, error
        meter.add(size)

    while not meter.done():
        try:
            producer.produce(topic, b"x" * size, on_delivery=delivered)
        except BufferError:
            producer.poll(0.05)
    producer.flush(60)
else:
    consumer = Consumer(
        {
            "bootstrap.servers": bootstrap,
            "group.id": topic,
            "fetch.message.max.bytes": 3 * size,
            "queued.min.messages": 1000,
        }
    )
    consumer.assign([TopicPartition(topic, 0, 0)])
    while not meter.done():
        message = consumer.poll(1)
        if message is not None:
            assert message.error() is None, message.error()
            meter.add(size)
    consumer.close()
print(meter.rate())
