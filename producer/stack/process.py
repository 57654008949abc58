"""Child processes with a log file, that end with their parent and say why they did not come up."""

import contextlib
import ctypes
import fcntl
import os
import signal
import socket
import subprocess
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path

from schema.errors import ConfigurationError

_LOG_LINES = 15
_PR_SET_PDEATHSIG = 1


@dataclass(frozen=True)
class Command:
    """What to run."""

    name: str
    arguments: list[str]
    environment: dict[str, str]
    patience_s: float = 0.0
    """How long a polite end may take before a hard one."""


class Child:
    """One running process in a session of its own."""

    def __init__(self, command: Command, logs: Path) -> None:
        self._command, self._logs = command, logs
        self.name = command.name
        self.log = logs / f"{command.name}.log"
        self._patience_s = command.patience_s
        with self.log.open("ab") as output:
            self._process = subprocess.Popen(
                command.arguments,
                env={**os.environ, **command.environment},
                stdin=subprocess.DEVNULL,
                stdout=output,
                stderr=subprocess.STDOUT,
                start_new_session=True,
                preexec_fn=_end_with_parent,
            )

    @property
    def pid(self) -> int:
        return self._process.pid

    @property
    def running(self) -> bool:
        return self.status is None

    @property
    def status(self) -> int | None:
        """With which it ended; none while it runs."""
        return self._process.poll()

    def again(self) -> "Child":
        """The same command in a new process, in place of this one, which has ended."""
        self.kill()
        return Child(self._command, self._logs)

    def wait_until(self, ready: Callable[[], bool], timeout_s: float) -> None:
        """Wait until ``ready()``.

        Raises:
            ConfigurationError: the process ended or took too long; with the last lines of its log.
        """
        end = time.monotonic() + timeout_s
        while not ready():
            if not self.running:
                raise ConfigurationError(f"{self.name} ended with {self._process.returncode}:\n{self.last_lines()}")
            if time.monotonic() > end:
                raise ConfigurationError(f"{self.name} did not come up in {timeout_s:.0f} s:\n{self.last_lines()}")
            time.sleep(0.05)

    def last_lines(self) -> str:
        """The end of the log."""
        lines = self.log.read_text(errors="replace").splitlines()[-_LOG_LINES:]
        return "\n".join([*lines, f"(the whole log: {self.log})"])

    def ask_to_stop(self) -> None:
        """SIGTERM to the process."""
        if self.running:
            self._process.terminate()

    def stop(self) -> None:
        """Wait for the process to end, then make sure that it and all it started are gone."""
        try:
            self._process.wait(self._patience_s)
        except subprocess.TimeoutExpired:
            pass
        finally:
            self.kill()

    def kill(self) -> None:
        """SIGKILL to the process and all it started."""
        with contextlib.suppress(ProcessLookupError, PermissionError):
            os.killpg(self.pid, signal.SIGKILL)
        self._process.wait()


def _end_with_parent() -> None:
    """Ask the kernel (Linux) to end this process when its parent dies, however it dies."""
    with contextlib.suppress(OSError, AttributeError):
        ctypes.CDLL(None).prctl(_PR_SET_PDEATHSIG, signal.SIGKILL)


@contextmanager
def ports_to_oneself(folder: Path) -> Iterator[None]:
    """Let no other stack of this ``folder`` choose ports until what was chosen here is in use."""
    folder.mkdir(parents=True, exist_ok=True)
    with (folder / "ports.lock").open("w") as lock:
        fcntl.flock(lock, fcntl.LOCK_EX)
        yield


def free_port(wanted: int, taken: set[int]) -> int:
    """``wanted`` when it is free, else another free port; added to ``taken``."""
    port = wanted if wanted not in taken and _is_free(wanted) else _any_free(taken)
    taken.add(port)
    return port


def _is_free(port: int) -> bool:
    with socket.socket() as probe:
        probe.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
        try:
            probe.bind(("127.0.0.1", port))
        except OSError:
            return False
        return True


def _any_free(taken: set[int]) -> int:
    while True:
        with socket.socket() as probe:
            probe.bind(("127.0.0.1", 0))
            port: int = probe.getsockname()[1]
        if port not in taken:
            return port


def answers(port: int) -> bool:
    """Whether something on this machine takes connections at ``port``."""
    with socket.socket() as probe:
        probe.settimeout(0.5)
        return probe.connect_ex(("127.0.0.1", port)) == 0
