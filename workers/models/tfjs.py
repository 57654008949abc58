"""Read a TensorFlow.js graph model and write it as a TensorFlow SavedModel.

The published MoveNet weights are shipped to browsers as a graph in JSON with its constants in one
binary file.  Nodes become a ``GraphDef``, half-precision constants become float32, and the two fused
operations that only exist in optimised graphs are opened into the operations they stand for.
"""

import base64
import json
from pathlib import Path
from typing import Any

import numpy as np
import tensorflow as tf

from schema.errors import ModelError

_STORED_DTYPES = {"float16": np.float16, "float32": np.float32, "int32": np.int32, "bool": np.bool_}
_OPENED = {"_FusedConv2D": "Conv2D", "FusedDepthwiseConv2dNative": "DepthwiseConv2dNative"}
_DROPPED_ATTRIBUTES = frozenset({"fused_ops", "num_args", "epsilon", "num_host_args", "TArgs", "leakyrelu_alpha"})


def write_saved_model(model_json: Path, folder: Path) -> None:
    """Convert the graph model ``model_json`` (its ``.bin`` beside it) to a SavedModel in ``folder``.

    The signature ``serving_default`` takes ``input`` int32 ``[1, H, W, 3]`` and gives ``output_0``.

    Raises:
        ModelError: the file is not a TensorFlow.js graph model, or its weights do not fit it.
    """
    model = json.loads(model_json.read_text())
    if model.get("format") != "graph-model":
        raise ModelError(f"{model_json} is not a TensorFlow.js graph model")
    graph_def = _graph_def(model, _constants(model, model_json.parent))
    output = _only(model["signature"]["outputs"])["name"]
    function = tf.compat.v1.wrap_function(lambda: tf.import_graph_def(graph_def, name=""), [])
    pruned = function.prune(feeds="input:0", fetches={"output_0": output})
    module = tf.Module()
    shape = _input_shape(model)

    @tf.function(input_signature=[tf.TensorSpec(shape, tf.int32, name="input")])
    def serve(image: Any) -> Any:
        return pruned(image)

    module.serve = serve
    tf.saved_model.save(module, str(folder), signatures={"serving_default": serve})


def _input_shape(model: dict[str, Any]) -> list[int | None]:
    """``[1, side, side, 3]`` for a model of one size, ``[1, None, None, 3]`` for one that scales with its input."""
    side = int(_only(model["signature"]["inputs"])["tensorShape"]["dim"][1]["size"])
    one_person = len(_only(model["signature"]["outputs"])["tensorShape"]["dim"]) == 4
    return [1, side, side, 3] if one_person else [1, None, None, 3]


def _only(tensors: dict[str, Any]) -> dict[str, Any]:
    """The one entry of a signature's inputs or outputs."""
    (tensor,) = tensors.values()
    return tensor  # type: ignore[no-any-return]


def _constants(model: dict[str, Any], folder: Path) -> dict[str, np.ndarray[Any, Any]]:
    constants: dict[str, np.ndarray[Any, Any]] = {}
    for group in model["weightsManifest"]:
        stored = b"".join((folder / path).read_bytes() for path in group["paths"])
        offset = 0
        for weight in group["weights"]:
            dtype = np.dtype(_STORED_DTYPES[weight.get("quantization", weight)["dtype"]])
            count = int(np.prod(weight["shape"], dtype=np.int64))
            if offset + count * dtype.itemsize > len(stored):
                raise ModelError(f"the weights of {weight['name']} are cut off")
            value = np.frombuffer(stored, dtype, count, offset).reshape(weight["shape"])
            constants[weight["name"]] = value.astype(weight["dtype"])
            offset += count * dtype.itemsize
        if offset != len(stored):
            raise ModelError(f"{group['paths']} hold {len(stored)} bytes, the graph describes {offset}")
    return constants


def _graph_def(model: dict[str, Any], constants: dict[str, np.ndarray[Any, Any]]) -> Any:
    graph = tf.compat.v1.GraphDef()
    graph.versions.producer = int(model["modelTopology"].get("versions", {}).get("producer", 440))
    for node in model["modelTopology"]["node"]:
        if node["op"] == "Const":
            _add_constant(graph, node["name"], constants[node["name"]])
        elif node["op"] in _OPENED:
            _add_opened(graph, node)
        else:
            _add_node(graph, node["name"], node["op"], node.get("input", []), node.get("attr", {}))
    return graph


def _add_constant(graph: Any, name: str, value: np.ndarray[Any, Any]) -> None:
    added = graph.node.add(name=name, op="Const")
    added.attr["dtype"].type = tf.as_dtype(value.dtype).as_datatype_enum
    added.attr["value"].tensor.CopyFrom(tf.make_tensor_proto(value))


def _add_opened(graph: Any, node: dict[str, Any]) -> None:
    """Write a fused convolution as convolution, bias and activation; the last one keeps the name."""
    source, weights, bias = node["input"][:3]
    fused = [base64.b64decode(name).decode() for name in node["attr"]["fused_ops"]["list"]["s"]]
    if fused[0] != "BiasAdd" or len(fused) > 2:
        raise ModelError(f"{node['name']} fuses {fused}, which this reader does not know")
    attributes = {key: value for key, value in node["attr"].items() if key not in _DROPPED_ATTRIBUTES}
    if node["op"] == "FusedDepthwiseConv2dNative":
        attributes.pop("use_cudnn_on_gpu", None)
    dtype = {"T": node["attr"]["T"]}
    name = node["name"]
    names = [f"{name}/opened_conv", *(f"{name}/opened_{i}" for i in range(len(fused) - 1)), name]
    _add_node(graph, names[0], _OPENED[node["op"]], [source, weights], attributes)
    _add_node(graph, names[1], "BiasAdd", [names[0], bias], dtype)
    if len(fused) == 2:
        _add_node(graph, names[2], fused[1], [names[1]], dtype)


def _add_node(graph: Any, name: str, op: str, inputs: list[str], attributes: dict[str, Any]) -> None:
    added = graph.node.add(name=name, op=op)
    added.input.extend(inputs)
    for key, value in attributes.items():
        _set_attribute(added.attr[key], value)


def _set_attribute(target: Any, value: dict[str, Any]) -> None:
    """Copy one attribute from its JSON form (protobuf's, with base64 strings) to ``target``."""
    kind: str
    content: Any
    kind, content = next(iter(value.items()), ("", None))
    if kind == "type":
        target.type = tf.compat.v1.AttrValue(type=content).type if isinstance(content, int) else _data_type(content)
    elif kind == "s":
        target.s = base64.b64decode(content)
    elif kind in ("i", "f", "b"):
        setattr(target, kind, {"i": int, "f": float, "b": bool}[kind](content))
    elif kind == "shape":
        _set_shape(target.shape, content)
    elif kind == "list":
        target.list.SetInParent()
        target.list.i.extend(int(item) for item in content.get("i", []))
        target.list.s.extend(base64.b64decode(item) for item in content.get("s", []))


def _data_type(name: str) -> int:
    return int(getattr(tf.dtypes, name.removeprefix("DT_").lower().replace("float", "float32")).as_datatype_enum)


def _set_shape(target: Any, content: dict[str, Any]) -> None:
    target.SetInParent()
    if content.get("unknownRank"):
        target.unknown_rank = True
    for dimension in content.get("dim", []):
        target.dim.add(size=int(dimension["size"]))
