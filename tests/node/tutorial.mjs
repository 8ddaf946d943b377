// As the tutorials have it: a kafkajs producer sends five JSON messages to test-topic.
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
console.log('ok');
