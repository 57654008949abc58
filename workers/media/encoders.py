"""Which encoder writes annotated videos, and with which settings."""

from fractions import Fraction
from typing import Any, NamedTuple

import av
from av.video.frame import VideoFrame
from av.video.reformatter import ColorRange

from schema.errors import DeviceLost
from schema.options import Options
from schema.plan import Stream

#: Audio that every browser plays from an MP4; anything else becomes AAC.
COPIED_AUDIO = frozenset({"aac", "mp3", "opus", "flac"})


class Encoder(NamedTuple):
    """An encoder of FFmpeg's, which decodes in the order of display: no B-frames."""

    name: str
    tag: str
    """Sample entry of the MP4."""
    quality: str
    """Name of the option that takes the quality."""
    crf: int
    """Its default."""
    options: dict[str, str]


#: superfast is where size and time meet: see `make bench-render`.
SOFTWARE = {
    "h264": Encoder("libx264", "avc1", "crf", 23, {"preset": "superfast", "bf": "0", "threads": "1"}),
    "hevc": Encoder(
        "libx265",
        "hvc1",
        "crf",
        26,
        {"preset": "superfast", "x265-params": "bframes=0:pools=none:frame-threads=1:log-level=none"},
    ),
    "av1": Encoder("libsvtav1", "av01", "crf", 35, {"preset": "10", "svtav1-params": "lp=1:pred-struct=1"}),
}
NVENC = {
    codec: Encoder(name, SOFTWARE[codec].tag, "cq", crf, {"preset": "p4", "rc": "vbr", "bf": "0", "b_ref_mode": "0"})
    for codec, name, crf in (("h264", "h264_nvenc", 23), ("hevc", "hevc_nvenc", 26), ("av1", "av1_nvenc", 35))
}


#: Sides that NVENC takes on every GPU that has it.
_NVENC_LEAST, _NVENC_MOST = 256, {"h264": 4096, "hevc": 8192, "av1": 8192}


def encoder_for(options: Options, size: tuple[int, int], *, nvenc: bool) -> Encoder:
    """The encoder of ``options.codec``.

    Args:
        options: of the job.
        size: width and height in pixels; what NVENC may refuse goes to the CPU, whichever worker has it.
        nvenc: use the GPU's; all pieces of a video have to come from the same kind.
    """
    fits = min(size) >= _NVENC_LEAST and max(size) <= _NVENC_MOST[options.codec]
    return (NVENC if nvenc and fits else SOFTWARE)[options.codec]


def add_video(piece: Any, stream: Stream, options: Options, size: tuple[int, int], *, nvenc: bool) -> Any:
    """Add the video stream of a piece to its container, on the source's time base."""
    encoder = encoder_for(options, size, nvenc=nvenc)
    quality = encoder.crf if options.crf is None else options.crf
    settings = {**encoder.options, encoder.quality: str(quality)}
    video = piece.add_stream(encoder.name, rate=_rate(stream), options=settings)
    video.width, video.height = size
    video.pix_fmt = "yuv420p"
    video.codec_context.time_base = video.time_base = Fraction(stream.time_base)
    return video


def open_encoder(context: Any) -> None:
    """Open an encoder whose settings are all there.

    Raises:
        DeviceLost: it is a GPU's, and this process does not get it.
    """
    try:
        context.open()
    except av.FFmpegError as error:
        if context.name not in {encoder.name for encoder in NVENC.values()}:
            raise
        raise DeviceLost(
            f"{context.name} does not open ({error.strerror}): give all render workers a GPU with NVENC, its "
            "driver and a free session, or set POSEFLEET_NVENC=0 on all of them"
        ) from error


def copy_colour(frame: VideoFrame, context: Any) -> None:
    """Tell players the colours of ``frame``."""
    context.color_range = ColorRange.MPEG
    context.colorspace = frame.colorspace
    context.color_primaries = frame.color_primaries
    context.color_trc = frame.color_trc


def _rate(stream: Stream) -> Fraction:
    return Fraction(max(stream.frame_rate, 1.0)).limit_denominator(1001)
