"""Produces to partition 0 with acks=all and idempotence, 200 records a second, and keeps a ledger.

usage: ledger.py BOOTSTRAP TOPIC [librdkafka.setting=value ...]

On the standard input, a number N is answered with "more" once N further records are acknowledged, and
"acked" with how many are. At the end of the input it stops producing, reads everything back, and
prints what it found as JSON.
"""

import json
import queue
import sys
import threading
import time

from confluent_kafka import Consumer, Producer, TopicPartition

RATE = 200
PATIENCE_S = 60


class Ledger:
    def __init__(self):
        self.acked = {}  # sequence number -> offset
        self.failed = 0
        self.last_at = None
        self.longest_gap = 0.0

    def delivered(self, error, message):
        now = time.monotonic()
        if error is not None:
            self.failed += 1
            print(f"not delivered: {error}", file=sys.stderr)
            return
        if self.last_at is not None:
            self.longest_gap = max(self.longest_gap, now - self.last_at)
        self.last_at = now
        self.acked[int(message.value())] = message.offset()


def produce(bootstrap, topic, settings, commands):
    ledger = Ledger()
    producer = Producer(
        {"bootstrap.servers": bootstrap, "acks": "all", "enable.idempotence": True} | settings
    )
    sequence = 0
    waiting = None  # (how many are to be acknowledged, until when)
    said_first = False
    start = time.monotonic()
    while True:
        due = start + sequence / RATE
        producer.poll(max(0.0, min(due - time.monotonic(), 0.005)))
        if not said_first and ledger.acked:
            said_first = True
            print("first acknowledgement", flush=True)
        if not said_first and time.monotonic() - start > PATIENCE_S:
            sys.exit("no acknowledgement at all")
        if waiting is not None:
            if len(ledger.acked) >= waiting[0]:
                waiting = None
                print("more", flush=True)
            elif time.monotonic() > waiting[1]:
                sys.exit(f"no {waiting[0]} acknowledgements, only {len(ledger.acked)}")
        else:
            try:
                command = commands.get_nowait()
                if command is None:
                    break
                if command == "acked":
                    print(len(ledger.acked), flush=True)
                else:
                    waiting = (len(ledger.acked) + int(command), time.monotonic() + PATIENCE_S)
            except queue.Empty:
                pass
        if time.monotonic() >= due:
            producer.produce(topic, str(sequence), partition=0, on_delivery=ledger.delivered)
            sequence += 1
    left = producer.flush(PATIENCE_S)
    if left:
        print(f"{left} records were neither acknowledged nor refused", file=sys.stderr)
    return ledger


def read_back(bootstrap, topic):
    """Every record's (offset, sequence number), in the order of the log."""
    consumer = Consumer({
        "bootstrap.servers": bootstrap,
        "group.id": "unused",
        "enable.auto.commit": False,
        "auto.offset.reset": "error",
    })
    partition = TopicPartition(topic, 0)
    _, end = consumer.get_watermark_offsets(partition, timeout=PATIENCE_S)
    consumer.assign([TopicPartition(topic, 0, 0)])
    found = []
    deadline = time.monotonic() + PATIENCE_S
    while time.monotonic() < deadline and (not found or found[-1][0] < end - 1) and end > 0:
        message = consumer.poll(1.0)
        if message is None:
            continue
        if message.error():
            print(f"while reading back: {message.error()}", file=sys.stderr)
            continue
        found.append((message.offset(), int(message.value())))
    consumer.close()
    return found


def compare(ledger, found):
    offsets = {}
    duplicated = reordered = 0
    highest = -1
    for offset, sequence in found:
        if sequence in offsets:
            duplicated += 1
            continue
        offsets[sequence] = offset
        if sequence < highest:
            reordered += 1
        highest = max(highest, sequence)
    lost = [sequence for sequence in ledger.acked if sequence not in offsets]
    misplaced = [
        sequence
        for sequence, offset in ledger.acked.items()
        if sequence in offsets and offsets[sequence] != offset
    ]
    if lost or misplaced:
        print(f"lost {sorted(lost)[:20]} misplaced {sorted(misplaced)[:20]}", file=sys.stderr)
    return {
        "acked": len(ledger.acked),
        "failed": ledger.failed,
        "read": len(found),
        "lost": len(lost),
        "duplicated": duplicated,
        "reordered": reordered,
        "misplaced": len(misplaced),
        "longest_gap_ms": round(ledger.longest_gap * 1000, 1),
    }


def main():
    bootstrap, topic, *settings = sys.argv[1:]
    settings = dict(setting.split("=", 1) for setting in settings)
    commands = queue.Queue()

    def listen():
        for line in sys.stdin:
            commands.put(line.strip())
        commands.put(None)

    threading.Thread(target=listen, daemon=True).start()
    ledger = produce(bootstrap, topic, settings, commands)
    print(json.dumps(compare(ledger, read_back(bootstrap, topic))))


main()
