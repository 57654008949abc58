"""Damaged copies of media files, the same every time, and what becomes of each in the process that reads sources."""

import io
import random
import struct
import time
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from fractions import Fraction
from pathlib import Path
from typing import Any

import av
import numpy as np
import psutil
from PIL import Image

from producer.planner import cut_parts
from schema.errors import DecoderDied, PictureError, VideoError
from schema.plan import Plan
from tests.support.media import CLIP, SHARED
from workers.media.jail import calls, talk
from workers.storage.port import ObjectInfo
from workers.storage.ranged import RangedFile

MADE = {
    "h264.mp4": ("libx264", "yuv420p", {"bf": "2", "g": "8"}),
    "fragments.mp4": ("libx264", "yuv420p", {"bf": "2", "g": "8"}),
    "h264.mkv": ("libx264", "yuv420p", {"bf": "2", "g": "8"}),
    "h264.ts": ("libx264", "yuv420p", {"bf": "2", "g": "8"}),
    "hevc.mov": ("libx265", "yuv420p10le", {"x265-params": "log-level=none:keyint=8"}),
    "av1.mkv": ("libsvtav1", "yuv420p", {"preset": "12"}),
    "vp8.webm": ("libvpx", "yuv420p", {"deadline": "realtime"}),
    "vp9.webm": ("libvpx-vp9", "yuv420p", {"deadline": "realtime"}),
    "mpeg4.avi": ("mpeg4", "yuv420p", {"bf": "2"}),
    "mpeg2.mpg": ("mpeg2video", "yuv420p", {"bf": "2"}),
    "prores.mov": ("prores_ks", "yuv422p10le", {}),
    "mjpeg.avi": ("mjpeg", "yuvj420p", {}),
    "ffv1.mkv": ("ffv1", "yuv444p", {}),
    "moving.gif": ("gif", "rgb8", {}),
    "flash.flv": ("flv", "yuv420p", {}),
    "wmv.wmv": ("wmv2", "yuv420p", {}),
}
REAL = (
    "bbb_176x144_128kbps_15fps_h263.3gp",
    "sample_edit_list_no_sync_frame_before_edit.mp4",
    "sample_partially_fragmented.mp4",
    "pixel-motion-photo-2-hevc-tracks.mp4",
    "sample_vvc.mp4",
    "interlaced_tff_mpeg2.ts",
    "vp9_alpha.webm",
    "hlg10-color-test.mp4",
)
_LARGEST = 3 << 20
_EXTREMES = (0, 1, 0x7F, 0xFF, 0x7FFFFFFF, 0x80000000, 0xFFFFFFFF, 0xFFFFFFFE, 0x00FFFFFF)
_PARENTS = frozenset({b"moov", b"trak", b"mdia", b"minf", b"stbl", b"edts", b"moof", b"traf", b"mvex", b"udta"})
_FRAMES = 24


class Memory:
    """A source in memory, as the readers of objects expect it."""

    def __init__(self, body: bytes) -> None:
        self._body = body

    def get_range(self, source: ObjectInfo, start: int, stop: int) -> bytes:
        return self._body[start:stop]


def in_memory(body: bytes) -> RangedFile:
    return RangedFile(Memory(body), ObjectInfo("", "", "", len(body)))


def originals(folder: Path) -> dict[str, bytes]:
    """Files to damage: videos made here, pictures made here, and small real ones where the media folder is."""
    found = {name: _made(folder / name, *MADE[name]) for name in MADE}
    picture = Image.fromarray(np.random.default_rng(1).integers(0, 255, (90, 160, 3), np.uint8))
    for format_ in ("JPEG", "PNG", "WEBP", "TIFF", "BMP", "AVIF"):
        body = io.BytesIO()
        picture.save(body, format_)
        found[f"still.{format_.lower()}"] = body.getvalue()
    for name in REAL:
        path = SHARED / "awkward" / name
        if path.exists() and path.stat().st_size <= _LARGEST:
            found[name] = path.read_bytes()
    return found


def _made(path: Path, codec: str, pixel_format: str, options: dict[str, str]) -> bytes:
    muxer = {"movflags": "frag_keyframe+empty_moov"} if path.name == "fragments.mp4" else {}
    with av.open(str(CLIP)) as clip, av.open(str(path), "w", options=muxer) as output:
        video: Any = output.add_stream(codec, rate=25, options=options)
        video.width, video.height, video.pix_fmt = 160, 96, pixel_format
        for number, frame in enumerate(clip.decode(video=0)):
            if number == _FRAMES:
                break
            made = frame.reformat(160, 96, pixel_format)
            made.pts, made.pict_type = number, 0
            made.time_base = Fraction(1, 25)
            output.mux(video.encode(made))
        output.mux(video.encode(None))
    return path.read_bytes()


def mutants(whole: dict[str, bytes], count: int, seed: int = 0) -> Iterator[tuple[str, bytes]]:
    """``count`` damaged files, taking turns in what they are made of: a name that says how, and the bytes."""
    names = sorted(whole)
    for number in range(count):
        chance = random.Random(f"{seed} {number}")
        name = names[number % len(names)]
        change = chance.choice(_CHANGES)
        body = bytearray(whole[name])
        for _ in range(chance.choice((1, 1, 1, 2, 4))):
            change(body, chance, whole)
        yield f"{number} {name} {change.__name__.strip('_')}", bytes(body)


def _bits(body: bytearray, chance: random.Random, _: dict[str, bytes]) -> None:
    reach = chance.choice((64, 1024, 8192, len(body)))
    for _ in range(chance.choice((1, 4, 32, 200))):
        body[chance.randrange(min(reach, len(body)))] ^= 1 << chance.randrange(8)


