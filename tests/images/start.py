"""Start a worker from an image's files and time it: ``python -m tests.images.start FOLDER/cpu``; needs root.

The worker runs as user 10001 in the image's root, read-only, against a Redis and an S3 server of this machine, as in
a cluster: models and compiled code are copied to a folder that may be written, before the clock starts. With
``--job VIDEO`` it processes a video, too, in every format.
"""

import argparse
import os
import shutil
import signal
import statistics
import subprocess
import tempfile
import time
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

from producer import Fleet
from producer.stack.process import Child, answers, free_port, ports_to_oneself
from producer.stack.servers import redis_command, s3_command
from schema.formats import FORMATS
from schema.manifest import State
from schema.options import Options
from schema.settings import Settings
from tests.images.by_hand import Builder
from workers.storage.s3 import S3Store

_USER = 10001
_WRITABLE = ("cache", "ready", "tmp", "work")
_LONGEST_S = 120
_WORKER = ["python", "-m", "celery", "-A", "workers.app", "worker", "--loglevel", "INFO"]
_WORKER += ["--without-gossip", "--without-mingle", "--hostname", "image@%h"]


@contextmanager
def servers(folder: Path) -> Iterator[Settings]:
    """A Redis and an S3 server with a bucket."""
    taken: set[int] = set()
    with ports_to_oneself(Settings.read().cache_dir):
        redis, s3 = free_port(26390, taken), free_port(28390, taken)
        children = [Child(redis_command(folder, redis), folder)]
        children.append(Child(s3_command(folder, s3, taken, "image", "not-a-secret"), folder))
        try:
            for child, port in zip(children, (redis, s3), strict=True):
                child.wait_until(lambda port=port: answers(port), 60)  # type: ignore[misc]
            found = Settings(
                redis_url=f"redis://127.0.0.1:{redis}/0",
                s3_endpoint=f"http://127.0.0.1:{s3}",
                s3_access_key_id="image",
                s3_secret_access_key="not-a-secret",
            )
            children[1].wait_until(lambda: _has_bucket(found), 60)
            yield found
        finally:
            for child in children:
                child.kill()


def _has_bucket(settings: Settings) -> bool:
    try:
        S3Store(settings).ensure_bucket()
    except Exception:
        return False
    return True


class Worker:
    """One worker in an image's root; ``ready_s`` is the time from its start to consuming with all processes warm."""

    def __init__(self, root: Path, settings: Settings, folder: Path, queues: str, processes: int) -> None:
        self._folder = folder
        for name in _WRITABLE:
            (folder / name).mkdir(parents=True)
        shutil.copytree(root / "opt/posefleet/cache", folder / "cache", dirs_exist_ok=True)
        subprocess.run(["chown", "-R", f"{_USER}:{_USER}", folder], check=True)
        command = [*_WORKER, "--queues", queues, "--concurrency", str(processes)]
        with (folder / "log").open("wb") as log:
            begin = time.monotonic()
            self.process = subprocess.Popen(
                _entered(root, folder, _variables(root, settings, "infer" in queues), command),
                stdout=log,
                stderr=subprocess.STDOUT,
            )
        self.ready_s = self._wait(begin, processes)

    def _wait(self, begin: float, processes: int) -> float:
        ready = self._folder / "ready"
        while len(list(ready.glob("warm-*"))) < processes or not (ready / "consuming").exists():
            if self.process.poll() is not None or time.monotonic() - begin > _LONGEST_S:
                raise SystemExit(f"the worker did not start:\n{self.log()[-3000:]}")
            time.sleep(0.01)
        return time.monotonic() - begin

    def log(self) -> str:
        """What it has said so far."""
        return (self._folder / "log").read_text(errors="replace")

    def stop(self) -> None:
        """End it and all its processes: it is the first of its namespace."""
        first = Path(f"/proc/{self.process.pid}/task/{self.process.pid}/children").read_text().split()
        for pid in first:
            os.kill(int(pid), signal.SIGKILL)
        self.process.wait()


def _variables(root: Path, settings: Settings, model: bool) -> dict[str, str]:
    """The image's own variables, and those that a cluster adds."""
    builder = Builder(root.parent, {"PYTHON_DIGEST": "sha256:by-hand"})
    named = {
        "POSEFLEET_REDIS_URL": settings.redis_url,
        "POSEFLEET_S3_ENDPOINT": str(settings.s3_endpoint),
        "POSEFLEET_S3_ACCESS_KEY_ID": str(settings.s3_access_key_id),
        "POSEFLEET_S3_SECRET_ACCESS_KEY": str(settings.s3_secret_access_key),
        "POSEFLEET_CACHE_DIR": "/cache",
        "POSEFLEET_WARM_MODEL": str(model).lower(),
        "POSEFLEET_BATCH_FRAMES": "30",
    }
    return {**builder.variables(root.name), **named}


def _entered(root: Path, folder: Path, variables: dict[str, str], command: list[str]) -> list[str]:
    """``command`` in the root, read-only but for four folders, as nobody special and without capabilities."""
    mounts = [f"mount --bind {root} {root}", f"mount -o remount,ro,bind {root}", f"mount -t proc proc {root}/proc"]
    mounts += [f"mount --rbind /dev {root}/dev", *(f"mount --bind {folder / name} {root / name}" for name in _WRITABLE)]
    inside = ["setpriv", f"--reuid={_USER}", f"--regid={_USER}", "--clear-groups", "--no-new-privs"]
    inside.append("--bounding-set=-all")
    inside += ["env", "-i", *(f"{name}={value}" for name, value in variables.items()), *command]
    enter = ["chroot", str(root), *inside]
    unshared = ["unshare", "--mount", "--pid", "--fork", "--kill-child"]
    return [*unshared, "sh", "-c", " && ".join([*mounts, 'exec "$@"']), "sh", *enter]


def process_video(settings: Settings, video: Path, worker: Worker) -> str:
    """Send a video through the worker: its state, and how many files came out of it; the log if anything went wrong."""
    fleet = Fleet(settings)
    fleet.store.put_new_file("videos/image.mp4", video, "video/mp4")
    options = Options(formats=tuple(FORMATS), kinematics=True, style=("overlay", "trails", "heatmap"))
    job = fleet.enqueue(f"s3://{settings.bucket}/videos/image.mp4", options)
    ended = job.wait(timeout_s=900)
    if ended.state != State.SUCCEEDED:
        raise SystemExit(f"{ended.state}: {ended.error}\n{worker.log()[-6000:]}")
    with tempfile.TemporaryDirectory() as folder:
        return f"{ended.state}, {len(job.fetch(Path(folder)))} files"


def main() -> None:
    """The command."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("root", type=Path)
    parser.add_argument("--queues", default="infer")
    parser.add_argument("--processes", type=int, default=2)
    parser.add_argument("--runs", type=int, default=5)
    parser.add_argument("--job", type=Path)
    asked = parser.parse_args()
    with tempfile.TemporaryDirectory(prefix="image-") as folder, servers(Path(folder)) as settings:
        times = []
        for number in range(asked.runs):
            worker = Worker(
                asked.root.resolve(), settings, Path(folder) / f"run-{number}", asked.queues, asked.processes
            )
            times.append(worker.ready_s)
            if asked.job and number == 0:
                print(process_video(settings, asked.job, worker))
            worker.stop()
        load = os.getloadavg()[0]
    print(f"{asked.queues}, {asked.processes} processes: ready after {' '.join(f'{each:.2f}' for each in times)} s")
    print(f"median {statistics.median(times):.2f} s of {len(times)}, load {load:.1f}")


if __name__ == "__main__":
    main()
