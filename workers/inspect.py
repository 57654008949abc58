"""``posefleet inspect``: what the model sees in one picture, as one figure.

Four panels: the result, the centre heatmap, the strongest of the 17 keypoint heatmaps, and the regression vectors
from each person's centre to where their keypoints are thought to be before the heatmaps are asked.
"""

from pathlib import Path

import cv2
import numpy as np
from numpy.typing import NDArray

from schema.errors import ConfigurationError
from schema.messages import ModelIdentity
from schema.options import Options
from schema.settings import Settings
from schema.skeleton import KEYPOINTS, side_of
from workers.core.decoder import peaks
from workers.core.heads import Heads, values
from workers.core.letterbox import Letterbox
from workers.core.poses import FramePoses
from workers.core.regions import Region
from workers.engine.engine import many
from workers.media.canvas import Canvas
from workers.media.history import DrawnPerson
from workers.media.local import read_picture
from workers.media.painter import SIDE_RGB, Painter
from workers.media.pixels import Still, scaled
from workers.models.litert import LiteRTMultiPose
from workers.models.quiet import quiet
from workers.models.store import load_singlepose, trunk_file

Pixels = NDArray[np.uint8]

_PANEL = 900
"""Longer side of a panel, pixels."""
_TITLE = 40
_SEEN_CENTRE = 0.15
"""Least centre score of a person whose vectors are drawn."""
_SUFFIXES = (".png", ".jpg", ".jpeg", ".webp")


def inspect(
    what: str, out: Path, options: Options, models: tuple[ModelIdentity, ModelIdentity | None], settings: Settings
) -> FramePoses:
    """Write the figure of an image, or of a video's frame at ``VIDEO@TIME``, to ``out``; the people of the result.

    Args:
        what: see `workers.media.local.read_picture`.
        out: PNG, JPEG or WebP file.
        options: what the result is made with; the maps are those of the whole picture at ``input_size``.
        models: the MultiPose model, and the one of ``options.refine``.
        settings: where models are.

    Raises:
        ConfigurationError: there is no such file or time, or ``out`` has no picture's suffix.
        PictureError, VideoError: the file cannot be read.
        ModelError: a model is damaged.
    """
    if out.suffix.lower() not in _SUFFIXES:
        raise ConfigurationError(f"--out {out}: give a file that ends in {', '.join(_SUFFIXES)}")
    still = read_picture(what)
    finder, refiner = models
    trunk = trunk_file(finder.name, settings.models_dir)
    multipose = LiteRTMultiPose(trunk, batch=1, threads=settings.model_threads)
    engine = many(options, multipose, load_singlepose(refiner, settings) if refiner else None)
    with quiet():
        people = next(engine.run(iter([still])))
    people = people.pick(people.scores >= options.min_score)
    box = Letterbox.fit(still.width, still.height, options.input_size)
    heads = multipose.heads(still.view(Region(0, 0, still.width, still.height), box)[None])
    out.parent.mkdir(parents=True, exist_ok=True)
    cv2.imwrite(str(out), _figure(still, people, heads, box, options)[..., ::-1])
    return people


def _figure(still: Still, people: FramePoses, heads: Heads, box: Letterbox, options: Options) -> Pixels:
    size = f"{box.padded_width} x {box.padded_height}"
    panels = {
        f"result ({options.quality}): {len(people.scores)} people": _result(still, people),
        f"centre heatmap at {size}": _overlay(still, heads.center[0, :, :, 0], box),
        "keypoint heatmaps, maximum of 17": _overlay(still, heads.keypoint_heatmap[0].max(-1), box),
        "regression vectors from the centres": _vectors(still, heads, box),
    }
    titled = [_titled(picture, title) for title, picture in panels.items()]
    return np.vstack([np.hstack(titled[:2]), np.hstack(titled[2:])])


def _result(still: Still, people: FramePoses) -> Pixels:
    share = _share(still)
    panel = _panel(still)
    planes = [np.ascontiguousarray(panel[..., channel]) for channel in range(3)]
    scale = np.array([share, share, 1], np.float32)
    persons = zip(people.keypoints * scale, people.boxes * share, strict=True)
    drawn = [DrawnPerson(number + 1, *person) for number, person in enumerate(persons)]
    Painter(frozenset({"overlay"})).paint(Canvas.rgb(planes), drawn)
    return np.stack(planes, -1)


def _overlay(still: Still, heat: NDArray[np.float32], box: Letterbox) -> Pixels:
    """A heatmap over the picture in grey: what is dark is unlikely."""
    panel = _panel(still)
    height, width = panel.shape[:2]
    grown = cv2.resize(heat, (box.padded_width, box.padded_height), interpolation=cv2.INTER_LINEAR)
    fitting = cv2.resize(grown[: box.content_height, : box.content_width], (width, height))[..., None]
    grey = np.repeat(panel.mean(-1, keepdims=True), 3, axis=-1)
    colours = cv2.applyColorMap((fitting * 255).astype(np.uint8), cv2.COLORMAP_TURBO)[..., ::-1]
    strength = np.clip(np.sqrt(fitting) * 1.2, 0.0, 0.9)
    return np.asarray(grey * 0.6 * (1 - strength) + colours * strength, np.uint8)


def _vectors(still: Still, heads: Heads, box: Letterbox) -> Pixels:
    panel = np.ascontiguousarray(_panel(still) // 2)
    cells, scores = peaks(heads.center[0, :, :, 0], 50)
    cell, regression = np.array(heads.center.shape[1:3]), heads.networks["keypoint_regression"]
    for (row, column), score in zip(cells, scores, strict=True):
        if score < _SEEN_CENTRE:
            continue
        origin = np.array([row, column], np.float32)
        ends = origin + values(heads.features, np.array([[[row, column]]]), regression).reshape(-1, 2)
        places = box.to_picture(np.vstack([origin, ends]).astype(np.float32) / cell) * _share(still)
        _star(panel, places)
    return panel


def _star(panel: Pixels, places: NDArray[np.float32]) -> None:
    """Arrows from the first place to all others, coloured by side of the body."""
    start, *ends = [(round(float(x)), round(float(y))) for x, y in places]
    for index, end in enumerate(ends):
        colour = SIDE_RGB[side_of((index, index)) if KEYPOINTS[index] != "nose" else "middle"]
        length = max(1.0, float(np.hypot(end[0] - start[0], end[1] - start[1])))
        cv2.arrowedLine(panel, start, end, colour, 2, cv2.LINE_AA, tipLength=min(0.3, 10 / length))
    cv2.circle(panel, start, 5, (255, 255, 255), -1, cv2.LINE_AA)


def _titled(picture: Pixels, title: str) -> Pixels:
    bar = np.full((_TITLE, picture.shape[1], 3), 24, np.uint8)
    cv2.putText(bar, title, (12, 27), cv2.FONT_HERSHEY_SIMPLEX, 0.7, (235, 235, 235), 1, cv2.LINE_AA)
    framed = np.vstack([bar, picture])
    framed[:, -2:] = 24
    return framed


def _share(still: Still) -> float:
    return float(_PANEL / max(still.width, still.height))


def _panel(still: Still) -> Pixels:
    share = _share(still)
    return scaled(still.rgb, max(1, round(still.width * share)), max(1, round(still.height * share)))
