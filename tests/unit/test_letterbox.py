import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from workers.core.letterbox import Letterbox

SIDES = st.integers(1, 8000)


@given(SIDES, SIDES, st.sampled_from([128, 256, 512]))
def test_the_picture_fits_and_the_input_is_a_multiple_of_32(width, height, size):
    box = Letterbox.fit(width, height, size)
    assert max(box.content_width, box.content_height) == size
    assert box.padded_width % 32 == box.padded_height % 32 == 0
    assert 0 <= box.padded_width - box.content_width < 32
    assert 0 <= box.padded_height - box.content_height < 32


@given(SIDES, SIDES, st.floats(0, 1, width=32), st.floats(0, 1, width=32))
def test_mapping_there_and_back_is_exact(width, height, across, down):
    box = Letterbox.fit(width, height, 256)
    pixels = np.array([[across * width, down * height]], np.float32)
    back = box.to_picture(box.to_model(pixels))
    np.testing.assert_allclose(back, pixels, atol=max(width, height) * 1e-5)


def test_the_centre_of_the_content_is_the_centre_of_the_picture():
    box = Letterbox.fit(1768, 994, 256)
    assert (box.content_width, box.content_height, box.padded_height) == (256, 144, 160)
    centre = box.to_picture(np.array([72 / 160, 0.5], np.float32))
    np.testing.assert_allclose(centre, [1768 / 2 - 0.5, 994 / 2 - 0.5], atol=1e-3)


@pytest.mark.parametrize("arguments", [(0, 5, 256), (5, 0, 256), (5, 5, 100), (5, 5, 0)])
def test_sizes_out_of_range_are_mistakes(arguments):
    with pytest.raises(ValueError, match="cannot fit"):
        Letterbox.fit(*arguments)
