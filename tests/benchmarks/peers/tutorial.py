"""The loop of the MoveNet tutorials: read a frame with OpenCV, `resize_with_pad`, one picture a call, draw."""

import time
from collections.abc import Iterator
from itertools import islice
from pathlib import Path
from typing import Any

import cv2
import numpy as np
import tensorflow as tf

from schema.skeleton import LIMBS
from tests.benchmarks.peers.protocol import parser_of, tell

WARM = 8
SEEN, SURE = 0.1, 0.2
"""Confidence of what is drawn, and score of the people that are counted."""


def main() -> None:
    parser = parser_of(__doc__)
    parser.add_argument("--height", type=int, default=384)
    parser.add_argument("--width", type=int, default=640)
    given, began = parser.parse_args(), time.perf_counter()
    loaded = tf.saved_model.load(str(given.model / "saved_model"))
    model = loaded.signatures["serving_default"]

    def run(frames: int) -> int:
        return sum(look(model, picture, given.height, given.width) for picture in islice(pictures(given.clip), frames))

    run(WARM)
    warm = time.perf_counter()
    people = run(given.frames)
    tell(given.frames, time.perf_counter() - warm, warm - began, people)


def pictures(clip: Path) -> Iterator[Any]:
    capture = cv2.VideoCapture(str(clip))
    while (read := capture.read())[0]:
        yield read[1]
    capture.release()


def look(model: Any, picture: Any, height: int, width: int) -> int:
    """Find and draw the people of one picture, in place; how many there are for sure."""
    padded = tf.image.resize_with_pad(tf.expand_dims(picture, axis=0), height, width)
    found = model(input=tf.cast(padded, tf.int32))["output_0"].numpy()[0]
    draw(picture, found[:, :51].reshape(-1, 17, 3))
    return int((found[:, 55] >= SURE).sum())


def draw(picture: Any, people: Any) -> None:
    """Points and lines of every person."""
    height, width = picture.shape[:2]
    for person in people:
        places = (person[:, 1::-1] * np.array([width, height])).astype(int)
        seen = person[:, 2] > SEEN
        for a, b in LIMBS:
            if seen[a] and seen[b]:
                cv2.line(picture, places[a].tolist(), places[b].tolist(), (0, 0, 255), 4)
        for place in places[seen]:
            cv2.circle(picture, place.tolist(), 6, (0, 255, 0), -1)


if __name__ == "__main__":
    main()
