"""Make one list of people of several: leave out who was found twice, and join several looks at one person."""

import numpy as np
from numpy.typing import NDArray

from workers.core.poses import FramePoses
from workers.core.similarity import iou_matrix, oks_matrix

Floats = NDArray[np.float32]

_BODY_SHARE = 0.53
"""Area of a person, as OKS means it, of the area of their box (COCO's average)."""
_NEAR = 0.06
"""Places closer than this share of the person's box speak for each other."""


def together(found: list[FramePoses]) -> FramePoses:
    """All people of ``found``, in this order."""
    return FramePoses(
        np.concatenate([np.zeros((0, 17, 3), np.float32), *(each.keypoints for each in found)]),
        np.concatenate([np.zeros((0, 4), np.float32), *(each.boxes for each in found)]),
        np.concatenate([np.zeros(0, np.float32), *(each.scores for each in found)]),
    )


def distinct(people: FramePoses, *, oks: float, iou: float = 1.0) -> FramePoses:
    """People by falling score, without those that are too much like a better one.

    Args:
        people: with duplicates.
        oks: object keypoint similarity over all keypoints above which two are one person.
        iou: box overlap above which two are one person.
    """
    people = people.pick(np.argsort(-people.scores, kind="stable"))
    points = people.keypoints[..., :2].astype(np.float64)
    boxes = people.boxes.astype(np.float64)
    count = len(points)
    areas = boxes[:, 2] * boxes[:, 3] * _BODY_SHARE
    everything = np.ones((count, count, points.shape[1]), np.bool_)
    same = (oks_matrix(points, points, areas, everything) > oks) | (iou_matrix(boxes, boxes) > iou)
    kept: list[int] = []
    for row in range(count):
        if not same[kept, row].any():
            kept.append(row)
    return people.pick(np.array(kept, np.intp))


def fuse(looks: Floats, boxes: Floats) -> Floats:
    """Join several looks at each person, keypoint by keypoint.

    The place that most confidence speaks for wins; the looks near it are averaged by squared confidence, and the
    confidence is what they have together, divided by the number of looks.

    Args:
        looks: ``[m, n, 17, 3]`` x, y, confidence of ``n`` people in ``m`` looks, pixels.
        boxes: ``[n, 4]`` x, y, width, height.

    Returns:
        ``[n, 17, 3]``.
    """
    size = np.maximum(boxes[:, 2:].max(-1), 1)[:, None]
    apart = np.linalg.norm(looks[:, None, ..., :2] - looks[None, ..., :2], axis=-1) / size
    weights = looks[..., 2] ** 2
    support = ((apart < _NEAR) * weights[None]).sum(1)
    winner = support.argmax(0)
    near = np.take_along_axis(apart, winner[None, None], axis=0)[0] < _NEAR
    counted = near * weights + 1e-9 * near
    fused = (looks * counted[..., None]).sum(0) / counted.sum(0)[..., None]
    fused[..., 2] = (looks[..., 2] * near).sum(0) / len(looks)
    joined: Floats = fused.astype(np.float32)
    return joined
