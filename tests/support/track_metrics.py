"""HOTA, IDF1, MOTA and id switches by TrackEval, with the OKS of keypoints as similarity."""

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray
from trackeval.metrics import CLEAR, HOTA, Identity

from workers.core.poses import FramePoses
from workers.core.similarity import iou_matrix, oks_matrix


@dataclass(frozen=True)
class People:
    """Poses with identities, frame by frame."""

    poses: list[FramePoses]
    ids: list[NDArray[np.int64]]


@dataclass(frozen=True)
class TrackScores:
    """Of one clip. Fractions of 1; ``switches`` is a count."""

    hota: float
    idf1: float
    mota: float
    switches: int


def evaluate(truth: People, tracked: People, *, by: str = "oks") -> TrackScores:
    """Compare tracks with the truth; ``by`` is ``oks`` or ``iou`` (of the boxes around the keypoints)."""
    compare = _oks if by == "oks" else _iou
    alike = [compare(t, p) for t, p in zip(truth.poses, tracked.poses, strict=True)]
    true_ids, true_count = _numbered(truth.ids)
    ids, count = _numbered(tracked.ids)
    data = {
        "num_timesteps": len(alike),
        "num_gt_ids": true_count,
        "num_tracker_ids": count,
        "num_gt_dets": sum(map(len, true_ids)),
        "num_tracker_dets": sum(map(len, ids)),
        "gt_ids": true_ids,
        "tracker_ids": ids,
        "similarity_scores": alike,
    }
    hota = HOTA().eval_sequence(data)
    clear = CLEAR({"PRINT_CONFIG": False}).eval_sequence(data)
    identity = Identity({"PRINT_CONFIG": False}).eval_sequence(data)
    return TrackScores(float(np.mean(hota["HOTA"])), float(identity["IDF1"]), float(clear["MOTA"]), int(clear["IDSW"]))


def _numbered(ids: list[NDArray[np.int64]]) -> tuple[list[NDArray[np.int64]], int]:
    """The same ids counted from 0 without gaps."""
    known = np.unique(np.concatenate([np.zeros(0, np.int64), *ids]))
    return [np.searchsorted(known, each) for each in ids], len(known)


def _oks(truth: FramePoses, poses: FramePoses) -> NDArray[np.float64]:
    # COCO's area is that of the body, about half of its box.
    areas = 0.53 * around(truth)[:, 2:].prod(-1)
    labelled = truth.keypoints[:, None, :, 2] > 0
    confident = np.repeat(labelled, len(poses.scores), axis=1)
    a, b = truth.keypoints[..., :2].astype(np.float64), poses.keypoints[..., :2].astype(np.float64)
    return oks_matrix(a, b, areas, confident)


def _iou(truth: FramePoses, poses: FramePoses) -> NDArray[np.float64]:
    return iou_matrix(around(truth), around(poses))


def around(poses: FramePoses) -> NDArray[np.float64]:
    """Boxes around the keypoints, ``[people, 4]``."""
    xy = poses.keypoints[..., :2].astype(np.float64)
    if not len(xy):
        return np.zeros((0, 4))
    return np.concatenate([xy.min(1), np.ptp(xy, axis=1)], -1)
