"""Turn the six head maps of MoveNet MultiPose into poses, a whole model batch at a time.

The stock graph does the same for one picture and six people.  Here people and pictures are free, only the cells
inside a person's box are looked at, and the Gaussian is split into a row and a column factor.
"""

import numpy as np
from numba import njit
from numpy.typing import NDArray

from workers.core.heads import Floats, Heads
from workers.core.poses import POSE_VALUES

_KEYPOINTS = 17
_PEAK_TOLERANCE = np.float32(1.0132789611816406e-06)
_SCORED_ABOVE = np.float32(0.126953125)
_SIGMA_SHARE = np.float32(0.300048828125)


def decode(heads: Heads, people: int) -> Floats:
    """Poses of every picture, best first.

    Args:
        heads: maps of ``n`` pictures.
        people: most people per picture.

    Returns:
        ``[n, people, 56]`` in the stock graph's layout, normalised to the padded input; rows beyond the last
        peak have score 0.

    Raises:
        ValueError: the maps' shapes do not fit each other.
    """
    n, h, w, _ = heads.center.shape
    channels = (1, 2, 2, 17, 34, 34)
    for name, value, depth in zip(Heads._fields, heads, channels, strict=True):
        if value.shape != (n, h, w, depth):
            raise ValueError(f"{name} is {value.shape}, expected {(n, h, w, depth)}")
    poses = np.zeros((n, people, POSE_VALUES), np.float32)
    _decode_batch(*(np.ascontiguousarray(value, np.float32) for value in heads), poses)
    return poses


def load() -> None:
    """Compile the decoder, or read what was compiled before."""
    decode(Heads(*(np.zeros((1, 8, 8, depth), np.float32) for depth in (1, 2, 2, 17, 34, 34))), 1)


def peaks(center: Floats, people: int) -> tuple[NDArray[np.int64], Floats]:
    """The best peaks of one centre map ``[h, w]``: cells ``[n, 2]`` (row, column) and their scores, best first."""
    cells, scores = _peaks(np.ascontiguousarray(center, np.float32), people)
    return cells, scores


@njit(cache=True, nogil=True)
def _decode_batch(center, box_scale, box_offset, heatmap, regression, offset, poses):  # type: ignore[no-untyped-def]
    people = poses.shape[1]
    spread = np.float32(min(center.shape[1], center.shape[2])) * _SIGMA_SHARE
    boxes = np.zeros((people, 4), np.int64)
    points = np.zeros((people, _KEYPOINTS, 2), np.float32)
    found_at = np.zeros((people, _KEYPOINTS, 2), np.int64)
    for image in range(center.shape[0]):
        cells, scores = _peaks(center[image, :, :, 0], people)
        found = len(cells)
        for person in range(found):
            row, column = cells[person]
            for k in range(_KEYPOINTS):
                points[person, k, 0] = np.float32(row) + regression[image, row, column, 2 * k]
                points[person, k, 1] = np.float32(column) + regression[image, row, column, 2 * k + 1]
            _box(box_scale[image], box_offset[image], row, column, boxes[person], poses[image, person])
            _locate(heatmap[image], points[person], boxes[person], spread, found_at[person])
        for person in range(found):
            pose = poses[image, person]
            _score(heatmap[image], offset[image], found_at[person], points[:found], boxes[:found], spread, pose)
            pose[55] = scores[person] * _mean_confidence(pose)


@njit(cache=True, nogil=True)
def _peaks(center, people):  # type: ignore[no-untyped-def]
    """Cells that no neighbour within two cells exceeds, by falling score; ties in reading order."""
    height, width = center.shape
    cells = np.zeros((people, 2), np.int64)
    scores = np.zeros(people, np.float32)
    found = 0
    for row in range(height):
        for column in range(width):
            score = center[row, column]
            if found == people and score <= scores[people - 1]:
                continue
            if not _is_peak(center, row, column, score):
                continue
            place = min(found, people - 1)
            while place > 0 and scores[place - 1] < score:
                scores[place] = scores[place - 1]
                cells[place] = cells[place - 1]
                place -= 1
            scores[place] = score
            cells[place, 0] = row
            cells[place, 1] = column
            found = min(found + 1, people)
    return cells[:found], scores[:found]


