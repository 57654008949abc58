"""What people see: progress on a terminal, plain lines in a pipe, tables."""

import sys
from collections.abc import Iterable

from rich.box import SIMPLE_HEAD
from rich.console import Console
from rich.markup import escape
from rich.progress import BarColumn, MofNCompleteColumn, Progress, TaskID, TextColumn, TimeElapsedColumn
from rich.table import Table

from producer.job import Status
from schema.catalog import JobInfo
from schema.manifest import Manifest, State, StepReport
from schema.speed import PARTS

_STEPS = ("infer", "render")


def console() -> Console:
    """The terminal; 120 columns where the output is no terminal."""
    return Console(width=None if sys.stdout.isatty() else 120, markup=False, emoji=False)


class Watch:
    """Shows how jobs go on: a bar per job and step on a terminal, a line per change elsewhere."""

    def __init__(self, console: Console) -> None:
        self._console = console
        self._bars: dict[tuple[str, str], TaskID] = {}
        self._states: dict[str, State] = {}
        self._progress = Progress(
            TextColumn("{task.description}"),
            BarColumn(),
            MofNCompleteColumn(),
            TextColumn("frames"),
            TimeElapsedColumn(),
            console=console,
            disable=not (console.is_terminal or console.is_jupyter),
        )

    def __enter__(self) -> "Watch":
        self._progress.start()
        return self

    def __exit__(self, *_: object) -> None:
        self._progress.stop()

    def show(self, name: str, status: Status) -> None:
        """Take the newest status of the job that people know as ``name``."""
        if self._progress.disable and self._states.get(name) != status.state:
            self._console.print(f"{name}: {status.state}", highlight=False)
        self._states[name] = status.state
        for step in _STEPS:
            if (now := status.steps.get(step)) is not None:
                self._progress.update(self._bar(name, step, now.total), completed=now.done)

    def _bar(self, name: str, step: str, total: int) -> TaskID:
        if (name, step) not in self._bars:
            self._bars[name, step] = self._progress.add_task(f"{escape(name)} [bold]{step}[/]", total=total)
        return self._bars[name, step]


def summary(manifests: dict[str, Manifest]) -> Table:
    """A row per ended job: people, frames, seconds, frames per second of each step."""
    steps = [step for step in ("split", "infer", "stitch", "render") if _any(manifests, step)]
    table = Table(box=SIMPLE_HEAD, pad_edge=False, padding=(0, 1, 0, 0))
    table.add_column("input", overflow="ellipsis", no_wrap=True, max_width=40)
    for title in ("state", "people"):
        table.add_column(title, no_wrap=True, min_width=9)
    for title in ("frames", "seconds", *(f"{step}\nf/s" for step in steps)):
        table.add_column(title, justify="right", min_width=5)
    for name, manifest in manifests.items():
        people = _people(manifest)
        seconds = sum(report.seconds for report in manifest.steps.values())
        rates = [_rate(manifest, step) for step in steps]
        table.add_row(name, manifest.state, people, str(manifest.frames), f"{seconds:.1f}", *rates)
    return table


def speed_table(steps: dict[str, StepReport]) -> Table:
    """A row per step: how close it came to the speed of light, and the seconds of workers that its parts took."""
    parts = [part for part in PARTS if any(part in report.parts for report in steps.values())]
    table = Table(box=SIMPLE_HEAD, pad_edge=False, padding=(0, 1, 0, 0))
    table.add_column("step", no_wrap=True)
    for title in ("f/s", "speed\nof light", "busy\ns", *(f"{part}\ns" for part in parts)):
        table.add_column(title, justify="right")
    for step, report in steps.items():
        rate = "–" if report.frames_per_second is None else f"{report.frames_per_second:.0f}"
        light = "–" if report.speed_of_light is None else f"{report.speed_of_light:.0%}"
        spent = [f"{report.parts[part]:.1f}" if part in report.parts else "–" for part in parts]
        table.add_row(step, rate, light, f"{report.busy_seconds:.1f}", *spent)
    return table


def _people(manifest: Manifest) -> str:
    if not manifest.results:
        return "–"
    most, tracks = manifest.people.max_per_frame, manifest.people.tracks
    return f"{most} in {tracks} tracks" if manifest.codec else f"{most} at most"


def _any(manifests: dict[str, Manifest], step: str) -> bool:
    return any(step in manifest.steps for manifest in manifests.values())


def _rate(manifest: Manifest, step: str) -> str:
    report = manifest.steps.get(step)
    return f"{report.frames_per_second:.0f}" if report and report.frames_per_second else "–"


def reasons(manifest: Manifest) -> list[str]:
    """Why a job did not succeed, a line for each reason."""
    if manifest.error:
        return [manifest.error.message]
    missing = [f"frames {start}..{stop} are missing" for start, stop in manifest.dead_ranges]
    return missing + [f"{broken.name}: {broken.reason}" for broken in manifest.broken]


def duration(seconds: float) -> str:
    """A time that is left, as people say it."""
    if seconds < 100:
        return f"{seconds:.0f} s"
    return f"{seconds / 60:.0f} min" if seconds < 6000 else f"{seconds / 3600:.1f} h"


def jobs_table(infos: Iterable[JobInfo]) -> Table:
    """A row per job: state, how far it is, people, and why it failed."""
    table = Table(box=SIMPLE_HEAD, pad_edge=False, padding=(0, 1, 0, 0))
    for title, width in (("job", 20), ("state", 10)):
        table.add_column(title, no_wrap=True, min_width=width)
    for title in ("done", "frames", "people"):
        table.add_column(title, no_wrap=True, min_width=6, justify="right")
    table.add_column("submitter", no_wrap=True, overflow="ellipsis", min_width=9, max_width=16)
    table.add_column("video", no_wrap=True, overflow="ellipsis")
    for info in infos:
        frames = "–" if info.frames is None else f"{info.frames:,}"
        people = "–" if info.people is None else str(info.people)
        video = f"{info.uri}  {_why(info)}"
        table.add_row(info.job_id, info.state, _share(info), frames, people, info.submitter, video)
    return table


def _why(info: JobInfo) -> str:
    dead = f"{info.dead_ranges} dead ranges" if info.dead_ranges else ""
    return info.error.message if info.error else dead


def _share(info: JobInfo) -> str:
    done = sum(step.done for step in info.steps.values())
    total = sum(step.total for step in info.steps.values())
    return f"{100 * done / total:.0f} %" if total else "–"


def status_line(status: Status) -> str:
    """One job in one line."""
    steps = ", ".join(f"{name} {step.done}/{step.total}" for name, step in status.steps.items())
    error = f" – {status.error.message}" if status.error else ""
    return f"{status.job_id}  {status.state:<10} {status.uri}  {steps}{error}"
