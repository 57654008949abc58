"""The poses object of one frame range: a NumPy archive, the same bytes for the same poses."""

import io
import json

import numpy as np

from workers.core.poses import NO_SIZES, NO_SKETCHES, FramePoses, RangePoses


def write_poses(poses: RangePoses) -> bytes:
    """The archive's bytes."""
    body = io.BytesIO()
    np.savez_compressed(
        body,
        pts=poses.pts,
        counts=poses.counts,
        keypoints=poses.people.keypoints,
        boxes=poses.people.boxes,
        scores=poses.people.scores,
        planned=np.int64(poses.planned),
        broken=np.frombuffer(json.dumps(poses.broken).encode(), np.uint8),
        sizes=poses.sizes,
        sketches=poses.sketches,
        damaged=np.int64(poses.damaged),
    )
    return body.getvalue()


def read_poses(body: bytes) -> RangePoses:
    """Read what `write_poses` wrote.

    Raises:
        ValueError: the archive is damaged.
    """
    with np.load(io.BytesIO(body), allow_pickle=False) as stored:
        people = FramePoses(stored["keypoints"], stored["boxes"], stored["scores"])
        listed = json.loads(stored["broken"].tobytes()) if "broken" in stored else []
        broken = tuple((int(index), str(why)) for index, why in listed)
        sizes = stored.get("sizes", NO_SIZES)
        sketches = stored.get("sketches", NO_SKETCHES)
        planned, damaged = int(stored["planned"]), int(stored.get("damaged", 0))
        return RangePoses(stored["pts"], stored["counts"], people, planned, sizes, broken, sketches, damaged)
