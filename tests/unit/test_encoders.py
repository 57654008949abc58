"""Which encoder a piece gets, and what a worker says that has none."""

import io
from pathlib import Path

import av
import pytest

from schema.errors import DeviceLost
from schema.options import Options
from workers.media.encoders import NVENC, SOFTWARE, encoder_for, open_encoder


@pytest.mark.parametrize(
    ("codec", "size", "on_gpu"),
    [
        ("h264", (1920, 1080), True),
        ("h264", (4096, 256), True),
        ("h264", (4098, 2160), False),
        ("hevc", (7680, 4320), True),
        ("av1", (8194, 1080), False),
        ("h264", (320, 254), False),
        ("hevc", (128, 720), False),
    ],
)
def test_what_nvenc_may_refuse_goes_to_the_cpu_on_every_worker(codec, size, on_gpu):
    options = Options(codec=codec)
    assert encoder_for(options, size, nvenc=True) == (NVENC if on_gpu else SOFTWARE)[codec]
    assert encoder_for(options, size, nvenc=False) == SOFTWARE[codec]


def opened(name: str, size: tuple[int, int]) -> None:
    with av.open(io.BytesIO(), "w", format="nut") as piece:
        video = piece.add_stream(name, rate=30)
        video.width, video.height = size
        video.pix_fmt = "yuv420p"
        open_encoder(video.codec_context)


@pytest.mark.skipif(Path("/dev/nvidiactl").exists(), reason="there may be an encoder")
@pytest.mark.parametrize("codec", sorted(NVENC))
def test_a_worker_without_an_encoder_gives_its_turn_to_others_and_says_what_to_do(codec):
    with pytest.raises(DeviceLost, match=rf"{codec}_nvenc does not open .* POSEFLEET_NVENC=0"):
        opened(NVENC[codec].name, (640, 480))


def test_what_the_cpu_refuses_is_no_matter_of_devices():
    with pytest.raises(av.FFmpegError, match="libx264"):
        opened("libx264", (641, 481))
