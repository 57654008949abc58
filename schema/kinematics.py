"""Names of the angles that are computed, in the order of the angle table's columns."""

from typing import Literal, get_args

Angle = Literal[
    "left_elbow",
    "right_elbow",
    "left_shoulder",
    "right_shoulder",
    "left_hip",
    "right_hip",
    "left_knee",
    "right_knee",
    "left_shank",
    "right_shank",
    "trunk",
    "head",
    "shoulders",
    "pelvis",
]

ANGLES: tuple[str, ...] = get_args(Angle)
