"""Pictures of tracks: who is there when, and how joints move."""

from pathlib import Path

import numpy as np
import pyarrow.parquet as pq
from matplotlib.backends.backend_agg import FigureCanvasAgg
from matplotlib.figure import Figure
from numpy.typing import NDArray

from schema.manifest import TrackReport

Stretches = dict[int, list[tuple[float, float]]]
"""Track: its stretches without a gap, from and to, seconds."""

_PANELS = (
    ("knee flexion", ("left_knee", "right_knee")),
    ("hip flexion", ("left_hip", "right_hip")),
    ("elbow flexion", ("left_elbow", "right_elbow")),
    ("shoulder", ("left_shoulder", "right_shoulder")),
    ("inclination", ("trunk", "head")),
)
_COLOURS = {"left": "#0095c8", "right": "#d9730d", "trunk": "#3a3a3a", "head": "#8a4fbf"}
_MOST_POINTS = 4000
_MOST_LINES = 60


def write_timeline(path: Path, stretches: Stretches, duration_s: float, shots_s: list[float]) -> None:
    """Draw a bar per track over the video's time; shot cuts are dashed lines.

    With more than 60 tracks those that are seen longest are drawn, and the title says so.
    """
    shown = sorted(sorted(stretches, key=lambda t: -_length(stretches[t]))[:_MOST_LINES])
    figure = Figure(figsize=(10, max(2.0, 1.2 + 0.28 * len(shown))), layout="constrained")
    FigureCanvasAgg(figure)
    axes = figure.add_subplot()
    for line, track in enumerate(shown):
        bars = [(start, max(stop - start, 1e-3)) for start, stop in stretches[track]]
        axes.broken_barh(bars, (line - 0.38, 0.76), facecolors=f"C{(track - 1) % 10}")
    for time_s in shots_s:
        axes.axvline(time_s, color="black", linewidth=0.8, linestyle="--")
    axes.set_yticks(range(len(shown)), [str(track) for track in shown])
    axes.set_ylim(max(len(shown), 1) - 0.4, -0.6)
    axes.set_xlim(0, max(duration_s, 1e-3))
    axes.set_xlabel("time, s")
    axes.set_ylabel("track")
    left_out = f", the {_MOST_LINES} longest" if len(stretches) > _MOST_LINES else ""
    count = "1 track" if len(stretches) == 1 else f"{len(stretches)} tracks"
    axes.set_title(f"{count}{left_out}" if stretches else "nobody was tracked")
    axes.grid(axis="x", alpha=0.3)
    figure.savefig(path, dpi=110)


def write_angles(path: Path, angles: Path, report: TrackReport) -> None:
    """Draw the angles and the speed of one track, from the angle table at ``angles``."""
    table = pq.read_table(angles, filters=[("track_id", "==", report.track_id)])
    thin = slice(None, None, max(1, table.num_rows // _MOST_POINTS))
    columns = {name: table[name].to_numpy()[thin] for name in table.column_names}
    figure = Figure(figsize=(10, 11), layout="constrained")
    FigureCanvasAgg(figure)
    panels = figure.subplots(len(_PANELS) + 1, 1, sharex=True)
    times = _broken(columns["time_s"], columns["time_s"])
    for axes, (title, names) in zip(panels[:-1], _PANELS, strict=True):
        for name in names:
            side = name.partition("_")[0]
            axes.plot(times, _broken(columns["time_s"], columns[name]), label=name, color=_COLOURS[side], linewidth=1.2)
        axes.set_ylabel(f"{title}, °")
        axes.legend(loc="center left", bbox_to_anchor=(1.0, 0.5), fontsize="small", frameon=False)
        axes.grid(alpha=0.3)
    panels[-1].plot(times, _broken(columns["time_s"], columns["speed_heights_s"]), color="#3a3a3a", linewidth=1.2)
    panels[-1].set_ylabel("speed, heights/s")
    panels[-1].set_xlabel("time, s")
    panels[-1].grid(alpha=0.3)
    counted = "" if report.repetitions is None else f", {report.repetitions} repetitions"
    figure.suptitle(f"track {report.track_id}{counted}")
    figure.savefig(path, dpi=110)


def _length(stretches: list[tuple[float, float]]) -> float:
    return sum(stop - start for start, stop in stretches)


def _broken(times: NDArray[np.float64], values: NDArray[np.float64]) -> NDArray[np.float64]:
    """``values`` with NaN where half a second or more is missing, so that no line is drawn across."""
    gaps = np.flatnonzero(np.diff(times) > 0.5) + 1
    return np.insert(values.astype(np.float64), gaps, np.nan)
