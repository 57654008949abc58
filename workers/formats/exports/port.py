"""What an exporter is, and what it is told about the video."""

from dataclasses import dataclass
from typing import Protocol

from workers.core.rows import TrackRows


@dataclass(frozen=True)
class Video:
    """Facts that files of other tools mention."""

    name: str
    """Stem of its file name."""
    uri: str
    width: int
    """As displayed, pixels."""
    height: int
    frames: int
    frame_rate: float
    """Average, frames per second."""
    tracks: tuple[int, ...]
    """Ids of all tracks, rising."""


class Exporter(Protocol):
    """Takes rows in order of frame and track, whole frames at a time, then is closed once."""

    def add(self, rows: TrackRows) -> None:
        """Take the next rows."""
        ...

    def close(self) -> None:
        """Finish the files."""
        ...
