"""Tracks and angles of some seconds as JSON: what a page draws on a video while it plays."""

import json
from itertools import groupby
from typing import Annotated, Any

import numpy as np
from fastapi import APIRouter, Query
from fastapi.responses import Response
from pydantic import BaseModel, ConfigDict

from producer.api.auth import Asked, Reader
from producer.api.examples import TRACKS as EXAMPLE
from producer.api.examples import answers
from producer.api.jobs import AnId
from producer.api.problems import documented
from producer.api.tables import FromS, Slice, ToS, read_slice
from schema.kinematics import ANGLES as NAMES
from schema.names import ANGLES, TRACKS, TRACKS_RAW
from schema.skeleton import KEYPOINTS, LIMBS

router = APIRouter(prefix="/v1/jobs", tags=["results"])

_POINTS = [f"{name}_{part}" for name in KEYPOINTS for part in ("x", "y", "score")]
_DIGITS = [digits for _ in KEYPOINTS for digits in (1, 1, 2)]


class Person(BaseModel):
    """One person in one frame."""

    id: int
    score: float
    k: list[float | None]
    """x, y (pixels) and confidence of each keypoint; null where there is no estimate."""


class Frame(BaseModel):
    """One frame that shows people."""

    t: float
    """Seconds."""
    people: list[Person]


class Tracks(BaseModel):
    """The people of some seconds of a video."""

    keypoints: list[str]
    skeleton: list[tuple[int, int]]
    """Limbs, as indexes of keypoints."""
    width: int | None
    height: int | None
    frames: list[Frame]
    next_s: float | None
    """Where to go on; null at the end."""


class Angles(BaseModel):
    """Joint angles of some seconds, degrees, and where to go on."""

    names: list[str]
    tracks: dict[str, "AnglesOfTrack"]
    next_s: float | None


class AnglesOfTrack(BaseModel):
    """Times and, under its name, each angle at these times; null where there is no estimate."""

    model_config = ConfigDict(extra="allow")
    __pydantic_extra__: dict[str, list[float | None]]

    t: list[float]


@router.get("/{job_id}/tracks", response_model=Tracks, responses={**documented(404, 422), **answers(200, EXAMPLE)})
def tracks(
    job_id: AnId,
    asked: Asked,
    token: Reader,
    raw: Annotated[bool, Query(description="As found, before gaps were filled and curves smoothed.")] = False,
    from_s: FromS = 0.0,
    to_s: ToS = 60.0,
) -> Response:
    """The people from ``from_s`` until before ``to_s``; fewer where there are very many."""
    asked.seen(token, job_id)
    found = read_slice(asked, job_id, TRACKS_RAW if raw else TRACKS, from_s, to_s)
    stream = json.loads(found.metadata.get(b"posefleet", b"{}")).get("stream", {})
    return _json(
        {
            "keypoints": KEYPOINTS,
            "skeleton": LIMBS,
            "width": stream.get("display_width"),
            "height": stream.get("display_height"),
            "frames": _frames(found),
            "next_s": found.next_s,
        }
    )


@router.get("/{job_id}/angles", response_model=Angles, responses=documented(404, 422))
def angles(job_id: AnId, asked: Asked, token: Reader, from_s: FromS = 0.0, to_s: ToS = 60.0) -> Response:
    """The joint angles from ``from_s`` until before ``to_s``, of a job with the option ``kinematics``."""
    asked.seen(token, job_id)
    found = read_slice(asked, job_id, ANGLES, from_s, to_s)
    return _json({"names": NAMES, "tracks": _by_track(found), "next_s": found.next_s})


def _frames(found: Slice) -> list[dict[str, Any]]:
    rows = found.rows
    points = np.stack([_rounded(rows[name], digits) for name, digits in zip(_POINTS, _DIGITS, strict=True)], 1)
    columns = (rows["frame_index"].to_pylist(), _times(rows), rows["track_id"].to_pylist(), _rounded(rows["score"], 2))
    people = zip(*columns, points.tolist(), strict=True)
    return [
        {"t": group[0][1], "people": [{"id": track, "score": score, "k": k} for _, _, track, score, k in group]}
        for group in (list(each) for _, each in groupby(people, key=lambda row: row[0]))
    ]


def _by_track(found: Slice) -> dict[int, dict[str, Any]]:
    ids, times = found.rows["track_id"].to_numpy(), np.array(_times(found.rows))
    columns = {name: _rounded(found.rows[name], 2) for name in NAMES}
    return {
        int(track): {"t": times[rows].tolist(), **{name: column[rows].tolist() for name, column in columns.items()}}
        for track in np.unique(ids)
        for rows in [ids == track]
    }


def _times(rows: Any) -> list[float]:
    return [round(time_s, 6) + 0.0 for time_s in rows["time_s"].to_pylist()]


def _rounded(column: Any, digits: int) -> Any:
    """A column with few digits; none where there is no number."""
    values = column.to_numpy().astype(np.float64).round(digits) + 0.0
    return np.where(np.isfinite(values), values, None)


def _json(value: object) -> Response:
    return Response(json.dumps(value, separators=(",", ":"), allow_nan=False), media_type="application/json")
