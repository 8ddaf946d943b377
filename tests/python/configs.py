"""kafka-python and confluent-kafka: settings of topics, brokers and groups. usage: BOOTSTRAP TOPIC"""

import sys

from confluent_kafka.admin import (
    AdminClient,
    AlterConfigOpType,
    ConfigEntry,
    ConfigResource,
    ConfigSource,
    ResourceType,
)
from confluent_kafka import KafkaException
from confluent_kafka.admin import NewTopic
from kafka import KafkaAdminClient
from kafka.admin import ConfigResource as Resource
from kafka.admin import ConfigResourceType

from eventually import eventually

bootstrap, topic = sys.argv[1:]

# confluent-kafka: what each source says, incremental changes of a list, what is refused.
admin = AdminClient({"bootstrap.servers": bootstrap})
admin.create_topics([NewTopic(topic, 1, 3)])[topic].result(30)


def describe(kind, name):
    return admin.describe_configs([ConfigResource(kind, name)])[ConfigResource(kind, name)].result(30)


def alter(kind, name, key, value, op=AlterConfigOpType.SET, **options):
    entry = ConfigEntry(key, value, incremental_operation=op)
    resource = ConfigResource(kind, name, incremental_configs=[entry])
    admin.incremental_alter_configs([resource], **options)[resource].result(30)


alter(ResourceType.TOPIC, topic, "cleanup.policy", "compact", AlterConfigOpType.APPEND)
eventually(lambda: describe(ResourceType.TOPIC, topic)["cleanup.policy"].value == "delete,compact")
alter(ResourceType.TOPIC, topic, "cleanup.policy", "delete", AlterConfigOpType.SUBTRACT)
eventually(lambda: describe(ResourceType.TOPIC, topic)["cleanup.policy"].value == "compact")
assert describe(ResourceType.TOPIC, topic)["cleanup.policy"].source == ConfigSource.DYNAMIC_TOPIC_CONFIG.value
alter(ResourceType.TOPIC, topic, "cleanup.policy", None, AlterConfigOpType.DELETE)
eventually(lambda: describe(ResourceType.TOPIC, topic)["cleanup.policy"].is_default)
alter(ResourceType.TOPIC, topic, "retention.ms", "77", validate_only=True)
assert describe(ResourceType.TOPIC, topic)["retention.ms"].value == "604800000"

for kind, name, key, value, sentence in [
    (ResourceType.TOPIC, topic, "retention.ms", "soon", "Not a number of type LONG"),
    (ResourceType.TOPIC, topic, "no.such", "1", "Unknown topic config name: no.such"),
    (ResourceType.BROKER, "1", "log.dirs", "x", "Cannot update these configs dynamically: [log.dirs]"),
]:
    try:
        alter(kind, name, key, value)
        sys.exit(f"{key}={value} is taken")
    except KafkaException as error:
        assert sentence in error.args[0].str(), error

broker = describe(ResourceType.BROKER, "2")
assert broker["node.id"].value == "2" and broker["node.id"].is_read_only
assert broker["node.id"].source == ConfigSource.STATIC_BROKER_CONFIG.value
assert broker["ssl.key.password"].is_sensitive and broker["ssl.key.password"].value is None
client = KafkaAdminClient(bootstrap_servers=bootstrap.split(","))
alter(ResourceType.BROKER, "2", "log.cleaner.threads", "2")
for name, value in [("2", "2"), ("3", "1")]:
    eventually(lambda: describe(ResourceType.BROKER, name)["log.cleaner.threads"].value == value)
places = describe(ResourceType.BROKER, "2")["log.cleaner.threads"].synonyms
assert "1" in str([place.value for place in places.values()]), places

# kafka-python: the kinds that the other does not know.
group = ConfigResourceType.GROUP


def group_config(key):
    described = client.describe_configs([Resource(group, "g")], config_filter="all")
    return str(described).find(f"'{key}'") >= 0 and "50000" in str(described)


client.alter_configs([Resource(group, "g", {"consumer.session.timeout.ms": "50000"})])
eventually(lambda: group_config("consumer.session.timeout.ms"))
refused = client.alter_configs([Resource(group, "g", {"consumer.session.timeout.ms": "1"})])
assert "group.consumer.min.session.timeout.ms" in str(refused), refused
listed = client.list_config_resources()
assert "'g'" in str(listed) and f"'{topic}'" in str(listed), listed
print("ok")
