"""confluent-kafka (librdkafka): administration, producing, and reading by assignment.

usage: BOOTSTRAP TOPIC
"""

import sys

from confluent_kafka import Consumer, KafkaError, KafkaException, Producer, TopicPartition
from confluent_kafka import TopicCollection
from confluent_kafka.admin import (
    AdminClient,
    AlterConfigOpType,
    ConfigEntry,
    ConfigResource,
    NewPartitions,
    NewTopic,
    OffsetSpec,
)

from eventually import eventually

bootstrap, topic = sys.argv[1:]
admin = AdminClient({"bootstrap.servers": bootstrap})


def done(futures):
    return {key: future.result(30) for key, future in futures.items()}


def refused(futures, code):
    try:
        done(futures)
    except KafkaException as error:
        assert error.args[0].code() == code, error
        return
    sys.exit(f"error {code} expected")


done(admin.create_topics([NewTopic(topic, 2, 3, config={"cleanup.policy": "delete"})]))
refused(admin.create_topics([NewTopic(topic, 1, 1)]), KafkaError.TOPIC_ALREADY_EXISTS)
refused(admin.create_topics([NewTopic("a b", 1, 1)]), KafkaError.TOPIC_EXCEPTION)
refused(admin.create_topics([NewTopic("w", 1, 9)]), KafkaError.INVALID_REPLICATION_FACTOR)
refused(
    admin.create_topics([NewTopic("c", 1, 1, config={"no.such.key": "1"})]), KafkaError.INVALID_CONFIG
)
done(admin.create_partitions([NewPartitions(topic, 3)]))
cluster = admin.describe_cluster().result(30)
assert len(cluster.nodes) == 3 and cluster.cluster_id, cluster


def three_partitions_in_sync():
    described = done(admin.describe_topics(TopicCollection([topic])))[topic]
    return len(described.partitions) == 3 and len(described.partitions[0].isr) == 3


eventually(three_partitions_in_sync)

resource = ConfigResource(ConfigResource.Type.TOPIC, topic)
resource.add_incremental_config(
    ConfigEntry("retention.ms", "123456", incremental_operation=AlterConfigOpType.SET)
)
done(admin.incremental_alter_configs([resource]))


def altered():
    configs = done(admin.describe_configs([ConfigResource(ConfigResource.Type.TOPIC, topic)]))
    return next(iter(configs.values()))["retention.ms"].value == "123456"


eventually(altered)

acked = []


def delivered(error, message):
    assert error is None, error
    acked.append((message.partition(), message.offset()))


for compression in ["none", "gzip", "lz4", "snappy", "zstd"]:
    for idempotence in [False, True]:
        producer = Producer({
            "bootstrap.servers": bootstrap,
            "compression.type": compression,
            "enable.idempotence": idempotence,
        })
        for n in range(30):
            producer.produce(
                topic, f"v{n}" * 50, f"k{n}", n % 3, delivered, headers={"codec": compression}
            )
        assert producer.flush(30) == 0
assert len(acked) == 300 and len(set(acked)) == 300, len(acked)

partitions = [TopicPartition(topic, n, 0) for n in range(3)]
consumer = Consumer({
    "bootstrap.servers": bootstrap,
    "group.id": "unused",
    "enable.auto.commit": False,
    "enable.partition.eof": True,
    "check.crcs": True,
})
consumer.assign(partitions)
seen = {}
ends = 0
while ends < 3:
    message = consumer.poll(30)
    assert message is not None, "silence"
    if message.error():
        assert message.error().code() == KafkaError._PARTITION_EOF, message.error()
        ends += 1
    else:
        seen[message.partition(), message.offset()] = message.value()
assert sorted(seen) == sorted(acked), (len(seen), len(acked))

latest = done(admin.list_offsets({TopicPartition(topic, 0): OffsetSpec.latest()}))
assert latest[TopicPartition(topic, 0)].offset == 100, latest
newest = done(admin.list_offsets({TopicPartition(topic, 0): OffsetSpec.max_timestamp()}))
assert 0 <= newest[TopicPartition(topic, 0)].offset < 100, newest
done(admin.delete_records([TopicPartition(topic, 0, 40)]))
assert consumer.get_watermark_offsets(TopicPartition(topic, 0), timeout=30) == (40, 100)
consumer.close()
done(admin.delete_topics([topic]))
print("ok")
