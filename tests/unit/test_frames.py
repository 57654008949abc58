"""Decoding by range gives the frames that decoding from the start gives."""

from itertools import pairwise

import numpy as np
import pytest

from producer.planner import cut, frame_ranges
from schema.plan import Plan
from tests.support.media import CLIP, ranged, shared
from workers.media.frames import decode_range
from workers.media.index import read_index

FILES = [
    "awkward/hevc10_opengop.mp4",
    "awkward/bbb_800x640_768kbps_30fps_avc_pyramid_3b.mp4",
    "awkward/editlist_preroll_cut.mp4",
    "awkward/sample_edit_list.mp4",
    "awkward/bbb_642x642_768kbps_30fps_vp9.webm",
    "awkward/interlaced_tff_mpeg2.ts",
    "awkward/sample.avi",
    "awkward/vfr_dropped_frames.mp4",
    "awkward/sample_with_htc_rotation_track_name.mkv",
]


def planned(path, target):
    index = read_index(ranged(path))
    table = index.table
    keys = np.searchsorted(table.pts, table.key_pts).astype(np.int64)
    cuts = cut(index.stream.frames, keys, target, exact=True)
    ranges = frame_ranges(cuts, table.pts, table.key_pts, table.key_dts)
    return Plan(job_id="j", stream=index.stream, ranges=tuple(ranges), sequential=table.sequential)


def decoded(path, plan):
    """Time stamp and mean brightness of each frame, range after range."""
    found = []
    for wanted in plan.ranges:
        for shown in decode_range(ranged(path), plan, wanted):
            found.append((shown.pts, float(shown.picture.to_ndarray(format="gray").mean())))
    return found


@pytest.mark.parametrize("target", [7, 64])
def test_the_clip_in_pieces_is_the_clip(target):
    pieces = planned(CLIP, target)
    whole = planned(CLIP, 10_000)
    assert len(whole.ranges) == 1
    assert decoded(CLIP, pieces) == decoded(CLIP, whole)
    assert len(decoded(CLIP, whole)) == whole.stream.frames


@pytest.mark.media
@pytest.mark.parametrize("name", FILES)
def test_real_files_in_pieces_are_the_whole(name):
    path = shared(name)
    pieces = decoded(path, planned(path, 13))
    assert pieces == decoded(path, planned(path, 10_000))
    assert len(pieces) == read_index(ranged(path)).stream.frames


@pytest.mark.media
def test_time_stamps_that_jump_back_go_on_rising():
    path = shared("awkward/resolution_change_midstream.ts")
    plan = planned_sequential(path)
    times = [shown.pts for shown in decode_range(ranged(path), plan, plan.ranges[0])]
    assert len(times) == 240
    assert all(b > a for a, b in pairwise(times))


def planned_sequential(path):
    from schema.plan import FrameRange

    index = read_index(ranged(path))
    assert index.table.sequential
    whole = FrameRange(start=0, stop=index.stream.frames, first_pts=0, end_pts=None, seek_dts=None)
    return Plan(job_id="j", stream=index.stream, ranges=(whole,), sequential=True)
