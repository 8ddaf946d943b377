"""confluent-kafka (librdkafka): a member of a group that commits what it has consumed.

usage: BOOTSTRAP GROUP TOPIC [librdkafka.setting=value ...]
"""

import sys
import time

from confluent_kafka import Consumer, KafkaException, TopicPartition

import tell

bootstrap, group, topic, *settings = sys.argv[1:]
settings = dict(setting.split("=", 1) for setting in settings)
if settings.get("group.protocol") != "consumer":
    settings = {"session.timeout.ms": 6000, "heartbeat.interval.ms": 500} | settings
tell.until_told()
consumer = Consumer(
    {
        "bootstrap.servers": bootstrap,
        "group.id": group,
        "enable.auto.commit": False,
        "auto.offset.reset": "earliest",
        "log_level": 0,
    }
    | settings
)
consumer.subscribe(
    [topic],
    on_assign=lambda _, parts: tell.assigned((it.topic, it.partition) for it in parts),
    on_revoke=lambda _, parts: tell.revoked((it.topic, it.partition) for it in parts),
    on_lost=lambda _, parts: tell.revoked((it.topic, it.partition) for it in parts),
)
while not tell.stopping:
    messages = consumer.consume(500, 0.2)
    for message in messages:
        if message.error():
            print(f"while consuming: {message.error()}", file=sys.stderr)
    messages = [message for message in messages if not message.error()]
    if not messages:
        continue
    tell.consumed([(it.topic(), it.partition(), it.offset()) for it in messages])
    ends = {}
    for message in messages:
        ends[message.topic(), message.partition()] = message.offset() + 1
    named = [(t, p, offset) for (t, p), offset in ends.items()]
    try:
        answered = consumer.commit(offsets=[TopicPartition(*it) for it in named], asynchronous=False)
        failed = next((it.error for it in answered if it.error is not None), None)
        tell.committed(named, failed)
    except KafkaException as error:
        tell.committed(named, error)
        time.sleep(0.05)
consumer.close()
tell.shut_down()
