"""Which pose continues which track: similarity of every pair, then the assignment that is best for all together."""

from typing import NamedTuple

import numpy as np
from numpy.typing import NDArray
from scipy.optimize import linear_sum_assignment

from schema.skeleton import OKS_SIGMAS
from workers.core.jit import njit

Floats = NDArray[np.float64]
_VARIANCES = (2 * np.array(OKS_SIGMAS)) ** 2
_POINT_CONFIDENCE = 0.1
_FURTHEST_SHIFT = 0.4
#: How much a keypoint's place says about where the whole person is: head and torso move with it, hands do not.
_RIGIDITY = np.array([1.0] * 7 + [0.3, 0.3, 0.1, 0.1, 1.0, 1.0, 0.4, 0.4, 0.2, 0.2])


class Predicted(NamedTuple):
    """Tracks where they should be at the time of the frame, pixels."""

    keypoints: Floats
    """``[tracks, 17, 3]`` x, y, confidence."""
    boxes: Floats
    """``[tracks, 4]`` x, y, width, height."""
    slack: Floats
    """``[tracks]`` from 0 for a track seen in the last frame to 1 for one about to be given up."""


class Similarity(NamedTuple):
    """Of every track with every pose, ``[tracks, poses]`` in 0..1."""

    oks: Floats
    iou: Floats
    near: Floats
    """Nearness of the boxes' centres, in units of the person's size: for those who moved further than they are wide."""

    @property
    def joint(self) -> Floats:
        """Mean of OKS and box overlap."""
        return (self.oks + self.iou) / 2


def similarity(tracks: Predicted, keypoints: Floats, boxes: Floats) -> Similarity:
    """Compare tracks with poses.

    The OKS is that of COCO in pixels, with falloffs that are wider than the labellers' by the noise of a pose model,
    and grow with a track's slack.

    Args:
        tracks: ``n`` tracks.
        keypoints: ``[m, 17, 3]`` x, y, confidence of poses.
        boxes: ``[m, 4]`` of poses.
    """
    return Similarity(*_compare(*tracks, keypoints, boxes, _VARIANCES))


@njit(cache=True, nogil=True)
def _compare(known, known_boxes, slack, seen, seen_boxes, variances):  # type: ignore[no-untyped-def]
    n, m = len(known), len(seen)
    oks, iou, near = np.zeros((n, m)), np.zeros((n, m)), np.zeros((n, m))
    for i in range(n):
        ax, ay, aw, ah = known_boxes[i]
        wider = (1.5 + 1.5 * slack[i]) ** 2
        for j in range(m):
            bx, by, bw, bh = seen_boxes[j]
            across = min(ax + aw, bx + bw) - max(ax, bx)
            down = min(ay + ah, by + bh) - max(ay, by)
            shared = max(across, 0.0) * max(down, 0.0)
            iou[i, j] = shared / max(aw * ah + bw * bh - shared, 1e-9)
            size = np.sqrt(max(aw * ah, 1.0) * max(bw * bh, 1.0))
            ratio = min(aw * ah, bw * bh) / max(aw * ah, bw * bh, 1e-9)
            dx, dy = ax + aw / 2 - bx - bw / 2, ay + ah / 2 - by - bh / 2
            near[i, j] = np.exp(-(dx * dx + dy * dy) / (size * (0.5 + slack[i]))) * ratio
            total, weights = 0.0, 0.0
            for k in range(17):
                weight = min(known[i, k, 2], seen[j, k, 2])
                if not weight >= 0.1:
                    continue
                dx, dy = known[i, k, 0] - seen[j, k, 0], known[i, k, 1] - seen[j, k, 1]
                weights += weight
                total += weight * np.exp(-(dx * dx + dy * dy) / (2 * size * variances[k] * wider))
            if weights > 0:
                oks[i, j] = total / weights
    return oks, iou, near


@njit(cache=True, nogil=True)
def moved(before, after, box_before, box_after):  # type: ignore[no-untyped-def]
    """How far a person went from one pose to the next, ``[2]`` pixels: by head and torso, else by the box."""
    total_x, total_y, weights = 0.0, 0.0, 0.0
    for k in range(17):
        weight = min(before[k, 2], after[k, 2]) * _RIGIDITY[k]
        if min(before[k, 2], after[k, 2]) >= _POINT_CONFIDENCE:
            total_x += weight * (after[k, 0] - before[k, 0])
            total_y += weight * (after[k, 1] - before[k, 1])
            weights += weight
    step = np.empty(2)
    if weights > 0.5:
        step[0], step[1] = total_x / weights, total_y / weights
    else:
        step[0] = box_after[0] + box_after[2] / 2 - box_before[0] - box_before[2] / 2
        step[1] = box_after[1] + box_after[3] / 2 - box_before[1] - box_before[3] / 2
    return step


