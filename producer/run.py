"""``posefleet run``: local files through the local stack, results into a folder."""

import time
from dataclasses import dataclass
from pathlib import Path

from rich.console import Console

from producer.fleet import Fleet
from producer.inputs import Input, accept, collect
from producer.job import Job, Status
from producer.models import models_for
from producer.show import Watch, reasons, summary
from producer.stack.stack import running_stack
from schema.errors import PosefleetError
from schema.manifest import Failure, Manifest, State
from schema.options import Options
from schema.settings import Settings
from schema.version import VERSION

_POLL_S = 0.25


@dataclass(frozen=True)
class Request:
    """What ``run`` was asked for."""

    inputs: list[Input]
    out: Path
    options: Options
    model: str | None = None
    batch_frames: int | None = None
    force: bool = False


def run(named: list[str], out: Path, options: Options, settings: Settings, console: Console, **more: object) -> bool:
    """Process all inputs; whether every one succeeded. Results lie in ``out/<stem>/``.

    Raises:
        ConfigurationError: an input does not exist, the options do not fit the model, or the stack does not come up.
        ModelError: there is no such model, or it is damaged.
    """
    request = Request(collect(named), out, options, **more)  # type: ignore[arg-type]
    models_for(settings, request.model, options)
    with running_stack(settings, lambda line: console.print(line, highlight=False)) as addresses:
        ended = _process(Fleet(addresses.settings(settings)), request, console)
    return _conclude(ended, request, console)


def _process(fleet: Fleet, request: Request, console: Console) -> dict[str, Manifest]:
    """Enqueue every input, wait for all, fetch each as it ends."""
    ended: dict[str, Manifest] = {}
    waiting: dict[str, Job] = {}
    for given in request.inputs:
        try:
            waiting[given.folder] = fleet.enqueue(
                accept(fleet, given),
                request.options,
                model=request.model,
                batch_frames=request.batch_frames,
                force=request.force,
            )
        except (PosefleetError, OSError) as error:
            ended[given.folder] = _not_accepted(given, error, request, fleet)
    with Watch(console) as watch:
        while waiting:
            for name, job in list(waiting.items()):
                status = job.status()
                watch.show(name, status)
                if status.state.final:
                    ended[name] = _fetch(fleet, status, request.out / name)
                    del waiting[name]
            time.sleep(_POLL_S if waiting else 0)
    return ended


def _fetch(fleet: Fleet, status: Status, folder: Path) -> Manifest:
    fleet.fetch(status.job_id, folder)
    assert status.manifest is not None
    return status.manifest


def _not_accepted(given: Input, error: Exception, request: Request, fleet: Fleet) -> Manifest:
    """The manifest of an input that never became a job, in its folder like the others."""
    reason = error.reason if isinstance(error, PosefleetError) else "unreadable"
    manifest = Manifest(
        job_id="",
        state=State.FAILED,
        error=Failure(reason=reason, message=str(error)),
        source={"uri": given.origin},
        model=models_for(fleet.settings, request.model, request.options)[0].model_dump(),
        options=request.options.model_dump(),
        software_version=VERSION,
    )
    folder = request.out / given.folder
    folder.mkdir(parents=True, exist_ok=True)
    (folder / "manifest.json").write_bytes(manifest.to_json())
    return manifest


def _conclude(ended: dict[str, Manifest], request: Request, console: Console) -> bool:
    """Print the table, where the results are, and what failed."""
    ordered = {given.folder: ended[given.folder] for given in request.inputs}
    console.print(summary(ordered))
    for name, manifest in ordered.items():
        for result in dict.fromkeys(_shown(result.name) for result in manifest.results):
            console.print(f"  {request.out / name / result}", highlight=False, soft_wrap=True)
        console.print(f"  {request.out / name / 'manifest.json'}", highlight=False, soft_wrap=True)
    failed = {name: m for name, m in ordered.items() if m.state is not State.SUCCEEDED}
    for name, manifest in failed.items():
        for why in reasons(manifest):
            console.print(f"{manifest.state.upper()} {name}: {why}", highlight=False, soft_wrap=True)
    return not failed


def _shown(name: str) -> str:
    """A result as it is listed: of a folder of them, the folder; of an archive, what it is unpacked to."""
    folder, slash, _ = name.partition("/")
    return name.removesuffix(".zip") + "/" if name.endswith(".zip") else folder + slash
