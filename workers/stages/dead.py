"""Dead letters: the record of a batch that was given up."""

import json

from schema.messages import FrameBatch
from schema.names import JobKeys
from workers.storage.port import ObjectStore
from workers.storage.records import failure


def bury(*, store: ObjectStore, step: str, batch: FrameBatch, error: BaseException, trace: str, worker: str) -> str:
    """Write the dead letter of ``batch``; its key."""
    key = JobKeys(batch.job_id).dead(step, batch.start, batch.stop)
    record = {
        "job_id": batch.job_id,
        "step": step,
        "start": batch.start,
        "stop": batch.stop,
        "worker": worker,
        "error": failure(error).model_dump(),
        "traceback": trace,
    }
    store.put_new(key, json.dumps(record, indent=1).encode(), "application/json")
    return key
