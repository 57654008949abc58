"""The command ``enqueue``: single videos, all below a prefix, all of a list."""

import getpass
import json
import sys
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import replace
from pathlib import Path
from typing import Annotated, TextIO

import typer
from pydantic import TypeAdapter, ValidationError

from producer.bulk import Bulk, Filter, Order, below, enqueue_all, listed
from producer.cli_options import BatchFrames, Force, Model, everything, seconds_ago
from producer.fleet import Fleet
from producer.pictures import is_picture, list_pictures
from producer.uris import parse_uri
from schema.errors import ConfigurationError
from schema.manifest import State
from schema.messages import Priority
from schema.options import Options
from workers.storage.port import ObjectInfo

cli = typer.Typer()

Patterns = list[str] | None


@cli.command()
@everything
def enqueue(
    uris: Annotated[list[str] | None, typer.Argument(help="s3://bucket/key …, or s3://bucket/prefix/.")] = None,
    named: Annotated[str | None, typer.Option("--from", help="File with an S3 URI in each line; - is stdin.")] = None,
    include: Annotated[Patterns, typer.Option(help="Below a prefix only names like '*.mp4'; repeatable.")] = None,
    exclude: Annotated[Patterns, typer.Option(help="Below a prefix no names like this; repeatable.")] = None,
    since: Annotated[str | None, typer.Option(help="Below a prefix what is newer: 12h, 7d, 2026-01-31.")] = None,
    dry_run: Annotated[bool, typer.Option("--dry-run", help="Only say how much it would be.")] = False,
    priority: Annotated[str, typer.Option(help="auto, high or normal; auto: single videos first.")] = "auto",
    submitter: Annotated[str | None, typer.Option(help="Who shares the fleet with others; your login name.")] = None,
    model: Model = None,
    batch_frames: BatchFrames = None,
    force: Force = False,
    as_json: Annotated[bool, typer.Option("--json", help="Print JSON.")] = False,
    *,
    options: Options,
) -> None:
    """Accept videos in object storage, one or thousands; the same video twice is the same job.

    Prints a job id for each single video, and counts for prefixes and lists. Says which of those named are not there,
    and which single ones have failed before: --force does their work once more.
    """
    if dry_run and as_json:
        raise ConfigurationError("--dry-run has no jobs to print as JSON: leave one of both out")
    single, prefixes = _sorted_out(uris or [], named)
    wanted = Filter(tuple(include or ()), tuple(exclude or ()), seconds_ago("--since", since) if since else 0.0)
    order = Order(options, model, batch_frames, submitter or getpass.getuser(), _priority(priority), force)
    fleet, bulk = Fleet(), Bulk()
    with _lines(named) as lines:
        found = _found(fleet, prefixes, wanted, lines, bulk)
        if dry_run:
            _rehearse(fleet, single, list(found), bulk)
            _end(bulk.wrong)
            return
        jobs = _one_by_one(fleet, single, order)
        if prefixes or named:
            many = replace(order, priority="high" if order.priority == "high" else "normal")
            enqueue_all(fleet, found, many, bulk, _tell)
    jobs |= _pictures(fleet, prefixes, order) if bulk.left_out["pictures"] and wanted == Filter() else {}
    if as_json:
        print(json.dumps([{"job_id": job_id, "uri": uri} for job_id, uri in (jobs | bulk.jobs).items()]))
    elif jobs:
        print("\n".join(jobs))
    if prefixes or named:
        if sys.stderr.isatty():
            print("\r\033[K", end="", file=sys.stderr)
        print("\n".join(bulk.lines()), file=sys.stderr if as_json else sys.stdout)
    _end(bulk.wrong + _failed(fleet, jobs))


def _end(wrong: list[str]) -> None:
    """Say what is wrong, if anything is."""
    if wrong:
        print("\n".join(wrong), file=sys.stderr)
        raise typer.Exit(1)


def _failed(fleet: Fleet, jobs: dict[str, str]) -> list[str]:
    """A line for each job that has failed before anybody began: of a video that is not there, or that came before."""
    infos = [(uri, fleet.info(job_id)) for job_id, uri in jobs.items()]
    failed = [(uri, info, info.error) for uri, info in infos if info.state is State.FAILED]
    return [
        f"{uri}: job {info.job_id} has failed: {error.message if error else 'unknown'}" for uri, info, error in failed
    ]


def _sorted_out(uris: list[str], named: str | None) -> tuple[list[str], list[str]]:
    """Single objects, and prefixes."""
    if not uris and named is None:
        raise ConfigurationError("nothing to enqueue: give s3://bucket/key, s3://bucket/prefix/ or --from FILE")
    prefixes = [uri for uri in uris if uri.endswith("/")]
    single = [uri for uri in uris if uri not in prefixes]
    for uri in (*single, *(f"{prefix}x" for prefix in prefixes)):
        parse_uri(uri)
    return single, prefixes


def _priority(said: str) -> Priority:
    try:
        return TypeAdapter(Priority).validate_python(said)
    except ValidationError as error:
        raise ConfigurationError(f"--priority {said}: auto, high or normal") from error


@contextmanager
def _lines(named: str | None) -> Iterator[TextIO | None]:
    """The list of URIs."""
    if named in (None, "-"):
        yield sys.stdin if named else None
        return
    try:
        with Path(str(named)).open(encoding="utf-8", errors="replace") as lines:
            yield lines
    except OSError as error:
        raise ConfigurationError(f"--from {named}: {error.strerror}") from error


def _found(fleet: Fleet, prefixes: list[str], wanted: Filter, lines: TextIO | None, bulk: Bulk) -> Iterator[ObjectInfo]:
    for prefix in prefixes:
        yield from below(fleet, prefix, wanted, bulk)
    if lines:
        yield from listed(fleet, lines, bulk)


def _one_by_one(fleet: Fleet, uris: list[str], order: Order) -> dict[str, str]:
    """URIs by the id of their job."""
    jobs: dict[str, str] = {}
    for uri in uris:
        source = list_pictures(fleet.store, *parse_uri(uri)) if is_picture(uri) else uri
        job = fleet.enqueue(
            source,
            order.options,
            model=order.model,
            batch_frames=order.batch_frames,
            force=order.force,
            submitter=order.submitter,
            priority=order.priority,
        )
        jobs[job.job_id] = uri
    return jobs


def _pictures(fleet: Fleet, prefixes: list[str], order: Order) -> dict[str, str]:
    """A job of all pictures below each prefix that has any."""
    jobs: dict[str, str] = {}
    for prefix in prefixes:
        bucket, _, below_it = prefix.removeprefix("s3://").partition("/")
        if any(is_picture(info.key) for info in fleet.store.objects(below_it, bucket)):
            jobs |= _one_by_one(fleet, [list_pictures(fleet.store, bucket, below_it)], order)
    return jobs


def _rehearse(fleet: Fleet, single: list[str], found: list[ObjectInfo], bulk: Bulk) -> None:
    from producer.estimate import estimate

    found += listed(fleet, [uri for uri in single if not is_picture(uri)], bulk)
    bulk.left_out["pictures"] += sum(map(is_picture, single))
    bulk.found, bulk.size = len(found), sum(info.size for info in found)
    print("\n".join(bulk.lines()))
    if found:
        print(estimate(fleet, found).line())


def _tell(bulk: Bulk) -> None:
    if sys.stderr.isatty():
        print(f"\r{bulk.found:,} looked at, {bulk.new:,} new jobs ", end="", file=sys.stderr, flush=True)
