"""``plan.json``: how a video is cut."""

from bisect import bisect_left

from pydantic import BaseModel, ConfigDict, Field

from schema.errors import MessageError
from schema.names import HEADERS, range_name
from schema.record import Record


class WindowReference(BaseModel):
    """The bytes of a video that hold a range, and where the header is that makes a file of them."""

    model_config = ConfigDict(frozen=True)

    header: tuple[int, int]
    """Bytes of the job's ``index.bin``."""
    start: int
    """First byte of the source."""
    stop: int
    shift: int
    """Added to the time stamps that are found there."""


class FrameRange(BaseModel):
    """The half-open frame range ``start..stop`` of a plan, and its times in the stream's time base."""

    model_config = ConfigDict(frozen=True)

    start: int
    stop: int
    first_pts: int
    """Presentation time stamp of frame ``start``."""
    end_pts: int | None
    """Presentation time stamp of frame ``stop``; none at the end of the video."""
    seek_dts: int | None
    """Decode time stamp of the key frame to begin at; none begins at the file's first byte."""
    window: WindowReference | None = None
    """None when the file can only be read as a whole."""


class Stream(BaseModel):
    """Facts of the video stream that the container's index tells."""

    model_config = ConfigDict(frozen=True)

    index: int
    codec: str
    container: str
    coded_width: int
    coded_height: int
    display_width: int
    """Pixels after rotation and stretching by the sample aspect ratio."""
    display_height: int
    rotation: int
    """Degrees clockwise that the picture is turned for display: 0, 90, 180 or 270."""
    mirrored: bool = False
    """Whether the picture is flipped left to right before it is turned."""
    sample_aspect_ratio: str
    time_base: str
    frames: int
    duration_s: float
    variable_frame_rate: bool
    frame_rate: float
    """Average, frames per second of the displayed span."""
    has_audio: bool
    pixel_format: str = ""
    interlaced: bool = False
    """One field of each frame is used."""
    hdr: str | None = None
    """``pq`` or ``hlg``: tone-mapped to standard dynamic range."""

    @classmethod
    def of_pictures(cls, count: int) -> "Stream":
        """What stands in for a video stream when the frames are ``count`` pictures, each of its own size."""
        sizes = dict.fromkeys(("coded_width", "coded_height", "display_width", "display_height", "rotation"), 0)
        words = {"codec": "", "container": "pictures", "sample_aspect_ratio": "1:1", "time_base": "1/1"}
        flags = {"variable_frame_rate": False, "has_audio": False}
        return cls.model_validate(
            {"index": 0, "frames": count, "duration_s": 0.0, "frame_rate": 0.0, **sizes, **words, **flags}
        )


class Plan(Record):
    """``plan.json``: how a video is cut. Ranges follow each other without gap or overlap."""

    job_id: str
    stream: Stream
    ranges: tuple[FrameRange, ...]
    sequential: bool = False
    """Time stamps do not order the frames, so one batch decodes the whole stream and counts."""
    warnings: tuple[str, ...] = ()
    headers: str = Field(HEADERS, pattern=r"^index(-[0-9a-f]{16})?\.bin$")
    """The object below the job that has the headers of the ranges' windows."""

    @property
    def units(self) -> list[str]:
        """The ranges as units of work."""
        return [range_name(planned.start, planned.stop) for planned in self.ranges]

    def range_of(self, start: int, stop: int) -> FrameRange:
        """The planned range ``start..stop``.

        Raises:
            MessageError: the plan has no such range.
        """
        return self.ranges[self.index_of(start, stop)]

    def index_of(self, start: int, stop: int) -> int:
        """How many ranges come before ``start..stop``; raises like `range_of`."""
        at = bisect_left(self.ranges, start, key=lambda planned: planned.start)
        if at < len(self.ranges) and (self.ranges[at].start, self.ranges[at].stop) == (start, stop):
            return at
        raise MessageError(f"job {self.job_id} has no frame range {start}..{stop} in its plan")
