"""The records of the few jobs a worker process has at hand, read once and kept until the job ends.

No record changes while its job is under way.  A job that was deleted and enqueued again has the same id and other
records, so whoever is told of ends (`workers.watch`) forgets what was kept.
"""

import threading
from collections import OrderedDict
from collections.abc import Callable
from functools import cache
from typing import TypeVar

from schema.manifest import Stitched
from schema.messages import VideoJob
from schema.names import JobKeys
from schema.plan import FrameRange, Plan
from workers.storage import records
from workers.storage.port import ObjectInfo, ObjectStore

Record = TypeVar("Record", VideoJob, Plan, Stitched, bytes)
Records = dict[Callable[[ObjectStore, str], object], object]

_JOBS = 4
_SMALL = 1 << 20
"""Bytes of headers that a process keeps."""

_kept: OrderedDict[tuple[ObjectStore, str], Records] = OrderedDict()
_lock = threading.Lock()


def job(store: ObjectStore, job_id: str) -> VideoJob:
    """``job.json``."""
    return _once(records.read_job, store, job_id)


def plan(store: ObjectStore, job_id: str) -> Plan:
    """``plan.json``."""
    return _once(records.read_plan, store, job_id)


def stitched(store: ObjectStore, job_id: str) -> Stitched:
    """``stitched.json``."""
    return _once(records.read_stitched, store, job_id)


def header(store: ObjectStore, job_id: str, planned: Plan, wanted: FrameRange) -> bytes:
    """What makes a file of the bytes that hold a range; empty where the range has none of its own.

    Args:
        store: where it is.
        job_id: the job that has the headers.
        planned: the plan of that job.
        wanted: one of its ranges.
    """
    last = planned.ranges[-1].window
    if wanted.window is None or last is None:
        return b""
    start, stop = wanted.window.header
    if last.header[1] <= _SMALL:
        return _once(_headers_of(planned.headers), store, job_id)[start:stop]
    return store.get_range(ObjectInfo(store.bucket, JobKeys(job_id).headers(planned.headers), "", 0), start, stop)


@cache
def _headers_of(name: str) -> Callable[[ObjectStore, str], bytes]:
    return lambda store, job_id: store.get(JobKeys(job_id).headers(name))


def forget(job_id: str | None = None) -> None:
    """Keep nothing of a job any more; of no job when none is given."""
    with _lock:
        for known in [known for known in _kept if job_id in (None, known[1])]:
            del _kept[known]


def _once(read: Callable[[ObjectStore, str], Record], store: ObjectStore, job_id: str) -> Record:
    with _lock:
        of_job = _kept.setdefault((store, job_id), {})
        _kept.move_to_end((store, job_id))
        while len(_kept) > _JOBS:
            _kept.popitem(last=False)
    if read not in of_job:
        of_job[read] = read(store, job_id)
    return of_job[read]  # type: ignore[return-value]
