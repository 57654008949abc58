"""``posefleet inspect`` on real pictures and frames."""

import subprocess
import sys

import numpy as np
import pytest
from PIL import Image

from tests.support.media import CLIP


def inspect(*arguments):
    command = [sys.executable, "-m", "producer", "inspect", *map(str, arguments)]
    return subprocess.run(command, capture_output=True, text=True, check=False)


def test_the_figure_shows_four_panels_of_a_video_frame(model, tmp_path):
    out = tmp_path / "new" / "inspect.png"
    done = inspect(f"{CLIP}@2", "--out", out, "--quality", "balanced")
    assert done.returncode == 0, done.stderr
    assert "2 people" in done.stdout
    figure = np.asarray(Image.open(out))
    height, width = figure.shape[0] // 2, figure.shape[1] // 2
    panels = [figure[y : y + height, x : x + width] for y in (0, height) for x in (0, width)]
    assert len({panel.tobytes() for panel in panels}) == 4
    colourful = [(np.ptp(panel[50:].astype(int), axis=-1) > 120).mean() for panel in panels[1:3]]
    assert all(0.0003 < share < 0.2 for share in colourful)


def test_a_picture_with_a_preset(model, tmp_path):
    picture = tmp_path / "a.png"
    Image.fromarray(np.full((300, 400, 3), 90, np.uint8)).save(picture)
    done = inspect(picture, "--out", tmp_path / "b.jpg", "--quality", "balanced")
    assert done.returncode == 0, done.stderr
    assert "0 people" in done.stdout


@pytest.mark.parametrize(
    ("what", "out", "message"),
    [
        (f"{CLIP}@99", "a.png", "ends at 7.67 s"),
        (f"{CLIP}@soon", "a.png", "@soon is no time"),
        (str(CLIP), "a.png", "say which frame"),
        ("gone.jpg", "a.png", "gone.jpg does not exist"),
        (f"{CLIP}@1", "a.txt", "give a file that ends in .png"),
    ],
)
def test_what_cannot_be_shown_says_why(model, tmp_path, what, out, message):
    done = inspect(what, "--out", tmp_path / out)
    assert done.returncode in (1, 2)
    assert message in done.stderr
    assert not (tmp_path / out).exists()
