"""Keys that are written again and again, and what is left of them.

usage: BOOTSTRAP TOPIC write FROM TO    rounds of writes with confluent-kafka, acks=all, idempotent
       BOOTSTRAP TOPIC read ROUNDS      kafka-python reads all: the last of each key is from the last round
"""

import random
import sys

KEYS = 100

bootstrap, topic, what, *rounds = sys.argv[1:]


def value(key, round):
    """A key that seven divides is deleted in each odd round. The rest hardly compresses."""
    if key % 7 == 0 and round % 2 == 1:
        return None
    return f"{round} {random.Random(f'{key}/{round}').randbytes(700).hex()}".encode()


def write(first, last):
    from confluent_kafka import Producer

    settings = {"bootstrap.servers": bootstrap, "acks": "all", "enable.idempotence": True}
    producer = Producer(settings | {"compression.type": "gzip", "linger.ms": 5})
    failed = []
    done = lambda error, message: failed.append(error) if error else None
    for round in range(first, last):
        for key in range(KEYS):
            producer.produce(topic, value(key, round), f"key-{key}", on_delivery=done)
            producer.poll(0)
    assert producer.flush(60) == 0, "not all were acknowledged"
    assert not failed, failed


def read(rounds):
    from kafka import KafkaConsumer, TopicPartition

    consumer = KafkaConsumer(bootstrap_servers=bootstrap, auto_offset_reset="earliest")
    partition = TopicPartition(topic, 0)
    consumer.assign([partition])
    consumer.seek_to_beginning(partition)
    end = consumer.end_offsets([partition])[partition]
    found, count, before = {}, 0, -1
    while consumer.position(partition) < end:
        for record in consumer.poll(1000).get(partition, []):
            assert record.offset > before, (before, record.offset)
            before = record.offset
            count += 1
            found[record.key.decode()] = record.value
    for key in range(KEYS):
        expected = value(key, rounds - 1)
        seen = found.get(f"key-{key}")
        assert seen == expected, (key, seen and seen[:20], expected and expected[:20])
    print(count, end)


if what == "write":
    write(int(rounds[0]), int(rounds[1]))
else:
    read(int(rounds[0]))
print("ok")
