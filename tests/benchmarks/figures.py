"""Figures of a benchmark run: rates in rounds, the ratios that count, their bars, as a table and as JSON."""

import json
import statistics
from dataclasses import asdict, dataclass, field
from pathlib import Path
from typing import NamedTuple, Self

from rich.console import Console
from rich.table import Table

Rates = dict[str, list[float]]
"""By contender: what it did per second in every round."""


class Ratio(NamedTuple):
    """Two contenders of the same rounds, and what the ratio should be at least."""

    ours: str
    other: str
    bar: float | None = None

    @property
    def name(self) -> str:
        return f"{self.ours} ÷ {self.other}"


RATIOS = (
    Ratio("infer step", "ideal infer", 0.95),
    Ratio("whole job", "ideal job", 0.90),
    Ratio("infer step", "tutorial as written", 10.0),
    Ratio("infer step", "tutorial at 160 x 256"),
    Ratio("infer step", "Ray Data", 1.15),
    Ratio("infer step", "multiprocessing pool", 1.0),
    Ratio("infer step", "a pool with the fleet's heads"),
    Ratio("infer step", "TensorFlow.js"),
    Ratio("infer step", "trunk, a frame"),
    Ratio("infer step", "matrix product, a GFLOP"),
    Ratio("whole job", "matrix product, a GFLOP"),
    Ratio("trunk, a GFLOP", "matrix product, a GFLOP"),
    Ratio("trunk, a frame", "decoder, k = 20, a frame of 32"),
    Ratio("Thunder, a crop", "cutting a crop"),
)
BEST_OF = {
    "ideal infer": ("ideal infer, a thread per core", "ideal infer, decoding ahead"),
    "ideal job": ("ideal job, two passes", "ideal job, one pass"),
}
"""Contenders of which the faster one counts, round by round."""

GFLOP_PER_FRAME = 1.12
"""Of the trunk at 160 x 256, which is without the heads that are worked out at single cells."""


@dataclass
class Figures:
    """What one run measured."""

    frames: int
    cores: int
    rates: Rates
    left_out: dict[str, str] = field(default_factory=dict)
    """Contenders that are missing, and why."""

    @classmethod
    def read(cls, path: Path) -> Self:
        """Raises OSError, ValueError, TypeError where ``path`` is no file of figures."""
        return cls(**json.loads(path.read_text()))

    def write(self, path: Path) -> None:
        """Write JSON, with the ratios beside what they are made of."""
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_text(json.dumps(asdict(self), indent=1))

    def ratios(self) -> dict[Ratio, list[float]]:
        """The ratios of every round of those whose contenders are both there."""
        known = dict(self.rates)
        for name, shapes in BEST_OF.items():
            if there := [known[shape] for shape in shapes if shape in known]:
                known[name] = [max(each) for each in zip(*there, strict=True)]
        if "trunk, a frame" in known:
            known["trunk, a GFLOP"] = [GFLOP_PER_FRAME * rate for rate in known["trunk, a frame"]]
        return {
            ratio: [a / b for a, b in zip(known[ratio.ours], known[ratio.other], strict=True)]
            for ratio in RATIOS
            if ratio.ours in known and ratio.other in known
        }


def report(figures: Figures, console: Console) -> None:
    """Print rates, ratios and what is missing."""
    rates = Table("a second", "median", "lowest", "highest", title=f"{figures.frames} frames, {figures.cores} cores")
    for name, values in figures.rates.items():
        rates.add_row(name, *_spread(values, 1))
    ratios = Table("ratio", "median", "lowest", "highest", "bar", "", title="round by round")
    for ratio, values in figures.ratios().items():
        met = "" if ratio.bar is None else "met" if statistics.median(values) >= ratio.bar else "missed"
        ratios.add_row(ratio.name, *_spread(values, 3), "" if ratio.bar is None else f"{ratio.bar:g}", met)
    console.print(rates, ratios)
    for name, why in figures.left_out.items():
        console.print(f"left out: {name}: {why}", markup=False)


def _spread(values: list[float], digits: int) -> list[str]:
    return [f"{value:.{digits}f}" for value in (statistics.median(values), min(values), max(values))]
