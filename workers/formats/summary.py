"""``tracks_summary.csv``: a line per track."""

import csv
from pathlib import Path

from schema.manifest import TrackReport


def write_summary(path: Path, reports: tuple[TrackReport, ...]) -> None:
    """Write how long and how good every track is; a header alone where there is none."""
    with path.open("w", newline="", encoding="utf-8") as stream:
        writer = csv.DictWriter(stream, list(TrackReport.model_fields), lineterminator="\n")
        writer.writeheader()
        writer.writerows(report.model_dump() for report in reports)
