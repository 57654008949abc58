"""Everything that is made of a video's tracks: tables, exports, angles, plots, the report on each track."""

import shutil
from collections.abc import Iterable, Iterator
from contextlib import ExitStack
from dataclasses import dataclass
from pathlib import Path

import numpy as np

from schema.formats import FOLDERS
from schema.manifest import TrackReport
from schema.names import ANGLES, SUMMARY, TIMELINE, TRACKS, TRACKS_RAW
from schema.options import Options
from workers.core.filters import allows
from workers.core.kinematics import Repetitions
from workers.core.rows import TrackRows
from workers.core.tracks import Numbering
from workers.formats.angles import AnglesWriter
from workers.formats.exports.all import exporter
from workers.formats.exports.port import Video
from workers.formats.spool import Spool
from workers.formats.summary import write_summary
from workers.formats.tracks import TracksWriter
from workers.stages.quality import Quality
from workers.stages.tracking import Frame, TrackingRules, Window, follow, windows

_MOST_PLOTS = 24
_BRIDGED_S = 0.5

Stretches = dict[int, list[tuple[float, float]]]
"""Track: its stretches without a gap, from and to, seconds."""


@dataclass(frozen=True)
class About:
    """The video that tracks are of."""

    name: str
    """Stem of its file name."""
    uri: str
    width: int
    height: int
    frame_rate: float
    metadata: dict[str, object]
    """What the track files say of their origin."""


@dataclass(frozen=True)
class Products:
    """What tracking a video gave."""

    frames: int
    reports: tuple[TrackReport, ...]
    max_people: int
    shots: tuple[int, ...]
    warnings: tuple[str, ...]


def make(frames: Iterable[Frame], about: About, options: Options, folder: Path) -> Products:
    """Track ``frames`` and write all files that ``options`` ask for into ``folder``.

    Formats of many files become folders.  Memory does not grow with the video, but for 32 bytes per frame and a few
    hundred per track.
    """
    rules = TrackingRules.of(options)
    folder.mkdir(parents=True, exist_ok=True)
    spool_path = folder / ".spool"
    with Spool(spool_path) as spool:
        numbering = follow(frames, spool, rules, (about.width, about.height))
        maker = _Maker(about, options, folder, spool, numbering)
        maker.write(windows(spool, numbering, rules.cleaning))
        products = maker.finish()
    spool_path.unlink()
    return products


