"""The two decoders as TensorFlow operations, so that maps never leave the device.

The arithmetic is that of ``workers.core.decoder`` and ``workers.core.single_decoder``, whose docstrings explain it;
people are decoded one after the other, so that memory grows with pictures, not with people.
"""

from typing import Any

import tensorflow as tf

_KEYPOINTS = 17
_PEAK_TOLERANCE = 1.0132789611816406e-06
_SCORED_ABOVE = 0.126953125
_SIGMA_SHARE = 0.300048828125
_NEAR = 1.7998046875


def decode(maps: list[Any], people: Any) -> Any:
    """`workers.core.decoder.decode` of `Heads` maps: ``[n, people, 56]``."""
    center, box_scale, box_offset, heatmap, regression, offset = maps
    height, width = tf.shape(center)[1], tf.shape(center)[2]
    scores, cells = _peaks(center, people)
    at = tf.stack([cells // width, cells % width], -1)
    origin = tf.cast(at, tf.float32)
    points = origin[:, :, None] + _pairs(tf.gather_nd(regression, at, batch_dims=1))
    size = tf.cast(tf.stack([height, width]), tf.float32)
    edges = _boxes(origin, tf.gather_nd(box_scale, at, batch_dims=1), tf.gather_nd(box_offset, at, batch_dims=1), size)
    spread = tf.reduce_min(size) * _SIGMA_SHARE
    found = _locate(heatmap, points, edges, spread)
    keypoints = _keypoints(found, points, edges, scores > 0, heatmap, offset, spread, size)
    counted = tf.cast(keypoints[..., 2] > _SCORED_ABOVE, tf.float32)
    mean = tf.reduce_sum(keypoints[..., 2] * counted, -1) / tf.maximum(tf.reduce_sum(counted, -1), 1.0)
    boxes = edges / tf.tile(size, [2])
    flat = tf.reshape(keypoints, [tf.shape(center)[0], people, 3 * _KEYPOINTS])
    poses = tf.concat([flat, boxes, (scores * mean)[..., None]], -1)
    return tf.where(scores[..., None] > 0, poses, 0.0)


def decode_single(maps: list[Any], expected: Any, hinted: Any) -> Any:
    """`workers.core.single_decoder.decode_single` of `SingleHeads` maps: ``[n, 17, 3]``."""
    center, heatmap, regression, offset = maps
    n, height, width = tf.shape(center)[0], tf.shape(center)[1], tf.shape(center)[2]
    rows, columns = _grid(height, width)
    middle = tf.stack([height // 2, width // 2])
    weighted = center[..., 0] / _distance(rows, columns, tf.cast(middle, tf.float32))
    cell = tf.argmax(tf.reshape(weighted, [n, -1]), -1, output_type=tf.int32)
    at = tf.stack([cell // width, cell % width], -1)
    points = tf.cast(at, tf.float32)[:, None] + _pairs(tf.gather_nd(regression, at, batch_dims=1))
    size = tf.cast(tf.stack([height, width]), tf.float32)
    hints = expected * size - 0.5
    maps_first = tf.transpose(heatmap, [0, 3, 1, 2])
    weighted = maps_first / _distance(rows, columns, points[:, :, None, None])
    weighted = tf.where(hinted, weighted / _distance(rows, columns, hints[:, :, None, None]), weighted)
    best = tf.argmax(tf.reshape(weighted, [n, _KEYPOINTS, -1]), -1, output_type=tf.int32)
    found = tf.stack([best // width, best % width], -1)
    confidence, shift = _read(found, heatmap, offset)
    return tf.concat([(tf.cast(found, tf.float32) + shift) / size, confidence[..., None]], -1)


def _peaks(center: Any, people: Any) -> tuple[Any, Any]:
    """Centre scores and cells of the best peaks, ``[n, people]``; score 0 where there is none."""
    highest = tf.nn.max_pool2d(center, 5, 1, "SAME")
    peaks = tf.where(highest - center < _PEAK_TOLERANCE, center, 0.0)
    flat = tf.reshape(peaks, [tf.shape(center)[0], -1])
    wanted = tf.minimum(people, tf.shape(flat)[1])
    scores, cells = tf.math.top_k(flat, wanted)
    beyond = [[0, 0], [0, people - wanted]]
    return tf.pad(scores, beyond), tf.pad(cells, beyond)


def _pairs(values: Any) -> Any:
    """``[..., 34]`` as ``[..., 17, 2]``."""
    return tf.reshape(values, tf.concat([tf.shape(values)[:-1], [_KEYPOINTS, 2]], 0))


def _boxes(origin: Any, scale: Any, offset: Any, size: Any) -> Any:
    """Top, left, bottom, right in cells, clipped to the map."""
    middle, half = origin + offset, tf.maximum(scale, 0.0) * 0.5
    return tf.clip_by_value(tf.concat([middle - half, middle + half], -1), 0.0, tf.tile(size, [2]))


def _locate(heatmap: Any, points: Any, edges: Any, spread: Any) -> Any:
    """Best cell of each keypoint inside the person's box, ``[n, people, 17, 2]``."""
    n, height, width = tf.shape(heatmap)[0], tf.shape(heatmap)[1], tf.shape(heatmap)[2]
    maps_first = tf.transpose(heatmap, [0, 3, 1, 2])

    def of_person(person: Any) -> Any:
        point, edge = points[:, person], tf.math.ceil(edges[:, person])
        down = _factor(tf.range(height), point[..., 0], edge[:, 0], edge[:, 2], spread)
        across = _factor(tf.range(width), point[..., 1], edge[:, 1], edge[:, 3], spread)
        values = maps_first * (down[..., None] * across[:, :, None])
        best = tf.argmax(tf.reshape(values, [n, _KEYPOINTS, -1]), -1, output_type=tf.int32)
        return tf.stack([best // width, best % width], -1)

    people = tf.range(tf.shape(points)[1])
    found = tf.map_fn(of_person, people, fn_output_signature=tf.int32, parallel_iterations=1)
    return tf.transpose(found, [1, 0, 2, 3])


def _factor(cells: Any, point: Any, low: Any, high: Any, spread: Any) -> Any:
    """Gaussian of the distance along one axis, ``[n, 17, cells]``; zero outside ``low..high``."""
    place = tf.cast(cells, tf.float32)
    inside = (place >= low[:, None]) & (place < high[:, None])
    value = tf.exp(-tf.math.squared_difference(place, point[..., None]) / spread)
    return tf.where(inside[:, None], value, 0.0)


def _keypoints(
    found: Any, points: Any, edges: Any, real: Any, heatmap: Any, offset: Any, spread: Any, size: Any
) -> Any:
    """Position and confidence of each keypoint, ``[n, people, 17, 3]``."""
    place = tf.cast(found, tf.float32)[:, :, None]
    squared = tf.reduce_sum(tf.math.squared_difference(place, points[:, None]), -1)
    bounds = tf.math.ceil(edges)[:, None, :, None]
    inside = tf.reduce_all((place >= bounds[..., :2]) & (place < bounds[..., 2:]), -1) & real[:, None, :, None]
    weight = tf.reduce_max(tf.where(inside, tf.exp(-squared / spread), 0.0), 2)
    flat = tf.reshape(found, [tf.shape(found)[0], -1, 2])
    names = tf.tile(tf.range(_KEYPOINTS), [tf.shape(found)[1]])
    confidence, shift = _read(flat, heatmap, offset, names)
    shape = tf.shape(weight)
    where = (place[:, :, 0] + tf.reshape(shift, tf.concat([shape, [2]], 0))) / size
    return tf.concat([where, (tf.reshape(confidence, shape) * weight)[..., None]], -1)


def _read(cells: Any, heatmap: Any, offset: Any, names: Any = None) -> tuple[Any, Any]:
    """Heatmap value ``[n, m]`` and offset ``[n, m, 2]`` of keypoint ``names[m]`` at ``cells`` ``[n, m, 2]``."""
    names = tf.range(_KEYPOINTS) if names is None else names
    batch = tf.shape(cells)[0]
    index = tf.tile(names[None, :, None], [batch, 1, 1])
    confidence = tf.gather_nd(heatmap, tf.concat([cells, index], -1), batch_dims=1)
    shifts = [tf.gather_nd(offset, tf.concat([cells, 2 * index + axis], -1), batch_dims=1) for axis in (0, 1)]
    return confidence, tf.stack(shifts, -1)


def _grid(height: Any, width: Any) -> tuple[Any, Any]:
    rows = tf.cast(tf.range(height), tf.float32)[:, None]
    columns = tf.cast(tf.range(width), tf.float32)[None]
    return rows, columns


def _distance(rows: Any, columns: Any, point: Any) -> Any:
    """Distance of every cell from ``point`` (y, x), and a little."""
    squared = tf.math.squared_difference(rows, point[..., 0]) + tf.math.squared_difference(columns, point[..., 1])
    return tf.sqrt(squared) + _NEAR
