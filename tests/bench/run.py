#!/usr/bin/env python3
"""Runs every row of the comparison against three processes of ours and three of Apache Kafka.

Same client, same machine, interleaved (A B B A …); prints medians with their spread and the ratio, and
writes the raw results as JSON lines. Only the standard library is used. See scripts/bench --help.
"""

import argparse
import json
import mmap
import os
import shutil
import signal
import statistics
import subprocess
import sys
import time
from pathlib import Path

ROOT = Path(__file__).resolve().parents[2]
KAFKA_VERSION = "4.3.1"


def sh(*args, **kwargs):
    return subprocess.run([str(a) for a in args], check=True, text=True, **kwargs)


def cpu_seconds(pids):
    """CPU time of the processes' live threads, from the scheduler's own nanosecond counters."""
    total = 0
    for pid in pids:
        for stat in Path(f"/proc/{pid}/task").glob("*/schedstat"):
            try:
                total += int(stat.read_text().split()[0])
            except (OSError, IndexError):
                pass
    return total / 1e9


def rss_mib(pids):
    out = []
    for pid in pids:
        for line in Path(f"/proc/{pid}/status").read_text().splitlines():
            if line.startswith("VmRSS:"):
                out.append(int(line.split()[1]) / 1024)
    return out


def quiet(limit_s=5):
    """Waits until 200 ms pass with less than a tenth of a core busy."""
    def busy():
        f = [int(x) for x in Path("/proc/stat").read_text().split("\n", 1)[0].split()[1:]]
        return f[0] + f[1] + f[2] + f[5] + f[6] + f[7]
    end = time.time() + limit_s
    while time.time() < end:
        a = busy()
        time.sleep(0.2)
        if busy() - a <= 2:
            return True
    return False


def prewarm(mib=1024):
    """Touches and frees memory: a guest's fresh pages cost ten times what recycled ones do."""
    m = mmap.mmap(-1, mib << 20, flags=mmap.MAP_PRIVATE | mmap.MAP_ANONYMOUS | 0x8000)
    m.close()


class Ottla:
    def __init__(self, name, base_port, directory, settings):
        self.name, self.base, self.dir, self.settings = name, base_port, Path(directory), settings
        self.bootstrap = ",".join(f"127.0.0.1:{base_port + i}" for i in range(3))
        self.binary = ROOT / "target/release/ottla"

    def cluster(self, *args):
        return sh(self.binary, "cluster", *args, "--dir", self.dir, capture_output=True)

    def start(self):
        extra = [x for k, v in self.settings.items() for x in ("--set", f"{k}={v}")]
        self.cluster("up", "3", "--base-port", str(self.base), *extra)

    def pids(self):
        out = []
        for file in sorted(self.dir.glob("*/pid")) + sorted(self.dir.glob("*.pid")):
            out.append(int(file.read_text().split()[0]))
        return out

    def kill(self, node, sig):
        return f"{self.binary} cluster {sig} {node} --dir {self.dir}"

    def revive(self, node):
        subprocess.run([str(self.binary), "cluster", "resume", str(node), "--dir", str(self.dir)],
                       capture_output=True)
        subprocess.run([str(self.binary), "cluster", "start", str(node), "--dir", str(self.dir)],
                       capture_output=True)

    def restart(self, nodes):
        starts = [subprocess.Popen([str(self.binary), "cluster", "start", str(node), "--dir", str(self.dir)],
                                   stdout=subprocess.DEVNULL) for node in nodes]
        for start in starts:
            start.wait()

    def stop(self):
        subprocess.run([str(self.binary), "cluster", "down", "--dir", str(self.dir)],
                       capture_output=True)
        shutil.rmtree(self.dir, ignore_errors=True)


def kafka_jars():
    jars = ROOT / "target/kafka-jars"
    if not any(jars.glob(f"kafka_2.13-{KAFKA_VERSION}.jar")):
        jars.mkdir(parents=True, exist_ok=True)
        pom = jars / "pom.xml"
        dep = "".join(
            f"<dependency><groupId>{g}</groupId><artifactId>{a}</artifactId><version>{v}</version></dependency>"
            for g, a, v in [("org.apache.kafka", "kafka_2.13", KAFKA_VERSION),
                            ("org.apache.kafka", "kafka-tools", KAFKA_VERSION),
                            ("org.slf4j", "slf4j-simple", "1.7.36")])
        pom.write_text("<project><modelVersion>4.0.0</modelVersion><groupId>x</groupId>"
                       "<artifactId>x</artifactId><version>1</version><packaging>pom</packaging>"
                       f"<dependencies>{dep}</dependencies></project>")
        sh("mvn", "-q", "-f", pom, "dependency:copy-dependencies", "-DincludeScope=runtime",
           f"-DoutputDirectory={jars}")
    return jars


