"""Track frames in memory, as the stitch step does."""

from pathlib import Path
from tempfile import TemporaryDirectory

import numpy as np

from schema.options import Options
from tests.support.scenes import Scene
from tests.support.track_metrics import People
from workers.core.poses import FramePoses
from workers.core.rows import TrackRows
from workers.core.tracks import Numbering
from workers.formats.spool import Spool
from workers.stages.tracking import Frame, TrackingRules, follow, windows


def tracked(frames, times, options=None, size=(1280, 720), sketches=None) -> tuple[TrackRows, TrackRows, Numbering]:
    """Rows as cleaned and as found, and the numbering, of people ``frames`` shown at ``times``."""
    rules = TrackingRules.of(options or Options())
    looks = sketches or [None] * len(frames)
    with TemporaryDirectory() as folder, Spool(Path(folder) / "spool") as spool:
        every = (Frame(float(t), people, look) for t, people, look in zip(times, frames, looks, strict=True))
        numbering = follow(every, spool, rules, size)
        parts = list(windows(spool, numbering, rules.cleaning))
    found = TrackRows.joined([part.found for part in parts])
    return TrackRows.joined([part.cleaned for part in parts]), found, numbering


def people_of(rows: TrackRows, frames: int) -> People:
    """Rows frame by frame, as the metrics take them."""
    each = [rows.pick(rows.frames == frame) for frame in range(frames)]
    poses = [FramePoses(one.keypoints, one.boxes, one.scores) for one in each]
    return People(poses, [one.tracks.astype(np.int64) for one in each])


def track_scene(scene: Scene, options: Options | None = None) -> People:
    """The people of a scene as posefleet tracks them."""
    rows, _, _ = tracked(scene.detections, scene.times, options, scene.size, scene.sketches)
    return people_of(rows, len(scene.times))
