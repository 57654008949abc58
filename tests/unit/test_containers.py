"""Codecs and containers of every kind, made here: all frames, at their times."""

from fractions import Fraction
from itertools import pairwise

import av
import numpy as np
import pytest

from schema.errors import NoDecoder
from schema.plan import Plan
from tests.support.media import CLIP
from workers.media.frames import decode_range
from workers.media.index import read_index
from workers.media.local import LocalVideo, on_disk
from workers.media.ranges import frame_ranges

FRAMES = 40
KINDS = {
    "bframes.mov": ("libx264", "yuv420p", {"bf": "2", "g": "12"}),
    "bframes.mkv": ("libx264", "yuv420p", {"bf": "2", "g": "12"}),
    "bframes.avi": ("libx264", "yuv420p", {"bf": "2", "g": "12"}),
    "bframes.flv": ("libx264", "yuv420p", {"bf": "2", "g": "12"}),
    "bframes.m2ts": ("libx264", "yuv420p", {"bf": "2", "g": "12"}),
    "raw.h264": ("libx264", "yuv420p", {"bf": "2", "g": "12"}),
    "fragments.mp4": ("libx264", "yuv420p", {"bf": "2", "g": "12"}),
    "grey.mp4": ("libx264", "gray", {}),
    "ten_bits.mp4": ("libx264", "yuv422p10le", {}),
    "full_chroma.mp4": ("libx264", "yuv444p", {}),
    "divx.avi": ("mpeg4", "yuv420p", {"bf": "2"}),
    "program.mpg": ("mpeg2video", "yuv420p", {"bf": "2", "g": "12"}),
    "windows.wmv": ("wmv2", "yuv420p", {}),
    "alpha.mov": ("png", "rgba", {}),
    "lossless.mkv": ("ffv1", "yuv444p", {}),
    "web.webm": ("libvpx", "yuv420p", {}),
    "moving.gif": ("gif", "rgb8", {}),
}


def make(path, codec, pixel_format, options):
    """Forty frames of the clip at 160 x 90; their mean brightness."""
    muxer = {"movflags": "frag_keyframe+empty_moov"} if path.name == "fragments.mp4" else {}
    bright = []
    with av.open(str(CLIP)) as clip, av.open(str(path), "w", options=muxer) as output:
        video = output.add_stream(codec, rate=25, options=options)
        video.width, video.height, video.pix_fmt = 160, 90, pixel_format
        for number, frame in enumerate(clip.decode(video=0)):
            if number == FRAMES:
                break
            made = frame.reformat(160, 90, "gray")
            shade = np.full((90, 160), 40 + 4 * number, np.uint8)
            shade[:45] = made.to_ndarray()[:45] // 4 + 3 * number
            bright.append(float(shade.mean()))
            picture = av.VideoFrame.from_ndarray(shade, format="gray").reformat(format=pixel_format)
            picture.pts = number
            output.mux(video.encode(picture))
        output.mux(video.encode(None))
    return bright


@pytest.mark.parametrize("name", KINDS)
def test_every_frame_comes_at_its_time(name, tmp_path):
    path = tmp_path / name
    bright = make(path, *KINDS[name])
    video = LocalVideo.read(path)
    shown = list(video.frames())
    stream = video.index.stream
    assert (stream.frames, len(shown), stream.display_width, stream.display_height) == (FRAMES, FRAMES, 160, 90)
    assert stream.duration_s == pytest.approx(FRAMES / 25, abs=0.05)
    seconds = np.array([each.pts for each in shown]) * float(Fraction(stream.time_base))
    np.testing.assert_allclose(np.diff(seconds), 1 / 25, atol=2e-3)
    found = [float(each.picture.to_ndarray(format="gray").mean()) for each in shown]
    np.testing.assert_allclose(np.diff(found), np.diff(bright), atol=4.0)
    assert all(later > before for before, later in pairwise(found))


def test_a_codec_that_nobody_knows_has_a_name(tmp_path):
    path = tmp_path / "a.mp4"
    make(path, "libx264", "yuv420p", {})
    path.write_bytes(path.read_bytes().replace(b"avc1", b"zzzz").replace(b"avcC", b"zzzC"))
    with pytest.raises(NoDecoder, match="no decoder"):
        read_index(on_disk(path))


def test_a_matroska_file_that_begins_between_key_frames(tmp_path):
    whole, cut = tmp_path / "whole.mkv", tmp_path / "cut.mkv"
    make(whole, "libx264", "yuv420p", {"g": "12", "bf": "0"})
    with av.open(str(whole)) as source, av.open(str(cut), "w") as target:
        made = target.add_stream_from_template(source.streams.video[0], opaque=True)
        for number, packet in enumerate(each for each in source.demux(video=0) if each.size):
            if number >= 5:
                packet.stream = made
                target.mux(packet)
    index = read_index(on_disk(cut))
    ranges, headers = frame_ranges(index, [(0, 4), (4, 15), (15, 35)])
    plan = Plan(job_id="", stream=index.stream, ranges=tuple(ranges))
    found = [
        len(list(decode_range(on_disk(cut), plan, wanted, headers[slice(*wanted.window.header)]))) for wanted in ranges
    ]
    assert found[1:] == [8, 20]


def test_ranges_between_two_key_frames_share_a_header(tmp_path):
    path = tmp_path / "a.mp4"
    make(path, "libx264", "yuv420p", {"g": "100", "bf": "0"})
    index = read_index(on_disk(path))
    one, header = frame_ranges(index, [(0, FRAMES)])
    many, headers = frame_ranges(index, [(each, each + 2) for each in range(0, FRAMES, 2)])
    assert headers == header
    assert many[0].window.stop < many[-1].window.stop == one[0].window.stop
