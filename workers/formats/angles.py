"""``angles.parquet`` and ``angles.csv``: a row per frame and track, degrees and speeds."""

from pathlib import Path
from types import TracebackType
from typing import Self

import pyarrow as pa
import pyarrow.csv as pc
import pyarrow.parquet as pq

from schema.kinematics import ANGLES
from workers.core.kinematics import Kinematics
from workers.core.rows import TrackRows

SCHEMA = pa.schema(
    [
        ("frame_index", pa.int64()),
        ("time_s", pa.float64()),
        ("track_id", pa.int32()),
        *((name, pa.float32()) for name in ANGLES),
        ("speed_px_s", pa.float32()),
        ("speed_heights_s", pa.float32()),
    ]
)


class AnglesWriter:
    """Writes both files, window after window."""

    def __init__(self, parquet: Path, csv: Path) -> None:
        self._parquet = pq.ParquetWriter(parquet, SCHEMA, compression="zstd")
        self._csv = pc.CSVWriter(csv, SCHEMA)

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self._parquet.close()
        self._csv.close()

    def add(self, rows: TrackRows, motion: Kinematics) -> None:
        """Add the next rows."""
        columns = [rows.frames, rows.times, rows.tracks, *motion.angles.T, motion.speeds, motion.body_speeds]
        table = pa.Table.from_arrays([pa.array(column, from_pandas=True) for column in columns], schema=SCHEMA)
        if len(rows):
            self._parquet.write_table(table)
            self._csv.write_table(table)
