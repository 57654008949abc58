"""Rows of the fault matrix: which there are, what a test of one measured, and the table of all."""

import os
import time
from dataclasses import dataclass, field
from typing import Any

import pytest

ALL = bool(os.environ.get("POSEFLEET_FAULTS_ALL"))
SEEDS = int(os.environ.get("POSEFLEET_FAULTS_SEEDS", "1"))
#: Measured times may be this much longer where other work shares the cores.
SLACK = 1.0 if ALL else 3.0
NOT_YET = "not yet: "
PROPERTY = "fault matrix"
"""Of reports, with a line of the table."""


def row(number: int, fault: str, *, ci: bool = False, patience_s: float = 240) -> Any:
    """Mark a test as one of row ``number``; without ``ci`` it runs in ``make faults`` only."""

    def mark(test: Any) -> Any:
        for each in (pytest.mark.fault_row(number, fault), pytest.mark.timeout(patience_s)):
            test = each(test)
        return test if ci else pytest.mark.faults_all(test)

    return mark


@dataclass
class Record:
    """What a test measured."""

    figures: list[str] = field(default_factory=list)
    _failed: list[str] = field(default_factory=list)

    def seconds(self, what: str, value: float, limit: float) -> None:
        """A time; beyond its limit by more than the slack it fails the row, at the end."""
        self._add(f"{what} {value:.1f} s (≤ {limit:g} s)", fine=value <= limit * SLACK, late=value > limit)

    def at_most(self, what: str, value: float, limit: float) -> None:
        """A count or a share, without slack."""
        self._add(f"{what} {_short(value)} (≤ {_short(limit)})", fine=value <= limit)

    def at_least(self, what: str, value: float, limit: float) -> None:
        """A count or a share, without slack."""
        self._add(f"{what} {_short(value)} (≥ {_short(limit)})", fine=value >= limit)

    def exactly(self, what: str, value: float, wanted: float) -> None:
        """A count."""
        self._add(f"{what} {_short(value)} (= {_short(wanted)})", fine=value == wanted)

    def about(self, text: str) -> None:
        """A figure without a limit."""
        self._add(text, fine=True)

    def _add(self, figure: str, *, fine: bool, late: bool = False) -> None:
        self.figures.append(figure + (" !" if late or not fine else ""))
        if not fine:
            self._failed.append(figure)

    def verdict(self) -> None:
        """Fail when a figure was beyond its limit."""
        assert not self._failed, f"beyond the limit: {'; '.join(self._failed)}"


def _short(value: float) -> str:
    return f"{value:.3g}" if isinstance(value, float) else str(value)


@dataclass(frozen=True)
class Line:
    """One line of the table."""

    number: int
    fault: str
    test: str
    result: str
    seconds: float
    figures: str

    def __str__(self) -> str:
        return f"{self.number:3}  {self.result:8} {self.seconds:5.0f} s  {self.fault} [{self.test}]: {self.figures}"


def line_of(item: pytest.Item, report: pytest.TestReport, figures: list[str]) -> Line:
    """The line of a test that has ended."""
    marker = item.get_closest_marker("fault_row")
    assert marker is not None
    said = "; ".join(figures)
    result = report.outcome
    if report.skipped and isinstance(report.longrepr, tuple):
        said = report.longrepr[2].removeprefix("Skipped: ")
        result = "not yet" if said.startswith(NOT_YET) else "skipped"
        said = said.removeprefix(NOT_YET)
    elif report.failed:
        last = str(report.longrepr).strip().splitlines()
        errors = [text.removeprefix("E").strip() for text in last if text.startswith("E ")]
        said = "; ".join(filter(None, [said, (errors or last)[0][:200]]))
    return Line(*marker.args, test=item.name, result=result, seconds=report.duration, figures=said)


class Table:
    """Collects the lines, also of tests that ran in other processes, and prints them.

    A run of the whole matrix takes long, so it prints each as it comes, too.
    """

    def __init__(self, plugins: pytest.PytestPluginManager) -> None:
        self._plugins = plugins
        self._lines: list[Line] = []

    def pytest_runtest_logreport(self, report: pytest.TestReport) -> None:
        """Take a line out of a report."""
        found = [Line(**line) for name, line in report.user_properties if name == PROPERTY]
        self._lines += found
        if ALL and (terminal := self._plugins.get_plugin("terminalreporter")):
            for line in found:
                terminal.write_line(f"\n{line}")

    def pytest_terminal_summary(self, terminalreporter: pytest.TerminalReporter) -> None:
        """The table."""
        if self._lines:
            terminalreporter.section("fault matrix")
        for line in sorted(self._lines, key=lambda each: (each.number, each.test)):
            terminalreporter.write_line(str(line))


class Stopwatch:
    """Seconds since it was made."""

    def __init__(self) -> None:
        self.began, self.wall = time.monotonic(), time.time()

    @property
    def seconds(self) -> float:
        return time.monotonic() - self.began
