"""Status requests a second, as many clients ask them: the rate that was kept, and how long answers took.

Servers run on this machine, without workers; requests start when they are due, whether others have been answered or
not, so a slow answer does not hide that others wait.
"""

import argparse
import asyncio
import gc
import os
import re
import sys
import time
from contextlib import contextmanager
from pathlib import Path
from tempfile import TemporaryDirectory
from urllib.request import urlopen

import numpy as np

from producer import Fleet
from producer.api.tokens import TokenFile
from producer.models import models_for
from producer.stack.process import Child, Command, free_port
from producer.stack.servers import redis_command, s3_command
from schema.messages import Source, VideoJob
from schema.options import Options
from schema.settings import Settings
from workers.storage.records import accept

JOBS, LINES = 50, 32


@contextmanager
def served(folder: Path):
    """An API of a fleet with some jobs; its address, a token, the jobs, the process."""
    taken: set[int] = set()
    redis_port, s3_port, port = (free_port(wanted, taken) for wanted in (26380, 28334, 28081))
    settings = Settings(
        redis_url=f"redis://127.0.0.1:{redis_port}/0",
        s3_endpoint=f"http://127.0.0.1:{s3_port}",
        s3_access_key_id="bench",
        s3_secret_access_key="not-a-secret",
        data_dir=folder,
    )
    named = {"redis_url", "s3_endpoint", "s3_access_key_id", "s3_secret_access_key", "data_dir"}
    environment = {f"POSEFLEET_{name.upper()}": str(getattr(settings, name)) for name in named}
    environment["POSEFLEET_API_REQUESTS_PER_S"] = "100000"
    api = Command("api", [sys.executable, "-m", "producer", "api", "--port", str(port)], environment)
    commands = [redis_command(folder, redis_port), s3_command(folder, s3_port, taken, "bench", "not-a-secret"), api]
    children = [Child(command, folder) for command in commands[:2]]
    try:
        fleet = Fleet(settings)
        children[1].wait_until(lambda: _ready(fleet.store.ensure_bucket), 60)
        secret = TokenFile(settings.tokens_file).create("bench", ["read"])
        children.append(Child(api, folder))
        host = f"127.0.0.1:{port}"
        children[2].wait_until(lambda: _ready(lambda: urlopen(f"http://{host}/readyz").close()), 60)
        yield host, secret, [_accepted(fleet, number) for number in range(JOBS)], children[2].pid
    finally:
        for child in reversed(children):
            child.kill()


def _ready(ask) -> bool:
    try:
        ask()
    except Exception:
        return False
    return True


def _accepted(fleet: Fleet, number: int) -> str:
    """A job that is known, and for which no message is sent."""
    source = Source(bucket=fleet.store.bucket, key=f"{number}.mp4", etag='"1"', size=1)
    job = VideoJob.accept(source, Options(), models_for(fleet.settings, None, Options())[0], submitter="bench")
    accept(fleet.store, job)
    fleet.catalog.add([job])
    fleet.progress.planned(job.job_id, 1000)
    return job.job_id


class Line:
    """A kept connection that asks one thing at a time."""

    def __init__(self, host: str, token: str) -> None:
        self._host, self._token = host, token

    async def open(self) -> "Line":
        address, _, port = self._host.partition(":")
        self._read, self._write = await asyncio.open_connection(address, int(port))
        return self

    async def status(self, job_id: str) -> int:
        """The status of the answer, which is read to its end."""
        asked = f"GET /v1/jobs/{job_id} HTTP/1.1\r\nHost: {self._host}\r\nAuthorization: Bearer {self._token}\r\n\r\n"
        self._write.write(asked.encode())
        head = await self._read.readuntil(b"\r\n\r\n")
        length = int(re.search(rb"content-length: (\d+)", head)[1])
        await self._read.readexactly(length)
        return int(head.split(b" ", 2)[1])

    def close(self) -> None:
        self._write.close()


async def ask(host: str, token: str, jobs: list[str], rate: float, seconds: float) -> np.ndarray:
    """Seconds that each answer took, from when its request was due."""
    lines: asyncio.Queue[Line] = asyncio.Queue()
    every = [await Line(host, token).open() for _ in range(LINES)]
    for line in every:
        lines.put_nowait(line)
    began = time.perf_counter() + 0.5

    async def one(number: int) -> float:
        due = began + number / rate
        await asyncio.sleep(due - time.perf_counter())
        line = await lines.get()
        assert await line.status(jobs[number % len(jobs)]) == 200
        lines.put_nowait(line)
        return time.perf_counter() - due

    took = await asyncio.gather(*(one(number) for number in range(int(rate * seconds))))
    for line in every:
        line.close()
    return np.array(took)


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--rate", type=float, default=200, help="requests a second")
    parser.add_argument("--seconds", type=float, default=20)
    given = parser.parse_args()
    with TemporaryDirectory() as folder, served(Path(folder)) as (host, token, jobs, pid):
        asyncio.run(ask(host, token, jobs, 50, 2))
        gc.disable()
        before, began = _cpu_s(pid), time.perf_counter()
        took = 1000 * asyncio.run(ask(host, token, jobs, given.rate, given.seconds))
        spent = time.perf_counter() - began
        share = (_cpu_s(pid) - before) / spent
    middle, late, worst = np.percentile(took, 50), np.percentile(took, 99), took.max()
    print(
        f"GET /v1/jobs/ID: {len(took)} requests, {given.rate:.0f}/s asked, {len(took) / (spent - 0.5):.0f}/s answered"
    )
    print(f"p50 {middle:.1f} ms, p99 {late:.1f} ms, worst {worst:.1f} ms; the API took {share:.2f} of a core")


def _cpu_s(pid: int) -> float:
    fields = Path(f"/proc/{pid}/stat").read_text().rpartition(")")[2].split()
    return (int(fields[11]) + int(fields[12])) / os.sysconf("SC_CLK_TCK")


if __name__ == "__main__":
    main()
