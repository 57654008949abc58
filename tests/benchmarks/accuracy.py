"""COCO keypoint accuracy of presets and input sizes beside the stock graph: ``make accuracy COCO=folder``.

The folder holds ``images/`` and ``person_keypoints.json`` in COCO's format.  No score floor: what the engine gives
is what is evaluated, as COCO does it (pycocotools).
"""

import argparse
import contextlib
import io
import json
import os
import subprocess
import sys
import tempfile
import time
from collections.abc import Iterator
from pathlib import Path

import numpy as np
from pycocotools.coco import COCO
from pycocotools.cocoeval import COCOeval

from schema.options import Options
from schema.settings import Settings
from workers.core.poses import FramePoses
from workers.engine.engine import Engine, many
from workers.formats.coco import keypoint_result
from workers.media.pixels import Still
from workers.media.stills import read_still
from workers.models.store import identity, load_multipose, load_singlepose, stock_folder

CONTENDERS: dict[str, dict[str, object]] = {
    "fast": {"quality": "fast"},
    "balanced": {"quality": "balanced"},
    "best": {"quality": "best"},
    "384": {"input_size": 384},
    "512": {"input_size": 512},
    "256, refine lightning": {"refine": "lightning"},
    "256, refine thunder": {"refine": "thunder"},
    "512, refine thunder": {"input_size": 512, "refine": "thunder"},
    "256, tiles 2x2": {"tiles": "2x2"},
}
FIGURES = {"AP": 0, "AP50": 1, "AP75": 2, "AP medium": 3, "AP large": 4, "AR": 5}


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("coco", type=Path)
    parser.add_argument("--only", nargs="*", choices=CONTENDERS, default=[*CONTENDERS])
    parser.add_argument("--every", type=int, default=1, help="take one picture of so many")
    parser.add_argument("--json", type=Path, help="write the figures here")
    arguments = parser.parse_args()
    truth = read_truth(arguments.coco, arguments.every)
    count = len(truth.getImgIds())
    print(f"{count} pictures, {len(truth.getAnnIds(iscrowd=False))} people in {arguments.coco}")
    print(f"{'':24}" + "".join(f"{name:>11}" for name in FIGURES) + f"{'AP ÷ stock':>12}{'ms/picture':>12}")
    stock = evaluate(truth, stock_results(truth, arguments.coco))
    figures = {"stock graph, 256": stock}
    print_row("stock graph, 256", stock, stock)
    for name in arguments.only:
        made = engine(Options.checked(**CONTENDERS[name]))
        list(made.run(iter([Still(np.zeros((480, 640, 3), np.uint8))])))
        began = time.perf_counter()
        figures[name] = evaluate(truth, results(made, truth, arguments.coco))
        took = (time.perf_counter() - began) / count
        print_row(name, figures[name], stock, took)
    if arguments.json:
        arguments.json.write_text(json.dumps(figures, indent=1))


def print_row(name: str, figures: dict[str, float], stock: dict[str, float], seconds: float | None = None) -> None:
    ratio = figures["AP"] / stock["AP"] if stock["AP"] > 0 else float("nan")
    took = f"{1000 * seconds:12.0f}" if seconds else f"{'':>12}"
    print(f"{name:24}" + "".join(f"{figures[each]:11.3f}" for each in FIGURES) + f"{ratio:12.2f}{took}", flush=True)


def read_truth(folder: Path, every: int = 1) -> COCO:
    """What people marked in the pictures, or in one of so many of them."""
    with contextlib.redirect_stdout(io.StringIO()):
        truth = COCO(str(folder / "person_keypoints.json"))
        truth.dataset["images"] = sorted(truth.dataset["images"], key=lambda image: int(image["id"]))[::every]
        kept = {image["id"] for image in truth.dataset["images"]}
        truth.dataset["annotations"] = [each for each in truth.dataset["annotations"] if each["image_id"] in kept]
        truth.createIndex()
        return truth


def evaluate(truth: COCO, found: list[dict[str, object]]) -> dict[str, float]:
    """COCO's figures of keypoint results."""
    if not found:
        return dict.fromkeys(FIGURES, 0.0)
    with contextlib.redirect_stdout(io.StringIO()):
        run = COCOeval(truth, truth.loadRes(found), "keypoints")
        run.evaluate()
        run.accumulate()
        run.summarize()
    return {name: float(run.stats[index]) for name, index in FIGURES.items()}


def engine(options: Options) -> Engine:
    """An engine with all cores for its models."""
    settings = Settings.read().model_copy(update={"model_threads": os.cpu_count() or 1})
    models = settings.models_dir
    refiner = None
    if options.refine != "off":
        refiner = load_singlepose(identity(f"singlepose-{options.refine}", models), settings)
    return many(options, load_multipose(identity("multipose-lightning", models), settings), refiner)


def results(made: Engine, truth: COCO, folder: Path) -> list[dict[str, object]]:
    """Keypoint results of all pictures."""
    images = truth.loadImgs(sorted(truth.getImgIds()))
    stills = (read_still((folder / "images" / image["file_name"]).read_bytes()) for image in images)
    found: Iterator[FramePoses] = made.run(iter(stills))
    return [
        keypoint_result(image["id"], people, row)
        for image, people in zip(images, found, strict=True)
        for row in range(len(people.scores))
    ]


STOCK = """
import sys, json, numpy as np, tensorflow as tf
from pathlib import Path
from workers.core.letterbox import Letterbox
from workers.core.poses import to_picture
from workers.core.regions import Region
from workers.formats.coco import keypoint_result
from workers.media.stills import read_still
from workers.models.convert import stock_signature
run = stock_signature(sys.argv[1])
found = []
for number, path in json.loads(Path(sys.argv[2]).read_text()):
    still = read_still(Path(path).read_bytes())
    box = Letterbox.fit(still.width, still.height, 256)
    shown = still.view(Region(0, 0, still.width, still.height), box)
    people = to_picture(run(input=tf.constant(shown[None].astype("int32")))["output_0"].numpy()[0], box)
    found += [keypoint_result(number, people, row) for row in range(len(people.scores))]
Path(sys.argv[3]).write_text(json.dumps(found))
"""


def stock_results(truth: COCO, folder: Path) -> list[dict[str, object]]:
    """Keypoint results of the stock graph, one picture at a time, in a process of its own."""
    images = truth.loadImgs(sorted(truth.getImgIds()))
    settings = Settings.read()
    with tempfile.TemporaryDirectory() as work:
        asked, out = Path(work) / "asked.json", Path(work) / "out.json"
        asked.write_text(json.dumps([(image["id"], str(folder / "images" / image["file_name"])) for image in images]))
        model = stock_folder("multipose-lightning", settings.models_dir)
        arguments = [sys.executable, "-W", "ignore", "-c", STOCK, str(model), str(asked), str(out)]
        environment = {**os.environ, "PYTHONPATH": os.getcwd(), "TF_CPP_MIN_LOG_LEVEL": "3"}
        subprocess.run(arguments, check=True, env=environment, stderr=subprocess.DEVNULL)
        loaded: list[dict[str, object]] = json.loads(out.read_text())
        return loaded


if __name__ == "__main__":
    np.seterr(all="raise", under="ignore")
    main()
