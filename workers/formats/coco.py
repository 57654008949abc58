"""``keypoints_coco.json``: COCO keypoint results, as COCO's evaluation reads them."""

import json
from pathlib import Path
from tempfile import TemporaryFile
from types import TracebackType
from typing import IO, Self

import numpy as np
from numpy.typing import NDArray

from workers.core.poses import FramePoses

PERSON = 1
"""COCO's category."""


class CocoWriter:
    """Writes people one by one, so memory stays flat.

    The file is the list of results that COCO's ``loadRes`` takes.  Where image ids are not COCO's own it is an object
    with that list as ``annotations`` beside ``images`` (id, file_name, width, height).
    """

    def __init__(self, path: Path, *, images: bool) -> None:
        self._images = images
        self._listed: IO[str] = TemporaryFile("w+", encoding="utf-8")  # noqa: SIM115
        self._people: IO[str] = path.open("w", encoding="utf-8")
        self._counts = {"images": 0, "people": 0}

    def __enter__(self) -> Self:
        self._people.write('{"annotations": [' if self._images else "[")
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        with self._people, self._listed:
            self._people.write("\n]")
            if self._images:
                self._people.write(',\n"images": [')
                self._listed.seek(0)
                self._people.writelines(self._listed)
                self._people.write('\n],\n"categories": [{"id": 1, "name": "person"}]}')
            self._people.write("\n")

    def add(self, image_id: int, name: str, size: tuple[int, int], people: FramePoses) -> None:
        """Add the people of one picture of ``size`` (width, height)."""
        image = {"id": image_id, "file_name": name, "width": size[0], "height": size[1]}
        self._write(self._listed, "images", image)
        for row in range(len(people.scores)):
            self._write(self._people, "people", keypoint_result(image_id, people, row))

    def _write(self, file: IO[str], kind: str, value: dict[str, object]) -> None:
        file.write((",\n" if self._counts[kind] else "\n") + json.dumps(value))
        self._counts[kind] += 1


def keypoint_result(image_id: int, people: FramePoses, row: int) -> dict[str, object]:
    """One person: x, y and confidence of 17 keypoints in a row, ``bbox`` x, y, width, height, pixels."""
    return {
        "image_id": image_id,
        "category_id": PERSON,
        "keypoints": _rounded(people.keypoints[row].ravel()),
        "bbox": _rounded(people.boxes[row]),
        "score": round(float(people.scores[row]), 5),
    }


def _rounded(values: NDArray[np.float32]) -> list[float]:
    return [round(float(value), 4) for value in values]
