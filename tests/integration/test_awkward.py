"""Every awkward file through the whole fleet: frames, times, sound, pictures; and workers that survive all of them."""

from pathlib import Path
from typing import Any

import av
import numpy as np
import pytest

from producer import Fleet
from producer.inputs import upload
from schema.manifest import Manifest
from schema.names import ANNOTATED, CONTACT_SHEET, POSTER, PREVIEW, TIMELINE
from schema.options import Options
from tests.support.awkward import FACTS, REFUSED
from tests.support.media import CLIP, shared

pytestmark = [pytest.mark.stack, pytest.mark.media]

WAIT_S = 400
#: Too long for every run: its plan is looked at, its frames are black.
LONG = {"long_180p_av1.mp4"}
#: Tests give a batch nine seconds; the tables of a tone map alone take three.
SMALL_BATCHES = {
    "8k24fps_300ms.mp4": 2,
    "sample_edit_list.mp4": 12,
    "sample_edit_list_no_sync_frame_before_edit.mp4": 12,
    "sample_with_increasing_timestamps_320w_240h.mp4": 80,
    "fps240.mp4": 80,
}
#: FFmpeg and we put its times right in different ways.
JUMPS = {"resolution_change_midstream.ts"}
DAMAGED = {"truncated_after_moov_b.mp4", "bitflips_in_mdat.mp4"}
NAMES = sorted(set(FACTS) - LONG)


@pytest.fixture(scope="module")
def jobs(fleet: Fleet) -> dict[str, Any]:
    """All of them at once."""
    return {
        name: fleet.enqueue(upload(fleet, shared(f"awkward/{name}")), batch_frames=SMALL_BATCHES.get(name))
        for name in [*NAMES, *REFUSED]
    }


@pytest.fixture
def ended(jobs: dict[str, Any], name: str) -> Manifest:
    manifest = jobs[name].wait(WAIT_S).manifest
    assert isinstance(manifest, Manifest)
    return manifest


@pytest.mark.parametrize("name", REFUSED)
def test_what_is_no_video_fails_with_a_named_reason(ended, name):
    assert (ended.state, ended.error and ended.error.reason) == ("failed", REFUSED[name])


@pytest.mark.parametrize("name", NAMES)
def test_awkward_videos_come_through(ended, jobs, name, tmp_path):
    frames, width, height, duration = FACTS[name]
    assert (ended.state, ended.frames) == ("succeeded", frames)
    assert (ended.display_width, ended.display_height) == (width, height)
    assert ended.duration_s == pytest.approx(duration, abs=0.001)
    assert bool(ended.warnings) == (name in DAMAGED)
    jobs[name].fetch(tmp_path)
    made = streams_of(tmp_path / ANNOTATED)
    assert (len(made.times), made.size) == (frames, (width - width % 2, height - height % 2))
    assert {path.name for path in tmp_path.iterdir()} >= {POSTER, CONTACT_SHEET, PREVIEW, TIMELINE}
    if name in JUMPS:
        return
    source = streams_of(shared(f"awkward/{name}"))
    before_zero = -min(0.0, source.times[0])
    if name not in DAMAGED:
        np.testing.assert_allclose(made.times, np.array(source.times) + before_zero, atol=1e-3)
    if source.sound is not None:
        assert made.sound is not None
        assert made.sound - made.times[0] == pytest.approx(source.sound - source.times[0], abs=0.025)


class Streams:
    """Times of all frames, size, and when sound begins, seconds."""

    def __init__(self, times: list[float], size: tuple[int, int], sound: float | None) -> None:
        self.times, self.size, self.sound = times, size, sound


def streams_of(path: Path) -> Streams:
    with av.open(str(path)) as container:
        video = container.streams.best("video")
        frames = [
            (float(frame.pts * video.time_base), (frame.width, frame.height)) for frame in decoded(container, video)
        ]
    with av.open(str(path)) as container:
        audio = container.streams.audio
        sound = next(decoded(container, audio[0]), None) if audio and audio[0].codec_context else None
    return Streams([time for time, _ in frames], frames[0][1], None if sound is None else float(sound.time))


