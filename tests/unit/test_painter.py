"""What each style does to the picture, and what it leaves alone."""

import av
import numpy as np
import pytest

from schema.errors import ConfigurationError
from schema.options import Options
from schema.plan import Stream
from schema.styles import STYLES
from tests.support.people import person_at
from workers.media.annotator import Annotator
from workers.media.canvas import Canvas
from workers.media.frames import ShownFrame
from workers.media.history import HEAT_S, DrawnPerson
from workers.media.painter import SIDE_RGB, Painter, head_of, person_rgb

WIDTH, HEIGHT, RATE = 640, 360, 30
RNG = np.random.default_rng(5)
NOISE = RNG.integers(60, 200, (HEIGHT, WIDTH, 3), np.uint8)
BLANK = np.full((HEIGHT, WIDTH, 3), 128, np.uint8)
STREAM = Stream(
    index=0,
    codec="h264",
    container="mov,mp4",
    coded_width=WIDTH,
    coded_height=HEIGHT,
    display_width=WIDTH,
    display_height=HEIGHT,
    rotation=0,
    sample_aspect_ratio="1:1",
    time_base="1/30",
    frames=100,
    duration_s=100 / 30,
    variable_frame_rate=False,
    frame_rate=RATE,
    has_audio=False,
)


def person(x=200.0, y=60.0, track_id=1, score=0.9, size=2.0):
    found = person_at(0, 0, score=score)
    points = found.keypoints[0].copy()
    points[:, :2] = points[:, :2] * size + (x, y)
    points[:, 2] = score
    return DrawnPerson(track_id, points, np.asarray(found.boxes[0] * size + (x, y, 0, 0), np.float32))


def painted(picture, people, *styles, history=None):
    painter = Painter(frozenset(styles))
    planes = [np.tile(picture[..., channel], (1, painter.columns)) for channel in range(3)]
    painter.paint(Canvas.rgb(planes), people, history)
    return np.stack(planes, -1)


def changed(before, after):
    return (before.astype(int) != after).any(-1)


def near(one, margin=40):
    x, y, across, down = one.box.astype(int)
    mask = np.zeros((HEIGHT, WIDTH), bool)
    mask[max(0, y - margin) : y + down + margin, max(0, x - margin) : x + across + margin] = True
    return mask


def has(picture, rgb):
    return (np.abs(picture.astype(int) - rgb).max(-1) <= 12).sum()


def test_the_skeleton_tells_the_sides_and_stays_on_the_person():
    one = person()
    made = painted(BLANK, [one], "overlay")
    assert all(has(made, colour) > 30 for colour in SIDE_RGB.values())
    assert has(made, person_rgb(1)) > 60
    assert not changed(BLANK, made)[~near(one)].any()


def test_a_track_keeps_its_colour_and_others_have_another():
    made = painted(BLANK, [person(track_id=3)], "boxes")
    assert has(made, person_rgb(3)) > 200
    assert person_rgb(3) != person_rgb(4)


def test_the_less_sure_the_fainter():
    sure, unsure = (painted(BLANK, [person(score=score)], "overlay") for score in (0.9, 0.25))
    distance = [np.abs(made.astype(int) - 128).sum() for made in (sure, unsure)]
    assert distance[1] < 0.75 * distance[0]
    assert not changed(BLANK, painted(BLANK, [person(track_id=None, score=0.1)], "overlay")).any()


def test_black_leaves_no_pixel_of_the_source():
    first, second = (painted(picture, [person()], "black") for picture in (NOISE, BLANK))
    np.testing.assert_array_equal(first, second)
    assert (first.max(-1) == 0).mean() > 0.8


def test_side_by_side_keeps_the_source_on_the_left():
    made = painted(NOISE, [person()], "side-by-side")
    assert made.shape == (HEIGHT, 2 * WIDTH, 3)
    np.testing.assert_array_equal(made[:, :WIDTH], NOISE)
    np.testing.assert_array_equal(made[:, WIDTH:], painted(NOISE, [person()], "overlay"))


def detail(picture):
    return np.abs(np.diff(picture.astype(int), axis=1)).mean()


@pytest.mark.parametrize("style", ["blur-faces", "pixelate-people"])
def test_privacy_takes_the_detail_away_and_nothing_else(style):
    one = person()
    made = painted(NOISE, [one], style)
    head = head_of(one)
    inside = np.s_[head.top + 12 : head.bottom - 12, head.left + 8 : head.right - 8]
    assert detail(made[inside]) < 0.35 * detail(NOISE[inside])
    assert not changed(NOISE, made)[~near(one)].any()
    both = painted(NOISE, [one], style, "side-by-side")
    assert detail(both[:, :WIDTH][inside]) < 0.35 * detail(NOISE[inside])