@njit(cache=True, nogil=True)
def covering(boxes):  # type: ignore[no-untyped-def]
    """Of boxes ``[n, 4]``, the largest share of each that another one covers, or that it covers of another."""
    most = np.zeros(len(boxes))
    for i in range(len(boxes)):
        for j in range(i):
            across = min(boxes[i, 0] + boxes[i, 2], boxes[j, 0] + boxes[j, 2]) - max(boxes[i, 0], boxes[j, 0])
            down = min(boxes[i, 1] + boxes[i, 3], boxes[j, 1] + boxes[j, 3]) - max(boxes[i, 1], boxes[j, 1])
            smaller = min(boxes[i, 2] * boxes[i, 3], boxes[j, 2] * boxes[j, 3])
            share = max(across, 0.0) * max(down, 0.0) / max(smaller, 1e-9)
            most[i], most[j] = max(most[i], share), max(most[j], share)
    return most


def assign(gain: Floats, least: float) -> list[tuple[int, int]]:
    """Pairs (row, column) of the largest total gain among those of at least ``least``, in order of rows."""
    rows, columns = linear_sum_assignment(np.where(gain >= least, gain, 0.0), maximize=True)
    return [(int(i), int(j)) for i, j in zip(rows, columns, strict=True) if gain[i, j] >= least]


@njit(cache=True, nogil=True)
def common_step(steps):  # type: ignore[no-untyped-def]
    """The median of ``steps`` ``[n, 2]`` where most of them agree with it, else 0."""
    common = np.array([np.median(steps[:, 0]), np.median(steps[:, 1])])
    apart = np.sqrt((steps[:, 0] - common[0]) ** 2 + (steps[:, 1] - common[1]) ** 2)
    if np.median(apart) > np.sqrt((common**2).sum()) / 2:
        common[:] = 0.0
    return common


def common_shift(tracks: Predicted, keypoints: Floats, boxes: Floats) -> Floats:
    """Shift ``[2]`` in pixels that most tracks have made together: what a camera does that nobody foresaw.

    It is 0 unless it brings two people or more to where they were found and standing still does not.

    Args:
        tracks: where everybody should be.
        keypoints: ``[m, 17, 3]`` of the poses found.
        boxes: ``[m, 4]`` of the poses found.
    """
    return np.asarray(_common_shift(tracks.keypoints, tracks.boxes, keypoints, boxes, _VARIANCES))


@njit(cache=True, nogil=True)
def _common_shift(known, known_boxes, seen, seen_boxes, variances):  # type: ignore[no-untyped-def]
    n, m = len(known), len(seen)
    steps, alike = np.zeros((n, m, 2)), np.zeros((n, m))
    for i in range(n):
        for j in range(m):
            steps[i, j] = moved(known[i], seen[j], known_boxes[i], seen_boxes[j])
            alike[i, j] = _shape_likeness(known[i], known_boxes[i], seen[j], seen_boxes[j], steps[i, j], variances)
    best, least = np.zeros(2), 0.0
    still = _support(best, steps, alike, known_boxes)[0]
    for i in range(n):
        size = np.sqrt(max(known_boxes[i, 2] * known_boxes[i, 3], 1.0))
        for j in range(m):
            far = np.sqrt((steps[i, j] ** 2).sum()) / size
            if alike[i, j] >= 0.5 and far <= _FURTHEST_SHIFT:
                support, people = _support(steps[i, j], steps, alike, known_boxes)
                support -= far * n
                if people >= 2 and support > max(least, still + 0.1 * n):
                    best, least = steps[i, j].copy(), support
    return best


@njit(cache=True, nogil=True)
def _shape_likeness(known, known_box, seen, seen_box, step, variances):  # type: ignore[no-untyped-def]
    """OKS after the one is laid over the other."""
    size = np.sqrt(max(known_box[2] * known_box[3], 1.0) * max(seen_box[2] * seen_box[3], 1.0))
    total, weights = 0.0, 0.0
    for k in range(17):
        weight = min(known[k, 2], seen[k, 2])
        if weight >= _POINT_CONFIDENCE:
            dx, dy = known[k, 0] + step[0] - seen[k, 0], known[k, 1] + step[1] - seen[k, 1]
            weights += weight
            total += weight * np.exp(-(dx * dx + dy * dy) / (4.5 * size * variances[k]))
    return total / weights if weights > 0 else 0.0


@njit(cache=True, nogil=True)
def _support(step, steps, alike, boxes):  # type: ignore[no-untyped-def]
    """How well everybody's pose agrees with one step for all, and how many people do."""
    total, people = 0.0, 0
    for i in range(len(steps)):
        spread = 0.02 * max(boxes[i, 2] * boxes[i, 3], 1.0)
        best = 0.0
        for j in range(steps.shape[1]):
            dx, dy = steps[i, j, 0] - step[0], steps[i, j, 1] - step[1]
            best = max(best, alike[i, j] * np.exp(-(dx * dx + dy * dy) / spread))
        total += best
        people += best >= 0.3
    return total, people
