// kafkajs: a member of a group that commits what it has consumed, and tells it in the words of Kafka's
// own VerifiableConsumer. usage: BOOTSTRAP GROUP TOPIC
import { createRequire } from 'node:module';

const { Kafka, logLevel } = createRequire(process.env.OTTLA_NODE_MODULES)('kafkajs');
const [bootstrap, groupId, topic] = process.argv.slice(2);
const kafka = new Kafka({
  clientId: 'member',
  brokers: bootstrap.split(','),
  logLevel: logLevel.NOTHING,
  retry: { initialRetryTime: 50, maxRetryTime: 500, retries: 1000 },
});
const tell = (name, more) => console.log(JSON.stringify({ name, ...more }));

const consumer = kafka.consumer({ groupId, sessionTimeout: 6000, heartbeatInterval: 500 });
let owned = [];
const give_up = () => {
  if (owned.length > 0) tell('partitions_revoked', { partitions: owned });
  owned = [];
};
consumer.on(consumer.events.GROUP_JOIN, ({ payload }) => {
  give_up();
  owned = (payload.memberAssignment[topic] ?? []).map((partition) => ({ topic, partition }));
  tell('partitions_assigned', { partitions: owned });
});
consumer.on(consumer.events.REBALANCING, give_up);
consumer.on(consumer.events.CRASH, give_up);
await consumer.connect();
await consumer.subscribe({ topics: [topic], fromBeginning: true });
await consumer.run({
  autoCommit: false,
  eachBatch: async ({ batch, resolveOffset, heartbeat }) => {
    const offsets = batch.messages.map((message) => Number(message.offset));
    if (offsets.length === 0) return;
    const { partition } = batch;
    const [minOffset, maxOffset] = [offsets[0], offsets.at(-1)];
    const run = { topic, partition, count: offsets.length, minOffset, maxOffset };
    tell('records_consumed', { count: offsets.length, partitions: [run] });
    const offset = maxOffset + 1;
    const named = { offsets: [{ topic, partition, offset }] };
    try {
      await consumer.commitOffsets([{ topic, partition, offset: String(offset) }]);
      tell('offsets_committed', { success: true, ...named });
    } catch (error) {
      tell('offsets_committed', { success: false, error: error.message, ...named });
      throw error;
    }
    resolveOffset(batch.lastOffset());
    await heartbeat();
  },
});
process.on('SIGTERM', async () => {
  await consumer.disconnect();
  tell('shutdown_complete', {});
  process.exit(0);
});
