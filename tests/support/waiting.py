"""Waiting for what other processes do."""

import time
from collections.abc import Callable


def until(ready: Callable[[], object], patience_s: float = 60, why: str = "it was not so") -> float:
    """Wait until ``ready()`` is true; how long it took, in seconds."""
    began = time.monotonic()
    while not ready():
        assert time.monotonic() - began < patience_s, f"{why} after {patience_s:g} s"
        time.sleep(0.05)
    return time.monotonic() - began
