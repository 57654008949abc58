"""Open an upload as a video container, with errors that name what is wrong with it."""

from collections.abc import Iterator
from contextlib import contextmanager, suppress
from typing import Any

import av
from av.container import InputContainer
from av.video.stream import VideoStream

from schema.errors import EmptyFile, NoDecoder, NoVideoStream, VideoError
from workers.media.codecs import DECODERS, WHITELIST
from workers.media.limits import LIMITS, Limits
from workers.storage.parts import FileOfParts

#: Demuxers that an upload may choose; none of them opens another file or address.
FORMATS = (
    "mov,mp4,m4a,3gp,3g2,mj2,matroska,webm,mpegts,mpeg,avi,flv,gif,ogg,asf,mxf,h264,hevc,ivf,nut,mjpeg,apng,"
    "webp_pipe,rm,dv,m4v,mpegvideo,vc1,obu,av1,yuv4mpegpipe,wtv"
)


#: Nothing is opened beside the bytes that are given: no file, no address, no nested protocol.
_PROTOCOLS = "none"


@contextmanager
def opened(file: FileOfParts, limits: Limits = LIMITS) -> Iterator[InputContainer]:
    """The container in ``file``, closed at the end.

    Raises:
        VideoError: there are no bytes, or they are not a video of a known container.
    """
    if file.size == 0:
        raise EmptyFile("the file is empty")
    file.seek(0)
    try:
        options = _options(limits, format_whitelist=FORMATS, protocol_whitelist=_PROTOCOLS)
        container: Any = av.open(file, options=options, metadata_errors="replace")
    except av.error.MemoryError:
        raise
    except (av.FFmpegError, ValueError) as error:
        raise VideoError("the file is not a video of a known container, or its index is cut off or damaged") from error
    with container:
        yield container


def check_declared(file: FileOfParts, limits: Limits) -> None:
    """Raises `TooLarge` where the container says that pictures are: decoders that refuse them do not say why."""
    file.seek(0)
    options = {"format_whitelist": FORMATS, "protocol_whitelist": _PROTOCOLS, "codec_whitelist": "none"}
    with suppress(av.FFmpegError, ValueError):
        container: Any = av.open(file, options=options, metadata_errors="replace")
        with container:
            for stream in container.streams.video:
                if stream.codec_context is not None:
                    limits.check_pixels(stream.codec_context.width, stream.codec_context.height)


def _options(limits: Limits, **more: str) -> dict[str, str]:
    """FFmpeg's options, of a container and of a decoder, that keep to what is allowed."""
    return {**more, "codec_whitelist": WHITELIST, "max_pixels": str(limits.pixels)}


def video_stream(container: InputContainer, limits: Limits = LIMITS) -> VideoStream:
    """The stream to process: the default video stream, never a cover picture.

    Raises:
        NoVideoStream: there is none.
        NoDecoder: its codec cannot be decoded here, or is not among those that uploads may use.
        TooLarge: its pictures have too many pixels.
    """
    streams: list[Any] = [s for s in container.streams.video if not is_cover(s)]
    if not streams:
        raise NoVideoStream("the file has no video stream")
    best: Any = container.streams.best("video")
    chosen: VideoStream = best if best in streams else streams[0]
    return _allowed(chosen, limits)


def _allowed(stream: VideoStream, limits: Limits) -> VideoStream:
    context: Any = stream.codec_context
    if context is None:
        raise NoDecoder("there is no decoder for the file's video stream")
    if context.codec.name not in DECODERS:
        raise NoDecoder(f"the codec of the file's video stream is not allowed: {context.codec.name}")
    limits.check_pixels(context.width, context.height)
    if not context.is_open:
        context.options = _options(limits)
    return stream


def planned_stream(container: InputContainer, index: int, limits: Limits = LIMITS) -> VideoStream:
    """The stream with the index that a plan has; where the container has fewer streams, the one to process."""
    stream: Any = container.streams[index] if index < len(container.streams) else None
    if stream is None or stream.type != "video" or stream.codec_context is None:
        return video_stream(container, limits)
    return _allowed(stream, limits)


def packets_of(container: InputContainer, stream: Any) -> Iterator[Any]:
    """The packets of a stream, up to where the file is so damaged that it cannot be read on."""
    packets = container.demux(stream)
    while True:
        try:
            packet = next(packets, None)
        except av.error.MemoryError:
            raise
        except av.FFmpegError:
            return
        if packet is None:
            return
        yield packet


def is_cover(stream: Any) -> bool:
    """Whether the stream is a picture attached to the file."""
    return bool(stream.disposition & stream.disposition.__class__.attached_pic)