class Kafka:
    def __init__(self, name, base_port, directory, settings):
        self.name, self.base, self.dir, self.settings = name, base_port, Path(directory), settings
        self.bootstrap = ",".join(f"127.0.0.1:{base_port + i}" for i in range(3))
        self.processes = {}
        self.jars = kafka_jars()

    def java(self, *args):
        return ["java", "-Dorg.slf4j.simpleLogger.defaultLogLevel=warn", "-cp", f"{self.jars}/*", *args]

    def launch(self, node):
        log = open(self.dir / f"{node}.log", "ab")
        self.processes[node] = subprocess.Popen(
            self.java("-Xmx1G", "-Xms1G", "-XX:+UseG1GC", "kafka.Kafka", self.dir / f"{node}.properties"),
            stdout=log, stderr=log)

    def start(self):
        self.dir.mkdir(parents=True, exist_ok=True)
        voters = ",".join(f"{i + 1}@127.0.0.1:{self.base + 100 + i}" for i in range(3))
        for i in range(3):
            text = {
                "process.roles": "broker,controller", "node.id": i + 1,
                "controller.quorum.voters": voters,
                "listeners": f"PLAINTEXT://127.0.0.1:{self.base + i},CONTROLLER://127.0.0.1:{self.base + 100 + i}",
                "controller.listener.names": "CONTROLLER",
                "listener.security.protocol.map": "PLAINTEXT:PLAINTEXT,CONTROLLER:PLAINTEXT",
                "log.dirs": self.dir / f"data{i + 1}", "offsets.topic.replication.factor": 3,
                "transaction.state.log.replication.factor": 3, "group.initial.rebalance.delay.ms": 0,
                **self.settings}
            props = self.dir / f"{i + 1}.properties"
            props.write_text("".join(f"{k}={v}\n" for k, v in text.items()))
            sh(*self.java("kafka.tools.StorageTool", "format", "-t", "5L6g3nShT-eMCtK--X86sw", "-c", props),
               capture_output=True)
        for i in range(3):
            self.launch(i + 1)

    def pids(self):
        return [p.pid for p in self.processes.values() if p.poll() is None]

    def kill(self, node, sig):
        number = {"kill": "KILL", "pause": "STOP", "stop": "TERM"}[sig]
        return f"kill -{number} {self.processes[int(node)].pid}"

    def revive(self, node):
        process = self.processes[int(node)]
        try:
            process.send_signal(signal.SIGCONT)
        except ProcessLookupError:
            pass
        time.sleep(0.5)
        if process.poll() is not None:
            self.launch(int(node))

    def restart(self, nodes):
        for node in nodes:
            self.processes[node].wait()
            self.launch(node)

    def stop(self):
        for process in self.processes.values():
            process.kill()
            process.wait()
        shutil.rmtree(self.dir, ignore_errors=True)


BENCH = ROOT / "target/release/ottla-bench"


def bench(cluster, *args, check=True, timeout=180):
    out = subprocess.run([str(BENCH), "--bootstrap", cluster.bootstrap, *[str(a) for a in args]],
                         capture_output=True, text=True, timeout=timeout)
    if out.returncode != 0:
        if check:
            raise RuntimeError(f"{cluster.name}: {args}: {out.stderr.strip()[-500:]}")
        return None
    return json.loads(out.stdout)


def create(cluster, topic, partitions=6, rf=3, **configs):
    # Logs that recycle: fresh pages of a virtual machine cost more than everything that is measured here.
    configs = {"retention.bytes": 50331648, "segment.bytes": 16777216, "file.delete.delay.ms": 100, **configs}
    extra = [x for k, v in configs.items() for x in ("--config", f"{k}={v}")]
    deadline = time.time() + 60
    while True:
        got = bench(cluster, "create", "--topic", topic, "--partitions", partitions,
                    "--replication-factor", rf, *extra, check=False)
        if got or time.time() > deadline:
            return got
        time.sleep(0.2)


def metered(cluster, *args):
    """A run with the brokers' CPU seconds per GB beside its figures."""
    prewarm()
    quiet()
    before = cpu_seconds(cluster.pids())
    began = time.time()
    got = bench(cluster, *args)
    used = cpu_seconds(cluster.pids()) - before
    got["broker_cpu_s"] = used
    got["broker_cores"] = used / (time.time() - began)
    if got.get("total_bytes"):
        got["broker_s_per_gb"] = used / (got["total_bytes"] / 1e9)
    return got


