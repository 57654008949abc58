"""Trackers of others on our poses: the rules of tfjs-models, norfair, and SORT, ByteTrack and OC-SORT of `trackers`."""

from collections.abc import Callable
from functools import partial
from typing import Any

import norfair
import numpy as np
import supervision
from numpy.typing import NDArray
from trackers import ByteTrackTracker, OCSORTTracker, SORTTracker

from schema.skeleton import OKS_SIGMAS
from workers.core.poses import FramePoses
from workers.core.similarity import iou_matrix

Assigned = list[NDArray[np.int64]]
"""Per frame ``[people]`` track ids, below 1 for none."""
Baseline = Callable[[list[FramePoses], NDArray[np.float64]], Assigned]
_SPAN_S, _MOST_TRACKS = 1.0, 18


def tfjs(frames: list[FramePoses], times: NDArray[np.float64], *, by: str) -> Assigned:
    """The published rules: greedy in order of score, IoU of 0.15 or OKS of 0.2, 18 tracks, 1000 ms, no motion."""
    known: list[tuple[int, FramePoses, float]] = []
    next_id, assigned = 1, []
    for people, time_s in zip(frames, times, strict=True):
        known = [track for track in known if time_s - track[2] <= _SPAN_S]
        ids = np.zeros(len(people.scores), np.int64)
        left = list(range(len(known)))
        for row in np.argsort(-people.scores, kind="stable"):
            one = people.pick(np.array([row]))
            alike = [(_tfjs_oks if by == "oks" else _tfjs_iou)(known[t][1], one) for t in left]
            best = int(np.argmax(alike)) if alike else -1
            if alike and alike[best] >= (0.2 if by == "oks" else 0.15):
                track = left.pop(best)
                ids[row] = known[track][0]
                known[track] = (known[track][0], one, time_s)
            else:
                ids[row], next_id = next_id, next_id + 1
                known.append((int(ids[row]), one, time_s))
        known = sorted(known, key=lambda track: -track[2])[:_MOST_TRACKS]
        assigned.append(ids)
    return assigned


def _tfjs_iou(a: FramePoses, b: FramePoses) -> float:
    return float(iou_matrix(a.boxes.astype(float), b.boxes.astype(float))[0, 0])


def _tfjs_oks(a: FramePoses, b: FramePoses) -> float:
    """Their OKS: points above 0.3 in both, at least 4, area of the box around them plus nothing."""
    sure = (a.keypoints[0, :, 2] > 0.3) & (b.keypoints[0, :, 2] > 0.3)
    if sure.sum() < 4:
        return 0.0
    span = np.ptp(a.keypoints[0, sure, :2], axis=0)
    squared = ((a.keypoints[0, sure, :2] - b.keypoints[0, sure, :2]) ** 2).sum(-1)
    variances = (2 * np.array(OKS_SIGMAS)[sure]) ** 2
    return float(np.exp(-squared / (2 * max(span.prod(), 1e-6) * variances)).mean())


def by_norfair(frames: list[FramePoses], times: NDArray[np.float64], *, delay: int | None = None) -> Assigned:
    """Keypoint distance as in norfair's pose example: the share of keypoints further than a tenth of the height."""
    tracker = norfair.Tracker(_norfair_distance, 0.5, initialization_delay=delay, detection_threshold=0.1)
    assigned = []
    for people in frames:
        rows = [
            norfair.Detection(k[:, :2].astype(float), k[:, 2].astype(float), data=(row, float(box[3])))
            for row, (k, box) in enumerate(zip(people.keypoints, people.boxes, strict=True))
        ]
        ids = np.zeros(len(people.scores), np.int64)
        for track in tracker.update(rows):
            if track.live_points.any() and any(track.last_detection is row for row in rows):
                ids[track.last_detection.data[0]] = track.id or 0
        assigned.append(ids)
    return assigned


def _norfair_distance(new: Any, track: Any) -> float:
    near = np.linalg.norm(new.points - track.estimate, axis=1) < 0.1 * max(new.data[1], 1.0)
    sure = (new.scores > 0.1) & (track.last_detection.scores > 0.1)
    return 1 / (1 + float((near & sure).sum()) / 4)


def by_boxes(frames: list[FramePoses], times: NDArray[np.float64], *, make: Callable[..., Any]) -> Assigned:
    """A box tracker of the package `trackers`."""
    rate = 1 / float(np.median(np.diff(times))) if len(times) > 1 else 30.0
    tracker = make(frame_rate=rate)
    assigned = []
    for people in frames:
        corners = np.concatenate([people.boxes[:, :2], people.boxes[:, :2] + people.boxes[:, 2:]], -1)
        given = supervision.Detections(
            xyxy=corners.reshape(-1, 4).astype(np.float32),
            confidence=people.scores.astype(np.float32),
            class_id=np.zeros(len(people.scores), int),
            data={"row": np.arange(len(people.scores))},
        )
        found = tracker.update(given)
        ids = np.zeros(len(people.scores), np.int64)
        if len(found) and found.tracker_id is not None:
            ids[found.data["row"]] = found.tracker_id + 1
        assigned.append(ids)
    return assigned


def _low(make: Callable[..., Any], **more: Any) -> Callable[..., Any]:
    """``make`` with thresholds that suit the scores of MoveNet, whose people begin at 0.1 rather than 0.6."""
    return partial(make, **more)


BASELINES: dict[str, Baseline] = {
    "tfjs, box": partial(tfjs, by="iou"),
    "tfjs, keypoints": partial(tfjs, by="oks"),
    "norfair": by_norfair,
    "SORT": partial(by_boxes, make=_low(SORTTracker, track_activation_threshold=0.0)),
    "ByteTrack": partial(
        by_boxes, make=_low(ByteTrackTracker, track_activation_threshold=0.25, high_conf_det_threshold=0.2)
    ),
    "OC-SORT": partial(by_boxes, make=_low(OCSORTTracker, high_conf_det_threshold=0.2)),
}
