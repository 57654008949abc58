"""Start the process that reads sources, and end it; it never outlives its worker."""

import atexit
import os
import signal
import socket
import subprocess
import sys
import weakref
from concurrent.futures import ThreadPoolExecutor
from functools import cache
from pathlib import Path

from schema.errors import DecoderDied
from workers.media.jail import ring
from workers.media.jail.wire import BrokenWire, Wire, Words
from workers.media.limits import Limits

_BOOT = "import sys; sys.path[:] = sys.argv[10:]; from workers.media.jail.child import main; main()"
_ROOT = Path(__file__).parents[3]
#: All that it knows of the world: one thread for the libraries that would take as many as there are cores.
_ENVIRONMENT = {"HOME": "/", "LC_ALL": "C.UTF-8", "OPENBLAS_NUM_THREADS": "1", "OMP_NUM_THREADS": "1"}
_START_S = 60.0
_LAST_S = 0.5
_alive: "weakref.WeakSet[Child]" = weakref.WeakSet()


class Child:
    """A process that answers questions about sources, one at a time."""

    def __init__(self, limits: Limits) -> None:
        """Start it and wait until it is ready.

        Raises:
            DecoderDied: it did not start.
        """
        self.limits = limits
        self.answered = 0
        """Questions so far."""
        self._start()
        _alive.add(self)
        self.confined = bool(self._greeting().get("confined"))
        """Whether the system keeps it from opening files and sockets."""

    def _start(self) -> None:
        size = ring.capacity(self.limits.pixels)
        shared = ring.new_file(size)
        ours, theirs = socket.socketpair()
        ours.settimeout(self.limits.stall_s)
        try:
            self.memory = ring.mapped(shared, size)
            self.wire = Wire(ours)
            self._process = _starter().submit(_started, theirs.fileno(), shared, self.limits).result()
            self._owner = os.getpid()
        except BaseException:
            ours.close()
            raise
        finally:
            theirs.close()
            os.close(shared)

    def _greeting(self) -> Words:
        if self.wire.has_something(_START_S):
            try:
                return self.wire.receive()[0]
            except BrokenWire:
                pass
        raise DecoderDied(f"the process that reads sources did not start: {self.end()}")

    @property
    def pid(self) -> int:
        """Of the process."""
        return self._process.pid

    def is_mine(self) -> bool:
        """Whether it runs, and was started by this process."""
        return os.getpid() == self._owner and self._process.poll() is None

    def end(self) -> str:
        """Stop it, if it has not stopped by itself; what it died of."""
        try:
            code = self._process.wait(_LAST_S)
        except subprocess.TimeoutExpired:
            code = 0
        self.kill()
        return _cause(code)

    def __del__(self) -> None:
        if hasattr(self, "_owner") and os.getpid() == self._owner:
            self.kill()

    def kill(self) -> None:
        """Stop it at once."""
        if os.getpid() == self._owner:
            self._process.kill()
            self._process.wait()
            self.wire.close()
            _alive.discard(self)


def _cause(code: int) -> str:
    if code < 0:
        name = signal.Signals(-code).name
        hint = ", as when the machine has no memory left" if -code == signal.SIGKILL else ""
        return f"killed by {name}{hint}"
    return f"exit code {code}" if code else "it was stopped"


def _started(end: int, shared: int, limits: Limits) -> "subprocess.Popen[bytes]":
    of_it = (limits.pixels, limits.memory_mb, limits.threads, limits.source_bytes, limits.frames, limits.duration_s)
    arguments = [str(number) for number in (os.getpid(), end, shared, *of_it)]
    paths = [str(_ROOT), *(path or str(Path.cwd()) for path in sys.path)]
    return subprocess.Popen(
        [sys.executable, "-I", *_where_bytecode_is(), "-c", _BOOT, *arguments, *paths],
        env=_ENVIRONMENT,
        cwd="/",
        stdin=subprocess.DEVNULL,
        stdout=subprocess.DEVNULL,
        pass_fds=(end, shared),
    )


def _where_bytecode_is() -> list[str]:
    """An isolated Python does not see PYTHONPYCACHEPREFIX, and would compile all it imports."""
    return ["-X", f"pycache_prefix={sys.pycache_prefix}"] if sys.pycache_prefix else []


@cache
def _starter() -> ThreadPoolExecutor:
    """A thread that lasts: the system ends a process with the thread that started it."""
    return ThreadPoolExecutor(1, "starts-readers")


def any_started() -> bool:
    """Whether this process has any."""
    return len(_alive) > 0


@atexit.register
def _end_all() -> None:
    for child in list(_alive):
        child.kill()


def clear_after_fork() -> None:
    """A forked process owns none of them, and no thread to start any."""
    _alive.clear()
    _starter.cache_clear()


os.register_at_fork(after_in_child=clear_after_fork)
