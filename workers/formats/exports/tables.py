"""Formats that are plain tables: CSV, MOTChallenge, and OpenSim's TRC and MOT, one file per person."""

from dataclasses import dataclass
from pathlib import Path

import numpy as np
import pyarrow.csv as pc
from numpy.typing import NDArray

from schema.kinematics import ANGLES
from schema.skeleton import KEYPOINTS
from workers.core.kinematics import angles_of
from workers.core.rows import TrackRows
from workers.formats.exports.port import Video
from workers.formats.tracks import SCHEMA, to_table


class CsvExporter:
    """The native table as CSV."""

    def __init__(self, path: Path) -> None:
        self._writer = pc.CSVWriter(path, SCHEMA)

    def add(self, rows: TrackRows) -> None:
        """Take the next rows."""
        if len(rows):
            self._writer.write_table(to_table(rows))

    def close(self) -> None:
        """End the file."""
        self._writer.close()


class MotChallengeExporter:
    """``frame,id,left,top,width,height,score,-1,-1,-1``, frames from 1."""

    def __init__(self, path: Path) -> None:
        self._file = path.open("w", encoding="ascii")

    def add(self, rows: TrackRows) -> None:
        """Take the next rows."""
        for frame, track, box, score in zip(rows.frames, rows.tracks, rows.boxes, rows.scores, strict=True):
            sides = ",".join(f"{side:.2f}" for side in np.nan_to_num(box))
            self._file.write(f"{frame + 1},{track},{sides},{score:.4f},-1,-1,-1\n")

    def close(self) -> None:
        """End the file."""
        self._file.close()


@dataclass(frozen=True)
class _Lines:
    """What a file of one person holds."""

    name: str
    count: int
    first_frame: int


class _PerPerson:
    """A file for each track, whose header tells how many lines follow: lines first, the header at the end."""

    suffix = ""

    def __init__(self, folder: Path, video: Video) -> None:
        folder.mkdir(parents=True, exist_ok=True)
        self._folder, self._video = folder, video
        self._lines: dict[int, int] = {}
        self._first: dict[int, int] = {}

    def add(self, rows: TrackRows) -> None:
        """Take the next rows."""
        by_track = rows.pick(np.lexsort((rows.frames, rows.tracks)))
        for one in by_track.split(by_track.tracks):
            track = int(one.tracks[0])
            self._first.setdefault(track, int(one.frames[0]))
            self._lines[track] = self._lines.get(track, 0) + len(one)
            with self._part(track).open("a", encoding="ascii") as stream:
                stream.writelines(self.lines(one))

    def close(self) -> None:
        """Put header and lines together."""
        for track, count in self._lines.items():
            part = self._part(track)
            path = self._folder / f"{self._video.name}_person{track:02d}{self.suffix}"
            with path.open("w", encoding="ascii", newline="\n") as whole, part.open(encoding="ascii") as lines:
                whole.write(self.header(_Lines(path.name, count, self._first[track])))
                whole.writelines(lines)
            part.unlink()

    def lines(self, one: TrackRows) -> list[str]:
        raise NotImplementedError

    def header(self, written: _Lines) -> str:
        raise NotImplementedError

    def _part(self, track: int) -> Path:
        return self._folder / f".{track}.part"


class TrcExporter(_PerPerson):
    """OpenSim's marker file: pixels, y up from the picture's lower edge, z 0; a keypoint that is missing is blank."""

    suffix = ".trc"

    def lines(self, one: TrackRows) -> list[str]:
        """A line per frame."""
        return [
            f"{frame + 1}\t{time:.6f}\t" + "\t".join(map(self._marker, points)) + "\n"
            for frame, time, points in zip(one.frames.tolist(), one.times.tolist(), one.keypoints, strict=True)
        ]

    def _marker(self, point: NDArray[np.float32]) -> str:
        if not np.isfinite(point[:2]).all():
            return "\t\t"
        return f"{point[0]:.3f}\t{self._video.height - 1 - point[1]:.3f}\t0.000"

    def header(self, written: _Lines) -> str:
        """The five lines before the data."""
        rate = f"{self._video.frame_rate:g}"
        count = str(written.count)
        facts = {
            "DataRate": rate,
            "CameraRate": rate,
            "NumFrames": count,
            "NumMarkers": str(len(KEYPOINTS)),
            "Units": "px",
            "OrigDataRate": rate,
            "OrigDataStartFrame": str(written.first_frame + 1),
            "OrigNumFrames": count,
        }
        axes = [f"{axis}{number}" for number in range(1, len(KEYPOINTS) + 1) for axis in "XYZ"]
        lines = [
            f"PathFileType\t4\t(X/Y/Z)\t{written.name}",
            "\t".join(facts),
            "\t".join(facts.values()),
            "Frame#\tTime\t" + "\t\t\t".join(KEYPOINTS) + "\t\t",
            "\t\t" + "\t".join(axes),
        ]
        return "\n".join(lines) + "\n"


class MotExporter(_PerPerson):
    """OpenSim's motion file: joint angles in degrees."""

    suffix = ".mot"

    def lines(self, one: TrackRows) -> list[str]:
        """A line per frame."""
        return [
            f"{time:.6f}\t" + "\t".join(f"{angle:.4f}" for angle in angles) + "\n"
            for time, angles in zip(one.times.tolist(), angles_of(one.keypoints), strict=True)
        ]

    def header(self, written: _Lines) -> str:
        """Everything before the data."""
        return (
            f"Coordinates\nversion=1\nnRows={written.count}\nnColumns={len(ANGLES) + 1}\ninDegrees=yes\n\n"
            "Units are S.I. units (second, meters, Newtons, ...)\n"
            "If the header above contains a line with 'inDegrees', this indicates whether rotational values are in "
            "degrees (yes) or radians (no).\n\nendheader\ntime\t" + "\t".join(ANGLES) + "\n"
        )
