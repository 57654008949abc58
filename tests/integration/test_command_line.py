"""The command line as people use it, in processes of its own."""

import json
import os
import shutil
import signal
import subprocess
import sys
import time
from pathlib import Path

import pytest

from producer import Fleet
from producer.inputs import upload
from producer.stack.stack import Stack
from schema.settings import Settings
from tests.support.command import posefleet
from tests.support.media import CLIP, shared


@pytest.mark.stack
@pytest.mark.media
def test_good_videos_are_delivered_beside_bad_ones(stack: Stack, tmp_path: Path):
    given = tmp_path / "videos"
    given.mkdir()
    shutil.copy(shared("people/store-aisle-detection.mp4"), given / "aisle.mp4")
    shutil.copy(shared("awkward/empty_file.mp4"), given / "empty.mp4")
    shutil.copy(shared("awkward/audio_only.mp4"), given / "sound.mp4")
    shutil.copy(shared("awkward/truncated_no_moov.mp4"), given / "cut.mp4")
    (given / "cut.mov").write_text("just text\n")
    out = tmp_path / "out"
    done = posefleet("run", given, "s3://posefleet/missing.mp4", "--out", out, **data_of(stack))
    assert done.returncode == 1, done.stdout + done.stderr
    assert sorted(p.name for p in (out / "aisle").iterdir()) == [
        "annotated.mp4",
        "contact_sheet.jpg",
        "manifest.json",
        "poster.jpg",
        "preview.webp",
        "timeline.png",
        "tracks.parquet",
        "tracks_raw.parquet",
        "tracks_summary.csv",
    ]
    reasons = {
        folder.name: json.loads((folder / "manifest.json").read_text())["error"]
        for folder in out.iterdir()
        if folder.name != "aisle"
    }
    assert {name: error["reason"] for name, error in reasons.items()} == {
        "cut-mov": "not_a_video",
        "cut-mp4": "not_a_video",
        "empty": "empty_file",
        "missing": "source_missing",
        "sound": "no_video_stream",
    }
    assert "FAILED empty: the file is empty" in done.stdout
    assert "aisle: succeeded" in done.stdout


@pytest.mark.stack
def test_enqueue_status_results_cancel(stack: Stack, tmp_path: Path):
    where = data_of(stack)
    accepted = posefleet("enqueue", "--json", "s3://posefleet/not-there.mp4", **where)
    (entry,) = json.loads(accepted.stdout)
    assert accepted.returncode == 1
    assert f"job {entry['job_id']} has failed: there is no s3://posefleet/not-there.mp4" in accepted.stderr
    shown = posefleet("status", entry["job_id"], "--json", **where)
    assert json.loads(shown.stdout)[0]["state"] == "failed"
    watched = posefleet("watch", entry["job_id"], **where)
    assert watched.returncode == 1
    assert "there is no s3://posefleet/not-there.mp4" in watched.stdout
    fetched = posefleet("results", entry["job_id"], "--out", tmp_path / "r", **where)
    assert fetched.stdout.strip() == str(tmp_path / "r" / "manifest.json")
    cancelled = posefleet("cancel", entry["job_id"], **where)
    assert (cancelled.returncode, cancelled.stdout) == (1, f"job {entry['job_id']} had ended already\n")


@pytest.mark.stack
@pytest.mark.parametrize("more", [["--dry-run"], []], ids=["rehearsed", "for good"])
def test_a_list_with_a_wrong_line_says_which_and_takes_the_others(more: list[str], stack: Stack, tmp_path: Path):
    where = data_of(stack)
    uri = upload(Fleet(stack.addresses.settings(Settings.read())), CLIP)
    (tmp_path / "list.txt").write_bytes(f"{uri}\ns3://posefleet/gone.mp4\n".encode() + b"\xff\n")
    done = posefleet("enqueue", "--from", tmp_path / "list.txt", *more, **where)
    assert (done.returncode, done.stdout.splitlines()[0].partition(",")[0]) == (1, "1 video")
    assert [line.partition(":")[0] for line in done.stderr.splitlines()[-2:]] == [
        "there is no s3",
        "\ufffd is no video in object storage",
    ]


