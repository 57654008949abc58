"""Make the clip in ``tests/media`` from the demo video of the PyPI package ``sports2d``.

Usage: python tests/support/make_media.py DEMO.mp4 tests/media/flip.mp4
"""

import sys
from fractions import Fraction
from typing import Any

import av

WIDTH, HEIGHT = 854, 480
ENCODER = {"crf": "27", "preset": "veryslow", "g": "60"}


def main(source: str, target: str) -> None:
    with av.open(source) as demo, av.open(target, "w", options={"movflags": "+faststart"}) as clip:
        picture, sound = demo.streams.video[0], demo.streams.audio[0]
        video: Any = clip.add_stream(
            "libx264", rate=Fraction(30), options={"crf": "27", "preset": "veryslow", "g": "60"}
        )
        video.width, video.height, video.pix_fmt = WIDTH, HEIGHT, "yuv420p"
        video.codec_context.time_base = picture.time_base
        audio = clip.add_stream_from_template(sound)
        for packet in demo.demux(picture, sound):
            if packet.stream is sound and packet.dts is not None:
                packet.stream = audio
                clip.mux(packet)
            elif packet.stream is picture:
                for frame in packet.decode():
                    small = frame.reformat(WIDTH, HEIGHT, "yuv420p")
                    small.pict_type = 0
                    clip.mux(video.encode(small))
        clip.mux(video.encode(None))


if __name__ == "__main__":
    main(*sys.argv[1:3])
