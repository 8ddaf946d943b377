"""Produces to all partitions of a topic in turn with acks=all and idempotence, until its input ends; then
says which offsets were acknowledged, partition by partition.

usage: BOOTSTRAP TOPIC PARTITIONS RECORDS_PER_SECOND
"""

import json
import sys
import threading
import time

from confluent_kafka import Producer

bootstrap, topic, partitions, rate = sys.argv[1:]
partitions, rate = int(partitions), int(rate)
ended = threading.Event()
threading.Thread(target=lambda: (sys.stdin.read(), ended.set()), daemon=True).start()
acked = {partition: [] for partition in range(partitions)}


def delivered(error, message):
    if error is None:
        acked[message.partition()].append(message.offset())
    else:
        print(f"not delivered: {error}", file=sys.stderr)


producer = Producer({
    "bootstrap.servers": bootstrap,
    "acks": "all",
    "enable.idempotence": True,
    "log_level": 0,
})
start = time.monotonic()
sequence = 0
while not ended.is_set():
    due = start + sequence / rate
    producer.poll(max(0.0, min(due - time.monotonic(), 0.01)))
    if time.monotonic() >= due:
        producer.produce(topic, str(sequence), partition=sequence % partitions, on_delivery=delivered)
        sequence += 1
producer.flush(60)
print(json.dumps(acked))
