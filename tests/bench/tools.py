#!/usr/bin/env python3
"""Our perf tools beside Apache Kafka's, on the same cluster: what they measure, and what they use of the CPU.

    tests/bench/tools.py --bootstrap-server localhost:9092 [--records 1000000]

Kafka's jars are where scripts/foreign-clients puts them. Each tool runs three times, in turns; the
median is printed.
"""
import argparse
import os
import statistics
import subprocess
import sys
from pathlib import Path

ROOT = Path(__file__).resolve().parents[2]
CLASSES = {
    "kafka-producer-perf-test": "org.apache.kafka.tools.ProducerPerformance",
    "kafka-consumer-perf-test": "org.apache.kafka.tools.ConsumerPerformance",
}


def run(command):
    """The standard output, and the seconds of CPU."""
    child = subprocess.Popen([str(word) for word in command], stdout=subprocess.PIPE,
                             stderr=subprocess.DEVNULL, text=True)
    out = child.stdout.read()
    _, status, usage = os.wait4(child.pid, 0)
    child.returncode = os.waitstatus_to_exitcode(status)
    if child.returncode != 0:
        sys.exit(f"{command[0]} {command[1]}: exit {child.returncode}\n{out}")
    return out, usage.ru_utime + usage.ru_stime


def rate(tool, out):
    """Records in a second as the tool says."""
    last = out.strip().splitlines()[-1]
    if tool == "kafka-producer-perf-test":
        return float(last.split(" records sent, ")[1].split(" ")[0])
    return float(last.split(", ")[-1])


def main():
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--bootstrap-server", required=True)
    parser.add_argument("--records", type=int, default=1_000_000)
    parser.add_argument("--record-size", type=int, default=100)
    parser.add_argument("--ottla", default=ROOT / "target/release/ottla")
    parser.add_argument("--jars", default=ROOT / "target/foreign/jars")
    given = parser.parse_args()
    java = ["java", "-Xmx512M", "-cp", f"{given.jars}/*"]
    topic = f"perf-tools-{os.getpid()}"
    at = ["--bootstrap-server", given.bootstrap_server]
    run([given.ottla, "kafka-topics", *at, "--create", "--topic", topic, "--partitions", 6])
    arguments = {
        "kafka-producer-perf-test": [
            *at, "--topic", topic, "--num-records", given.records, "--record-size",
            given.record_size, "--throughput", -1],
        "kafka-consumer-perf-test": [
            *at, "--topic", topic, "--num-records", given.records, "--timeout", 60000],
    }
    print(f"{'':26}{'records/s':>14}{'CPU s':>9}")
    for tool, of_tool in arguments.items():
        figures = {"ours": [], "Kafka's": []}
        for _ in range(3):
            for whose, command in (("ours", [given.ottla, tool]), ("Kafka's", [*java, CLASSES[tool]])):
                out, cpu = run([*command, *of_tool])
                figures[whose].append((rate(tool, out), cpu))
        for whose, rounds in figures.items():
            rates, cpus = zip(*rounds)
            print(f"{tool:26}{statistics.median(rates):14,.0f}{statistics.median(cpus):9.2f}  {whose}")


main()
