"""Versioned messages and records: what is sent over the queue and what is kept in object storage.

A message carries references only (URI, etag, frame range), never pixels.  Readers ignore fields they do not
know, so a worker understands a newer producer of the same version; another version is refused.
"""

import hashlib
import json
from enum import StrEnum
from typing import Annotated, Literal, Self

from pydantic import BaseModel, ConfigDict, Field, ValidationError

from schema.errors import ConfigurationError, MessageError
from schema.names import range_name

VERSION: Literal[1] = 1


class State(StrEnum):
    """Where a job stands. The last four are final and stand in a published manifest."""

    QUEUED = "queued"
    PLANNING = "planning"
    INFERRING = "inferring"
    STITCHING = "stitching"
    RENDERING = "rendering"
    PUBLISHING = "publishing"
    SUCCEEDED = "succeeded"
    PARTIAL = "partial"
    FAILED = "failed"
    CANCELLED = "cancelled"

    @property
    def final(self) -> bool:
        return self in (State.SUCCEEDED, State.PARTIAL, State.FAILED, State.CANCELLED)


class Record(BaseModel):
    """A frozen value with a version, read from and written to JSON."""

    model_config = ConfigDict(frozen=True, extra="ignore", allow_inf_nan=False)

    schema_version: Literal[1] = VERSION

    @classmethod
    def from_json(cls, body: bytes | str) -> Self:
        """Read ``body``.

        Raises:
            MessageError: another version, or fields missing or of the wrong type.
        """
        try:
            return cls.model_validate_json(body)
        except ValidationError as error:
            raise MessageError(f"not a {cls.__name__} of version {VERSION}: {_first(error)}") from error

    @classmethod
    def from_message(cls, message: dict[str, object]) -> Self:
        """Read a task's argument; raises like `from_json`."""
        return cls.from_json(json.dumps(message))

    def to_json(self) -> bytes:
        """One JSON object in UTF-8, the same bytes for the same value."""
        return self.model_dump_json(indent=1).encode()

    def to_message(self) -> dict[str, object]:
        """The value as a task's argument."""
        return self.model_dump(mode="json")


def _first(error: ValidationError) -> str:
    first = error.errors()[0]
    return f"{'.'.join(str(part) for part in first['loc'])}: {first['msg']}"


class Options(BaseModel):
    """What a user chooses for a job. Every field is part of the job's identity."""

    model_config = ConfigDict(frozen=True, extra="forbid")

    input_size: Annotated[
        int, Field(ge=128, le=768, multiple_of=32, description="a multiple of 32 from 128 to 768")
    ] = 256
    """Longer side of the model's input in pixels, a multiple of 32."""
    max_people: Annotated[int, Field(ge=1, le=100, description="1 to 100")] = 6
    """Most people reported in one frame."""
    min_score: Annotated[float, Field(ge=0.0, le=1.0, description="0 to 1")] = 0.2
    """Poses with a lower person score take no part in tracks."""
    render: bool = True
    """Write ``annotated.mp4``."""

    @classmethod
    def checked(cls, **values: object) -> Self:
        """Build options from a user's words.

        Raises:
            ConfigurationError: names the option, the value and what is valid.
        """
        try:
            return cls.model_validate(values)
        except ValidationError as error:
            first = error.errors()[0]
            name = str(first["loc"][0])
            valid = cls.model_fields[name].description if name in cls.model_fields else "there is no such option"
            raise ConfigurationError(f"--{name.replace('_', '-')} {first['input']}: {valid}") from error


class Source(BaseModel):
    """One version of one object: the video of a job."""

    model_config = ConfigDict(frozen=True)

    bucket: str
    key: str
    etag: str
    """As the store gives it, quotes included; empty when the object was missing."""
    size: int
    """Bytes."""

    @property
    def uri(self) -> str:
        return f"s3://{self.bucket}/{self.key}"


class ModelIdentity(BaseModel):
    """A pose model by name and digest of its weights."""

    model_config = ConfigDict(frozen=True)

    name: str
    sha256: str


