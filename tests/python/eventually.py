"""Brokers learn of changes one after the other, in Kafka too: what one has taken, another may not know."""

import time

PATIENCE_S = 30


def eventually(look):
    """Calls `look` until it returns something true; what it raises last is raised in the end."""
    deadline = time.monotonic() + PATIENCE_S
    while True:
        try:
            value = look()
            if value:
                return value
            assert time.monotonic() < deadline, value
        except Exception:
            if time.monotonic() >= deadline:
                raise
        time.sleep(0.02)
