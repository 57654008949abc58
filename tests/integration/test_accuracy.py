"""Accuracy stays where it was measured: the command of ``make accuracy`` on real pictures."""

import json
import subprocess
import sys
from pathlib import Path

import pytest

from tests.support.media import shared

SMALL = Path(__file__).parents[1] / "media" / "coco"


def figures(folder, tmp_path, *names, every=1):
    out = tmp_path / "figures.json"
    command = [sys.executable, "-m", "tests.benchmarks.accuracy", folder, "--only", *names, "--json", out]
    command += ["--every", every]
    subprocess.run([str(part) for part in command], check=True, capture_output=True, timeout=280)
    return json.loads(out.read_text())


def test_the_small_set_gives_figures_that_make_sense(model, tmp_path):
    found = figures(SMALL, tmp_path, "fast", "balanced")
    assert list(found) == ["stock graph, 256", "fast", "balanced"]
    assert found["fast"]["AP"] >= 0.95 * found["stock graph, 256"]["AP"]
    assert found["balanced"]["AP"] >= 0.6
    assert all(figure["AP50"] >= figure["AP"] for figure in found.values())


@pytest.mark.media
def test_presets_keep_their_distance_from_the_stock_graph(model, tmp_path):
    found = figures(shared("coco"), tmp_path, "fast", "balanced", "best", every=2)
    stock = found["stock graph, 256"]
    assert found["fast"]["AP"] >= stock["AP"]
    assert found["balanced"]["AP"] >= 1.8 * stock["AP"]
    assert found["best"]["AP"] >= 1.85 * stock["AP"]
    assert found["best"]["AP medium"] >= 2.95 * stock["AP medium"]
