"""aiokafka: a member of a group that commits what it has consumed. usage: BOOTSTRAP GROUP TOPIC"""

import asyncio
import sys

from aiokafka import AIOKafkaConsumer, ConsumerRebalanceListener
from aiokafka.errors import KafkaError

import tell


class Listener(ConsumerRebalanceListener):
    async def on_partitions_assigned(self, assigned):
        tell.assigned((it.topic, it.partition) for it in assigned)

    async def on_partitions_revoked(self, revoked):
        tell.revoked((it.topic, it.partition) for it in revoked)


async def main():
    bootstrap, group, topic = sys.argv[1:]
    tell.until_told()
    consumer = AIOKafkaConsumer(
        bootstrap_servers=bootstrap,
        group_id=group,
        enable_auto_commit=False,
        auto_offset_reset="earliest",
        session_timeout_ms=6000,
        heartbeat_interval_ms=500,
    )
    consumer.subscribe([topic], listener=Listener())
    await consumer.start()
    while not tell.stopping:
        try:
            polled = await consumer.getmany(timeout_ms=200)
        except KafkaError as error:
            print(f"while consuming: {error!r}", file=sys.stderr)
            await asyncio.sleep(0.1)
            continue
        if not polled:
            continue
        tell.consumed([(it.topic, it.partition, r.offset) for it, rs in polled.items() for r in rs])
        offsets = {it: rs[-1].offset + 1 for it, rs in polled.items()}
        named = [(it.topic, it.partition, offset) for it, offset in offsets.items()]
        try:
            await consumer.commit(offsets)
            tell.committed(named)
        except KafkaError as error:
            tell.committed(named, error)
    await consumer.stop()
    tell.shut_down()


asyncio.run(main())
