import io
import random
from contextlib import suppress

import numpy as np
import pytest
from PIL import Image

from schema.errors import PictureError
from schema.options import Options
from workers.core.letterbox import Letterbox
from workers.core.regions import Region, Square
from workers.media.history import DrawnPerson
from workers.media.limits import Limits
from workers.media.pixels import Still
from workers.media.stills import draw_still, kind_of_name, read_still

CORNER = np.zeros((40, 60, 3), np.uint8)
CORNER[:10, :15] = (255, 0, 0)


def stored(format_="JPEG", orientation=None, mode="RGB", **more):
    picture = Image.fromarray(CORNER).convert(mode)
    if orientation:
        exif = Image.Exif()
        exif[0x0112] = orientation
        more["exif"] = exif
    body = io.BytesIO()
    picture.save(body, format_, **more)
    return body.getvalue()


def red_corner(still):
    """Which corner is red: (bottom, right)."""
    corners = {(y, x): still.rgb[-1 if y else 0, -1 if x else 0, 0] for y in (0, 1) for x in (0, 1)}
    return max(corners, key=corners.get)


@pytest.mark.parametrize("format_", ["JPEG", "PNG", "WEBP"])
@pytest.mark.parametrize(
    ("orientation", "size", "corner"), [(1, (60, 40), (0, 0)), (3, (60, 40), (1, 1)), (6, (40, 60), (0, 1))]
)
def test_pictures_are_turned_as_their_exif_says(format_, orientation, size, corner):
    still = read_still(stored(format_, orientation))
    assert (still.width, still.height) == size
    assert red_corner(still) == corner


@pytest.mark.parametrize(("mode", "format_"), [("L", "PNG"), ("RGBA", "PNG"), ("P", "PNG"), ("CMYK", "JPEG")])
def test_every_kind_of_picture_becomes_rgb(mode, format_):
    assert read_still(stored(format_, mode=mode)).rgb.shape == (40, 60, 3)


def test_sixteen_bits_are_scaled_not_cut():
    body = io.BytesIO()
    Image.fromarray(np.linspace(0, 65535, 2400).reshape(40, 60).astype(np.uint16)).save(body, "PNG")
    rgb = read_still(body.getvalue()).rgb
    assert rgb[0, 0, 0] == 0
    assert 100 < rgb[20, 30, 0] < 160
    assert rgb[-1, -1, 0] == 255


@pytest.mark.parametrize(
    ("body", "message"),
    [
        (b"", "the file is empty"),
        (b"hello", "no picture of a known format"),
        (stored()[:400], "the picture is damaged"),
        (stored("PNG")[:-30], "the picture is damaged"),
    ],
    ids=["empty", "text", "cut off", "cut off png"],
)
def test_what_is_no_picture_says_why(body, message):
    with pytest.raises(PictureError, match=message):
        read_still(body)


@pytest.mark.parametrize("format_", ["JPEG", "PNG", "WEBP", "AVIF", "BMP", "TIFF", "GIF"])
def test_damaged_bytes_give_a_picture_or_say_why_not(format_):
    chance = random.Random(format_)
    whole = stored(format_, orientation=6 if format_ not in ("BMP", "GIF") else None)
    for _ in range(60):
        body = bytearray(whole[: chance.randint(1, len(whole))])
        for _ in range(chance.randint(0, 5)):
            body[chance.randrange(min(len(body), 400))] = chance.randrange(256)
        with suppress(PictureError):
            read_still(bytes(body))


def test_a_view_fills_its_letterbox_and_leaves_the_rest_black():
    box = Letterbox.fit(60, 40, 128)
    view = Still(np.full((40, 60, 3), 200, np.uint8)).view(Region(0, 0, 60, 40), box)
    assert view.shape == (box.padded_height, box.padded_width, 3)
    assert (view[: box.content_height, : box.content_width] == 200).all()
    assert not view[box.content_height :].any()


def test_a_crop_reaches_beyond_the_picture_and_may_be_mirrored():
    still = Still(CORNER)
    crop = still.crop(Square(-20, -20, 40), 40)
    assert not crop[:20].any()
    assert (crop[20:30, 20:35] == (255, 0, 0)).all()
    mirrored = still.crop(Square(-20, -20, 40, mirrored=True), 40)
    np.testing.assert_array_equal(mirrored, crop[:, ::-1])
    assert not still.crop(Square(500, 500, 20), 32).any()


@pytest.mark.parametrize(("style", "columns"), [("overlay", 1), ("side-by-side", 2)])
def test_a_drawn_picture_is_no_larger_than_is_allowed(style, columns, tmp_path):
    height, width = CORNER.shape[:2]
    allowed = Limits(pixels=2 * width * height)
    draw_still(Still(CORNER), [], Options(scale=4, style=(style,)), tmp_path / "a.png", allowed)
    with Image.open(tmp_path / "a.png") as drawn:
        assert drawn.width * drawn.height == pytest.approx(allowed.pixels, rel=0.1)
        assert drawn.width / columns / drawn.height == pytest.approx(width / height, rel=0.05)


def test_people_are_drawn_in_the_format_of_the_name(tmp_path):
    points = np.tile(np.array([30, 20, 0.9], np.float32), (17, 1))
    suffix, content_type = kind_of_name("a/b.PNG")
    assert (suffix, content_type) == (".png", "image/png")
    draw_still(Still(CORNER), [DrawnPerson(None, points, points[0])], Options(), tmp_path / f"a{suffix}")
    drawn = read_still((tmp_path / "a.png").read_bytes()).rgb
    assert (drawn[18:23, 28:33] != CORNER[18:23, 28:33]).any()
    np.testing.assert_array_equal(drawn[:8], CORNER[:8])
    assert kind_of_name("a.tiff") == (".jpg", "image/jpeg")
