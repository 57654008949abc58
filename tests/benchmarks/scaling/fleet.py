"""A fleet of many workers on few cores: servers, workers of one process each whose model waits, tiny videos."""

import os
import time
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import replace
from functools import partial
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import Any

from producer import Fleet
from producer.job import Job
from producer.stack.process import Child, ports_to_oneself
from producer.stack.stack import Stack
from schema.names import STEPS, JobKeys, LedgerKeys, ProgressKeys, lanes_of
from schema.options import Options
from schema.queue import KEY_PREFIX
from schema.settings import Settings
from tests.support.fixed_cost import APPLICATION, COST
from tests.support.media import tiny

FRAMES = 4
"""Of a batch: one call of the model."""
OTHERS = "plan,stitch,publish"
_START_S = 180
_MOST_WAITING = 10_000_000
"""A queue of a million stops no split."""


class ManyWorkers:
    """Servers of its own, a worker for all steps but infer, and infer workers as they are asked for."""

    def __init__(self, folder: Path, application: str) -> None:
        self.folder = folder
        self._settings = Settings.read()
        self.stack = Stack(self._settings, lambda _: None, application)
        with ports_to_oneself(self._settings.cache_dir):
            self.stack._start_servers()
        self.fleet = Fleet(self.stack.addresses.settings(self._settings))
        self.redis: Any = self.fleet.progress.redis
        self._workers: list[Child] = []

    @contextmanager
    def through(self, endpoint: str) -> Iterator[None]:
        """Have workers that start inside the block use another address of the S3 server."""
        usual = self.stack.addresses
        self.stack.addresses = replace(usual, s3_endpoint=endpoint)
        yield
        self.stack.addresses = usual

    def others(self) -> None:
        """Start the worker of all steps but infer and render."""
        self._start(["other"], OTHERS, model=False)

    def infer_workers(self, count: int, cost_s: float, queues: str = "infer", processes: int = 1) -> None:
        """Have exactly so many new infer workers of so many processes, whose batches take ``cost_s`` each."""
        self.end_infer_workers()
        os.environ[COST] = str(cost_s / FRAMES)
        names = [f"infer-{number}" for number in range(count)]
        self._workers = self._start(names, queues, model=True, processes=processes)

    def _start(self, names: list[str], queues: str, *, model: bool, processes: int = 1) -> list[Child]:
        """Start workers all at once, and wait until all consume and have nothing left to load."""
        started = [self.stack._run(self.stack._worker(each, queues, processes, model=model)) for each in names]
        for child in started:
            child.wait_until(partial(_ready, self.stack._ready_folder(child.name), processes), _START_S)
        return started

    def end_infer_workers(self) -> None:
        """End them: they are idle."""
        for child in self._workers:
            child.kill()
            self.stack.forget(child)
        self._workers = []

    def video(self, batches: int) -> str:
        """A video of so many batches; its URI."""
        key = f"uploads/{batches}.mp4"
        if self.fleet.store.head(key) is None:
            path = tiny(self.folder / "tiny.mp4", batches * FRAMES, FRAMES)
            self.fleet.store.put_new_file(key, path, "video/mp4")
        return f"s3://{self.fleet.store.bucket}/{key}"

    def job(self, batches: int, *, render: bool = False, submitter: str = "") -> Job:
        """A new job of so many batches."""
        options = Options(render=render)
        return self.fleet.enqueue(self.video(batches), options, batch_frames=FRAMES, force=True, submitter=submitter)

    def seconds(self, job: Job, step: str = "infer") -> float:
        """From the first start to the last end of a step of a job that has ended."""
        status = job.wait(3600, progress=False)
        assert status.state == "succeeded", status
        assert status.manifest is not None
        return status.manifest.steps[step].seconds

    def done(self, job: Job, step: str = "infer") -> int:
        """Batches of a job that are done."""
        return int(self.redis.scard(ProgressKeys(job.job_id).done(step)))

    def empty(self, step: str) -> None:
        """Nothing of a step is to be done any more."""
        queues = [f"{KEY_PREFIX}{lane}" for lane in lanes_of(STEPS[step])]
        self.redis.unlink(LedgerKeys.running(step), *LedgerKeys.all_waiting(step), *queues)

    def until_done(self, job: Job, batches: int, step: str = "infer") -> None:
        """Wait until so many are."""
        while self.done(job, step) < batches:
            if self.fleet.store.head(JobKeys(job.job_id).manifest):
                return
            time.sleep(0.05)


def _ready(folder: Path, processes: int) -> bool:
    return (folder / "consuming").exists() and len(list(folder.glob("warm-*"))) >= processes


@contextmanager
def many_workers(application: str = APPLICATION) -> Iterator[ManyWorkers]:
    """A fleet that is gone at the end of the block; its workers are of ``application``."""
    with TemporaryDirectory() as folder:
        os.environ["POSEFLEET_DATA_DIR"] = folder
        os.environ["POSEFLEET_MAX_WAITING"] = str(_MOST_WAITING)
        fleet = ManyWorkers(Path(folder), application)
        try:
            fleet.others()
            yield fleet
        finally:
            fleet.stack.kill()
