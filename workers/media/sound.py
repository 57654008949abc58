"""The source's sound as packets for the annotated video: copied where browsers play it, else encoded as AAC."""

from collections.abc import Callable, Iterator
from contextlib import AbstractContextManager, contextmanager
from fractions import Fraction
from typing import Any

import av
from av.audio.resampler import AudioResampler
from av.packet import Packet

from workers.media.container import opened, packets_of
from workers.media.encoders import COPIED_AUDIO
from workers.media.limits import LIMITS, Limits
from workers.storage.ranged import RangedFile

Timed = tuple[float, "Packet[Any]"]
"""A packet and its decode time, seconds."""
Sound = Callable[[Any], Iterator[Timed]]
"""Adds a stream to a container and gives the packets for it in order."""
OpenSound = Callable[[RangedFile], AbstractContextManager[Sound]]


@contextmanager
def opened_sound(source: RangedFile, limits: Limits = LIMITS) -> Iterator[Sound]:
    """The sound of a file; raises `VideoError`."""
    with opened(source, limits) as container:
        yield lambda output: _packets(container, output)


def _packets(container: Any, output: Any) -> Iterator[Timed]:
    source = container.streams.audio[0] if container.streams.audio else None
    if source is None or source.codec_context is None:
        return iter(())
    if source.codec_context.codec.canonical_name in COPIED_AUDIO:
        return _copied(container, source, output.add_stream_from_template(source, opaque=True))
    return _encoded(container, source, output.add_stream("aac", rate=source.codec_context.sample_rate or 48_000))


def _copied(container: Any, source: Any, target: Any) -> Iterator[Timed]:
    for packet in packets_of(container, source):
        if packet.dts is not None:
            time = float(packet.dts * packet.time_base)
            packet.stream = target
            yield time, packet


def _encoded(container: Any, source: Any, target: Any) -> Iterator[Timed]:
    """The source's sound as AAC; times count samples from the first one's time."""
    target.layout = "stereo" if source.codec_context.channels > 1 else "mono"
    resampler = AudioResampler("fltp", target.layout, target.rate, frame_size=1024)
    step = Fraction(1, target.rate)
    position: int | None = None
    for decoded in _decoded(container, source):
        if position is None:
            position = 0 if decoded is None else round((decoded.time or 0.0) / step)
        for ready in resampler.resample(decoded):
            ready.pts, ready.time_base = position, step
            position += ready.samples
            yield from _timed(target.encode(ready))
    yield from _timed(target.encode(None))


def _decoded(container: Any, source: Any) -> Iterator[Any]:
    """Decoded frames, without those that are broken; none at the end."""
    for packet in packets_of(container, source):
        try:
            frames = packet.decode()
        except av.error.MemoryError:
            raise
        except av.FFmpegError:
            continue
        yield from frames
    yield None


def _timed(packets: list["Packet[Any]"]) -> Iterator[Timed]:
    for packet in packets:
        if packet.dts is not None and packet.time_base is not None:
            yield float(packet.dts * packet.time_base), packet
