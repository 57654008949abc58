"""Open an upload as a video container, with errors that name what is wrong with it."""

from collections.abc import Iterator
from contextlib import contextmanager
from typing import Any

import av
from av.container import InputContainer
from av.video.stream import VideoStream

from schema.errors import EmptyFile, NoDecoder, NoVideoStream, VideoError
from workers.storage.parts import FileOfParts

#: Demuxers that an upload may choose; none of them opens another file or address.
FORMATS = (
    "mov,mp4,m4a,3gp,3g2,mj2,matroska,webm,mpegts,mpeg,avi,flv,gif,ogg,asf,mxf,h264,hevc,ivf,nut,mjpeg,apng,"
    "webp_pipe,rm,dv,m4v,mpegvideo,vc1,obu,av1,yuv4mpegpipe,wtv"
)


@contextmanager
def opened(file: FileOfParts) -> Iterator[InputContainer]:
    """The container in ``file``, closed at the end.

    Raises:
        VideoError: there are no bytes, or they are not a video of a known container.
    """
    if file.size == 0:
        raise EmptyFile("the file is empty")
    file.seek(0)
    try:
        container: Any = av.open(file, options={"format_whitelist": FORMATS})
    except (av.FFmpegError, ValueError) as error:
        raise VideoError("the file is not a video of a known container, or its index is cut off or damaged") from error
    with container:
        yield container


def video_stream(container: InputContainer) -> VideoStream:
    """The stream to process: the default video stream, never a cover picture.

    Raises:
        NoVideoStream: there is none.
        NoDecoder: its codec cannot be decoded here.
    """
    streams: list[Any] = [s for s in container.streams.video if not is_cover(s)]
    if not streams:
        raise NoVideoStream("the file has no video stream")
    best: Any = container.streams.best("video")
    chosen: VideoStream = best if best in streams else streams[0]
    if chosen.codec_context is None:
        raise NoDecoder("there is no decoder for the file's video stream")
    return chosen


def planned_stream(container: InputContainer, index: int) -> VideoStream:
    """The stream with the index that a plan has; where the container has fewer streams, the one to process."""
    stream: Any = container.streams[index] if index < len(container.streams) else None
    if stream is None or stream.type != "video" or stream.codec_context is None:
        return video_stream(container)
    found: VideoStream = stream
    return found


def is_cover(stream: Any) -> bool:
    """Whether the stream is a picture attached to the file."""
    return bool(stream.disposition & stream.disposition.__class__.attached_pic)
