"""Pictures of a finished annotated video: a poster, a contact sheet and a moving preview."""

from collections.abc import Sequence
from dataclasses import dataclass, replace
from fractions import Fraction
from math import ceil
from pathlib import Path

import numpy as np
from av.video.frame import VideoFrame
from av.video.reformatter import ColorRange, Interpolation
from numpy.typing import NDArray
from PIL import Image, ImageDraw, ImageFont

from schema.names import CONTACT_SHEET, POSTER, PREVIEW
from workers.core.rows import TrackRows
from workers.formats.tracks import TracksFile
from workers.media.index import VideoIndex
from workers.media.local import LocalVideo

_CONFIDENT_PERSON, _CONFIDENT_POINT = 0.3, 0.2
_POSTER_SIDE, _POSTER_QUALITY, _SHEET_QUALITY = 1920, 90, 85
_BORDER, _BORDER_FROM_S = 0.05, 2.0
#: Columns and rows at most.
_WIDE_GRID, _TALL_GRID = (5, 4), (6, 3)
_SHEET_WIDTH, _TILE_SIDE, _CELL_WIDTH = 2000, 480, 110
_MARGIN, _TEXT_SIZE, _TEXT_LINE = 16, 20, 30
_BACKGROUND, _TEXT_COLOUR = (22, 24, 28), (225, 228, 232)
_PREVIEW_S, _PREVIEW_RATE, _PREVIEW_SIDE = 3.0, 10, 480
_PREVIEW_QUALITIES, _PREVIEW_BYTES = (60, 45, 30), 600_000
#: Body sizes from one frame to the next; what is more is a mix-up of people or a cut.
_LONGEST_STEP = 0.5
_SCALING = Interpolation.AREA | Interpolation.FULL_CHR_H_INT | Interpolation.ACCURATE_RND

Frames = tuple[int, int]
Size = tuple[int, int]
"""Width and height, pixels."""


@dataclass(frozen=True)
class _Clock:
    """When the frames of a video are shown, and where decoding may begin."""

    size: Size
    edges: NDArray[np.float64]
    """``[frames + 1]`` begin of every frame and end of the last one, seconds since the first one."""

    @property
    def duration(self) -> float:
        return float(self.edges[-1])

    def shown_at(self, seconds: NDArray[np.float64]) -> NDArray[np.intp]:
        """Indexes of the frames that are shown at ``seconds``."""
        found = np.searchsorted(self.edges, seconds + 1e-6, side="right") - 1
        return np.clip(found, 0, len(self.edges) - 2)


def make_gallery(annotated: Path, tracks: Path, folder: Path, left_out: Sequence[Frames] = ()) -> list[Path]:
    """Write ``poster.jpg``, ``contact_sheet.jpg`` and ``preview.webp`` into ``folder``; their paths.

    Memory does not grow with the people, and by some bytes a frame only.

    Args:
        annotated: the video, with everything drawn.
        tracks: its tracks, which count frames in order of display.
        folder: where the pictures go.
        left_out: half-open ranges of frames that the tracks count and the video does not have.

    Raises:
        VideoError: ``annotated`` is damaged, or shows no frame.
        ConfigurationError: ``tracks`` is no track file.
    """
    video = LocalVideo.read(annotated)
    clock = _clock(video.index)
    best, movement = _watch(tracks, clock, left_out)
    slices, columns, tile = _sheet_plan(clock)
    moving, lengths_ms = _preview_plan(clock, _liveliest(clock, movement))
    sides = (_POSTER_SIDE, _POSTER_SIDE), tile, (_PREVIEW_SIDE, _PREVIEW_SIDE)
    sizes = [_fitted(clock.size, side) for side in sides]
    (poster,), tiles, preview = _pictures(video, ([best], slices, moving), sizes)
    paths = [folder / name for name in (POSTER, CONTACT_SHEET, PREVIEW)]
    poster.save(paths[0], quality=_POSTER_QUALITY)
    _contact_sheet(tiles, clock.edges[slices], columns).save(paths[1], quality=_SHEET_QUALITY)
    _save_preview(preview, lengths_ms, paths[2])
    return paths


def _clock(index: VideoIndex) -> _Clock:
    """Times of all frames."""
    table, tick_s = index.table, float(Fraction(index.stream.time_base))
    edges = (np.append(table.pts, table.end_pts) - table.pts[0]) * tick_s
    return _Clock((index.stream.display_width, index.stream.display_height), edges)


