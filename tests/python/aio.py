"""aiokafka: administration, producing, and reading by assignment. usage: BOOTSTRAP TOPIC"""

import asyncio
import sys

from aiokafka import AIOKafkaConsumer, AIOKafkaProducer, TopicPartition
from aiokafka.admin import AIOKafkaAdminClient, NewTopic

bootstrap, topic = sys.argv[1:]


async def main():
    admin = AIOKafkaAdminClient(bootstrap_servers=bootstrap)
    await admin.start()
    await admin.create_topics([NewTopic(topic, 3, 3)])
    while True:
        described = await admin.describe_topics([topic])
        if topic in await admin.list_topics() and len(described[0]["partitions"]) == 3:
            break

    producer = AIOKafkaProducer(
        bootstrap_servers=bootstrap, enable_idempotence=True, compression_type="gzip"
    )
    await producer.start()
    acked = await asyncio.gather(
        *[producer.send_and_wait(topic, b"v%d" % n, key=b"k%d" % n) for n in range(100)]
    )
    await producer.stop()

    consumer = AIOKafkaConsumer(bootstrap_servers=bootstrap, enable_auto_commit=False)
    await consumer.start()
    partitions = [TopicPartition(topic, n) for n in range(3)]
    consumer.assign(partitions)
    await consumer.seek_to_beginning(*partitions)
    seen = {}
    while len(seen) < 100:
        record = await asyncio.wait_for(consumer.getone(), 30)
        seen[record.partition, record.offset] = record.value
    assert set(seen) == {(a.partition, a.offset) for a in acked}
    await consumer.stop()
    await admin.delete_topics([topic])
    await admin.close()
    print("ok")


asyncio.run(asyncio.wait_for(main(), 60))
