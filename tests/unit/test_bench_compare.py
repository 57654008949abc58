"""Comparing two benchmark runs: slower machines and noise pass, what got slower does not."""

import subprocess
import sys

import numpy as np
import pytest

from tests.benchmarks.compare import changes
from tests.benchmarks.figures import Figures

STEADY = {"infer step": 100.0, "ideal infer, a thread per core": 104.0, "multiprocessing pool": 98.0}


def figures(seed, *, rounds=5, noise=0.01, machine=1.0, frames=5060, **slower):
    """A run whose rounds share the machine's pace; ``slower`` contenders do less by a factor."""
    random = np.random.default_rng(seed)
    pace = machine * random.uniform(0.7, 1.0, rounds)
    names = {name.replace(" ", "_"): name for name in STEADY}
    factors = {names[name]: factor for name, factor in slower.items()}
    rates = {
        name: list(factors.get(name, 1.0) * rate * pace * random.normal(1, noise, rounds))
        for name, rate in STEADY.items()
    }
    return Figures(frames, 2, rates)


def regressed(old, new):
    return {each.ratio.name for each in changes(old, new) if each.regressed}


@pytest.mark.parametrize("seed", range(20))
def test_noise_is_no_regression(seed):
    assert regressed(figures(seed), figures(1000 + seed)) == set()


def test_a_slower_machine_is_no_regression():
    assert regressed(figures(1), figures(2, machine=0.5)) == set()


@pytest.mark.parametrize("seed", range(20))
def test_what_got_a_tenth_slower_is_told(seed):
    worse = figures(1000 + seed, infer_step=0.9)
    assert regressed(figures(seed), worse) == {"infer step ÷ ideal infer", "infer step ÷ multiprocessing pool"}


def test_what_got_faster_is_no_regression():
    assert regressed(figures(1), figures(2, infer_step=1.2)) == set()


def test_a_small_change_is_none_however_sure():
    assert regressed(figures(1, rounds=40, noise=1e-4), figures(2, rounds=40, noise=1e-4, infer_step=0.99)) == set()


def test_of_two_shapes_of_the_ideal_the_faster_one_counts_in_each_round():
    rates = {
        "infer step": [10.0, 10.0],
        "ideal infer, a thread per core": [10.0, 20.0],
        "ideal infer, decoding ahead": [5.0, 40.0],
    }
    assert list(Figures(1, 2, rates).ratios().values()) == [[1.0, 0.25]]


@pytest.mark.parametrize(
    ("old", "new", "why"),
    [
        (figures(1), figures(2, rounds=4), "4 rounds"),
        (figures(1), figures(2, frames=1380), "1380"),
        (figures(1), Figures(5060, 2, {"whole job": [1.0] * 5}), "no ratio in common"),
    ],
)
def test_runs_that_do_not_compare_are_refused(old, new, why):
    with pytest.raises(ValueError, match=why):
        changes(old, new)


@pytest.mark.parametrize(("factor", "status"), [(1.0, 0), (0.8, 1)])
def test_the_exit_status_tells_a_regression(tmp_path, factor, status):
    figures(1).write(tmp_path / "old.json")
    figures(2, infer_step=factor).write(tmp_path / "new.json")
    assert compare(tmp_path / "old.json", tmp_path / "new.json").returncode == status


def test_a_file_that_holds_no_figures_is_refused(tmp_path):
    (tmp_path / "old.json").write_text("{}")
    done = compare(tmp_path / "old.json", tmp_path / "none.json")
    assert done.returncode == 2
    assert "cannot compare" in done.stderr


def compare(old, new):
    command = [sys.executable, "-m", "tests.benchmarks.compare", str(old), str(new)]
    return subprocess.run(command, capture_output=True, text=True, check=False)
