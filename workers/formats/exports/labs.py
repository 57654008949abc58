"""Formats of the animal-tracking labs: DeepLabCut and SLEAP."""

from collections.abc import Callable
from pathlib import Path

import h5py
import numpy as np
from numpy.typing import NDArray

from schema.skeleton import KEYPOINTS, LIMBS
from workers.core.rows import TrackRows
from workers.formats.exports.frames_table import FramesTable
from workers.formats.exports.port import Video

_SCORER = "posefleet"
_MOST_FRAMES, _BLOCK_BYTES = 512, 64 << 20
"""Of a block, which has room for every track in every frame."""


def _names(video: Video) -> list[str]:
    """Names of the individuals: one without any data where nobody was tracked, as readers want one."""
    return [f"person{track}" for track in video.tracks or (1,)]


def _dense(rows: TrackRows, values: NDArray[np.float32], video: Video, start: int, stop: int) -> NDArray[np.float64]:
    """``values`` ``[rows, …]`` of the frames ``start..stop`` as ``[frames, tracks, …]``, NaN where there is no row."""
    block = np.full((stop - start, max(1, len(video.tracks)), *values.shape[1:]), np.nan)
    if len(rows):
        block[rows.frames - start, np.searchsorted(video.tracks, rows.tracks)] = values
    return block


def _frames_per_block(video: Video) -> int:
    return max(1, min(_MOST_FRAMES, _BLOCK_BYTES // (8 * 3 * len(KEYPOINTS) * max(1, len(video.tracks)))))


class _Blocks:
    """Collects rows into blocks of frames and hands each on once it is complete: start, stop, rows."""

    def __init__(self, video: Video, take: Callable[[int, int, TrackRows], None]) -> None:
        self._frames, self._take = video.frames, take
        self._length = _frames_per_block(video)
        self._next = 0
        self._waiting = TrackRows.none()

    def add(self, rows: TrackRows) -> None:
        """Take the next rows."""
        self._waiting = TrackRows.joined([self._waiting, rows])
        while len(self._waiting) and self._waiting.frames[-1] >= self._next + self._length:
            self._block(self._next + self._length)

    def close(self) -> None:
        """Hand on what is left."""
        while self._next < self._frames:
            self._block(min(self._next + self._length, self._frames))

    def _block(self, stop: int) -> None:
        start, self._next = self._next, stop
        now = self._waiting.frames < stop
        rows, self._waiting = self._waiting.pick(now), self._waiting.pick(~now)
        self._take(start, stop, rows)


class DeepLabCutExporter:
    """DeepLabCut's multi-animal table, as HDF5 and CSV: a row per frame, whether it shows people or not."""

    def __init__(self, h5: Path, csv: Path, video: Video) -> None:
        self._video = video
        levels = {
            "scorer": [_SCORER],
            "individuals": _names(video),
            "bodyparts": list(KEYPOINTS),
            "coords": ["x", "y", "likelihood"],
        }
        self._table = FramesTable(h5, csv, "df_with_missing", levels, video.frames)
        self._blocks = _Blocks(video, self._write)

    def add(self, rows: TrackRows) -> None:
        """Take the next rows."""
        self._blocks.add(rows)

    def close(self) -> None:
        """Fill what is left and end both files."""
        self._blocks.close()
        self._table.close()

    def _write(self, start: int, stop: int, rows: TrackRows) -> None:
        dense = _dense(rows, rows.keypoints, self._video, start, stop) if len(rows) else None
        self._table.write(start, stop, dense)


class SleapExporter:
    """SLEAP's analysis file, filled block after block."""

    def __init__(self, path: Path, video: Video) -> None:
        self._video = video
        self._blocks = _Blocks(video, self._write)
        self._file = h5py.File(path, "w")
        people, frames, nodes = max(1, len(video.tracks)), video.frames, len(KEYPOINTS)
        block = max(1, min(frames, _frames_per_block(video)))
        for name, shape, chunk in (
            ("tracks", (people, 2, nodes, frames), (1, 2, nodes, block)),
            ("point_scores", (people, nodes, frames), (1, nodes, block)),
            ("instance_scores", (people, frames), (1, block)),
            ("tracking_scores", (people, frames), (1, block)),
        ):
            stored = {"chunks": chunk, "compression": "gzip"} if frames else {}
            self._file.create_dataset(name, shape, "f8", fillvalue=np.nan, **stored)
        self._file.create_dataset("track_occupancy", (frames, people), "u1")
        self._describe()

    def _describe(self) -> None:
        file = self._file
        file.attrs["format"] = "analysis"
        file.create_dataset("track_names", data=[name.encode() for name in _names(self._video)])
        file.create_dataset("node_names", data=[name.encode() for name in KEYPOINTS])
        edges = [(KEYPOINTS[a].encode(), KEYPOINTS[b].encode()) for a, b in LIMBS]
        file.create_dataset("edge_names", data=np.array(edges))
        file.create_dataset("edge_inds", data=np.array(LIMBS, np.int64))
        file.create_dataset("video_path", data=self._video.uri)
        file.create_dataset("video_ind", data=0)
        file.create_dataset("labels_path", data="")
        file.create_dataset("provenance", data="{}")

    def add(self, rows: TrackRows) -> None:
        """Take the next rows."""
        self._blocks.add(rows)

    def close(self) -> None:
        """Fill what is left and end the file."""
        self._blocks.close()
        self._file.close()

    def _write(self, start: int, stop: int, rows: TrackRows) -> None:
        if not len(rows):
            return
        points = _dense(rows, rows.keypoints, self._video, start, stop)
        scores = _dense(rows, rows.scores, self._video, start, stop)
        self._file["tracks"][..., start:stop] = points[..., :2].transpose(1, 3, 2, 0)
        self._file["point_scores"][..., start:stop] = points[..., 2].transpose(1, 2, 0)
        self._file["instance_scores"][:, start:stop] = scores.T
        self._file["tracking_scores"][:, start:stop] = scores.T
        self._file["track_occupancy"][start:stop] = np.isfinite(scores)