def row_put(size, acks, rf):
    def run(cluster, serial):
        topic = f"put-{size}-{acks}-{rf}-{serial}"
        create(cluster, topic, rf=rf)
        got = metered(cluster, "put", "--topic", topic, "--size", size, "--acks", acks, "--seconds", 5)
        bench(cluster, "delete", "--topic", topic, check=False)
        return {"MB/s": got["mb_per_s"], "k rec/s": got["records_per_s"] / 1e3,
                "broker s/GB": got["broker_s_per_gb"], "failed": got["failed"]}
    return run


def row_blast(batch):
    def run(cluster, serial):
        topic = f"blast-{batch}-{serial}"
        create(cluster, topic)
        got = metered(cluster, "blast", "--topic", topic, "--batch-bytes", batch, "--seconds", 4)
        bench(cluster, "delete", "--topic", topic, check=False)
        return {"MB/s": got["mb_per_s"], "broker s/GB": got["broker_s_per_gb"],
                "ack p50 ms": got["ack"]["p50_ms"], "ack p99 ms": got["ack"]["p99_ms"]}
    return run


def row_get(cluster, serial):
    topic = f"get-{serial}"
    create(cluster, topic, rf=1, **{"retention.bytes": -1, "segment.bytes": 268435456})
    # The same amount for everybody: what is left of it in caches and queues decides much.
    bench(cluster, "put", "--topic", topic, "--acks", "1", "--seconds", 60, "--limit-bytes", 800_000_000)
    got = metered(cluster, "get", "--topic", topic)
    bench(cluster, "delete", "--topic", topic, check=False)
    return {"MB/s": got["mb_per_s"], "broker s/GB": got["broker_s_per_gb"]}


def row_e2e(rate, size):
    def run(cluster, serial):
        topic = f"e2e-{rate}-{serial}"
        create(cluster, topic, partitions=1 if rate < 1000 else 6)
        got = metered(cluster, "e2e", "--topic", topic, "--rate", rate, "--size", size, "--seconds", 8)
        bench(cluster, "delete", "--topic", topic, check=False)
        e = got["e2e"]
        return {"p50 ms": e["p50_ms"], "p99 ms": e["p99_ms"], "p99.9 ms": e["p999_ms"],
                "cores": got["broker_cores"], "behind ms": got["behind_ms"]}
    return run


def row_gap(sig, request_timeout_ms=0, seconds=6.0):
    def run(cluster, serial):
        topic = f"gap-{sig}-{serial}"
        create(cluster, topic, partitions=1)
        command = cluster.kill("{leader}", sig) if isinstance(cluster, Ottla) else (
            "case {leader} in " + " ".join(f"{n}) {cluster.kill(n, sig)};;" for n in (1, 2, 3)) + " esac")
        length = seconds if isinstance(cluster, Ottla) else max(seconds, 18.0)
        try:
            got = bench(cluster, "gap", "--topic", topic, "--command", command, "--seconds", length,
                        "--request-timeout-ms", request_timeout_ms)
        finally:
            for node in (1, 2, 3):
                cluster.revive(node)
        create(cluster, f"back-{sig}-{serial}", partitions=3)
        for name in (topic, f"back-{sig}-{serial}"):
            bench(cluster, "delete", "--topic", name, check=False)
        return {"gap ms": got["gap_ms"], "failed": got["failed"]}
    return run


def row_restart(nodes):
    """kill -9, then the time from the start of the processes until all is in sync and takes records."""
    def run(cluster, serial):
        topic = f"restart-{len(nodes)}-{serial}"
        create(cluster, topic, partitions=30)
        bench(cluster, "put", "--topic", topic, "--seconds", 2)
        for node in nodes:
            sh("sh", "-c", cluster.kill(node, "kill"), capture_output=True)
        if len(nodes) < 3:
            bench(cluster, "settle", "--topic", topic, "--broken")
        began = time.time()
        cluster.restart(nodes)
        bench(cluster, "settle", "--topic", topic)
        took = (time.time() - began) * 1e3
        bench(cluster, "delete", "--topic", topic, check=False)
        return {"all in ISR ms": took}
    return run


def row_create(cluster, serial):
    topic = f"many-{serial}"
    got = create(cluster, topic, partitions=3000)
    time.sleep(2)
    before = cpu_seconds(cluster.pids())
    time.sleep(5)
    idle = (cpu_seconds(cluster.pids()) - before) / 5 / 3 * 100
    rss = statistics.mean(rss_mib(cluster.pids()))
    bench(cluster, "delete", "--topic", topic, check=False)
    time.sleep(3)
    return {"all in ISR ms": got["in_isr_ms"], "idle % of a core per broker": idle, "RSS MiB": rss}


