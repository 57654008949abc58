"""Dead letters: the records of batches that were given up."""

import time

from schema.dead import DeadRecord
from schema.messages import FrameBatch
from schema.names import JobKeys
from schema.plan import FrameRange
from workers.storage.port import ObjectStore
from workers.storage.records import failure


def bury(*, store: ObjectStore, step: str, batch: FrameBatch, error: BaseException, trace: str, worker: str) -> str:
    """Write the dead letter of ``batch``; its key."""
    keys = JobKeys(batch.job_id)
    key = keys.dead(step, batch.start, batch.stop)
    record = DeadRecord(
        job_id=batch.job_id,
        step=step,
        start=batch.start,
        stop=batch.stop,
        worker=worker,
        error=failure(error),
        traceback=trace,
        time_s=time.time(),
    )
    store.put_new(keys.letters, b"")
    store.put_new(key, record.to_json(), "application/json")
    return key


def dead_ranges(store: ObjectStore, job_id: str, step: str) -> set[tuple[int, int]]:
    """Ranges that ``step`` gave up: they stay given up, even if somebody finished them after all."""
    keys = JobKeys(job_id)
    names = [found.key.removeprefix(keys.dead_prefix) for found in store.objects(f"{keys.dead_prefix}{step}-")]
    ranges = [name.removeprefix(f"{step}-").removesuffix(".json").split("-") for name in names]
    return {(int(start), int(stop)) for start, stop in ranges}


def body_of(store: ObjectStore, key: str, planned: FrameRange, dead: set[tuple[int, int]]) -> bytes | None:
    """The object ``key`` of a range; none where the range was given up.

    Raises:
        SourceMissing: it is not there though nobody gave it up.
    """
    return None if (planned.start, planned.stop) in dead else store.get(key)
