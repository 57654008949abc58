"""Cut a MoveNet MultiPose SavedModel at its six heads: the trunk runs any number of pictures at once.

The published graph ends in a decoder that is pinned to one picture and six people.  Nothing before the heads
depends on the batch, so what is kept ends there, and ``workers.core.decoder`` does the rest.
"""

from pathlib import Path
from typing import Any

import tensorflow as tf
import tensorflow_hub as hub
from tensorflow.python.framework.convert_to_constants import convert_variables_to_constants_v2

from schema.errors import ModelError
from workers.core.heads import Heads

#: Scope of each head in the published graph, whether a sigmoid follows it, and its channels.
_HEADS = {
    "center": ("center_0", True, 1),
    "box_scale": ("box_scale_0", False, 2),
    "box_offset": ("box_offset_0", False, 2),
    "keypoint_heatmap": ("kpt_heatmap_0", True, 17),
    "keypoint_regression": ("kpt_regress_0", False, 34),
    "keypoint_offset": ("kpt_offset_0", False, 34),
}


def stock_signature(handle: str) -> Any:
    """The serving signature of a TF-Hub handle or SavedModel folder.

    Raises:
        ModelError: nothing loads from there.
    """
    try:
        return hub.load(handle).signatures["serving_default"]
    except (OSError, KeyError, ValueError, RuntimeError) as error:
        raise ModelError(f"{handle} is no TF-Hub handle or SavedModel with a serving signature: {error}") from error


def cut_trunk(signature: Any) -> Any:
    """The part of a MultiPose graph up to its heads, as a function of pictures.

    Returns:
        A ``tf.function`` from uint8 ``[n, H, W, 3]`` to the six maps of `Heads`, in their order.

    Raises:
        ModelError: the graph has no MultiPose heads.
    """
    graph_def = convert_variables_to_constants_v2(signature).graph.as_graph_def()
    nodes = {node.name: node for node in graph_def.node}
    heads = [_head(nodes, scope) for scope, _, _ in _HEADS.values()]
    wrapped = tf.compat.v1.wrap_function(lambda: tf.import_graph_def(graph_def, name=""), [])
    trunk = wrapped.prune(feeds=f"{_input_cast(nodes, heads[0])}:0", fetches=[f"{name}:0" for name in heads])
    sigmoids = [sigmoid for _, sigmoid, _ in _HEADS.values()]

    @tf.function(input_signature=[tf.TensorSpec([None, None, None, 3], tf.uint8, name="frames")])
    def run(frames: Any) -> Any:
        maps = trunk(tf.cast(frames, tf.float32))
        return [tf.sigmoid(value) if squash else value for value, squash in zip(maps, sigmoids, strict=True)]

    return run


def write_litert(run: Any, target: Path) -> None:
    """Convert a cut trunk to a LiteRT file whose outputs are named after the heads."""
    named = tf.function(
        lambda frames: dict(zip(Heads._fields, run(frames), strict=True)),
        input_signature=[tf.TensorSpec([None, None, None, 3], tf.uint8, name="frames")],
    )
    module = tf.Module()
    module.serve = named
    converter = tf.lite.TFLiteConverter.from_concrete_functions([named.get_concrete_function()], module)
    target.write_bytes(converter.convert())


def _head(nodes: dict[str, Any], scope: str) -> str:
    """The node that ends the head ``scope``: its last convolution's bias."""
    found = [name for name, node in nodes.items() if f"/{scope}/" in f"/{name}" and node.op == "BiasAdd"]
    ends = [name for name in found if not _feeds(nodes, name, found)]
    if len(ends) != 1:
        raise ModelError(f"this graph has no head {scope}: it is not MoveNet MultiPose, or its decoder is unknown")
    return ends[0]


def _feeds(nodes: dict[str, Any], name: str, others: list[str]) -> bool:
    """Whether one of ``others`` is computed from ``name``."""
    return any(name in _ancestors(nodes, other) for other in others if other != name)


def _input_cast(nodes: dict[str, Any], head: str) -> str:
    casts = [name for name in _ancestors(nodes, head) if nodes[name].op == "Cast"]
    if len(casts) != 1:
        raise ModelError("this graph does not begin with one cast of its picture to float")
    return casts[0]


def _ancestors(nodes: dict[str, Any], name: str) -> set[str]:
    seen: set[str] = set()
    waiting = [name]
    while waiting:
        current = waiting.pop().split(":")[0].lstrip("^")
        if current not in seen:
            seen.add(current)
            waiting.extend(nodes[current].input)
    return seen
