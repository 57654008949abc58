"""``dead/<step>-<range>.json``: why a batch was given up."""

from schema.manifest import Failure
from schema.names import range_name
from schema.record import Record


class DeadRecord(Record):
    """A batch that was given up, after its attempts or for an error that would come again."""

    job_id: str
    step: str
    start: int
    stop: int
    worker: str
    error: Failure
    traceback: str
    time_s: float = 0.0
    """Seconds since 1970."""

    @property
    def unit(self) -> str:
        return range_name(self.start, self.stop)
