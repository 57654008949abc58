"""Tracks from the fleet: formats, kinematics, shots, and that neither cut nor workers show in them."""

import json
from fractions import Fraction
from pathlib import Path

import av
import numpy as np
import pandas as pd
import pyarrow as pa
import pytest

from producer import Fleet
from producer.inputs import upload
from producer.stack.stack import Stack
from schema.errors import ConfigurationError
from schema.formats import FORMATS
from schema.manifest import State
from schema.options import Options
from tests.support.command import posefleet
from tests.support.media import CLIP, shared

pytestmark = pytest.mark.stack
WAIT_S = 150


def done(fleet: Fleet, path: Path, options: Options | None = None, **more):
    job = fleet.enqueue(upload(fleet, path), options or Options(render=False), force=True, **more)
    status = job.wait(WAIT_S)
    assert status.state is State.SUCCEEDED, status.error
    return job, status.manifest


def test_every_format_and_the_kinematics_are_results(fleet: Fleet, tmp_path: Path):
    options = Options.checked(formats=",".join(FORMATS), kinematics=True, repetitions="left_knee", render=False)
    job, manifest = done(fleet, CLIP, options)
    fetched = {path.relative_to(tmp_path).as_posix() for path in job.fetch(tmp_path)}
    assert {"openpose", "openpose-coco18", "trc", "mot"} < fetched
    assert {"flip.analysis.h5", "flip_deeplabcut.h5", "tracks.csv", "keypoints_coco.json"} < fetched
    assert {"angles.parquet", "angles.csv", "angles/angles-001.png", "timeline.png", "tracks_summary.csv"} < fetched
    assert len(list((tmp_path / "openpose").iterdir())) == manifest.frames == 230
    tracks, raw = job.tracks().to_pandas(), job.tracks(raw=True).to_pandas()
    summary = pd.read_csv(tmp_path / "tracks_summary.csv")
    assert summary["track_id"].tolist() == [each.track_id for each in manifest.tracks] == [1, 2]
    assert summary["frames"].sum() == len(raw) == (~tracks["interpolated"]).sum()
    assert summary["repetitions"].notna().all()
    angles = job.angles().to_pandas()
    assert len(angles) == len(tracks) == len(pd.read_csv(tmp_path / "tracks.csv"))
    assert angles["left_knee"].dropna().between(0, 180).all()
    assert not list(tmp_path.glob("*.zip"))


@pytest.mark.parametrize("batch_frames", [1, 7, 64, 1000])
def test_batches_do_not_show_in_the_tracks(fleet: Fleet, tmp_path: Path, batch_frames: int, whole: pa.Table):
    clip = shortened(CLIP, tmp_path / "short.mp4", frames=40)
    job, _ = done(fleet, clip, batch_frames=batch_frames)
    assert job.tracks().equals(whole)


@pytest.fixture(scope="module")
def whole(fleet: Fleet, tmp_path_factory: pytest.TempPathFactory) -> pa.Table:
    """The tracks of the shortened clip in one batch, by one worker."""
    folder = tmp_path_factory.mktemp("whole")
    job, _ = done(fleet, shortened(CLIP, folder / "short.mp4", frames=40), batch_frames=1000)
    return job.tracks()


def test_more_workers_do_not_show_in_the_tracks(fleet: Fleet, stack: Stack, tmp_path: Path, whole: pa.Table):
    more = [stack.add_worker(f"more-{number}", "infer", 1, model=True) for number in range(2)]
    try:
        clip = shortened(CLIP, tmp_path / "short.mp4", frames=40)
        job, _ = done(fleet, clip, batch_frames=5)
        assert job.tracks().equals(whole)
    finally:
        for child in more:
            child.ask_to_stop()
            child.stop()
            stack.forget(child)


@pytest.mark.media
def test_no_track_goes_across_a_cut_of_a_real_video(fleet: Fleet, tmp_path: Path):
    cut = tmp_path / "cut.mp4"
    joined([CLIP, shared("people/classroom.mp4"), CLIP], cut, frames=45)
    job, manifest = done(fleet, cut, batch_frames=30)
    assert manifest.shots == (45, 90)
    tracks = job.tracks().to_pandas()
    shots = np.searchsorted(manifest.shots, tracks["frame_index"], side="right")
    assert len(set(shots)) == 3
    assert (pd.Series(shots).groupby(tracks["track_id"].to_numpy()).nunique() == 1).all()