def _end_bits(body: bytearray, chance: random.Random, _: dict[str, bytes]) -> None:
    reach = min(len(body), chance.choice((64, 1024, 8192)))
    for _ in range(chance.choice((1, 4, 32))):
        body[len(body) - 1 - chance.randrange(reach)] ^= 1 << chance.randrange(8)


def _cut_end(body: bytearray, chance: random.Random, _: dict[str, bytes]) -> None:
    del body[chance.randrange(1, len(body) + 1) :]


def _cut_middle(body: bytearray, chance: random.Random, _: dict[str, bytes]) -> None:
    start = chance.randrange(len(body))
    del body[start : start + chance.choice((1, 7, 188, 4096))]
    if not body:
        body.append(0)


def _numbers(body: bytearray, chance: random.Random, _: dict[str, bytes]) -> None:
    reach = min(len(body), chance.choice((256, 4096, len(body))))
    for _ in range(chance.choice((1, 2, 8))):
        at = max(0, chance.randrange(reach) - 4)
        body[at : at + 4] = struct.pack(">I", chance.choice(_EXTREMES))


def _splice(body: bytearray, chance: random.Random, whole: dict[str, bytes]) -> None:
    other = whole[chance.choice(sorted(whole))]
    size = min(chance.choice((16, 512, 8192)), len(other))
    start, at = chance.randrange(len(other) - size + 1), chance.randrange(len(body))
    body[at : at + size] = other[start : start + size]


def _boxes(body: bytearray, chance: random.Random, whole: dict[str, bytes]) -> None:
    """Swap, repeat or drop boxes, or change what a box says of its size or its first numbers."""
    found = list(_boxes_in(body, 0, len(body)))
    if len(found) < 2:
        _numbers(body, chance, whole)
        return
    start, stop = chance.choice(found)
    kind = chance.randrange(5)
    if kind == 0:
        other_start, other_stop = chance.choice(found)
        piece = body[other_start:other_stop]
        body[start:stop] = piece
    elif kind == 1:
        body[stop:stop] = body[start:stop]
    elif kind == 2:
        del body[start:stop]
    elif kind == 3:
        body[start : start + 4] = struct.pack(">I", chance.choice((*_EXTREMES, stop - start + 1, stop - start - 1)))
    else:
        for _ in range(3):
            at = start + 8 + 4 * chance.randrange(max(1, min(40, (stop - start - 8) // 4)))
            body[at : at + 4] = struct.pack(">I", chance.choice(_EXTREMES))
    if not body:
        body.append(0)


def _boxes_in(body: bytearray, start: int, stop: int) -> Iterator[tuple[int, int]]:
    while start + 8 <= stop:
        size, kind = struct.unpack_from(">I4s", body, start)
        if not 8 <= size <= stop - start:
            return
        yield start, start + size
        if kind in _PARENTS:
            yield from _boxes_in(body, start + 8, start + size)
        start += size


_CHANGES: tuple[Callable[[bytearray, random.Random, dict[str, bytes]], None], ...] = (
    _bits,
    _end_bits,
    _cut_end,
    _cut_middle,
    _numbers,
    _splice,
    _boxes,
    _boxes,
)


@dataclass(frozen=True)
class Outcome:
    """What became of one file."""

    name: str
    kind: str
    """``ok``, the reason of a named error, ``decoder_died``, or ``unclassified``."""
    detail: str
    seconds: float
    peak_mb: float
    """Private memory of the process that read it, at its highest so far."""


def outcome_of(name: str, body: bytes) -> Outcome:
    """Index, cut and first batch of a video, or a whole picture."""
    began, detail = time.monotonic(), ""
    try:
        detail = _still(body) if name.split()[1].startswith("still.") else _video(body)
        kind = "ok"
    except (VideoError, PictureError) as error:
        kind, detail = error.reason, str(error)
    except DecoderDied as error:
        kind, detail = ("unclassified" if "failed" in str(error) else error.reason), str(error)
    except Exception as error:
        kind, detail = "unclassified", f"{type(error).__name__}: {error}"
    return Outcome(name, kind, detail, time.monotonic() - began, peak_mb())


def _still(body: bytes) -> str:
    still = calls.read_still(body)
    return f"{still.width}x{still.height}"


def _video(body: bytes) -> str:
    file = in_memory(body)
    with calls.opened_index(file) as index:
        cuts = cut_parts(index.parts, index.keys, 32, exact=False)
        ranges, headers = index.ranges(cuts)
    plan = Plan(job_id="", stream=index.stream, ranges=tuple(ranges), sequential=index.sequential)
    wanted = ranges[0]
    header = headers[slice(*wanted.window.header)] if wanted.window else b""
    found = sum(1 for _ in calls.decode_range(in_memory(body), plan, wanted, header))
    if index.stream.has_audio:
        with calls.opened_sound(in_memory(body)) as sound, av.open(io.BytesIO(), "w", format="mp4") as output:
            sum(packet.size for _, packet in sound(output))
    return f"{found} of {wanted.stop - wanted.start} frames"


def peak_mb() -> float:
    """The highest private memory of the processes that are ready to read, MB."""
    found = [0.0]
    for child in talk._idle:
        status = Path(f"/proc/{child.pid}/status")
        if status.exists():
            lines = dict(line.split(":", 1) for line in status.read_text().splitlines())
            found.append(int(lines["VmHWM"].split()[0]) / 1024)
    return max(found)


def children() -> list[psutil.Process]:
    """The processes that read sources for this one."""
    return [each for each in psutil.Process().children() if "workers.media.jail.child" in " ".join(each.cmdline())]
