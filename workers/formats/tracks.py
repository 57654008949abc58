"""``tracks.parquet``: one row per frame and track, pixels of the picture as displayed."""

import io
import json
from collections.abc import Iterator
from pathlib import Path
from types import TracebackType
from typing import Self

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc
import pyarrow.parquet as pq
from numpy.typing import NDArray

from schema.skeleton import KEYPOINTS
from workers.core.poses import FramePoses

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
        self._waiting: list[tuple[int, float, NDArray[np.int32], FramePoses]] = []
        self._rows = 0

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        if kind is None:
            self._flush()
        self._writer.close()

    def add(self, frame_index: int, time_s: float, track_ids: NDArray[np.int32], poses: FramePoses) -> None:
        """Add the people of one frame, ``track_ids[i]`` being the track of person ``i``."""
        order = np.argsort(track_ids)
        self._waiting.append((frame_index, time_s, track_ids[order], poses.pick(order)))
        self._rows += len(track_ids)
        if self._rows >= _ROWS_PER_GROUP:
            self._flush()

    def _flush(self) -> None:
        if self._rows:
            self._writer.write_table(_table(self._waiting))
        self._waiting, self._rows = [], 0


def _table(rows: list[tuple[int, float, NDArray[np.int32], FramePoses]]) -> pa.Table:
    counts = [len(ids) for _, _, ids, _ in rows]
    points = np.concatenate([poses.keypoints for *_, poses in rows]).reshape(-1, 3 * len(KEYPOINTS))
    boxes = np.concatenate([poses.boxes for *_, poses in rows])
    columns = [
        np.repeat(np.array([index for index, *_ in rows], np.int64), counts),
        np.repeat(np.array([time for _, time, *_ in rows], np.float64), counts),
        np.concatenate([ids for _, _, ids, _ in rows]),
        np.concatenate([poses.scores for *_, poses in rows]),
        *boxes.T,
        *points.T,
        np.zeros(sum(counts), np.bool_),
    ]
    return pa.Table.from_arrays([pa.array(column) for column in columns], schema=SCHEMA)


def read_range(file: io.RawIOBase, start: int, stop: int) -> Iterator[tuple[int, NDArray[np.int32], FramePoses]]:
    """Frames ``start..stop`` that show people: frame index, ``[people]`` track ids, their poses."""
    window = (pc.field("frame_index") >= start) & (pc.field("frame_index") < stop)
    table = pq.read_table(file, filters=window)
    frames = table["frame_index"].to_numpy()
    ids = table["track_id"].to_numpy()
    points = np.stack([table[name].to_numpy() for name in _POINT_COLUMNS], -1) if len(frames) else np.zeros((0, 51))
    points = points.astype(np.float32).reshape(-1, len(KEYPOINTS), 3)
    boxes = np.stack([table[name].to_numpy() for name in _BOX_COLUMNS], -1)
    scores = table["score"].to_numpy()
    for frame in np.unique(frames):
        rows = frames == frame
        yield int(frame), ids[rows], FramePoses(points[rows], boxes[rows], scores[rows])
