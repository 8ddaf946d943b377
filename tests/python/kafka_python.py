"""kafka-python: administration, producing, and reading by assignment. usage: BOOTSTRAP TOPIC"""

import sys

from kafka import KafkaAdminClient, KafkaConsumer, KafkaProducer, TopicPartition
from kafka.admin import ConfigResource, ConfigResourceType, NewPartitions, NewTopic
from kafka.errors import TopicAlreadyExistsError, InvalidReplicationFactorError

from eventually import eventually

bootstrap, topic = sys.argv[1:]
servers = bootstrap.split(",")

admin = KafkaAdminClient(bootstrap_servers=servers)
admin.create_topics([NewTopic(topic, 2, 3)])
for wrong, error in [
    (NewTopic(topic, 1, 1), TopicAlreadyExistsError),
    (NewTopic(topic + "-wide", 1, 9), InvalidReplicationFactorError),
]:
    try:
        admin.create_topics([wrong])
        sys.exit(f"{error.__name__} expected")
    except error:
        pass
eventually(lambda: topic in admin.list_topics())
admin.create_partitions({topic: NewPartitions(3)})
eventually(lambda: len(admin.describe_topics([topic])[0]["partitions"]) == 3)
admin.alter_configs([ConfigResource(ConfigResourceType.TOPIC, topic, {"retention.ms": "123456"})])
resource = ConfigResource(ConfigResourceType.TOPIC, topic)
eventually(lambda: "123456" in str(admin.describe_configs([resource])))

for compression in [None, "gzip", "lz4", "snappy", "zstd"]:
    try:
        producer = KafkaProducer(bootstrap_servers=servers, acks="all", compression_type=compression)
    except (AssertionError, RuntimeError):
        continue  # the codec's library is not part of kafka-python
    for n in range(20):
        metadata = producer.send(
            topic, key=b"k%d" % n, value=b"v%d" % n, partition=n % 3, headers=[("h", b"1")]
        )
    producer.flush(30)
    assert metadata.get(30).partition == 19 % 3
    producer.close()

consumer = KafkaConsumer(bootstrap_servers=servers, consumer_timeout_ms=30000)
partitions = [TopicPartition(topic, n) for n in range(3)]
consumer.assign(partitions)
consumer.seek_to_beginning()
ends = consumer.end_offsets(partitions)
expected = sum(ends.values())
assert expected >= 20, ends
seen = []
for record in consumer:
    seen.append((record.key, record.value, record.headers))
    if len(seen) == expected:
        break
assert len(seen) == expected, (len(seen), expected)
assert (b"k7", b"v7", [("h", b"1")]) in [(k, v, list(h)) for k, v, h in seen]
times = consumer.offsets_for_times({partitions[0]: 0})
assert times[partitions[0]].offset == 0, times
consumer.close()
admin.delete_topics([topic])
print("ok")
