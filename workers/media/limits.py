"""How much of a file from outside is worked on: what is more is refused by name, before it costs anything."""

from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass

from schema.errors import TooLarge
from schema.plan import Stream


@dataclass(frozen=True)
class Limits:
    """The most that one source may have, and what decoding it may take."""

    source_bytes: int = 1000 << 30
    pixels: int = 8192 * 8192
    """Of a picture or frame, stored or as displayed."""
    frames: int = 10_000_000
    duration_s: float = 360_000.0
    stall_s: float = 30.0
    """Seconds of decoding without a frame, and without reading bytes that had not been read before."""
    memory_mb: int = 2048
    """Of the process that decodes."""
    threads: int = 1
    """Of the decoder."""

    def check_bytes(self, size: int) -> None:
        """Raises `TooLarge`."""
        if size > self.source_bytes:
            raise TooLarge(f"the file has {size / 2**30:.1f} GB, the limit is {self.source_bytes / 2**30:g} GB")

    def check_pixels(self, width: int, height: int) -> None:
        """Raises `TooLarge`."""
        if width * height > self.pixels:
            raise TooLarge(
                f"the picture has {width}x{height} pixels, the limit is {self.pixels / 1e6:.1f} million pixels"
            )

    def check_frames(self, count: int) -> None:
        """Raises `TooLarge`."""
        if count > self.frames:
            raise TooLarge(f"the video has {count} frames or more, the limit is {self.frames}")

    def check(self, stream: Stream) -> None:
        """Raises `TooLarge` for a stream whose frames, pixels or seconds are too many."""
        self.check_frames(stream.frames)
        self.check_pixels(stream.coded_width, stream.coded_height)
        self.check_pixels(stream.display_width, stream.display_height)
        if stream.duration_s > self.duration_s:
            hours = f"{stream.duration_s / 3600:.1f} hours"
            raise TooLarge(f"the video lasts {hours}, the limit is {self.duration_s / 3600:g} hours")


@contextmanager
def memory_named() -> Iterator[None]:
    """Where FFmpeg gets no memory, the file asks for too much of it: `TooLarge`."""
    try:
        yield
    except MemoryError as error:
        raise TooLarge("the file asks for more memory than there is for it") from error


LIMITS = Limits()
"""The defaults of the settings."""
