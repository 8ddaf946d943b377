// As the tutorials have it: a kafkajs producer sends five JSON messages to test-topic, and a consumer of
// the group node-group prints them.
import { createRequire } from 'node:module';

const { Kafka, logLevel } = createRequire(process.env.OTTLA_NODE_MODULES)('kafkajs');
const kafka = new Kafka({
  clientId: 'my-app',
  brokers: ['localhost:9092'],
  logLevel: logLevel.ERROR,
});
const producer = kafka.producer();
await producer.connect();
for (let i = 0; i < 5; i++) {
  await producer.send({
    topic: 'test-topic',
    messages: [{ key: `key-${i}`, value: JSON.stringify({ id: i, text: `message ${i}` }) }],
  });
}
await producer.disconnect();

const consumer = kafka.consumer({ groupId: 'node-group' });
await consumer.connect();
await consumer.subscribe({ topic: 'test-topic', fromBeginning: true });
await new Promise((resolve) => {
  let messages = 0;
  consumer.run({
    eachMessage: async ({ topic, partition, message }) => {
      const value = message.value.toString();
      console.log(`${topic}[${partition}] ${message.offset}: ${value}`);
      messages += value.includes('message') ? 1 : 0;
      if (messages === 5) resolve();
    },
  });
});
await consumer.disconnect();
console.log('ok');
