"""Formats that tracks can be exported to, by the names that ``--format`` takes."""

from typing import Literal, get_args

Format = Literal[
    "coco",
    "csv",
    "deeplabcut",
    "mmpose",
    "mot",
    "motchallenge",
    "openpose",
    "openpose-coco18",
    "posetrack",
    "sleap",
    "trc",
]

FORMATS: tuple[str, ...] = get_args(Format)

#: Formats of many files: a folder for people, a ZIP archive in object storage.
FOLDERS = frozenset({"mot", "openpose", "openpose-coco18", "trc"})
