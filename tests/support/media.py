"""Where test videos are, and a file on disk as the object store that readers expect."""

import os
from pathlib import Path

import av
import numpy as np
import pytest

from workers.storage.port import ObjectInfo
from workers.storage.ranged import RangedFile

CLIP = Path(__file__).parents[1] / "media" / "flip.mp4"
SHARED = Path(os.environ.get("POSEFLEET_TEST_MEDIA", Path(__file__).parents[3] / "shared" / "media"))


def shared(name: str) -> Path:
    """A file of the larger media folder; skips where the folder is not, fails where it must be."""
    path = SHARED / name
    if not path.exists():
        if os.environ.get("POSEFLEET_TEST_REQUIRE_ALL"):
            pytest.fail(f"{path} is missing")
        pytest.skip(f"{path} is missing")
    return path


class Disk:
    """Just enough of an object store to read files."""

    def get_range(self, source: ObjectInfo, start: int, stop: int) -> bytes:
        with open(source.key, "rb") as stream:
            stream.seek(start)
            return stream.read(stop - start)


def ranged(path: Path) -> RangedFile:
    """``path`` as the readers see an object in storage."""
    return RangedFile(Disk(), ObjectInfo("", str(path), "", path.stat().st_size))  # type: ignore[arg-type]


def beginning(source: Path, target: Path, frames: int, times: int = 1) -> Path:
    """The first ``frames`` pictures of a video without its sound, ``times`` times over; they end before a key frame."""
    with av.open(str(source)) as container, av.open(str(target), "w") as output:
        video = container.streams.video[0]
        copy = output.add_stream_from_template(video)
        packets = [packet for packet in container.demux(video) if packet.size][:frames]
        duration = sum(packet.duration for packet in packets)
        for packet in packets * times:
            packet.stream = copy
        for number in range(times):
            for packet in packets:
                packet.pts, packet.dts = packet.pts + bool(number) * duration, packet.dts + bool(number) * duration
                output.mux(packet)
    return target


def tiny(target: Path, frames: int, key_every: int) -> Path:
    """A grey video of 64 x 64 pixels, 30 frames a second: some 25 bytes a frame."""
    with av.open(str(target), "w") as output:
        stream = output.add_stream("libx264", rate=30, options={"preset": "ultrafast", "g": str(key_every), "bf": "0"})
        stream.width, stream.height, stream.pix_fmt = 64, 64, "yuv420p"
        for number in range(frames):
            picture = av.VideoFrame.from_ndarray(np.full((96, 64), 128, np.uint8), "yuv420p")
            picture.pts = number
            output.mux(stream.encode(picture))
        output.mux(stream.encode(None))
    return target
