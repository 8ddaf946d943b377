"""kafka-python: a member of a group that commits what it has consumed. usage: BOOTSTRAP GROUP TOPIC"""

import sys

from kafka import ConsumerRebalanceListener, KafkaConsumer
from kafka.errors import KafkaError
from kafka.structs import OffsetAndMetadata

import tell


class Listener(ConsumerRebalanceListener):
    def on_partitions_assigned(self, assigned):
        tell.assigned((it.topic, it.partition) for it in assigned)

    def on_partitions_revoked(self, revoked):
        tell.revoked((it.topic, it.partition) for it in revoked)


bootstrap, group, topic = sys.argv[1:]
tell.until_told()
consumer = KafkaConsumer(
    bootstrap_servers=bootstrap.split(","),
    group_id=group,
    enable_auto_commit=False,
    auto_offset_reset="earliest",
    session_timeout_ms=6000,
    heartbeat_interval_ms=500,
)
consumer.subscribe([topic], listener=Listener())
while not tell.stopping:
    polled = consumer.poll(timeout_ms=200)
    if not polled:
        continue
    tell.consumed([(it.topic, p, r.offset) for it, rs in polled.items() for p in [it.partition] for r in rs])
    offsets = {it: OffsetAndMetadata(rs[-1].offset + 1, "", -1) for it, rs in polled.items()}
    named = [(it.topic, it.partition, at.offset) for it, at in offsets.items()]
    try:
        consumer.commit(offsets)
        tell.committed(named)
    except KafkaError as error:
        tell.committed(named, error)
consumer.close()
tell.shut_down()
