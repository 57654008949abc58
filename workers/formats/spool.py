"""People of a whole video on disk, while nobody knows yet which tracks they belong to."""

from array import array
from pathlib import Path
from types import TracebackType
from typing import Self

import numpy as np
from numpy.typing import NDArray

from workers.core.poses import FramePoses
from workers.core.rows import TrackRows

_ROW = np.dtype([("frame", "i8"), ("piece", "i4"), ("score", "f4"), ("box", "f4", 4), ("keypoints", "f4", (17, 3))])
_ROWS_AT_ONCE = 8192


class Spool:
    """Appends frame after frame, then reads any range of frames. Of a frame 16 bytes stay in memory."""

    def __init__(self, path: Path) -> None:
        self._file = path.open("w+b")
        self._waiting: list[NDArray[np.void]] = []
        self._rows = 0
        self._first_rows = array("q", [0])
        self._times = array("d")

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self._file.close()

    @property
    def frames(self) -> int:
        """Frames so far."""
        return len(self._times)

    @property
    def times(self) -> NDArray[np.float64]:
        """``[frames]`` seconds."""
        return np.array(self._times)

    def add(self, time_s: float, pieces: NDArray[np.int32], people: FramePoses) -> None:
        """Append the next frame; ``pieces[i]`` is the piece of person ``i``, 0 leaves a person out."""
        kept = pieces > 0
        rows = np.empty(int(kept.sum()), _ROW)
        rows["frame"], rows["piece"], rows["score"] = len(self._times), pieces[kept], people.scores[kept]
        rows["box"], rows["keypoints"] = people.boxes[kept], people.keypoints[kept]
        self._waiting.append(rows)
        self._rows += len(rows)
        self._times.append(time_s)
        self._first_rows.append(self._rows)
        if len(self._waiting) >= _ROWS_AT_ONCE:
            self._flush()

    def read(self, start: int, stop: int) -> TrackRows:
        """Rows of the frames ``start..stop``, pieces in place of tracks."""
        self._flush()
        first, last = self._first_rows[max(0, start)], self._first_rows[min(stop, self.frames)]
        self._file.seek(first * _ROW.itemsize)
        rows = np.frombuffer(self._file.read((last - first) * _ROW.itemsize), _ROW)
        times = np.array(self._times[max(0, start) : stop])[rows["frame"] - max(0, start)]
        none = np.zeros(len(rows), bool)
        return TrackRows(rows["frame"], times, rows["piece"], rows["score"], rows["box"], rows["keypoints"], none)

    def _flush(self) -> None:
        if self._waiting:
            self._file.seek(0, 2)
            self._file.write(np.concatenate(self._waiting).tobytes())
            self._waiting = []