ROWS = {
    "put-1k-all": (row_put(1024, "all", 3), 3),
    "put-100-all": (row_put(100, "all", 3), 3),
    "put-1k-1": (row_put(1024, "1", 3), 3),
    "put-1k-rf1": (row_put(1024, "1", 1), 3),
    "put-100-rf1": (row_put(100, "1", 1), 3),
    "blast-1m": (row_blast(1_000_000), 3),
    "blast-16k": (row_blast(16_384), 3),
    "get": (row_get, 3),
    "e2e-200": (row_e2e(200, 1024), 3),
    "e2e-20k": (row_e2e(20_000, 100), 2),
    "kill-leader": (row_gap("kill"), 5),
    "pause-leader": (row_gap("pause", 1000, 8.0), 3),
    "term-leader": (row_gap("stop"), 4),
    "restart-one": (row_restart([2]), 3),
    "restart-all": (row_restart([1, 2, 3]), 3),
    "create-3000": (row_create, 1),
}


def spread(values):
    values = sorted(values)
    return f"{statistics.median(values):.4g} ({values[0]:.4g}..{values[-1]:.4g})"


def main():
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--rows", default=",".join(ROWS), help="which rows, separated by commas")
    parser.add_argument("--samples", type=int, help="samples per row instead of each row's own number")
    parser.add_argument("--systems", default="ottla,ottla-pagecache,kafka")
    parser.add_argument("--dir", default="/tmp/ottla-bench-run", help="where the clusters keep data")
    parser.add_argument("--out", default=str(ROOT / "target/bench-results.jsonl"))
    parser.add_argument("--warm", type=float, default=60,
                        help="seconds of load for each system before the first sample (the JVM's heat)")
    parser.add_argument("--no-build", action="store_true", help="use the binaries that are there")
    args = parser.parse_args()
    if not args.no_build:
        sh("cargo", "build", "--release", "-p", "ottla", "-p", "ottla-bench", cwd=ROOT)
    long_max = 9223372036854775807
    recycle = {"log.retention.check.interval.ms": 500}
    systems = {
        "ottla": lambda: Ottla("ottla", 21092, f"{args.dir}/o", recycle),
        "ottla-pagecache": lambda: Ottla("ottla-pagecache", 22092, f"{args.dir}/p",
                                         {"log.flush.interval.messages": long_max, **recycle}),
        "kafka": lambda: Kafka("kafka", 23092, f"{args.dir}/k", recycle),
    }
    clusters = [systems[name]() for name in args.systems.split(",")]
    results = {}
    with open(args.out, "a") as out:
        try:
            for cluster in clusters:
                shutil.rmtree(cluster.dir, ignore_errors=True)
                began = time.time()
                cluster.start()
                create(cluster, "first", partitions=1)
                bench(cluster, "e2e", "--topic", "first", "--rate", 10, "--seconds", 0.3)
                print(f"{cluster.name}: up with a first record after {time.time() - began - 0.8:.2f} s, "
                      f"RSS {[round(x) for x in rss_mib(cluster.pids())]} MiB", flush=True)
            for cluster in clusters:
                create(cluster, "warm")
                bench(cluster, "put", "--topic", "warm", "--seconds",
                      args.warm if cluster.name == "kafka" else min(args.warm, 5))
                bench(cluster, "delete", "--topic", "warm", check=False)
            for row in args.rows.split(","):
                run, samples = ROWS[row]
                for serial in range(args.samples or samples):
                    order = clusters if serial % 2 == 0 else clusters[::-1]
                    for cluster in order:
                        try:
                            got = run(cluster, f"{serial}-{int(time.time())}")
                        except Exception as error:  # noqa: BLE001  a failed sample is a result too
                            got = {"error": str(error)[-300:]}
                        out.write(json.dumps({"row": row, "system": cluster.name, "sample": serial,
                                              "at": time.time(), **got}) + "\n")
                        out.flush()
                        for key, value in got.items():
                            results.setdefault(row, {}).setdefault(cluster.name, {}).setdefault(key, []).append(value)
                for name, figures in results[row].items():
                    for key, values in figures.items():
                        if key == "error":
                            print(f"{row:14} {name:16} {len(values)} failed: {values[0]}", flush=True)
                            continue
                        peer = results[row].get("kafka", {}).get(key)
                        ratio = ""
                        if peer and name != "kafka" and statistics.median(peer):
                            ratio = f"  {statistics.median(values) / statistics.median(peer):.2f} x Kafka"
                        print(f"{row:14} {name:16} {key:28} {spread(values)}{ratio}", flush=True)
            for cluster in clusters:
                print(f"{cluster.name}: RSS at the end {[round(x) for x in rss_mib(cluster.pids())]} MiB")
        finally:
            for cluster in clusters:
                cluster.stop()


if __name__ == "__main__":
    sys.exit(main())