@njit(cache=True, nogil=True)
def _is_peak(center, row, column, score):  # type: ignore[no-untyped-def]
    height, width = center.shape
    for y in range(max(row - 2, 0), min(row + 3, height)):
        for x in range(max(column - 2, 0), min(column + 3, width)):
            if center[y, x] - score >= _PEAK_TOLERANCE:
                return False
    return True


@njit(cache=True, nogil=True)
def _box(scale, offset, row, column, cells, pose):  # type: ignore[no-untyped-def]
    """Write the box, clipped to the map: normalised to ``pose[51:55]``, and the cells that it covers."""
    height, width = scale.shape[:2]
    y = np.float32(row) + offset[row, column, 0]
    x = np.float32(column) + offset[row, column, 1]
    half_h = max(scale[row, column, 0], np.float32(0.0)) * np.float32(0.5)
    half_w = max(scale[row, column, 1], np.float32(0.0)) * np.float32(0.5)
    top = min(max(y - half_h, np.float32(0.0)), np.float32(height))
    left = min(max(x - half_w, np.float32(0.0)), np.float32(width))
    bottom = min(max(y + half_h, np.float32(0.0)), np.float32(height))
    right = min(max(x + half_w, np.float32(0.0)), np.float32(width))
    pose[51] = top / np.float32(height)
    pose[52] = left / np.float32(width)
    pose[53] = bottom / np.float32(height)
    pose[54] = right / np.float32(width)
    for side, edge in enumerate((top, left, bottom, right)):
        cells[side] = int(np.ceil(edge))


@njit(cache=True, nogil=True)
def _locate(heatmap, points, box, spread, found_at):  # type: ignore[no-untyped-def]
    """Best cell of each keypoint inside the box, weighted by distance from the regressed point."""
    top, left, bottom, right = box
    columns = np.empty(heatmap.shape[1], np.float32)
    for k in range(_KEYPOINTS):
        for x in range(left, right):
            columns[x] = np.exp(-((np.float32(x) - points[k, 1]) ** 2) / spread)
        best, best_y, best_x = np.float32(0.0), 0, 0
        for y in range(top, bottom):
            factor = np.exp(-((np.float32(y) - points[k, 0]) ** 2) / spread)
            for x in range(left, right):
                value = heatmap[y, x, k] * (factor * columns[x])
                if value > best:
                    best, best_y, best_x = value, y, x
        found_at[k, 0] = best_y
        found_at[k, 1] = best_x


@njit(cache=True, nogil=True)
def _score(heatmap, offset, found_at, points, boxes, spread, pose):  # type: ignore[no-untyped-def]
    """Write position and confidence of each keypoint.

    As in the stock graph the confidence is the heatmap at the keypoint's cell times the largest weight that any
    of the people gives this cell.
    """
    height, width = heatmap.shape[:2]
    for k in range(_KEYPOINTS):
        y, x = found_at[k]
        weight = np.float32(0.0)
        for person in range(len(boxes)):
            top, left, bottom, right = boxes[person]
            if top <= y < bottom and left <= x < right:
                down = np.float32(y) - points[person, k, 0]
                across = np.float32(x) - points[person, k, 1]
                weight = max(weight, np.exp(-(down * down + across * across) / spread))
        pose[3 * k] = (np.float32(y) + offset[y, x, 2 * k]) / np.float32(height)
        pose[3 * k + 1] = (np.float32(x) + offset[y, x, 2 * k + 1]) / np.float32(width)
        pose[3 * k + 2] = heatmap[y, x, k] * weight


@njit(cache=True, nogil=True)
def _mean_confidence(pose):  # type: ignore[no-untyped-def]
    total, count = np.float32(0.0), 0
    for k in range(_KEYPOINTS):
        if pose[3 * k + 2] > _SCORED_ABOVE:
            total += pose[3 * k + 2]
            count += 1
    return total / np.float32(max(count, 1))
