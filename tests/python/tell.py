"""What a member of a group tells of itself, in the words of Kafka's own VerifiableConsumer."""

import json
import signal

stopping = False


def _stop(*_):
    global stopping
    stopping = True


def until_told():
    """Lets SIGTERM end the loop of the caller, who looks at `stopping`."""
    signal.signal(signal.SIGTERM, _stop)


def _tell(name, **more):
    print(json.dumps({"name": name} | more), flush=True)


def assigned(partitions):
    _tell("partitions_assigned", partitions=[{"topic": t, "partition": p} for t, p in partitions])


def revoked(partitions):
    _tell("partitions_revoked", partitions=[{"topic": t, "partition": p} for t, p in partitions])


def consumed(records):
    """Records as (topic, partition, offset)."""
    runs = {}
    for topic, partition, offset in records:
        run = runs.setdefault((topic, partition), [offset, offset, 0])
        run[0], run[1], run[2] = min(run[0], offset), max(run[1], offset), run[2] + 1
    _tell(
        "records_consumed",
        count=len(records),
        partitions=[
            {"topic": t, "partition": p, "count": n, "minOffset": first, "maxOffset": last}
            for (t, p), (first, last, n) in runs.items()
        ],
    )


def committed(offsets, error=None):
    """Offsets as (topic, partition, offset)."""
    offsets = [{"topic": t, "partition": p, "offset": o} for t, p, o in offsets]
    more = {} if error is None else {"error": str(error)}
    _tell("offsets_committed", success=error is None, offsets=offsets, **more)


def shut_down():
    _tell("shutdown_complete")
