"""Files that probes look at, and losses that end a worker."""

import os
import subprocess
import time
from pathlib import Path
from unittest.mock import Mock

import pytest
from billiard.exceptions import WorkerLostError

from schema.settings import Settings
from workers import ready
from workers.requests import MOST, FleetRequest, Losses


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


@pytest.mark.parametrize(("status", "ends"), [("exitcode 71", True), ("signal 9 (SIGKILL)", False)])
def test_a_lost_device_counts_though_one_task_sees_it_each_time(status: str, ends: bool):
    losses, lost = Losses(), WorkerLostError(f"Worker exited prematurely: {status} Job: 2.")
    requests = [Mock(id="infer-job-1", _context=Mock(retries=number)) for number in range(MOST)]
    found = [losses.note(FleetRequest._blamed(each, lost), 0.0) for each in requests]
    assert found == [False] * (MOST - 1) + [ends]


def test_a_success_between_counts():
    losses = Losses()
    for number in range(3 * MOST):
        assert not losses.note(f"infer-job-{number}", time.monotonic())
