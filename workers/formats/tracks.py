"""``tracks.parquet``: one row per frame and track, pixels of the picture as displayed."""

import json
from collections.abc import Iterator
from pathlib import Path
from types import TracebackType
from typing import IO, Any, Self

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc
import pyarrow.parquet as pq

from schema.errors import ConfigurationError
from schema.skeleton import KEYPOINTS
from workers.core.rows import TrackRows

_ROWS_PER_GROUP = 20_000
_POINT_COLUMNS = [f"{name}_{part}" for name in KEYPOINTS for part in ("x", "y", "score")]
_BOX_COLUMNS = ["bbox_x", "bbox_y", "bbox_w", "bbox_h"]
_METADATA_KEY = b"posefleet"

SCHEMA = pa.schema(
    [
        ("frame_index", pa.int64()),
        ("time_s", pa.float64()),
        ("track_id", pa.int32()),
        ("score", pa.float32()),
        *((name, pa.float32()) for name in _BOX_COLUMNS),
        *((name, pa.float32()) for name in _POINT_COLUMNS),
        ("interpolated", pa.bool_()),
    ]
)


class TracksWriter:
    """Writes rows in groups of a fixed size, so the file depends on its rows alone and memory stays flat."""

    def __init__(self, path: Path, metadata: dict[str, object]) -> None:
        stored = {_METADATA_KEY: json.dumps(metadata, sort_keys=True).encode()}
        self._writer = pq.ParquetWriter(path, SCHEMA.with_metadata(stored), compression="zstd")
        self._waiting = TrackRows.none()

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        if kind is None and len(self._waiting):
            self._writer.write_table(to_table(self._waiting))
        self._writer.close()

    def add(self, rows: TrackRows) -> None:
        """Add the next rows, by frame and track."""
        waiting = TrackRows.joined([self._waiting, rows])
        whole = len(waiting) // _ROWS_PER_GROUP * _ROWS_PER_GROUP
        for start in range(0, whole, _ROWS_PER_GROUP):
            self._writer.write_table(to_table(waiting.pick(slice(start, start + _ROWS_PER_GROUP))))
        self._waiting = waiting.pick(slice(whole, len(waiting)))


def to_table(rows: TrackRows) -> pa.Table:
    """``rows`` as an Arrow table of the native schema."""
    points = rows.keypoints.reshape(-1, 3 * len(KEYPOINTS))
    columns = [rows.frames, rows.times, rows.tracks, rows.scores, *rows.boxes.T, *points.T, rows.interpolated]
    return pa.Table.from_arrays([pa.array(column) for column in columns], schema=SCHEMA)


def from_table(table: pa.Table) -> TrackRows:
    """Rows of an Arrow table of the native schema."""
    columns = {name: table[name].to_numpy() for name in table.column_names}
    count = table.num_rows
    points = np.stack([columns[name] for name in _POINT_COLUMNS], -1) if count else np.zeros((0, 51))
    return TrackRows(
        columns["frame_index"],
        columns["time_s"],
        columns["track_id"],
        columns["score"],
        np.stack([columns[name] for name in _BOX_COLUMNS], -1),
        points.astype(np.float32).reshape(-1, len(KEYPOINTS), 3),
        columns["interpolated"].astype(np.bool_),
    )


def read_range(file: IO[bytes] | Any, start: int, stop: int, since_s: float = float("inf")) -> TrackRows:
    """Rows of the frames ``start..stop``, and of those before that are shown at ``since_s`` seconds or later."""
    frames = pc.field("frame_index")
    window = ((frames >= start) | (pc.field("time_s") >= since_s)) & (frames < stop)
    return from_table(pq.read_table(file, filters=window))


def by_frame(rows: TrackRows) -> Iterator[tuple[int, TrackRows]]:
    """Rows by frame, of the frames that show people; rows come in order of frame."""
    for people in rows.split(rows.frames):
        yield int(people.frames[0]), people


class TracksFile:
    """A track file to read, group of rows after group of rows.

    Raises:
        ConfigurationError: it is none.
    """

    def __init__(self, path: Path) -> None:
        try:
            self._file = pq.ParquetFile(path)
        except (OSError, pa.ArrowInvalid) as error:
            raise ConfigurationError(f"{path} is no track file: {error}") from error
        missing = set(SCHEMA.names) - set(self._file.schema_arrow.names)
        if missing:
            raise ConfigurationError(f"{path} is no track file: it has no column {sorted(missing)[0]}")

    @property
    def metadata(self) -> dict[str, Any]:
        """What the file says of its source, model, options and stream; empty where a stranger wrote it."""
        stored = (self._file.schema_arrow.metadata or {}).get(_METADATA_KEY)
        return dict(json.loads(stored)) if stored else {}

    def __iter__(self) -> Iterator[TrackRows]:
        """Rows, some thousand at a time, whole frames."""
        waiting = TrackRows.none()
        for batch in self._file.iter_batches(_ROWS_PER_GROUP, columns=SCHEMA.names):
            waiting = TrackRows.joined([waiting, from_table(pa.Table.from_batches([batch]))])
            whole = waiting.frames < waiting.frames[-1] if len(waiting) else np.zeros(0, np.bool_)
            yield waiting.pick(whole)
            waiting = waiting.pick(~whole)
        yield waiting
