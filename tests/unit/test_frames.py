"""Decoding by range gives the frames that decoding from the start gives."""

from itertools import pairwise

import av
import numpy as np
import pytest

from producer.planner import cut_parts
from schema.plan import Plan
from tests.support.media import CLIP, ranged, shared
from workers.media.frames import decode_range
from workers.media.index import read_index, whole
from workers.media.ranges import frame_ranges

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
    "awkward/sample_partially_fragmented.mp4",
    "awkward/sample_empty_track.mp4",
    "awkward/bbb_2500ms.ts",
    "awkward/resolution_change_midstream.ts",
    "awkward/av1_svt.mkv",
    "awkward/h264_single_keyframe.mp4",
    "awkward/hlg10-color-test.mp4",
]


def planned(path, target):
    """The plan of a video in ranges of ``target`` frames, and the headers of its windows."""
    index = read_index(ranged(path))
    keys = np.searchsorted(index.table.pts, index.table.key_pts).astype(np.int64)
    ranges, headers = frame_ranges(index, cut_parts(whole(index), keys, target, exact=True))
    plan = Plan(job_id="j", stream=index.stream, ranges=tuple(ranges), sequential=index.table.sequential)
    return plan, headers


def header_of(wanted, headers):
    return headers[slice(*wanted.window.header)] if wanted.window else b""


def decoded(path, plan, headers=b""):
    """Time stamp and mean brightness of each frame, range after range; without headers by seeking."""
    found = []
    for wanted in plan.ranges:
        for shown in decode_range(ranged(path), plan, wanted, header_of(wanted, headers)):
            found.append((shown.pts, float(shown.picture.to_ndarray(format="gray").mean())))
    return found


@pytest.mark.parametrize("target", [7, 64])
def test_the_clip_in_pieces_is_the_clip(target):
    whole_clip = decoded(CLIP, *planned(CLIP, 10_000))
    assert len(planned(CLIP, 10_000)[0].ranges) == 1
    assert decoded(CLIP, *planned(CLIP, target)) == whole_clip
    assert decoded(CLIP, planned(CLIP, target)[0]) == whole_clip
    assert len(whole_clip) == 230


@pytest.mark.media
@pytest.mark.parametrize("name", FILES)
def test_real_files_in_pieces_are_the_whole(name):
    path = shared(name)
    plan, headers = planned(path, 13)
    pieces = decoded(path, plan, headers)
    assert pieces == decoded(path, *planned(path, 10_000))
    if len(whole(read_index(ranged(path)))) == 1:
        assert pieces == decoded(path, planned(path, 10_000)[0])
    assert len(pieces) == read_index(ranged(path)).stream.frames


@pytest.mark.media
@pytest.mark.parametrize("name", ["awkward/base.mp4", "awkward/av1_svt.mkv", "awkward/bbb_2500ms.ts"])
def test_a_range_reads_its_own_bytes_only(name):
    path = shared(name)
    plan, headers = planned(path, 20)
    assert all(wanted.window for wanted in plan.ranges)
    for wanted in plan.ranges:
        file = ranged(path)
        assert len(list(decode_range(file, plan, wanted, header_of(wanted, headers)))) == wanted.stop - wanted.start
        assert file.fetched <= wanted.window.stop - wanted.window.start


@pytest.mark.media
def test_time_stamps_that_jump_back_go_on_rising():
    path = shared("awkward/resolution_change_midstream.ts")
    plan, headers = planned(path, 100)
    assert [wanted.start for wanted in plan.ranges] == [0, 100, 120, 220]
    times = [pts for pts, _ in decoded(path, plan, headers)]
    assert len(times) == 240
    assert all(b > a for a, b in pairwise(times))
    assert times[0] == plan.ranges[0].first_pts


def test_avi_tells_decode_times_and_frames_come_in_order(tmp_path):
    path = tmp_path / "b.avi"
    with av.open(str(CLIP)) as clip, av.open(str(path), "w") as output:
        video = output.add_stream("libx264", rate=30, options={"bf": "2", "g": "20", "preset": "ultrafast"})
        video.width, video.height = 320, 180
        for number, frame in enumerate(clip.decode(video=0)):
            if number == 60:
                break
            made = frame.reformat(320, 180, "yuv420p")
            made.pict_type = 0
            output.mux(video.encode(made))
        output.mux(video.encode(None))
    plan, headers = planned(path, 20)
    pieces = decoded(path, plan, headers)
    whole_clip = decoded(path, *planned(path, 10_000))
    assert [pts for pts, _ in whole_clip] == read_index(ranged(path)).table.pts.tolist()
    assert pieces == whole_clip


@pytest.mark.media
def test_interlaced_frames_have_no_combs():
    path = shared("awkward/interlaced_tff_mpeg2.ts")
    plan, headers = planned(path, 10_000)
    assert plan.stream.interlaced
    for shown in decode_range(ranged(path), plan, plan.ranges[0], header_of(plan.ranges[0], headers)):
        luma = shown.picture.to_ndarray(format="gray").astype(np.float32)
        alternating = np.abs(luma[1:-1] - (luma[:-2] + luma[2:]) / 2).mean()
        assert alternating < 0.35 * np.abs(luma[2:] - luma[:-2]).mean()


@pytest.mark.media
def test_hdr_comes_out_as_bt709():
    path = shared("awkward/hlg10-color-test.mp4")
    plan, headers = planned(path, 10_000)
    assert plan.stream.hdr == "hlg"
    shown = next(decode_range(ranged(path), plan, plan.ranges[0], header_of(plan.ranges[0], headers)))
    assert (shown.picture.format.name, int(shown.picture.color_trc)) == ("yuv420p", 1)
    rgb = shown.picture.to_ndarray(format="rgb24").reshape(-1, 3).astype(int)
    assert np.percentile(rgb.max(1), 50) < 250
    assert (rgb.max(1) - rgb.min(1)).max() > 200
