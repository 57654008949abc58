"""Examples that OpenAPI shows."""

from typing import Any

JOB: dict[str, Any] = {
    "schema_version": 1,
    "job_id": "88f1815188dfdf439fde",
    "uri": "s3://posefleet/uploads/lab/FueCHR6glVcMMSRx/walk.mp4",
    "submitter": "lab",
    "priority": "auto",
    "state": "inferring",
    "created_s": 1795294465.46,
    "ended_s": None,
    "frames": 230,
    "steps": {"infer": {"done": 120, "total": 230}, "render": {"done": 0, "total": 230}},
    "people": None,
    "tracks": None,
    "error": None,
    "dead_ranges": 0,
    "warnings": 0,
    "pictures": False,
    "work": ["infer", "render"],
}
PAGE: dict[str, Any] = {"jobs": [JOB], "cursor": "1795294465.46:88f1815188dfdf439fde"}
UPLOAD: dict[str, Any] = {
    "upload_id": "MSBlNjg5YTIwOTIzOWY0NDYz",
    "uri": "s3://posefleet/uploads/lab/FueCHR6glVcMMSRx/walk.mp4",
    "part_size": 16777216,
    "parts": [{"number": 1, "url": "https://posefleet.s3.amazonaws.com/uploads/lab/…?partNumber=1&X-Amz-Signature=…"}],
    "expires_s": 3600,
}
TRACKS: dict[str, Any] = {
    "keypoints": ["nose", "left_eye"],
    "skeleton": [[0, 1]],
    "width": 854,
    "height": 480,
    "frames": [{"t": 0.033333, "people": [{"id": 1, "score": 0.71, "k": [412.5, 88.1, 0.83, 418.0, 82.7, 0.79]}]}],
    "next_s": 60.0,
}


def answers(status: int, example: dict[str, Any]) -> dict[int | str, dict[str, Any]]:
    """An answer of an operation, by example."""
    return {status: {"content": {"application/json": {"example": example}}}}
