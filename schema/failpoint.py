"""Places in the code where a test lets something happen: a kill, a wait, an error. Without a test they do nothing.

``POSEFLEET_FAILPOINTS`` says what happens where, entries joined by ``;``::

    publish.before_manifest=kill          SIGKILL to this process
    infer.start=abort@00000040            os.abort(), where the key or unit has a part that begins with 00000040
    infer.before_put=sleep:3*2            wait 3 s, the first two times over all processes
    infer.before_put=stop                 SIGSTOP to this process group
    infer.start=freeze                    SIGSTOP to this process alone
    split.before_plan=raise:TransientError
    infer.start=note                      a line in the file ``notes``: time, process, place, key

A value ``file:<path>`` stands for the text of that file, read at each place: so a test changes them while workers run.
Markers of ``*`` and notes lie in the folder that ``POSEFLEET_FAILPOINT_DIR`` names.
"""

import os
import signal
import time
from collections.abc import Callable
from dataclasses import dataclass
from functools import lru_cache
from pathlib import Path

from schema import errors

WHERE, FOLDER, NOTES = "POSEFLEET_FAILPOINTS", "POSEFLEET_FAILPOINT_DIR", "notes"


@dataclass(frozen=True)
class Entry:
    """What happens at one place."""

    text: str
    place: str
    action: str
    argument: str = ""
    only: str = ""
    """Part of a key or unit at which it happens; empty everywhere."""
    times: int | None = None
    """How often it happens over all processes; none always."""

    @classmethod
    def parse(cls, text: str) -> "Entry":
        """Read one entry.

        Raises:
            ValueError: it is none.
        """
        place, equals, rest = text.strip().partition("=")
        rest, _, times = rest.partition("*")
        rest, _, only = rest.partition("@")
        action, _, argument = rest.partition(":")
        if not equals or action not in _ACTIONS:
            raise ValueError(f"{text!r} is no failpoint: place=action, one of {', '.join(_ACTIONS)}")
        return cls(text.strip(), place, action, argument, only, int(times) if times else None)

    def fits(self, place: str, about: str) -> bool:
        """Whether it happens there."""
        return self.place == place and f"/{self.only}" in f"/{about}"


def hit(place: str, about: str = "") -> None:
    """Let happen what is to happen at ``place``.

    Args:
        place: name of the place.
        about: the key or unit that is worked on.
    """
    if named := os.environ.get(WHERE):
        _let_happen(named, place, about)


def _let_happen(named: str, place: str, about: str) -> None:
    for entry in entries(_text(named)):
        if entry.fits(place, about) and (entry.times is None or _first(entry, entry.times)):
            _ACTIONS[entry.action](entry, about)


def _text(named: str) -> str:
    if not named.startswith("file:"):
        return named
    path = Path(named.removeprefix("file:"))
    return path.read_text() if path.exists() else ""


@lru_cache(maxsize=4)
def entries(text: str) -> tuple[Entry, ...]:
    """The entries of a whole text."""
    return tuple(Entry.parse(part) for part in text.split(";") if part.strip())


def _folder() -> Path:
    return Path(os.environ[FOLDER])


def _first(entry: Entry, times: int) -> bool:
    """Whether this is one of the first ``times`` times: whoever makes one of as many markers is."""
    name = "".join(letter if letter.isalnum() else "-" for letter in entry.text)
    for number in range(times):
        try:
            os.close(os.open(_folder() / f"{name}.{number}", os.O_CREAT | os.O_EXCL, 0o600))
        except FileExistsError:
            continue
        return True
    return False


def _note(entry: Entry, about: str) -> None:
    line = f"{time.time():.6f} {os.getpid()} {entry.place} {about}\n"
    out = os.open(_folder() / NOTES, os.O_WRONLY | os.O_APPEND | os.O_CREAT, 0o600)
    os.write(out, line.encode())
    os.close(out)


def _raise(entry: Entry, about: str) -> None:
    kind: type[Exception] = getattr(errors, entry.argument)
    raise kind(f"failpoint {entry.place} {about}".rstrip())


_ACTIONS: dict[str, Callable[[Entry, str], None]] = {
    "kill": lambda _entry, _about: os.kill(os.getpid(), signal.SIGKILL),
    "abort": lambda _entry, _about: os.abort(),
    "freeze": lambda _entry, _about: os.kill(os.getpid(), signal.SIGSTOP),
    "stop": lambda _entry, _about: os.killpg(os.getpgrp(), signal.SIGSTOP),
    "sleep": lambda entry, _about: time.sleep(float(entry.argument)),
    "raise": _raise,
    "note": _note,
}
