"""Tracking beside the trackers of others, on the same poses: ``python -m tests.benchmarks.track_eval``.

Clips are those of the larger media folder that have a truth, with poses at 256 and 512, and synthetic scenes with three
seeds.  Every baseline is run at each score floor and counts with its best.  Similarity is the OKS of keypoints.  The
exit status is 1 when a bar is missed.
"""

import argparse
import json
import logging
import sys
from dataclasses import astuple
from pathlib import Path

import numpy as np
from rich.console import Console
from rich.table import Table

from producer.models import models_for
from producer.split import make_plan
from schema.messages import Source, VideoJob
from schema.options import Options
from schema.plan import FrameRange
from schema.settings import Settings
from schema.skeleton import KEYPOINTS
from tests.support.baselines import BASELINES
from tests.support.media import SHARED, Disk, ranged
from tests.support.scenes import Scene, scenes
from tests.support.track_metrics import People, TrackScores, around, evaluate
from tests.support.tracking import track_scene
from workers.core.poses import FramePoses, RangePoses
from workers.models.loaded import engine_for
from workers.stages.infer import infer_range

FLOORS = (0.05, 0.1, 0.15, 0.2, 0.25, 0.3)
BARS = {"HOTA": 1.04, "IDF1": 1.04}
OURS = "posefleet"

Scored = dict[str, list[TrackScores]]


def main() -> int:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--by", choices=["oks", "iou"], default="oks", help="similarity of keypoints or of boxes")
    parser.add_argument("--seeds", type=int, default=3, help="of the synthetic scenes")
    given = parser.parse_args()
    logging.disable(logging.WARNING)
    clips = [*_filmed(), *(scene for seed in range(given.seeds) for scene in scenes(seed))]
    console = Console(width=None if sys.stdout.isatty() else 120)
    scored, floors = {OURS: [_score(clip, track_scene(clip), given.by) for clip in clips]}, {OURS: None}
    for name in BASELINES:
        floors[name], scored[name] = _best(name, clips, given.by)
    console.print(_by_clip(clips, scored))
    console.print(_summary(scored, floors))
    return _judge(scored, console)


def _score(clip: Scene, people: People, by: str) -> TrackScores:
    return evaluate(People(clip.truth, clip.ids), people, by=by)


def _best(name: str, clips: list[Scene], by: str) -> tuple[float, list[TrackScores]]:
    """The score floor at which a baseline has the best mean HOTA, and its scores there."""
    tried = {floor: [_score(clip, _baseline(name, clip, floor), by) for clip in clips] for floor in FLOORS}
    best = max(tried, key=lambda floor: np.mean([each.hota for each in tried[floor]]))
    return best, tried[best]


def _baseline(name: str, clip: Scene, floor: float) -> People:
    frames = [people.pick(people.scores >= floor) for people in clip.detections]
    ids = BASELINES[name](frames, clip.times)
    kept = [people.pick(who > 0) for people, who in zip(frames, ids, strict=True)]
    return People(kept, [who[who > 0] for who in ids])


def _by_clip(clips: list[Scene], scored: Scored) -> Table:
    table = Table("HOTA / id switches", *scored, title="mean over the seeds of a scene")
    for name in dict.fromkeys(clip.name for clip in clips):
        rows = [i for i, clip in enumerate(clips) if clip.name == name]
        cells = [
            f"{np.mean([each[i].hota for i in rows]):.3f} / {sum(each[i].switches for i in rows)}"
            for each in scored.values()
        ]
        table.add_row(name, *cells)
    return table


def _summary(scored: Scored, floors: dict[str, float | None]) -> Table:
    table = Table("mean over all clips", "score floor", "HOTA", "IDF1", "MOTA", "id switches")
    for name, each in scored.items():
        hota, idf1, mota, _ = np.mean([astuple(one) for one in each], axis=0)
        floor = floors[name]
        switches = sum(one.switches for one in each)
        table.add_row(name, str(floor or ""), f"{hota:.3f}", f"{idf1:.3f}", f"{mota:.3f}", str(switches))
    return table


def _judge(scored: Scored, console: Console) -> int:
    """Print how we stand beside the best of the others; 1 when a bar is missed."""
    others = [each for name, each in scored.items() if name != OURS]
    missed = 0
    for field, bar in BARS.items():
        ours, best = (
            np.mean([getattr(one, field.lower()) for one in scored[OURS]]),
            max(np.mean([getattr(one, field.lower()) for one in each]) for each in others),
        )
        console.print(f"{field} ÷ best baseline: {ours / best:.3f} (bar {bar})")
        missed |= ours / best < bar
    fewest = min(sum(one.switches for one in each) for each in others)
    mine = sum(one.switches for one in scored[OURS])
    console.print(f"id switches: {mine}, fewest of a baseline {fewest} (bar: half of it)")
    return int(missed or mine > fewest / 2)


def _filmed() -> list[Scene]:
    """Clips of the larger media folder that have a truth; none where the folder is not."""
    folder = SHARED / "tracking"
    if not folder.is_dir():
        print(f"{folder} is not there: synthetic scenes only")
        return []
    single = json.loads((folder / "pose_1/pose_1.json").read_text())
    points = [[[(one[name]["x"], one[name]["y"], 2) for name in KEYPOINTS]] for one in single]
    several = json.loads((folder / "pose_1_triptych/gt_keypoints.json").read_text())
    images = sorted(several["images"], key=lambda image: image["frame_index"])
    found = {image["id"]: [] for image in images}
    for one in several["annotations"]:
        found[one["image_id"]].append(one)
    people = [[np.reshape(one["keypoints"], (17, 3)) for one in found[image["id"]]] for image in images]
    ids = [np.array([one["track_id"] for one in found[image["id"]]]) for image in images]
    clips = []
    for size in (256, 512):
        clips.append(_clip(folder / "pose_1/pose_1.mp4", size, points, [np.ones(1, int)] * len(points)))
        clips.append(_clip(folder / "pose_1_triptych/clip.mp4", size, people, ids))
    return clips


def _clip(path: Path, size: int, people: list, ids: list) -> Scene:  # type: ignore[type-arg]
    poses, shown = _poses(path, size)
    truth = [_truth(each) for each in people]
    times = np.arange(len(truth)) / 30
    looks = list(poses.sketches)
    return Scene(f"{path.parent.name} at {size}", times, poses.frames(), truth, ids, shown, sketches=looks)


def _truth(people: list) -> FramePoses:  # type: ignore[type-arg]
    keypoints = np.array(people, np.float32).reshape(-1, 17, 3)
    poses = FramePoses(keypoints, np.zeros((len(keypoints), 4), np.float32), np.ones(len(keypoints), np.float32))
    return FramePoses(keypoints, around(poses).astype(np.float32), poses.scores)


def _poses(path: Path, size: int) -> tuple[RangePoses, tuple[int, int]]:
    options, settings = Options(input_size=size), Settings.read()
    source = Source(bucket="", key=str(path), etag="", size=path.stat().st_size)
    job = VideoJob.accept(source, options, models_for(settings, None, options)[0])
    plan = make_plan(Disk(), job, 1 << 20)  # type: ignore[arg-type]
    first, last = plan.ranges[0], plan.ranges[-1]
    whole = FrameRange(start=0, stop=last.stop, first_pts=first.first_pts, end_pts=None, seek_dts=first.seek_dts)
    poses = infer_range(engine_for(job), ranged(path), plan, whole)
    return poses, (plan.stream.display_width, plan.stream.display_height)


if __name__ == "__main__":
    sys.exit(main())
