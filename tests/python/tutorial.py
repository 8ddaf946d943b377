"""As the tutorials have it: a kafka-python consumer that waits on localhost:9092, then a producer."""

import json
import threading

from kafka import KafkaConsumer, KafkaProducer

TOPIC = "python-topic"
producer = KafkaProducer(
    bootstrap_servers=["localhost:9092"], value_serializer=lambda v: json.dumps(v).encode()
)
producer.send(TOPIC, {"n": -1}).get(30)

seen = []
waiting = threading.Event()


def consume():
    consumer = KafkaConsumer(
        TOPIC,
        bootstrap_servers=["localhost:9092"],
        group_id="python-group",
        auto_offset_reset="earliest",
        value_deserializer=lambda v: json.loads(v),
    )
    for message in consumer:
        seen.append(message.value["n"])
        waiting.set()
        if seen[-1] == 4:
            return


thread = threading.Thread(target=consume, daemon=True)
thread.start()
assert waiting.wait(30), "the consumer sees nothing"
for n in range(5):
    producer.send(TOPIC, {"n": n})
producer.flush()
thread.join(30)
assert seen == [-1, 0, 1, 2, 3, 4], seen
print("ok")