def decoded(container, stream):
    """Frames up to where the file is cut off."""
    for packet in container.demux(stream):
        try:
            yield from packet.decode()
        except av.FFmpegError:
            continue


def test_turned_by_metadata_or_stored_upright_is_the_same(jobs, fleet):
    for name in ("rot90_metadata.mp4", "base.mp4"):
        jobs[name].wait(WAIT_S)
    turned, upright = (jobs[name].tracks().to_pandas() for name in ("rot90_metadata.mp4", "base.mp4"))
    compare(turned, upright)


def test_a_phone_video_turned_upright_gives_the_same_tracks(fleet, tmp_path):
    path = shared("people/sports2d_demo.mp4")
    sideways, upright = tmp_path / "sideways.mp4", tmp_path / "upright.mp4"
    encode(path, upright, turn=0)
    encode(path, sideways, turn=1)
    found = [fleet.enqueue(upload(fleet, each), Options(render=False)) for each in (sideways, upright)]
    sizes = [job.wait(WAIT_S).manifest for job in found]
    assert [(one.display_width, one.display_height, one.rotation) for one in sizes] == [(884, 496, 90), (884, 496, 0)]
    compare(*(job.tracks().to_pandas() for job in found))


def encode(source: Path, target: Path, turn: int) -> None:
    """Half a second at half size, hardly compressed; turned by quarters anticlockwise, and back by metadata."""
    with av.open(str(source)) as container, av.open(str(target), "w") as output:
        video = output.add_stream("libx264", rate=30, options={"crf": "4", "preset": "ultrafast"})
        video.width, video.height = (496, 884) if turn else (884, 496)
        video.pix_fmt = "yuv444p"
        if turn:
            video.set_display_rotation(-90)
        for number, frame in enumerate(container.decode(video=0)):
            if number == 90:
                break
            rgb = frame.reformat(884, 496, "rgb24").to_ndarray()
            made = av.VideoFrame.from_ndarray(np.ascontiguousarray(np.rot90(rgb, turn)), format="rgb24")
            output.mux(video.encode(made))
        output.mux(video.encode(None))


def compare(one, other):
    """The same people in the same frames, sure keypoints at most 2 pixels apart."""
    both = one.merge(other, on=["frame_index", "track_id"], suffixes=("_a", "_b"))
    assert len(both) >= 0.97 * max(len(one), len(other)) > 50
    distances = []
    for column in [name[:-2] for name in one.columns if name.endswith("_x") and name != "bbox_x"]:
        sure = both[(both[f"{column}_score_a"] > 0.5) & (both[f"{column}_score_b"] > 0.5)]
        distances += np.hypot(
            sure[f"{column}_x_a"] - sure[f"{column}_x_b"], sure[f"{column}_y_a"] - sure[f"{column}_y_b"]
        ).tolist()
    assert np.mean(distances) <= 2.0


def test_tracks_are_drawn_again_without_the_model(fleet, tmp_path):
    job = fleet.enqueue(upload(fleet, CLIP))
    job.wait(WAIT_S)
    again = fleet.render(job.job_id, Options(style=("black", "trails"), scale=0.5, codec="hevc"))
    assert again.job_id != job.job_id
    manifest = again.wait(WAIT_S).manifest
    assert (manifest.state, manifest.tracks_of, manifest.frames) == ("succeeded", job.job_id, 230)
    assert "infer" not in manifest.steps
    again.fetch(tmp_path)
    with av.open(str(tmp_path / ANNOTATED)) as container:
        video = container.streams.video[0]
        frames = list(container.decode(video))
        assert (video.codec_context.name, video.codec_context.codec_tag) == ("hevc", "hvc1")
    assert (len(frames), frames[0].width, frames[0].height) == (230, 426, 240)
    middle = frames[60].to_ndarray(format="rgb24")
    assert (middle.max(-1) < 30).mean() > 0.95
    assert (middle.max(-1) > 150).sum() > 100