def test_a_face_that_is_turned_away_is_found_by_the_shoulders():
    one = person()
    hidden = one.keypoints.copy()
    hidden[:5] = (np.nan, np.nan, 0)
    away = head_of(DrawnPerson(1, hidden, one.box))
    nose = one.keypoints[0]
    assert away.left < nose[0] < away.right
    assert away.top < nose[1] < away.bottom
    alone = head_of(DrawnPerson(1, np.full((17, 3), np.nan, np.float32), one.box))
    assert alone.top < one.box[1] + 0.2 * one.box[3]


def test_angles_are_written_beside_the_joints():
    one = person(size=3.0, y=20.0)
    plain, written = (painted(BLANK, [one], style) for style in ("overlay", "angles"))
    assert changed(plain, written).sum() > 200
    assert not changed(plain, written)[~near(one, 80)].any()


def walk(frames):
    return [[person(x=40.0 + 4 * number)] for number in range(frames)]


def frames_of(people, style, scale=1.0, first=0, past=()):
    annotator = Annotator(STREAM, Options.checked(style=style, scale=scale), past)
    grey = av.VideoFrame.from_ndarray(BLANK, format="rgb24").reformat(format="yuv420p")
    return [
        annotator.draw(ShownFrame(first + number, grey), some).to_ndarray(format="yuv420p")
        for number, some in enumerate(people)
    ]


@pytest.mark.parametrize("style", ["trails", "heatmap"])
def test_what_was_before_shows_wherever_the_video_is_cut(style):
    people = walk(100)
    whole = frames_of(people, style)
    past = [(number / RATE, people[number]) for number in range(60)]
    np.testing.assert_allclose(frames_of(people[60:], style, first=60, past=past), whole[60:], atol=1)
    behind = np.s_[150:220, 100:150]
    assert np.abs(whole[90][behind].astype(int) - whole[0][behind]).max() > 10


def test_trails_and_heat_fade():
    people = [*walk(10), *[[]] * int((HEAT_S + 1) * RATE)]
    for style in ("trails", "heatmap"):
        last = frames_of(people, style)[-1]
        assert np.abs(last.astype(int) - frames_of([[]], style)[0]).max() <= 1


@pytest.mark.parametrize("style", STYLES)
@pytest.mark.parametrize("scale", [0.05, 0.37, 1.0, 1.5])
def test_any_person_can_be_drawn(style, scale):
    lost = DrawnPerson(2, np.full((17, 3), np.nan, np.float32), np.zeros(4, np.float32))
    people = [
        person(x=-500),
        person(y=5000, track_id=9),
        lost,
        person(x=600, y=300),
        person(size=0.01),
        person(size=40),
    ]
    (made,) = frames_of([people], style, scale)
    columns = 2 if style == "side-by-side" else 1
    assert made.shape == (round(HEIGHT * scale) // 2 * 3, round(WIDTH * scale) // 2 * 2 * columns)


def test_styles_go_together_and_wrong_ones_are_named():
    assert Options.checked(style="overlay,trails,blur-faces").style == ("overlay", "trails", "blur-faces")
    with pytest.raises(ConfigurationError, match="--style overlay,sparkle: overlay, black"):
        Options.checked(style="overlay,sparkle")
    with pytest.raises(ConfigurationError, match="--codec mpeg1: h264, hevc, av1"):
        Options.checked(codec="mpeg1")
    with pytest.raises(ConfigurationError, match="--scale 9"):
        Options.checked(scale=9)


def test_people_who_leave_the_picture_are_pixelated_as_coarsely():
    (inside, leaving) = (painted(NOISE, [person(x=x, y=20)], "pixelate-people") for x in (300.0, -20.0))
    assert detail(leaving[100:300, :40]) < 1.5 * detail(inside[100:300, 280:340])


@pytest.mark.parametrize(("codec", "crf"), [("h264", 52), ("hevc", 60), ("av1", 64)])
def test_a_crf_beyond_the_codec_is_refused(codec, crf):
    with pytest.raises(ConfigurationError, match=f"--crf {crf}: 0 to 51, with av1 to 63"):
        Options.checked(codec=codec, crf=crf)
    assert Options.checked(codec="av1", crf=60).crf == 60