def _watch(tracks: Path, clock: _Clock, left_out: Sequence[Frames]) -> tuple[int, NDArray[np.float64]]:
    """The frame for the poster, and how far people move up to each frame ``[frames]``, in body sizes."""
    movement = np.zeros(len(clock.edges) - 1)
    border = _BORDER * clock.duration if clock.duration > _BORDER_FROM_S else 0.0
    best: tuple[float, ...] = ()
    before = TrackRows.none()
    for piece in TracksFile(tracks):
        rows = _without(piece, left_out)
        rows = rows.pick((rows.frames >= 0) & (rows.frames < len(movement)))
        begins = clock.edges[rows.frames]
        best = max(best, _best(rows.pick((begins >= border) & (begins <= clock.duration - border))))
        rows = TrackRows.joined([before, rows])
        np.add.at(movement, *_steps(rows))
        before = rows.pick(rows.frames == rows.frames[-1]) if len(rows) else before
    middle = int(clock.shown_at(np.array([clock.duration / 2]))[0])
    return (-int(best[-1]) if best else middle), movement


def _without(rows: TrackRows, left_out: Sequence[Frames]) -> TrackRows:
    """``rows`` with the frames counted as if those ``left_out`` had never been."""
    there, earlier = np.ones(len(rows), np.bool_), np.zeros(len(rows), np.int64)
    for start, stop in left_out:
        there &= (rows.frames < start) | (rows.frames >= stop)
        earlier += (rows.frames >= stop) * (stop - start)
    return replace(rows, frames=rows.frames - earlier).pick(there)


def _best(rows: TrackRows) -> tuple[float, ...]:
    """Confident people, mean keypoint score, size, and minus the index of the best frame; empty without people."""
    if not len(rows):
        return ()
    frames, at, people = np.unique(rows.frames, return_inverse=True, return_counts=True)
    confident = np.bincount(at, (rows.scores >= _CONFIDENT_PERSON) & ~rows.interpolated)
    points = np.bincount(at, np.nan_to_num(rows.keypoints[..., 2]).mean(1)) / people
    ranks = np.stack([confident, points.round(2), np.bincount(at, _body_sizes(rows)), -frames])
    rank: list[float] = ranks[:, np.lexsort(ranks[::-1])[-1]].tolist()
    return tuple(rank)


def _steps(rows: TrackRows) -> tuple[NDArray[np.int64], NDArray[np.float32]]:
    """Who is in consecutive frames: index of the later one, and mean distance of keypoints in body sizes."""
    rows = rows.pick(np.lexsort((rows.frames, rows.tracks)))
    sizes = _body_sizes(rows)[1:]
    follows = (np.diff(rows.tracks) == 0) & (np.diff(rows.frames) == 1) & (sizes > 0)
    sure = (rows.keypoints[..., 2] >= _CONFIDENT_POINT) & np.isfinite(rows.keypoints[..., :2]).all(-1)
    both = sure[1:] & sure[:-1]
    distances = np.where(both, np.hypot(*np.moveaxis(np.diff(rows.keypoints[..., :2], axis=0), -1, 0)), 0).sum(1)
    means = distances[follows] / np.maximum(both[follows].sum(1), 1) / sizes[follows]
    return rows.frames[1:][follows], np.minimum(means, _LONGEST_STEP).astype(np.float32)


def _body_sizes(rows: TrackRows) -> NDArray[np.float32]:
    """Square root of the area of each box, ``[rows]`` pixels."""
    sides: NDArray[np.float32] = np.maximum(np.nan_to_num(rows.boxes[:, 2:]), 0)
    sizes: NDArray[np.float32] = np.sqrt(sides[:, 0] * sides[:, 1])
    return sizes


