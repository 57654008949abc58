"""The loop of the MoveNet tutorials, for comparison: read a frame, pad it, one picture a call, draw."""

from collections.abc import Callable
from pathlib import Path
from typing import Any

import cv2
import numpy as np
import tensorflow as tf

from schema.skeleton import LIMBS
from workers.models.convert import stock_signature

_SEEN = 0.1


def tutorial_loop(clip: Path, saved_model: Path, height: int, width: int) -> Callable[[int], None]:
    """A function that runs the loop over the first frames of ``clip``."""
    model = stock_signature(str(saved_model))

    def run(frames: int) -> None:
        capture = cv2.VideoCapture(str(clip))
        for _ in range(frames):
            read, picture = capture.read()
            if not read:
                break
            padded = tf.image.resize_with_pad(tf.expand_dims(picture, axis=0), height, width)
            people = model(input=tf.cast(padded, tf.int32))["output_0"].numpy()[0, :, :51].reshape(-1, 17, 3)
            draw(picture, people)
        capture.release()

    return run


def draw(picture: Any, people: Any) -> None:
    """Points and lines of every person, in place."""
    height, width = picture.shape[:2]
    for person in people:
        places = (person[:, 1::-1] * np.array([width, height])).astype(int)
        seen = person[:, 2] > _SEEN
        for a, b in LIMBS:
            if seen[a] and seen[b]:
                cv2.line(picture, places[a].tolist(), places[b].tolist(), (0, 0, 255), 4)
        for place in places[seen]:
            cv2.circle(picture, place.tolist(), 6, (0, 255, 0), -1)
