"""The fleet for asynchronous programs: the same methods as `Fleet` and `Job`, awaitable, each in a thread."""

from collections.abc import AsyncIterator
from functools import partial
from pathlib import Path
from typing import TYPE_CHECKING

import anyio
from anyio.to_thread import run_sync

from producer.fleet import Fleet
from producer.job import Job, Status
from schema.catalog import JobInfo, JobPage
from schema.manifest import State
from schema.messages import Priority
from schema.names import ANGLES, TRACKS, TRACKS_RAW
from schema.options import Options
from schema.settings import Settings

if TYPE_CHECKING:
    import pyarrow as pa

_POLL_S = 0.3
_PAGE = 500


class AsyncJob:
    """One job of a fleet; see `Job`."""

    def __init__(self, job: Job) -> None:
        self.job = job
        self.job_id = job.job_id

    async def status(self) -> Status:
        """Where it stands."""
        return await run_sync(self.job.status)

    async def wait(self, timeout_s: float | None = None) -> Status:
        """Wait until the job has ended.

        Raises:
            TimeoutError: it has not ended in time.
        """
        with anyio.fail_after(timeout_s):
            while not (now := await self.status()).state.final:
                await anyio.sleep(_POLL_S)
        return now

    async def tracks(self, *, raw: bool = False) -> "pa.Table":
        """The track table; see `Job.tracks`."""
        return await self.table(TRACKS_RAW if raw else TRACKS)

    async def angles(self) -> "pa.Table":
        """The table of joint angles and speeds; see `Job.angles`."""
        return await self.table(ANGLES)

    async def table(self, name: str) -> "pa.Table":
        """A Parquet file of the results; see `Job.table`."""
        return await run_sync(self.job.table, name)

    async def fetch(self, folder: Path) -> list[Path]:
        """Download all results."""
        return await run_sync(self.job.fetch, folder)


class AsyncFleet:
    """Access to one fleet; see `Fleet`."""

    def __init__(self, settings: Settings | None = None) -> None:
        self.fleet = Fleet(settings)

    async def enqueue(
        self,
        uri: str,
        options: Options | None = None,
        *,
        model: str | None = None,
        batch_frames: int | None = None,
        force: bool = False,
        submitter: str = "",
        priority: Priority = "auto",
        webhook: str = "",
    ) -> AsyncJob:
        """Accept a video; see `Fleet.enqueue`."""
        ask = partial(
            self.fleet.enqueue,
            uri,
            options,
            model=model,
            batch_frames=batch_frames,
            force=force,
            submitter=submitter,
            priority=priority,
            webhook=webhook,
        )
        return AsyncJob(await run_sync(ask))

    async def render(self, job_id: str, options: Options, *, force: bool = False) -> AsyncJob:
        """Draw the tracks of a job once more; see `Fleet.render`."""
        return AsyncJob(await run_sync(partial(self.fleet.render, job_id, options, force=force)))

    async def job(self, job_id: str) -> AsyncJob:
        """A job by its id; see `Fleet.job`."""
        return AsyncJob(await run_sync(self.fleet.job, job_id))

    async def info(self, job_id: str) -> JobInfo:
        """Where a job stands, quickly; see `Fleet.info`."""
        return await run_sync(self.fleet.info, job_id)

    async def list_jobs(
        self,
        *,
        state: State | str | None = None,
        search: str = "",
        submitter: str | None = None,
        limit: int = 100,
        cursor: str = "",
    ) -> JobPage:
        """Jobs, the newest first; see `Fleet.list_jobs`."""
        ask = partial(self.fleet.list_jobs, state=state, search=search, submitter=submitter, limit=limit, cursor=cursor)
        return await run_sync(ask)

    async def jobs(self) -> AsyncIterator[AsyncJob]:
        """All jobs, the newest first."""
        cursor = None
        while cursor != "":
            page = await self.list_jobs(limit=_PAGE, cursor=cursor or "")
            for info in page.jobs:
                yield AsyncJob(Job(self.fleet, info.job_id))
            cursor = page.cursor

    async def status(self, job_id: str) -> Status:
        """Where a job stands, and its manifest; see `Fleet.status`."""
        return await run_sync(self.fleet.status, job_id)

    async def cancel(self, job_id: str) -> bool:
        """End a job without results; see `Fleet.cancel`."""
        return await run_sync(self.fleet.cancel, job_id)

    async def delete(self, job_id: str, *, wait_s: float = 15.0) -> int:
        """Delete a job and all its objects; see `Fleet.delete`."""
        return await run_sync(partial(self.fleet.delete, job_id, wait_s=wait_s))

    async def fetch_result(self, job_id: str, name: str, path: Path) -> Path:
        """Download one result; see `Fleet.fetch_result`."""
        return await run_sync(self.fleet.fetch_result, job_id, name, path)

    async def fetch(self, job_id: str, folder: Path) -> list[Path]:
        """Download the manifest and every result; see `Fleet.fetch`."""
        return await run_sync(self.fleet.fetch, job_id, folder)
