"""Tell a regression from noise: ``make bench-compare OLD=a.json NEW=b.json``.

Compared are ratios of contenders of the same round, so that a slower machine does not count.  A ratio has regressed
when its median fell by more than 2 % and the one-sided Mann-Whitney test gives such ranks a chance of at most 1 %
where nothing changed: of five rounds each, all or all but one of the new below the old.  The exit status
is 1 then, and 2 where the files do not compare.
"""

import argparse
import statistics
import sys
from pathlib import Path
from typing import NamedTuple

from rich.console import Console
from rich.table import Table
from scipy.stats import mannwhitneyu

from tests.benchmarks.figures import Figures, Ratio

LEAST_FALL = 0.02
MOST_CHANCE = 0.01
FEWEST = 5
"""Rounds of a run: fewer cannot give so small a chance."""


class Change(NamedTuple):
    """What became of a ratio."""

    ratio: Ratio
    old: float
    new: float
    """Medians."""
    chance: float
    """Of ranks as bad as these where nothing changed."""

    @property
    def change(self) -> float:
        return self.new / self.old - 1

    @property
    def regressed(self) -> bool:
        return self.change < -LEAST_FALL and self.chance <= MOST_CHANCE


def main() -> int:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("old", type=Path)
    parser.add_argument("new", type=Path)
    given = parser.parse_args()
    try:
        found = changes(Figures.read(given.old), Figures.read(given.new))
    except (OSError, ValueError, TypeError) as error:
        print(f"cannot compare {given.old} with {given.new}: {error}", file=sys.stderr)
        return 2
    show(found)
    return int(any(each.regressed for each in found))


def changes(old: Figures, new: Figures) -> list[Change]:
    """What became of every ratio that both runs have.

    Raises:
        ValueError: they have none in common, are of different videos or machines, or too few rounds.
    """
    if (old.frames, old.cores) != (new.frames, new.cores):
        raise ValueError(f"{old.frames} frames on {old.cores} cores, then {new.frames} on {new.cores}")
    before, after = old.ratios(), new.ratios()
    both = [ratio for ratio in before if ratio in after]
    if not both:
        raise ValueError("they have no ratio in common")
    if (fewest := min(len(ratios[each]) for ratios in (before, after) for each in both)) < FEWEST:
        raise ValueError(f"{fewest} rounds tell nothing: measure at least {FEWEST}")
    return [_change(ratio, before[ratio], after[ratio]) for ratio in both]


def _change(ratio: Ratio, old: list[float], new: list[float]) -> Change:
    chance = float(mannwhitneyu(new, old, alternative="less").pvalue)
    return Change(ratio, statistics.median(old), statistics.median(new), chance)


def show(found: list[Change]) -> None:
    table = Table("ratio", "old", "new", "change", "chance", "")
    for each in found:
        values = [f"{each.old:.3f}", f"{each.new:.3f}", f"{each.change:+.1%}", f"{each.chance:.3f}"]
        table.add_row(each.ratio.name, *values, "regressed" if each.regressed else "")
    Console(width=None if sys.stdout.isatty() else 120).print(table)


if __name__ == "__main__":
    sys.exit(main())
