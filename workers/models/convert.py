"""Cut a MoveNet SavedModel at its heads: the trunk runs any number of pictures at once.

The published graphs end in decoders that are pinned to one picture, and MultiPose to six people.  Nothing between
the picture and the heads depends on the batch, so what is kept begins after the picture's cast and ends there;
``workers.core`` decodes.  On a GPU the heads are run to their end; for LiteRT the graph ends at the centre, the
keypoints' heatmaps and the features that all heads begin with, and the other heads' weights are kept beside it.
"""

from dataclasses import dataclass
from pathlib import Path
from typing import Any, Literal, NamedTuple

import numpy as np
import tensorflow as tf
import tensorflow_hub as hub
from tensorflow.python.framework.convert_to_constants import convert_variables_to_constants_v2

from schema.errors import ModelError
from workers.core.heads import CHANNELS, Network

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


_MAPS = ("center", "keypoint_heatmap", "features")
"""What the graph for LiteRT ends in."""


@dataclass(frozen=True)
class Trunk:
    """A graph from pictures to heads."""

    kind: Literal["multipose", "singlepose"]
    side: int | None
    """Pixels of the square input; none for a trunk that takes every multiple of 32."""
    run: Any
    """``tf.function`` from uint8 ``[n, H, W, 3]`` to the map of each head, in the order of `_HEADS`."""
    features: Any
    """``tf.function`` from the same to the maps of `Heads`, by name."""
    networks: dict[str, Network]
    """The other heads."""


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
    names = [name for name in _HEADS if many or not name.startswith("box_")]
    ends = {name: _head(nodes, _HEADS[name][0]) for name in names}
    parts = {name: _parts(nodes, ends[name]) for name in names}
    begin, side = _picture(nodes, ends["center"]), signature.inputs[0].shape[1]
    ending = [ends["center"], ends["keypoint_heatmap"], parts["center"].features]

    @tf.function(input_signature=[tf.TensorSpec([None, side, side, 3], tf.uint8, name="frames")])
    def run(frames: Any) -> Any:
        maps = _import(graph_def, nodes, begin, frames, list(ends.values()))
        return [tf.sigmoid(value) if _HEADS[name][1] else value for name, value in zip(names, maps, strict=True)]

    @tf.function(input_signature=run.input_signature)
    def features(frames: Any) -> Any:
        center, heatmap, shared = _import(graph_def, nodes, begin, frames, ending)
        return dict(zip(_MAPS, (tf.sigmoid(center), tf.sigmoid(heatmap), shared), strict=True))

    networks = {name: parts[name].network for name in names if name in CHANNELS}
    return Trunk("multipose" if many else "singlepose", side, run, features, networks)


def write_litert(trunk: Trunk, target: Path, networks: Path) -> None:
    """Convert a trunk to a LiteRT file whose outputs are named after their maps, and a file of the other heads."""
    module = tf.Module()
    module.serve = trunk.features
    concrete = trunk.features.get_concrete_function()
    converter = tf.lite.TFLiteConverter.from_concrete_functions([concrete], module)
    target.write_bytes(converter.convert())
    weights = {
        f"{head}/{name}": value for head, network in trunk.networks.items() for name, value in network._asdict().items()
    }
    np.savez(networks, **weights)


def _import(graph_def: Any, nodes: dict[str, Any], begin: str, frames: Any, ends: list[str]) -> Any:
    """Values of the nodes ``ends`` when ``begin`` gives ``frames``."""
    kept = _only(graph_def, set.union(*(_ancestors(nodes, name) for name in ends)))
    fed = {f"{begin}:0": tf.cast(frames, tf.float32)}
    return tf.import_graph_def(kept, fed, [f"{name}:0" for name in ends], name="")


class _Parts(NamedTuple):
    """A head, taken apart."""

    features: str
    """The node that it begins with."""
    network: Network


def _parts(nodes: dict[str, Any], end: str) -> _Parts:
    """Read a head backwards from its last node.

    Raises:
        ModelError: it is made of other layers.
    """
    project_bias, projected = _layer(nodes, end, "BiasAdd")
    project, active = _layer(nodes, projected, "Conv2D")
    _, unbiased = _layer(nodes, active, "Relu")
    expand_bias, expanded = _layer(nodes, unbiased, "BiasAdd")
    expand, mixed = _layer(nodes, expanded, "Conv2D")
    depthwise, features = _layer(nodes, mixed, "DepthwiseConv2dNative")
    network = Network(depthwise[..., 0], expand[0, 0], expand_bias, project[0, 0].T.copy(), project_bias)
    return _Parts(features, network)


def _layer(nodes: dict[str, Any], name: str, operation: str) -> tuple[Any, str]:
    """Weights of a node, none for those that have none, and the node before it."""
    node = nodes[name]
    if node.op != operation:
        raise ModelError(f"{name} is {node.op} where a MoveNet head has {operation}: its decoder is unknown")
    weights = [nodes[given.split(":")[0]] for given in node.input[1:]]
    before = node.input[0].split(":")[0]
    return (tf.make_ndarray(weights[0].attr["value"].tensor) if weights else None), before


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
