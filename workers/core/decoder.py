"""Turn the heads of MoveNet MultiPose into poses, a whole model batch at a time.

The stock graph does the same for one picture and six people.  Here people and pictures are free, only the cells
inside a person's box are looked at, and the Gaussian is split into a row and a column factor.
"""

import numpy as np
from numpy.typing import NDArray

from workers.core.heads import CHANNELS, KEYPOINTS, Floats, Heads, offsets, values
from workers.core.jit import njit
from workers.core.poses import POSE_VALUES

_PEAK_TOLERANCE = np.float32(1.0132789611816406e-06)
_SCORED_ABOVE = np.float32(0.126953125)
_SIGMA_SHARE = np.float32(0.300048828125)


def decode(heads: Heads, people: int) -> Floats:
    """Poses of every picture, best first.

    Args:
        heads: of ``n`` pictures.
        people: most people per picture.

    Returns:
        ``[n, people, 56]`` in the stock graph's layout, normalised to the padded input; rows beyond the last
        peak have score 0.

    Raises:
        ValueError: the maps' shapes do not fit each other.
    """
    n, h, w, _ = heads.center.shape
    if heads.keypoint_heatmap.shape != (n, h, w, KEYPOINTS):
        raise ValueError(f"keypoint_heatmap is {heads.keypoint_heatmap.shape}, expected {(n, h, w, KEYPOINTS)}")
    poses = np.zeros((n, people, POSE_VALUES), np.float32)
    maps = (np.ascontiguousarray(each, np.float32) for each in heads[:3])
    _decode(*maps, *(heads.networks[head] for head in CHANNELS), poses)
    return poses


def load() -> None:
    """Compile the decoder, or read what was compiled before."""
    decode(Heads.empty(8, 8), 1)


def peaks(center: Floats, people: int) -> tuple[NDArray[np.int64], Floats]:
    """The best peaks of one centre map ``[h, w]``: cells ``[n, 2]`` (row, column) and their scores, best first."""
    cells, scores = _peaks(np.ascontiguousarray(center, np.float32), people)
    return cells, scores


@njit(cache=True, nogil=True)
def _decode(center, heatmap, features, box_scale, box_offset, regression, offset, poses):  # type: ignore[no-untyped-def]
    cells, counts = find(center, poses)
    scale, shift = values(features, cells, box_scale), values(features, cells, box_offset)
    boxes = place(center, cells, counts, scale, shift, poses)
    points = reach(cells, values(features, cells, regression))
    found_at = locate(heatmap, counts, points, boxes)
    score(heatmap, counts, points, boxes, found_at, offsets(features, found_at, offset), poses)


@njit(cache=True, nogil=True)
def find(center, poses):  # type: ignore[no-untyped-def]
    """Where the people of every picture are ``[n, people, 2]``, and how many ``[n]``; writes their centres' scores."""
    images, people = poses.shape[:2]
    cells, counts = np.zeros((images, people, 2), np.int64), np.zeros(images, np.int64)
    for image in range(images):
        found, scores = _peaks(center[image, :, :, 0], people)
        counts[image] = len(found)
        for person in range(len(found)):
            cells[image, person] = found[person]
            poses[image, person, 55] = scores[person]
    return cells, counts


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
def place(center, cells, counts, scale, offset, poses):  # type: ignore[no-untyped-def]
    """The cells that every box covers ``[n, people, 4]``, clipped to the map; writes it, normalised."""
    height, width = center.shape[1:3]
    boxes = np.zeros((cells.shape[0], cells.shape[1], 4), np.int64)
    for image in range(cells.shape[0]):
        for person in range(counts[image]):
            y = np.float32(cells[image, person, 0]) + offset[image, person, 0]
            x = np.float32(cells[image, person, 1]) + offset[image, person, 1]
            half_h = max(scale[image, person, 0], np.float32(0.0)) * np.float32(0.5)
            half_w = max(scale[image, person, 1], np.float32(0.0)) * np.float32(0.5)
            top = min(max(y - half_h, np.float32(0.0)), np.float32(height))
            left = min(max(x - half_w, np.float32(0.0)), np.float32(width))
            bottom = min(max(y + half_h, np.float32(0.0)), np.float32(height))
            right = min(max(x + half_w, np.float32(0.0)), np.float32(width))
            pose = poses[image, person]
            pose[51] = top / np.float32(height)
            pose[52] = left / np.float32(width)
            pose[53] = bottom / np.float32(height)
            pose[54] = right / np.float32(width)
            for side, edge in enumerate((top, left, bottom, right)):
                boxes[image, person, side] = int(np.ceil(edge))
    return boxes


