// kafkajs: administration and producing (its consumer always joins a group). usage: BOOTSTRAP TOPIC
import assert from 'node:assert/strict';
import { createRequire } from 'node:module';

const { Kafka, ConfigResourceTypes, logLevel } =
  createRequire(process.env.OTTLA_NODE_MODULES)('kafkajs');
const [bootstrap, topic] = process.argv.slice(2);
const kafka = new Kafka({
  clientId: 'my-app',
  brokers: bootstrap.split(','),
  logLevel: logLevel.ERROR,
});

const admin = kafka.admin();
await admin.connect();
const cluster = await admin.describeCluster();
assert.equal(cluster.brokers.length, 3);
assert.equal(
  await admin.createTopics({
    topics: [{ topic, numPartitions: 2, replicationFactor: 3 }],
    waitForLeaders: true,
  }),
  true,
);
assert.equal(await admin.createTopics({ topics: [{ topic }] }), false);
await admin.createPartitions({ topicPartitions: [{ topic, count: 3 }] });
const described = await admin.fetchTopicMetadata({ topics: [topic] });
assert.equal(described.topics[0].partitions.length, 3);
assert.equal(described.topics[0].partitions[0].isr.length, 3);
const configs = await admin.describeConfigs({
  includeSynonyms: false,
  resources: [{ type: ConfigResourceTypes.TOPIC, name: topic, configNames: ['retention.ms'] }],
});
assert.equal(configs.resources[0].configEntries[0].configName, 'retention.ms');

const producer = kafka.producer();
await producer.connect();
const messages = [1, 2, 3, 4, 5].map((n) => ({
  key: `k${n}`,
  value: JSON.stringify({ id: n, text: `message ${n}` }),
}));
const sent = await producer.send({ topic, messages });
assert.ok(sent.every((partition) => partition.errorCode === 0));
// On first use a topic is made.
await producer.send({ topic: `${topic}-made-on-first-use`, messages });
await producer.disconnect();

const offsets = await admin.fetchTopicOffsets(topic);
assert.equal(offsets.reduce((sum, partition) => sum + Number(partition.high), 0), 5);
await admin.deleteTopics({ topics: [topic] });
await admin.disconnect();
console.log('ok');
