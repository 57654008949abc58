"""The container's index: what is shown, when, and how little of the file is read for it."""

import struct
from contextlib import suppress

import av
import numpy as np
import pytest

from schema.errors import EmptyFile, EncryptedVideo, NoFrames, NoVideoStream, VideoError
from tests.support.awkward import FACTS, REFUSED
from tests.support.media import CLIP, SHARED, ranged, shared
from workers.media.boxes import read_skeleton
from workers.media.index import read_index
from workers.media.orientation import Orientation

ERRORS = {each.reason: each for each in (VideoError, EmptyFile, EncryptedVideo, NoFrames, NoVideoStream)}
CUT_OFF = {"truncated_after_moov_b.mp4"}
MOVIES = [CLIP, *(path for path in sorted(SHARED.glob("*/*.m[po][4v]")) if path.name not in REFUSED.keys() | CUT_OFF)]


def test_the_clip():
    stream = read_index(ranged(CLIP)).stream
    assert (stream.frames, stream.display_width, stream.display_height) == (230, 854, 480)
    assert stream.has_audio
    assert not stream.variable_frame_rate


@pytest.mark.media
@pytest.mark.parametrize("name", FACTS)
def test_real_files_are_read_right(name):
    stream = read_index(ranged(shared(f"awkward/{name}"))).stream
    frames, width, height, duration = FACTS[name]
    assert (stream.frames, stream.display_width, stream.display_height) == (frames, width, height)
    assert stream.duration_s == pytest.approx(duration, abs=0.001)


@pytest.mark.media
@pytest.mark.parametrize("name", REFUSED)
def test_what_is_no_video_has_a_name(name):
    error = ERRORS[REFUSED[name]]
    with pytest.raises(error) as caught:
        read_index(ranged(shared(f"awkward/{name}")))
    assert type(caught.value) is error


@pytest.mark.media
@pytest.mark.parametrize("path", MOVIES, ids=lambda path: path.name)
def test_sample_tables_mean_what_the_demuxer_makes_of_them(path):
    """Every MP4 and MOV file here, but for its last frame's length and what is cut off."""
    stream = read_index(ranged(path)).stream
    with av.open(str(path)) as container:
        video = next(each for each in container.streams if each.index == stream.index)
        packets = [p for p in container.demux(video) if p.size and p.pos + p.size <= path.stat().st_size]
    table = read_index(ranged(path)).table
    assert table.pts.tolist() == sorted(p.pts for p in packets if not p.is_discard)
    assert table.key_pts.tolist() == sorted(p.pts for p in packets if p.is_keyframe)
    assert table.packets.dts.tolist() == [p.dts for p in packets]
    assert table.packets.positions.tolist() == [p.pos for p in packets]
    assert table.packets.sizes.tolist() == [p.size for p in packets]


@pytest.mark.media
def test_only_the_index_is_fetched():
    file = ranged(shared("people/sports2d_demo.mp4"))
    read_index(file)
    assert file.fetched < 0.35 * file.size


@pytest.mark.media
def test_a_cut_off_file_says_how_much_is_missing():
    index = read_index(ranged(shared("awkward/truncated_after_moov_b.mp4")))
    assert index.stream.frames == 41
    assert index.warnings == ("the file is cut off: 79 of 120 frames of its index are not there",)


@pytest.mark.media
@pytest.mark.parametrize("damage", [b"stts", b"stsz", b"stsc", b"stss", b"ctts", b"elst", b"stsd", b"mdhd", b"tkhd"])
def test_damaged_tables_are_an_error_or_none(damage, tmp_path):
    body = bytearray(shared("awkward/base.mp4").read_bytes())
    at = body.index(damage)
    for name, change in (("lost", b"xxxx"), ("long", None)):
        path = tmp_path / f"{name}.mp4"
        changed = body[:at] + change + body[at + 4 :] if change else body[: at + 8] + b"\xff" * 4 + body[at + 12 :]
        path.write_bytes(changed)
        with suppress(VideoError):
            assert read_index(ranged(path)).stream.frames >= 1


def test_text_is_no_video(tmp_path):
    path = tmp_path / "notes.mp4"
    path.write_text("not a video at all\n" * 100)
    assert read_skeleton(ranged(path)) is None
    with pytest.raises(VideoError, match="not a video of a known container"):
        read_index(ranged(path))


def test_a_playlist_in_disguise_opens_nothing(tmp_path):
    path = tmp_path / "playlist.mp4"
    path.write_text(f"#EXTM3U\n#EXT-X-TARGETDURATION:5\n#EXTINF:5,\nfile://{CLIP}\n#EXT-X-ENDLIST\n")
    with pytest.raises(VideoError, match="not a video of a known container"):
        read_index(ranged(path))


@pytest.mark.parametrize("rotation", [0, 90, 180, 270])
@pytest.mark.parametrize("mirrored", [False, True])
def test_orientation_is_read_from_the_matrix_it_would_make(rotation, mirrored):
    cosine, sine = round(np.cos(np.radians(rotation))), round(np.sin(np.radians(rotation)))
    a, b, c, d = cosine, sine, -sine, cosine
    if mirrored:
        a, b = -a, -b
    matrix = np.array([a << 16, b << 16, 0, c << 16, d << 16, 0, 0, 0, 1 << 30], "<i4").tobytes()
    assert Orientation.of_matrix(matrix) == Orientation(rotation, mirrored)


def test_a_quarter_turn_clockwise_brings_the_left_column_to_the_top():
    picture = np.array([[1, 2], [3, 4], [5, 6]])
    assert Orientation(90).apply(picture).tolist() == [[5, 3, 1], [6, 4, 2]]
    assert Orientation(0, mirrored=True).apply(picture).tolist() == [[2, 1], [4, 3], [6, 5]]


def boxed(kind, *parts):
    body = b"".join(parts)
    return struct.pack(">I4s", 8 + len(body), kind) + body


@pytest.mark.media
def test_a_file_cut_off_inside_its_index_is_no_video(tmp_path):
    body = shared("awkward/two_frames.mp4").read_bytes()
    path = tmp_path / "a.mp4"
    moov = body.index(b"moov")
    path.write_bytes(body[: moov + int(0.3 * (len(body) - moov))])
    with pytest.raises(VideoError):
        read_index(ranged(path))
    path.write_bytes(body[: moov + int(0.9 * (len(body) - moov))])
    with suppress(VideoError):
        assert read_index(ranged(path)).stream.frames


@pytest.mark.media
def test_more_frames_than_fit_into_the_file_are_refused(tmp_path):
    body = shared("awkward/base.mp4").read_bytes()
    at = body.index(b"stsz") + 8
    path = tmp_path / "a.mp4"
    path.write_bytes(body[:at] + struct.pack(">II", 1, 40_000_000) + body[at + 8 :])
    with pytest.raises(VideoError, match="more frames than fit"):
        read_index(ranged(path))


def test_a_flood_of_boxes_is_refused(tmp_path):
    path = tmp_path / "a.mp4"
    path.write_bytes(boxed(b"ftyp", b"isom", bytes(4)) + boxed(b"free") * 1_100_000)
    with pytest.raises(VideoError, match="256 MB"):
        read_index(ranged(path))
