"""Parquet files of results, read by time from object storage: whole groups of rows are left out unread."""

from dataclasses import dataclass
from typing import Annotated, Any

import pyarrow as pa
import pyarrow.compute as pc
import pyarrow.parquet as pq
from fastapi import Query

from producer.api.auth import Asked
from producer.api.problems import Problem
from schema.names import JobKeys
from workers.storage.ranged import RangedFile

MOST_ROWS = 6000
"""Of one answer."""
FromS = Annotated[float, Query(ge=0, le=1e9, allow_inf_nan=False, description="First time, seconds.")]
ToS = Annotated[float, Query(ge=0, le=1e9, allow_inf_nan=False, description="Time before which it ends, seconds.")]


@dataclass(frozen=True)
class Slice:
    """The rows of some time, whole frames of them."""

    rows: Any
    """An Arrow table."""
    next_s: float | None
    """Time of the first row that was left out; none when there is none."""
    metadata: dict[bytes, bytes]


def read_slice(asked: Asked, job_id: str, name: str, from_s: float, to_s: float) -> Slice:
    """Rows of a result from ``from_s`` until before ``to_s``, at most about `MOST_ROWS`.

    Raises:
        Problem: the job has no such result (404).
    """
    found = asked.fleet.store.head(JobKeys(job_id).result(name))
    if found is None:
        raise Problem(404, f"job {job_id} has no {name}")
    file = pq.ParquetFile(RangedFile(asked.fleet.store, found))
    groups = [each for each in range(file.num_row_groups) if _last_s(file, each) >= from_s]
    table = file.schema_arrow.empty_table()
    for group in groups:
        table = pa.concat_tables([table, file.read_row_group(group).filter(pc.field("time_s") >= from_s)])
        if table.num_rows > MOST_ROWS or _last_s(file, group) >= to_s:
            break
    return _cut(table, to_s, file.schema_arrow.metadata or {})


def _cut(table: Any, to_s: float, metadata: dict[bytes, bytes]) -> Slice:
    """The rows before ``to_s``, or before the frame that would be too many."""
    times = table["time_s"].to_numpy()
    count = int(times.searchsorted(to_s))
    if count > MOST_ROWS:
        count = int(times.searchsorted(times[MOST_ROWS]))
    return Slice(table.slice(0, count), float(times[count]) if count < len(times) else None, metadata)


def _last_s(file: Any, group: int) -> float:
    return float(file.metadata.row_group(group).column(1).statistics.max)