def test_results_that_are_not_there_say_why(fleet: Fleet, tmp_path: Path):
    broken = tmp_path / "broken.mp4"
    broken.write_bytes(b"")
    job = fleet.enqueue(upload(fleet, broken))
    job.wait(WAIT_S)
    with pytest.raises(ConfigurationError, match=r"has no tracks\.parquet: the file is empty"):
        job.tracks()


def test_export_and_track_on_the_command_line(fleet: Fleet, stack: Stack, tmp_path: Path):
    job, _ = done(fleet, CLIP)
    data = stack.addresses.environment()
    out = posefleet("export", job.job_id, "--out", tmp_path / "e", "--format", "openpose", "--format", "coco", **data)
    assert out.returncode == 0, out.stderr
    assert len(list((tmp_path / "e" / "openpose").iterdir())) == 230
    for given in ("openpose", "keypoints_coco.json"):
        again = posefleet(
            "track", tmp_path / "e" / given, "--video", CLIP, "--out", tmp_path / given, "--format", "csv"
        )
        assert again.returncode == 0, again.stderr
        tracks = pd.read_csv(tmp_path / given / "tracks.csv")
        assert set(tracks["track_id"]) == {1, 2}
        with av.open(str(tmp_path / given / "annotated.mp4")) as video:
            assert sum(1 for _ in video.decode(video=0)) == 230
            assert len(video.streams.audio) == 1
    wrong = posefleet("export", tmp_path / "no.parquet", "--out", tmp_path, "--format", "coco")
    assert wrong.returncode == 2
    assert "does not exist" in wrong.stderr


def test_a_notebook_shows_a_progress_bar(fleet: Fleet, stack: Stack, tmp_path: Path):
    nbclient, nbformat = pytest.importorskip("nbclient"), pytest.importorskip("nbformat")
    uri = upload(fleet, CLIP)
    code = (
        f"from producer import Fleet\njob = Fleet().enqueue({uri!r}, force=True)\n"
        "print(job.wait().state)\nprint(len(job.tracks().to_pandas()))"
    )
    notebook = nbformat.v4.new_notebook(cells=[nbformat.v4.new_code_cell(code)])
    with pytest.MonkeyPatch.context() as patch:
        for name, value in stack.addresses.environment().items():
            patch.setenv(name, value)
        nbclient.NotebookClient(notebook, timeout=WAIT_S, kernel_name="python3").execute()
    outputs = notebook.cells[0].outputs
    said = "".join(one.text for one in outputs if one.output_type == "stream" and one.name == "stdout")
    assert said.startswith("succeeded\n")
    assert any("application/vnd.jupyter.widget-view+json" in one.get("data", {}) for one in outputs)


def shortened(source: Path, target: Path, frames: int) -> Path:
    """The first ``frames`` of a video, as one file that is the same every time."""
    joined([source], target, frames)
    return target


def joined(sources: list[Path], target: Path, frames: int) -> None:
    """The first ``frames`` of each of ``sources``, one after the other, at 30 frames per second."""
    with av.open(str(target), "w") as output:
        stream = output.add_stream("libx264", rate=30, options={"preset": "ultrafast", "threads": "1"})
        stream.width, stream.height, stream.pix_fmt = 640, 360, "yuv420p"
        stream.codec_context.time_base = Fraction(1, 30)
        index = 0
        for source in sources:
            with av.open(str(source)) as container:
                for frame, _ in zip(container.decode(video=0), range(frames), strict=False):
                    scaled = frame.reformat(640, 360, "yuv420p")
                    scaled.pts, scaled.time_base = index, Fraction(1, 30)
                    output.mux(stream.encode(scaled))
                    index += 1
        output.mux(stream.encode(None))


def test_the_manifest_lists_the_quality_of_every_track(fleet: Fleet):
    _, manifest = done(fleet, CLIP)
    body = json.loads(manifest.to_json())
    assert [each["track_id"] for each in body["tracks"]] == [1, 2]
    for each in body["tracks"]:
        assert each["frames"] > 50
        assert 0 < each["jitter_share"] < 0.2
        assert each["likely_swaps"] == 0
    assert body["shots"] == []
