"""``posefleet watch``: many jobs at once, a line for each, totals, and when all will be done."""

import time
from collections import deque
from collections.abc import Sequence

from rich.console import Console, Group
from rich.live import Live
from rich.text import Text

from producer.fleet import Fleet
from producer.show import duration, jobs_table
from schema.catalog import JobInfo

_LOOK_S, _TELL_S = 1.0, 5.0
_WINDOW_S = 60.0
_OTHERS = 500
_LINES = 30


class Pace:
    """Frames per second of the last minute."""

    def __init__(self) -> None:
        self._seen: deque[tuple[float, int]] = deque()

    def note(self, now_s: float, done: int) -> None:
        """So many frames were done at ``now_s``."""
        self._seen.append((now_s, done))
        while now_s - self._seen[0][0] > _WINDOW_S:
            self._seen.popleft()

    @property
    def per_second(self) -> float:
        """Over what is remembered; 0 at first."""
        (first_s, first), (last_s, last) = self._seen[0], self._seen[-1]
        return (last - first) / (last_s - first_s) if last_s > first_s else 0.0


def watch_all(fleet: Fleet, job_ids: Sequence[str], submitter: str | None, console: Console) -> list[JobInfo]:
    """Show jobs until all have ended; what they have come to.

    Args:
        fleet: whose.
        job_ids: none: all that are under way at the beginning.
        submitter: of these only whose.
        console: where to.

    Raises:
        StorageUnavailable, BrokerUnavailable
    """
    watched = list(job_ids) or _under_way(fleet, submitter)
    pace, told_s = Pace(), 0.0
    with Live(console=console, auto_refresh=False, transient=False) as live:
        while True:
            infos = _look(fleet, watched)
            over = all(info.state.final for info in infos)
            pace.note(time.monotonic(), sum(done_frames(info) for info in infos))
            said = totals(infos, pace.per_second)
            if console.is_terminal:
                live.update(Group(jobs_table(_of_interest(infos)), Text(said)), refresh=True)
            elif over or time.monotonic() - told_s > _TELL_S:
                console.print(said, highlight=False)
                told_s = time.monotonic()
            if over:
                break
            time.sleep(_LOOK_S)
    if not console.is_terminal:
        console.print(jobs_table(_of_interest(infos)))
    for info in [info for info in infos if info.error][:_LINES]:
        console.print(f"{info.state.upper()} {info.uri}: {_message(info)}", highlight=False, soft_wrap=True)
    return infos


def _message(info: JobInfo) -> str:
    return info.error.message if info.error else ""


def _under_way(fleet: Fleet, submitter: str | None) -> list[str]:
    found, cursor = list[str](), ""
    known = set(fleet.ledger.open_jobs())
    while known:
        page = fleet.list_jobs(submitter=submitter, limit=_OTHERS, cursor=cursor)
        found += [info.job_id for info in page.jobs if info.job_id in known]
        if not (cursor := page.cursor):
            break
    return found[::-1]


def _look(fleet: Fleet, job_ids: Sequence[str]) -> list[JobInfo]:
    known = {info.job_id: info for info in fleet.catalog.many(job_ids)}
    return [known[job_id] if job_id in known else fleet.info(job_id) for job_id in job_ids]


def done_frames(info: JobInfo) -> int:
    """Frames of a job that are done, in its slowest step's terms: each step counts for its share."""
    if info.state.final:
        return info.frames or 0
    steps = info.steps.values()
    return sum(step.done for step in steps) // len(steps) if steps else 0


def _of_interest(infos: list[JobInfo]) -> list[JobInfo]:
    """As many as fit on a screen: what runs before what waits, and that before what has ended."""
    order = sorted(infos, key=lambda info: (info.state.final, info.state == "queued"))
    return order[:_LINES]


def totals(infos: Sequence[JobInfo], per_second: float) -> str:
    """How all of them stand, in one line."""
    ended = [info for info in infos if info.state.final]
    known = [info.frames for info in infos if info.frames]
    unknown = sum(info.frames is None and not info.state.final for info in infos)
    expected = sum(known) + round(unknown * (sum(known) / len(known) if known else 0))
    done = sum(done_frames(info) for info in infos)
    bad = sum(info.state != "succeeded" for info in ended)
    said = f"{len(ended):,} of {len(infos):,} jobs ended" + (f", {bad:,} of them not well" if bad else "")
    said += f"; {done:,} of {'about ' if unknown else ''}{expected:,} frames"
    if len(ended) == len(infos):
        return said
    left = f", done in {duration((expected - done) / per_second)}" if per_second and known else ""
    return f"{said}; {per_second:,.0f} frames/s{left}"