def _sheet_plan(clock: _Clock) -> tuple[list[int], int, Size]:
    """Indexes of the frames in the middle of equal slices of the video, none twice; columns; largest tile."""
    columns, rows = _WIDE_GRID if clock.size[0] >= clock.size[1] else _TALL_GRID
    count = min(columns * rows, len(clock.edges) - 1)
    indexes: list[int] = np.unique(clock.shown_at((np.arange(count) + 0.5) / count * clock.duration)).tolist()
    columns = ceil(len(indexes) / ceil(len(indexes) / columns))
    return indexes, columns, ((_SHEET_WIDTH - _MARGIN) // columns - _MARGIN, _TILE_SIDE)


def _liveliest(clock: _Clock, movement: NDArray[np.float64]) -> float:
    """Where the seconds with most movement begin; of equal ones in a row, the middle."""
    spare = clock.duration - _PREVIEW_S
    if spare <= 0 or not movement.any():
        return max(0.0, spare / 2)
    begins = clock.edges[:-1][clock.edges[:-1] <= spare + 1e-6]
    total = np.append(0.0, np.cumsum(movement))
    stops = np.searchsorted(clock.edges[:-1], begins + _PREVIEW_S - 1e-6)
    sums = total[stops] - total[1 : len(begins) + 1]
    equal = np.flatnonzero(sums >= sums.max() - 1e-6)
    equal = equal[equal - equal[0] == np.arange(len(equal))]
    return float(begins[equal[len(equal) // 2]])


def _preview_plan(clock: _Clock, begin: float) -> tuple[list[int], list[int]]:
    """Indexes of the frames of the preview, and for how long each is shown, milliseconds."""
    length = min(_PREVIEW_S, clock.duration)
    slots = np.arange(max(1, ceil(length * _PREVIEW_RATE - 1e-3))) / _PREVIEW_RATE
    indexes, first = np.unique(clock.shown_at(begin + slots), return_index=True)
    ends = np.append(1000 * slots[first], max(1000 * length, 1000 * slots[-1] + 1))
    return indexes.tolist(), np.diff(ends.round()).astype(int).tolist()


def _pictures(video: LocalVideo, wanted: Sequence[list[int]], sizes: list[Size]) -> list[list[Image.Image]]:
    """For each list of rising indexes its pictures, at the size with the same place in ``sizes``."""
    found: list[list[Image.Image]] = [[] for _ in wanted]
    for index, frame in video.at(sorted(set().union(*wanted))):
        for indexes, size, pictures in zip(wanted, sizes, found, strict=True):
            if index in indexes:
                pictures.append(_picture(frame, size))
    return found


def _fitted(size: Size, limit: Size) -> Size:
    """``size`` scaled down to fit into ``limit``."""
    scale = min(1.0, limit[0] / max(size[0], 1), limit[1] / max(size[1], 1))
    return max(1, round(size[0] * scale)), max(1, round(size[1] * scale))


def _picture(frame: VideoFrame, size: Size) -> Image.Image:
    """``frame`` in RGB at ``size``, with the stream's colour matrix and range."""
    rgb = frame.reformat(*size, "rgb24", interpolation=_SCALING, dst_color_range=ColorRange.JPEG)
    return Image.fromarray(rgb.to_ndarray())


def _contact_sheet(tiles: list[Image.Image], times: NDArray[np.float64], columns: int) -> Image.Image:
    """``tiles`` of one size in rows, each with its time (seconds) below."""
    width, height = max(tiles[0].width, _CELL_WIDTH) + _MARGIN, tiles[0].height + _TEXT_LINE + _MARGIN
    rows = ceil(len(tiles) / columns)
    sheet = Image.new("RGB", (columns * width + _MARGIN, rows * height + _MARGIN), _BACKGROUND)
    pen, font = ImageDraw.Draw(sheet), ImageFont.load_default(_TEXT_SIZE)
    for place, (tile, time) in enumerate(zip(tiles, times, strict=True)):
        left, top = _MARGIN + place % columns * width, _MARGIN + place // columns * height
        sheet.paste(tile, (left, top))
        pen.text((left, top + tile.height + _TEXT_LINE // 2), _label(time), _TEXT_COLOUR, font, anchor="lm")
    return sheet


def _label(seconds: float) -> str:
    """``h:mm:ss.s``, or ``m:ss.s`` in the first hour."""
    minutes, tenths = divmod(round(seconds * 10), 600)
    rest = f"{minutes % 60:02d}" if minutes >= 60 else str(minutes)
    hours = f"{minutes // 60}:" if minutes >= 60 else ""
    return f"{hours}{rest}:{tenths // 10:02d}.{tenths % 10}"


def _save_preview(pictures: list[Image.Image], lengths_ms: list[int], path: Path) -> None:
    """Write an animated WebP that loops; at lower quality where it would be large."""
    for quality in _PREVIEW_QUALITIES:
        pictures[0].save(
            path, save_all=True, append_images=pictures[1:], duration=lengths_ms, loop=0, quality=quality, method=4
        )
        if path.stat().st_size <= _PREVIEW_BYTES:
            return