class _Maker:
    """Hands every window to every writer."""

    def __init__(self, about: About, options: Options, folder: Path, spool: Spool, numbering: Numbering) -> None:
        self._about, self._options, self._folder, self._numbering = about, options, folder, numbering
        self._times, self._frames = spool.times, spool.frames
        self._quality = Quality(numbering.doubts)
        self._counter = Repetitions(options.repetitions) if options.repetitions else None
        self._kinematics = options.kinematics or options.repetitions is not None
        self._plotted = self._kinematics or options.render
        self._stretches: Stretches = {}
        self._most = 0

    def write(self, every: Iterator[Window]) -> None:
        """Write the tables and exports."""
        folder, options = self._folder, self._options
        metadata = {**self._about.metadata, "frames": self._frames, "shots": list(self._numbering.cuts)}
        with ExitStack() as open_files:
            tracks = open_files.enter_context(TracksWriter(folder / TRACKS, metadata))
            raw = open_files.enter_context(TracksWriter(folder / TRACKS_RAW, metadata)) if _filtered(options) else None
            angles = self._angles(open_files)
            exports = [exporter(name, folder, self._video()) for name in options.formats]
            for export in exports:
                open_files.callback(export.close)
            for window in every:
                tracks.add(window.cleaned)
                if raw:
                    raw.add(window.found)
                if angles:
                    angles.add(window.cleaned, window.motion)
                for export in exports:
                    export.add(window.cleaned)
                self._note(window)

    def _angles(self, open_files: ExitStack) -> AnglesWriter | None:
        if not self._kinematics:
            return None
        return open_files.enter_context(AnglesWriter(self._folder / ANGLES, self._folder / "angles.csv"))

    def _video(self) -> Video:
        tracks = tuple(range(1, self._numbering.count + 1))
        about = self._about
        return Video(about.name, about.uri, about.width, about.height, self._frames, about.frame_rate, tracks)

    def _note(self, window: Window) -> None:
        rows = window.cleaned
        self._quality.add(window.found, rows)
        if self._counter:
            self._counter.add(rows, window.motion.angles)
        if len(rows):
            self._most = max(self._most, int(np.unique(rows.frames, return_counts=True)[1].max()))
        if self._plotted:
            _extend(self._stretches, rows)

    def finish(self) -> Products:
        """Write what is known at the end only."""
        reports = self._quality.reports()
        if self._counter:
            count = self._counter.count
            reports = tuple(each.model_copy(update={"repetitions": count(each.track_id)}) for each in reports)
        write_summary(self._folder / SUMMARY, reports)
        shots = self._numbering.cuts
        if self._plotted:
            self._plot(reports)
        return Products(self._frames, reports, self._most, shots, self._warnings(reports))

    def _plot(self, reports: tuple[TrackReport, ...]) -> None:
        from workers.formats.plots import write_angles, write_timeline  # matplotlib takes its time

        cuts = [float(self._times[frame]) for frame in self._numbering.cuts]
        end = float(self._times[-1]) if self._frames else 0.0
        write_timeline(self._folder / TIMELINE, self._stretches, end, cuts)
        if not self._kinematics:
            return
        for report in sorted(reports, key=lambda each: -each.frames)[:_MOST_PLOTS]:
            plots = self._folder / "angles"
            plots.mkdir(exist_ok=True)
            write_angles(plots / f"angles-{report.track_id:03d}.png", self._folder / ANGLES, report)

    def _warnings(self, reports: tuple[TrackReport, ...]) -> tuple[str, ...]:
        rate, cutoff = self._about.frame_rate, self._options.cutoff_hz
        found = []
        if reports and rate and self._options.smooth != "off" and not allows(rate, cutoff):
            found.append(
                f"{rate:g} frames per second are too few to filter at {cutoff:g} Hz: the tracks are not smoothed"
            )
        if self._kinematics and len(reports) > _MOST_PLOTS:
            found.append(f"angles are plotted of the {_MOST_PLOTS} longest of {len(reports)} tracks")
        return tuple(found)


def _filtered(options: Options) -> bool:
    return options.outliers or options.smooth != "off"


def _extend(stretches: Stretches, rows: TrackRows) -> None:
    """Lengthen the stretches in which each track is there."""
    by_track = rows.pick(np.lexsort((rows.frames, rows.tracks)))
    for one in by_track.split(by_track.tracks):
        known = stretches.setdefault(int(one.tracks[0]), [])
        edges = np.flatnonzero(np.diff(one.times) > _BRIDGED_S) + 1
        for part in np.split(one.times, edges):
            start, stop = float(part[0]), float(part[-1])
            if known and start - known[-1][1] <= _BRIDGED_S:
                known[-1] = (known[-1][0], stop)
            else:
                known.append((start, stop))


def packed(folder: Path) -> Iterator[tuple[Path, str]]:
    """The files of a folder of products and their content types; formats of many files as ZIP archives."""
    for path in sorted(folder.iterdir()):
        if path.is_dir() and path.name in FOLDERS:
            archive = Path(shutil.make_archive(str(path), "zip", path))
            yield archive, "application/zip"
        elif path.is_dir():
            yield from ((inner, _content_type(inner)) for inner in sorted(path.iterdir()))
        elif path.suffix != ".zip":
            yield path, _content_type(path)


def _content_type(path: Path) -> str:
    known = {
        ".parquet": "application/vnd.apache.parquet",
        ".csv": "text/csv",
        ".json": "application/json",
        ".png": "image/png",
        ".h5": "application/x-hdf5",
    }
    return known.get(path.suffix, "application/octet-stream")
