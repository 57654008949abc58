"""Commands that say how jobs go: status, jobs, watch."""

import json
from typing import Annotated

import typer

from producer.cli_options import console
from producer.fleet import Fleet
from producer.show import jobs_table, reasons, speed_table, summary
from producer.watching import watch_all
from schema.catalog import JobInfo
from schema.errors import ConfigurationError
from schema.manifest import State

cli = typer.Typer()

AsJson = Annotated[bool, typer.Option("--json", help="Print JSON.")]
_SORTED = {
    "created": lambda info: -info.created_s,
    "state": lambda info: list(State).index(info.state),
    "frames": lambda info: -(info.frames or 0),
    "uri": lambda info: info.uri,
}


@cli.command()
def status(job: Annotated[str, typer.Argument(help="Job id.")], as_json: AsJson = False) -> None:
    """Say where a job stands, and once it has ended how fast each step was."""
    fleet = Fleet()
    found, info = fleet.status(fleet.job(job).job_id), fleet.info(job)
    if as_json:
        print(_as_json([info.model_copy(update={"state": found.state, "error": found.error})]))
        return
    console.print(jobs_table([info]))
    if steps := found.manifest.steps if found.manifest else fleet.progress.steps(job, info.frames or 0):
        console.print(speed_table(steps))
    if found.manifest:
        console.print(summary({job: found.manifest}))
        for why in reasons(found.manifest) if found.state is not State.SUCCEEDED else []:
            console.print(why, highlight=False, soft_wrap=True)


@cli.command()
def jobs(
    state: Annotated[str | None, typer.Option(help=f"Only these: {', '.join(State)}.")] = None,
    search: Annotated[str, typer.Option(help="Only with this in the URI or the id.")] = "",
    submitter: Annotated[str | None, typer.Option(help="Only of this submitter.")] = None,
    sort: Annotated[str, typer.Option(help=f"By {', '.join(_SORTED)}.")] = "created",
    limit: Annotated[int, typer.Option(min=1, help="Most jobs, the newest.")] = 50,
    as_json: AsJson = False,
) -> None:
    """List jobs, the newest first."""
    if sort not in _SORTED:
        raise ConfigurationError(f"--sort {sort}: {', '.join(_SORTED)}")
    page = Fleet().list_jobs(state=state, search=search, submitter=submitter, limit=limit)
    found = sorted(page.jobs, key=_SORTED[sort])
    if as_json:
        print(_as_json(found))
        return
    console.print(jobs_table(found))
    if page.cursor:
        print(f"the newest {limit}; more with --limit")


@cli.command()
def watch(
    named: Annotated[list[str] | None, typer.Argument(metavar="[JOB]...", help="Job ids; none: all under way.")] = None,
    submitter: Annotated[str | None, typer.Option(help="Of all under way only those of this submitter.")] = None,
) -> None:
    """Show a line for each job, and totals with the time that is left, until all have ended.

    The exit status is 0 only if all succeeded.
    """
    fleet = Fleet()
    ended = watch_all(fleet, [fleet.job(each).job_id for each in named or []], submitter, console)
    raise typer.Exit(0 if all(info.state is State.SUCCEEDED for info in ended) else 1)


def _as_json(found: list[JobInfo]) -> str:
    return json.dumps([info.model_dump(mode="json", exclude={"work", "schema_version"}) for info in found], indent=1)