class VideoJob(Record):
    """``job.json``: everything that was asked for. Its id is a digest of the rest."""

    job_id: str
    source: Source
    options: Options
    model: ModelIdentity
    batch_frames: Annotated[int, Field(ge=1)] | None = None
    """Frames of one batch; chosen by the planner when absent. No part of the job's identity."""
    nonce: str = ""
    """Set when the same work is asked for once more."""

    @classmethod
    def accept(
        cls,
        source: Source,
        options: Options,
        model: ModelIdentity,
        batch_frames: int | None = None,
        nonce: str = "",
    ) -> Self:
        """A job whose id is the same for the same source version, options and model."""
        identity = {
            "uri": source.uri,
            "etag": source.etag,
            "options": options.model_dump(mode="json"),
            "model": model.model_dump(mode="json"),
            "nonce": nonce,
        }
        digest = hashlib.sha256(json.dumps(identity, sort_keys=True).encode()).hexdigest()[:20]
        return cls(job_id=digest, source=source, options=options, model=model, batch_frames=batch_frames, nonce=nonce)


class JobReference(Record):
    """Message of the split, stitch and publish tasks."""

    job_id: str

    @property
    def unit(self) -> str:
        return "all"


class FrameBatch(Record):
    """Message of the infer and render tasks: the half-open frame range ``start..stop`` of a job."""

    job_id: str
    start: Annotated[int, Field(ge=0)]
    stop: Annotated[int, Field(ge=1)]

    @property
    def unit(self) -> str:
        return range_name(self.start, self.stop)


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


class Plan(Record):
    """``plan.json``: how a video is cut. Ranges follow each other without gap or overlap."""

    job_id: str
    stream: Stream
    ranges: tuple[FrameRange, ...]
    sequential: bool = False
    """Time stamps do not order the frames, so one batch decodes the whole stream and counts."""
    warnings: tuple[str, ...] = ()

    def range_of(self, start: int, stop: int) -> FrameRange:
        """The planned range ``start..stop``.

        Raises:
            MessageError: the plan has no such range.
        """
        for candidate in self.ranges:
            if (candidate.start, candidate.stop) == (start, stop):
                return candidate
        raise MessageError(f"job {self.job_id} has no frame range {start}..{stop} in its plan")


class Stitched(Record):
    """``stitched.json``: what the tracks hold, for the steps after it."""

    frames: int
    """Frames that were decoded, and those of ranges that were given up."""
    tracks: int
    max_people: int
    first_indexes: tuple[int, ...]
    """Index of the first displayed frame of each planned range."""
    dead_ranges: tuple[tuple[int, int], ...] = ()
    warnings: tuple[str, ...] = ()
    results: tuple["ResultObject", ...] = ()


class ResultObject(BaseModel):
    """One file of a job's results."""

    model_config = ConfigDict(frozen=True)

    name: str
    key: str
    size: int
    """Bytes."""
    sha256: str


class StepReport(BaseModel):
    """Time that one step of a job took."""

    model_config = ConfigDict(frozen=True)

    seconds: float
    """From the first start to the last end of any of its tasks."""
    frames_per_second: float | None = None


class Failure(BaseModel):
    """Why a job failed, in one sentence."""

    model_config = ConfigDict(frozen=True)

    reason: str
    """A word that programs can rely on, of the error tree."""
    message: str


class People(BaseModel):
    """How many people a video shows."""

    model_config = ConfigDict(frozen=True)

    tracks: int = 0
    max_per_frame: int = 0


class Manifest(Record):
    """``manifest.json``: the last object that a job writes, and the only one that says it has ended."""

    job_id: str
    state: State
    error: Failure | None = None
    warnings: tuple[str, ...] = ()
    source: dict[str, object]
    codec: str | None = None
    container: str | None = None
    coded_width: int | None = None
    coded_height: int | None = None
    display_width: int | None = None
    display_height: int | None = None
    rotation: int | None = None
    mirrored: bool | None = None
    sample_aspect_ratio: str | None = None
    time_base: str | None = None
    frames: int = 0
    planned_frames: int = 0
    duration_s: float | None = None
    frame_rate: float | None = None
    variable_frame_rate: bool | None = None
    has_audio: bool | None = None
    model: dict[str, object] = {}
    options: dict[str, object] = {}
    software_version: str
    steps: dict[str, StepReport] = {}
    people: People = People()
    dead_ranges: tuple[tuple[int, int], ...] = ()
    results: tuple[ResultObject, ...] = ()
