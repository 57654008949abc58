"""``job.json`` and the messages on the queues: references only (URI, etag, frame range), never pixels."""

import hashlib
import json
import time
from collections.abc import Iterable
from typing import Annotated, Literal, Self

from pydantic import BaseModel, ConfigDict, Field

from schema.names import WHOLE, range_name
from schema.options import Options
from schema.record import Record

JobId = Annotated[str, Field(pattern=r"^[0-9A-Za-z_-]{1,64}$")]
"""Safe in object keys."""


Priority = Literal["auto", "high", "normal"]
"""``auto`` is high for the first few jobs that a submitter has at a time, and normal for the others."""


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

    job_id: JobId
    source: Source
    options: Options
    model: ModelIdentity
    refiner: ModelIdentity | None = None
    """The single-pose model of ``options.refine``."""
    pictures: bool = False
    """The source is a `PictureList`, its pictures are the frames."""
    batch_frames: Annotated[int, Field(ge=1)] | None = None
    """Frames of one batch; chosen by the planner when absent. No part of the job's identity."""
    tracks_of: JobId | None = None
    """Job whose tracks are drawn once more, without the model."""
    again_of: JobId | None = None
    """Job whose dead batches are done again; the others are taken over."""
    nonce: str = ""
    """Set when the same work is asked for once more."""
    submitter: str = ""
    """Who asked for it. Neither this nor what follows is part of the job's identity."""
    priority: Priority = "auto"
    created_s: float = 0.0
    """Seconds since 1970, by the clock of whoever accepted it."""
    webhook: str = ""
    """URL that is told when the job has ended."""

    @classmethod
    def accept(
        cls,
        source: Source,
        options: Options,
        model: ModelIdentity,
        *,
        refiner: ModelIdentity | None = None,
        pictures: bool = False,
        batch_frames: int | None = None,
        tracks_of: str | None = None,
        again_of: str | None = None,
        nonce: str = "",
        submitter: str = "",
        priority: Priority = "auto",
        webhook: str = "",
    ) -> Self:
        """A job whose id is the same for the same source version, options and models."""
        identity = {
            "uri": source.uri,
            "etag": source.etag,
            "options": options.model_dump(mode="json", exclude={"quality"}),
            "model": model.model_dump(mode="json"),
            "refiner": refiner and refiner.model_dump(mode="json"),
            "tracks_of": tracks_of,
            "nonce": nonce,
            **({"again_of": again_of} if again_of else {}),
        }
        digest = hashlib.sha256(json.dumps(identity, sort_keys=True).encode()).hexdigest()[:20]
        return cls(
            job_id=digest,
            source=source,
            options=options,
            model=model,
            refiner=refiner,
            pictures=pictures,
            batch_frames=batch_frames,
            tracks_of=tracks_of,
            again_of=again_of,
            nonce=nonce,
            submitter=submitter,
            priority=priority,
            created_s=time.time(),
            webhook=webhook,
        )

    @property
    def plan_of(self) -> str:
        """The job that has the windows' headers and the tracks: this one, or that whose tracks are drawn."""
        return self.tracks_of or self.job_id


class JobReference(Record):
    """Message of the split, stitch and publish tasks."""

    job_id: JobId

    @property
    def unit(self) -> str:
        return WHOLE


class FrameBatch(Record):
    """Message of the infer and render tasks: the half-open frame range ``start..stop`` of a job."""

    job_id: JobId
    start: Annotated[int, Field(ge=0)]
    stop: Annotated[int, Field(ge=1)]

    @property
    def unit(self) -> str:
        return range_name(self.start, self.stop)


def messages_of(job_id: str, units: Iterable[str]) -> list[JobReference | FrameBatch]:
    """A message for each unit of a job: a frame range, or ``all``."""
    return [_message(job_id, unit) for unit in units]


def _message(job_id: str, unit: str) -> JobReference | FrameBatch:
    start, dash, stop = unit.partition("-")
    return FrameBatch(job_id=job_id, start=int(start), stop=int(stop)) if dash else JobReference(job_id=job_id)
