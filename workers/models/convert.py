"""Cut a MoveNet SavedModel at its heads: the trunk runs any number of pictures at once.

The published graphs end in decoders that are pinned to one picture, and MultiPose to six people.  Nothing between
the picture and the heads depends on the batch, so what is kept begins after the picture's cast and ends there;
``workers.core`` decodes.
"""

from dataclasses import dataclass
from pathlib import Path
from typing import Any, Literal

import tensorflow as tf
import tensorflow_hub as hub
from tensorflow.python.framework.convert_to_constants import convert_variables_to_constants_v2

from schema.errors import ModelError
from workers.core.heads import Heads, SingleHeads

#: Scope of each head in the published graphs, and whether a sigmoid follows it.
_HEADS = {
    "center": ("center_0", True),
    "box_scale": ("box_scale_0", False),
    "box_offset": ("box_offset_0", False),
    "keypoint_heatmap": ("kpt_heatmap_0", True),
    "keypoint_regression": ("kpt_regress_0", False),
    "keypoint_offset": ("kpt_offset_0", False),
}
#: Operations in front of the trunk that only move the picture; single-pose graphs pin its batch to one there.
_MOVING = frozenset({"Cast", "Unpack", "ExpandDims", "Squeeze", "Pack", "Identity"})


@dataclass(frozen=True)
class Trunk:
    """A graph from pictures to head maps."""

    kind: Literal["multipose", "singlepose"]
    side: int | None
    """Pixels of the square input; none for a trunk that takes every multiple of 32."""
    run: Any
    """``tf.function`` from uint8 ``[n, H, W, 3]`` to the maps of `Heads` or `SingleHeads`, in their order."""

    @property
    def maps(self) -> tuple[str, ...]:
        """Names of what ``run`` gives."""
        return Heads._fields if self.kind == "multipose" else SingleHeads._fields


def stock_signature(handle: str) -> Any:
    """The serving signature of a TF-Hub handle or SavedModel folder.

    Raises:
        ModelError: nothing loads from there.
    """
    try:
        return hub.load(handle).signatures["serving_default"]
    except (OSError, KeyError, ValueError, RuntimeError) as error:
        raise ModelError(f"{handle} is no TF-Hub handle or SavedModel with a serving signature: {error}") from error


def cut_trunk(signature: Any) -> Trunk:
    """The part of a MoveNet graph from the picture to its heads.

    Raises:
        ModelError: the graph has no MoveNet heads.
    """
    graph_def = convert_variables_to_constants_v2(signature).graph.as_graph_def()
    nodes = {node.name: node for node in graph_def.node}
    many = any("/box_scale_0/" in f"/{name}" for name in nodes)
    names = Heads._fields if many else SingleHeads._fields
    ends = [_head(nodes, _HEADS[name][0]) for name in names]
    begin, side = f"{_picture(nodes, ends[0])}:0", signature.inputs[0].shape[1]
    kept = _only(graph_def, set.union(*(_ancestors(nodes, name) for name in ends)))
    sigmoids = [_HEADS[name][1] for name in names]

    def trunk(pictures: Any) -> Any:
        return tf.import_graph_def(kept, {begin: pictures}, [f"{name}:0" for name in ends], name="")

    @tf.function(input_signature=[tf.TensorSpec([None, side, side, 3], tf.uint8, name="frames")])
    def run(frames: Any) -> Any:
        maps = trunk(tf.cast(frames, tf.float32))
        return [tf.sigmoid(value) if squash else value for value, squash in zip(maps, sigmoids, strict=True)]

    return Trunk("multipose" if many else "singlepose", side, run)


def write_litert(trunk: Trunk, target: Path) -> None:
    """Convert a trunk to a LiteRT file whose outputs are named after the heads."""
    named = tf.function(
        lambda frames: dict(zip(trunk.maps, trunk.run(frames), strict=True)),
        input_signature=trunk.run.input_signature,
    )
    module = tf.Module()
    module.serve = named
    converter = tf.lite.TFLiteConverter.from_concrete_functions([named.get_concrete_function()], module)
    target.write_bytes(converter.convert())


def _only(graph_def: Any, names: set[str]) -> Any:
    """The part of a graph that ``names`` make up."""
    kept = tf.compat.v1.GraphDef(versions=graph_def.versions, library=graph_def.library)
    kept.node.extend(node for node in graph_def.node if node.name in names)
    return kept


def _head(nodes: dict[str, Any], scope: str) -> str:
    """The node that ends the head ``scope``: its last convolution's bias."""
    found = [name for name, node in nodes.items() if f"/{scope}/" in f"/{name}" and node.op == "BiasAdd"]
    ends = [name for name in found if not _feeds(nodes, name, found)]
    if len(ends) != 1:
        raise ModelError(f"this graph has no head {scope}: it is no MoveNet model, or its decoder is unknown")
    return ends[0]


def _feeds(nodes: dict[str, Any], name: str, others: list[str]) -> bool:
    """Whether one of ``others`` is computed from ``name``."""
    return any(name in _ancestors(nodes, other) for other in others if other != name)


def _picture(nodes: dict[str, Any], head: str) -> str:
    """The last node that only moves the picture: what follows it computes."""
    before = _ancestors(nodes, head)
    casts = [name for name in before if nodes[name].op == "Cast"]
    if len(casts) != 1:
        raise ModelError("this graph does not begin with one cast of its picture to float")
    last = casts[0]
    while moved := [name for name in before if nodes[name].op in _MOVING and _first_input(nodes[name]) == last]:
        last = moved[0]
    return last


def _first_input(node: Any) -> str:
    return str(node.input[0]).split(":")[0] if node.input else ""


def _ancestors(nodes: dict[str, Any], name: str) -> set[str]:
    seen: set[str] = set()
    waiting = [name]
    while waiting:
        current = waiting.pop().split(":")[0].lstrip("^")
        if current not in seen:
            seen.add(current)
            waiting.extend(nodes[current].input)
    return seen