def data_of(stack: Stack) -> dict[str, str]:
    return stack.addresses.environment()


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        (["enqueue", "file.mp4"], "file.mp4 is no video in object storage: give s3://bucket/key"),
        (
            ["run", "nowhere.mp4", "--out", "o"],
            "nowhere.mp4 does not exist: give a video, a picture, a folder or s3://",
        ),
        (["run", CLIP, "--out", "o", "--input-size", "100"], "--input-size 100: a multiple of 32 from 128 to 768"),
        (["run", CLIP, "--out", "o", "--refine", "much"], "--refine much: off, lightning or thunder"),
        (["jobs"], "no stack is running in"),
    ],
    ids=["a path to enqueue", "a missing file", "a size out of range", "an unknown value", "no stack"],
)
def test_mistakes_are_one_clear_line(arguments, message, tmp_path, model):
    done = posefleet(*arguments, POSEFLEET_DATA_DIR=str(tmp_path), POSEFLEET_S3_ENDPOINT="", POSEFLEET_REDIS_URL="")
    assert done.returncode == 2
    assert done.stderr.startswith(f"posefleet: {message}")
    assert len(done.stderr.splitlines()) == 1


def test_an_unknown_model_names_the_known_ones_before_anything_starts(tmp_path, model):
    done = posefleet("run", CLIP, "--out", tmp_path / "o", "--model", "blazepose", POSEFLEET_DATA_DIR=str(tmp_path))
    assert done.returncode == 1
    known = "multipose-lightning, singlepose-lightning, singlepose-thunder"
    assert done.stderr.startswith(f"posefleet: unknown model blazepose: give {known}")
    assert not (tmp_path / "o").exists()
    assert "Redis" not in done.stdout


def test_a_setting_out_of_range_names_the_variable():
    done = posefleet("jobs", POSEFLEET_MODEL_BATCH="none")
    assert done.returncode == 2
    assert done.stderr.startswith("posefleet: POSEFLEET_MODEL_BATCH='none': Input should be a valid integer")


def test_a_server_that_does_not_come_up_says_why_and_leaves_nothing(tmp_path: Path, model):
    (tmp_path / "redis").mkdir()
    (tmp_path / "redis" / "appendonlydir").write_text("in the way")
    done = posefleet("run", CLIP, "--out", tmp_path / "o", POSEFLEET_DATA_DIR=str(tmp_path))
    assert done.returncode == 2
    assert "posefleet: redis ended with 1" in done.stderr
    assert "redis.log)" in done.stderr
    mine = f"--dir {tmp_path}".encode()
    assert not [p for p in Path("/proc").glob("[0-9]*/cmdline") if mine in read(p).replace(b"\0", b" ")]


@pytest.mark.stack
@pytest.mark.parametrize("interrupts", [1, 2], ids=["Ctrl-C", "Ctrl-C twice"])
def test_up_runs_until_it_is_interrupted_and_leaves_nothing(interrupts: int, tmp_path: Path, model):
    environment = {**os.environ, "POSEFLEET_DATA_DIR": str(tmp_path), "PYTHONUNBUFFERED": "1"}
    command = [sys.executable, "-m", "producer", "up"]
    with subprocess.Popen(command, stdout=subprocess.PIPE, text=True, env=environment) as up:
        assert up.stdout is not None
        lines = []
        while not lines or not lines[-1].startswith("posefleet is up"):
            lines.append(up.stdout.readline())
            assert lines[-1], lines
        shown = {line.split()[0]: line.split()[1] for line in lines}
        assert {"Redis", "S3", "Flower", "data", "cache"} <= set(shown)
        for _ in range(interrupts):
            up.send_signal(signal.SIGINT)
            time.sleep(0.3)
        assert up.wait(40) == (0 if interrupts == 1 else 130)
    assert not (tmp_path / "stack.json").exists()
    mine = str(tmp_path).encode()
    assert not [p for p in Path("/proc").glob("[0-9]*/environ") if mine in read(p)]


def read(path: Path) -> bytes:
    try:
        return path.read_bytes()
    except OSError:
        return b""


def test_up_starts_again_what_ends_by_itself(tmp_path: Path, model):
    environment = {**os.environ, "POSEFLEET_DATA_DIR": str(tmp_path), "PYTHONUNBUFFERED": "1"}
    command = [sys.executable, "-m", "producer", "up"]
    with subprocess.Popen(command, stdout=subprocess.PIPE, text=True, env=environment) as up:
        assert up.stdout is not None
        while not up.stdout.readline().startswith("posefleet is up"):
            assert up.poll() is None
        mine = str(tmp_path).encode()
        processes = [path for path in Path("/proc").glob("[0-9]*") if mine in read(path / "environ")]
        worker = min(int(path.name) for path in processes if b"infer@" in read(path / "cmdline"))
        os.kill(worker, signal.SIGKILL)
        assert up.stdout.readline() == "infer had ended and was started again; its log says why\n"
        up.send_signal(signal.SIGINT)
        assert up.wait(60) == 0
    assert not [p for p in Path("/proc").glob("[0-9]*/environ") if mine in read(p)]