@njit(cache=True, nogil=True)
def reach(cells, regression):  # type: ignore[no-untyped-def]
    """Where each person's keypoints are thought to be ``[n, people, 17, 2]``, in cells."""
    points = np.empty((cells.shape[0], cells.shape[1], KEYPOINTS, 2), np.float32)
    for image in range(cells.shape[0]):
        for person in range(cells.shape[1]):
            for k in range(KEYPOINTS):
                for axis in range(2):
                    here = np.float32(cells[image, person, axis])
                    points[image, person, k, axis] = here + regression[image, person, 2 * k + axis]
    return points


@njit(cache=True, nogil=True)
def locate(heatmap, counts, points, boxes):  # type: ignore[no-untyped-def]
    """Best cell of each keypoint inside the box, weighted by distance from the regressed point."""
    found_at = np.zeros(points.shape, np.int64)
    spread = np.float32(min(heatmap.shape[1], heatmap.shape[2])) * _SIGMA_SHARE
    columns = np.empty(heatmap.shape[2], np.float32)
    for image in range(heatmap.shape[0]):
        for person in range(counts[image]):
            top, left, bottom, right = boxes[image, person]
            for k in range(KEYPOINTS):
                at_y, at_x = points[image, person, k]
                for x in range(left, right):
                    columns[x] = np.exp(-((np.float32(x) - at_x) ** 2) / spread)
                best, best_y, best_x = np.float32(0.0), 0, 0
                for y in range(top, bottom):
                    factor = np.exp(-((np.float32(y) - at_y) ** 2) / spread)
                    for x in range(left, right):
                        value = heatmap[image, y, x, k] * (factor * columns[x])
                        if value > best:
                            best, best_y, best_x = value, y, x
                found_at[image, person, k, 0] = best_y
                found_at[image, person, k, 1] = best_x
    return found_at


@njit(cache=True, nogil=True)
def score(heatmap, counts, points, boxes, found_at, shifts, poses):  # type: ignore[no-untyped-def]
    """Write position and confidence of each keypoint, and each person's score.

    As in the stock graph the confidence is the heatmap at the keypoint's cell times the largest weight that any
    of the people gives this cell.
    """
    height, width = heatmap.shape[1:3]
    spread = np.float32(min(height, width)) * _SIGMA_SHARE
    for image in range(heatmap.shape[0]):
        for person in range(counts[image]):
            pose = poses[image, person]
            for k in range(KEYPOINTS):
                y, x = found_at[image, person, k]
                weight = np.float32(0.0)
                for other in range(counts[image]):
                    top, left, bottom, right = boxes[image, other]
                    if top <= y < bottom and left <= x < right:
                        down = np.float32(y) - points[image, other, k, 0]
                        across = np.float32(x) - points[image, other, k, 1]
                        weight = max(weight, np.exp(-(down * down + across * across) / spread))
                pose[3 * k] = (np.float32(y) + shifts[image, person, k, 0]) / np.float32(height)
                pose[3 * k + 1] = (np.float32(x) + shifts[image, person, k, 1]) / np.float32(width)
                pose[3 * k + 2] = heatmap[image, y, x, k] * weight
            pose[55] *= _mean_confidence(pose)


@njit(cache=True, nogil=True)
def _mean_confidence(pose):  # type: ignore[no-untyped-def]
    total, count = np.float32(0.0), 0
    for k in range(KEYPOINTS):
        if pose[3 * k + 2] > _SCORED_ABOVE:
            total += pose[3 * k + 2]
            count += 1
    return total / np.float32(max(count, 1))
