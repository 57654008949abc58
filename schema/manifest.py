"""What a job has come to: ``stitched.json`` and ``manifest.json``."""

from enum import StrEnum

from pydantic import BaseModel, ConfigDict

from schema.pictures import BrokenPicture
from schema.record import Record


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


class TrackReport(BaseModel):
    """How long and how good one track is. Lengths in pixels are of the picture as displayed."""

    model_config = ConfigDict(frozen=True)

    track_id: int
    first_frame: int
    last_frame: int
    first_time_s: float
    last_time_s: float
    frames: int
    """Frames in which the person was found."""
    interpolated_frames: int
    gaps: int
    """Times the person was not found for a while, filled or not."""
    longest_gap_s: float
    mean_score: float
    jitter_px: float | None
    """Root mean square distance of the keypoints as found from the filtered ones; none where none is known."""
    jitter_share: float | None
    """The same, of the square root of the area of the person's box."""
    likely_swaps: int
    """Times somebody else might have gone on with the track almost as well."""
    repetitions: int | None = None
    """Of the angle that was to be counted."""


class Stitched(Record):
    """``stitched.json``: what the tracks hold, for the steps after it."""

    frames: int
    """Frames that were decoded, and those of ranges that were given up."""
    tracks: int
    max_people: int
    first_indexes: tuple[int, ...]
    """Index of the first displayed frame of each planned range."""
    dead_ranges: tuple[tuple[int, int], ...] = ()
    broken: tuple[BrokenPicture, ...] = ()
    warnings: tuple[str, ...] = ()
    shots: tuple[int, ...] = ()
    """Frames that begin a new shot; no track goes across."""
    people: tuple[TrackReport, ...] = ()
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
    busy_seconds: float = 0.0
    """Of worker processes: all tasks, and the waits between two of them."""
    ideal_seconds: float = 0.0
    """What the same work takes without a fleet: decoding, scaling, full calls of the model at their usual pace (on a
    GPU these alone), drawing, encoding; 0 for steps that have none of it."""
    speed_of_light: float | None = None
    """The one divided by the other: 1 is as fast as the workers' machines can be."""
    parts: dict[str, float] = {}
    """Seconds of fetch, decode, letterbox, infer (calls of the model, with heads), heads (decoding its maps), draw,
    encode, write, and of the wait between tasks; some go on side by side."""


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
    pixel_format: str | None = None
    interlaced: bool | None = None
    hdr: str | None = None
    model: dict[str, object] = {}
    refiner: dict[str, object] | None = None
    options: dict[str, object] = {}
    tracks_of: str | None = None
    """Job whose tracks were drawn once more."""
    again_of: str | None = None
    """Job whose dead batches were done again."""
    software_version: str
    steps: dict[str, StepReport] = {}
    speed_of_light: float | None = None
    """Of all steps together, see `StepReport`."""
    people: People = People()
    shots: tuple[int, ...] = ()
    """Frames that begin a new shot; no track goes across."""
    tracks: tuple[TrackReport, ...] = ()
    dead_ranges: tuple[tuple[int, int], ...] = ()
    broken: tuple[BrokenPicture, ...] = ()
    """Pictures that could not be read."""
    results: tuple[ResultObject, ...] = ()


class Results(Record):
    """Result files that one unit of work wrote."""

    results: tuple[ResultObject, ...]
