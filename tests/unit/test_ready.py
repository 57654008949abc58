"""Files that probes look at, and losses that end a worker."""

import os
import subprocess
import time
from pathlib import Path

import pytest

from schema.settings import Settings
from workers import ready
from workers.requests import MOST, Losses


@pytest.fixture
def folder(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    settings = Settings(ready_dir=tmp_path / "ready")
    monkeypatch.setattr(ready, "current", lambda: settings)
    monkeypatch.setattr(ready, "_last_beat_s", 0.0)
    return tmp_path / "ready"


def test_a_beat_takes_back_what_the_dead_have_said(folder: Path):
    with subprocess.Popen(["true"]) as gone:
        pass
    for name in ("consuming", f"warm-{gone.pid}", f"process-{gone.pid}", f"warm-{os.getpid()}"):
        ready.touch(name)
    ready.beat_for_processes()
    assert sorted(path.name for path in folder.iterdir()) == ["consuming", "heartbeat", f"warm-{os.getpid()}"]


def test_beats_that_follow_fast_are_left_out(folder: Path):
    ready.beat()
    os.utime(folder / "heartbeat", (1, 1))
    ready.beat()
    assert (folder / "heartbeat").stat().st_mtime == 1


def test_who_takes_no_more_is_not_ready(folder: Path):
    ready.touch("consuming")
    ready.unready()
    ready.unready()
    assert not (folder / "consuming").exists()


def test_different_tasks_in_a_row_are_too_many():
    losses = Losses()
    assert [losses.note(f"infer-job-{number}", 0.0) for number in range(MOST)] == [False] * (MOST - 1) + [True]


def test_one_task_that_kills_every_process_is_at_fault_itself():
    losses = Losses()
    assert not any(losses.note("infer-job-1", 0.0) for _ in range(3 * MOST))


def test_a_success_between_counts():
    losses = Losses()
    for number in range(3 * MOST):
        assert not losses.note(f"infer-job-{number}", time.monotonic())
