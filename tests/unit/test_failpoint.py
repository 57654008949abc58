"""Failpoints: nothing without the variable, and exactly what it says with it."""

import os
import signal
import subprocess
import sys

import pytest

from schema.errors import TransientError
from schema.failpoint import FOLDER, NOTES, WHERE, hit

KEY = "jobs/j/poses/00000040-00000060.npz"


@pytest.fixture
def points(monkeypatch, tmp_path):
    monkeypatch.setenv(FOLDER, str(tmp_path))

    def use(text):
        monkeypatch.setenv(WHERE, text)
        return tmp_path

    return use


def test_nothing_happens_without_the_variable(monkeypatch):
    monkeypatch.delenv(WHERE, raising=False)
    hit("infer.start", KEY)


def test_an_error_is_raised_at_its_place_only(points):
    points("infer.before_put=raise:TransientError")
    hit("infer.start", KEY)
    with pytest.raises(TransientError, match=r"failpoint infer\.before_put"):
        hit("infer.before_put", KEY)


def test_a_place_may_be_narrowed_to_a_part_of_a_key(points):
    points("infer.start=raise:TransientError@00000040")
    hit("infer.start", "jobs/j/poses/00000020-00000040.npz")
    hit("infer.start", "j/00000020-00000040")
    with pytest.raises(TransientError):
        hit("infer.start", KEY)
    with pytest.raises(TransientError):
        hit("infer.start", "00000040-00000060")


def test_only_the_first_times_count(points):
    points("infer.start=raise:TransientError*2")
    for _ in range(2):
        with pytest.raises(TransientError):
            hit("infer.start", KEY)
    hit("infer.start", KEY)


def test_notes_say_who_was_where(points):
    folder = points("infer.start=note;infer.start=note@00000099")
    hit("infer.start", KEY)
    (line,) = (folder / NOTES).read_text().splitlines()
    assert line.split()[1:] == [str(os.getpid()), "infer.start", KEY]


def test_points_in_a_file_can_be_changed_on_the_way(points, tmp_path):
    path = tmp_path / "points"
    points(f"file:{path}")
    hit("infer.start", KEY)
    path.write_text("infer.start=raise:TransientError")
    with pytest.raises(TransientError):
        hit("infer.start", KEY)


@pytest.mark.parametrize(("action", "number"), [("kill", signal.SIGKILL), ("abort", signal.SIGABRT)])
def test_a_process_ends_itself(action, number, tmp_path):
    environment = {**os.environ, WHERE: f"here={action}", FOLDER: str(tmp_path)}
    code = "from schema.failpoint import hit; hit('here')"
    assert subprocess.run([sys.executable, "-c", code], env=environment, check=False).returncode == -number


@pytest.mark.parametrize("text", ["infer.start", "infer.start=explode", "=kill*x"])
def test_what_is_no_failpoint_is_an_error(points, text):
    points(text)
    with pytest.raises(ValueError, match=r"failpoint|invalid literal"):
        hit("infer.start", KEY)
