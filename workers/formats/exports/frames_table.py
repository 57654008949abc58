"""A table of numbers, a row per frame, under columns of several levels: as pandas writes it to HDF5 and CSV.

pandas and PyTables are 80 MB and take seconds to import; what they write of such a table is a few arrays.
"""

from collections.abc import Mapping
from itertools import product
from pathlib import Path

import h5py
import numpy as np
from numpy.typing import NDArray

Attributes = Mapping[str, str | bytes | int]

_ARRAY: Attributes = {"CLASS": "ARRAY", "FLAVOR": "numpy", "VERSION": "2.4", "TITLE": ""}
_GROUP: Attributes = {"CLASS": "GROUP", "VERSION": "1.0", "TITLE": ""}
_FRAME: Attributes = {
    "pandas_type": "frame",
    "encoding": "UTF-8",
    "errors": "strict",
    "ndim": 2,
    "nblocks": 1,
    "axis0_variety": "multi",
    "axis1_variety": "regular",
    "block0_items_variety": "multi",
}


class FramesTable:
    """Filled from the first frame to the last; what is not filled is NaN.

    Args:
        h5: file to write: the table in pandas' fixed format, which `pandas.read_hdf` reads.
        csv: file to write: the levels of the columns as header lines.
        key: name of the table in the HDF5 file.
        levels: labels of the columns by name of their level; a column for every combination.
        frames: number of rows.
    """

    def __init__(self, h5: Path, csv: Path, key: str, levels: Mapping[str, list[str]], frames: int) -> None:
        self._columns = list(product(*levels.values()))
        self._file, self._csv = h5py.File(h5, "w"), csv.open("w", encoding="utf-8")
        _note(self._file, {**_GROUP, "PYTABLES_FORMAT_VERSION": "2.1"})
        group = self._file.create_group(key)
        _note(group, {**_GROUP, **_FRAME})
        for axis in ("axis0", "block0_items"):
            _note(group, {f"{axis}_nlevels": len(levels)})
            self._describe(group, axis, levels)
        _note(_array(group, "axis1", np.arange(frames)), {"kind": "integer", "name": b"N."})
        self._values = _array(group, "block0_values", np.empty((0, len(self._columns))), rows=frames)
        for level, labels in zip(levels, zip(*self._columns, strict=True), strict=True):
            self._csv.write(",".join((level, *labels)) + "\n")

    def write(self, start: int, stop: int, values: NDArray[np.float64] | None) -> None:
        """The rows ``start..stop``: ``[stop - start, …]`` in the order of the columns, or none for NaN."""
        shape = (stop - start, len(self._columns))
        table = np.full(shape, np.nan) if values is None else values.reshape(shape)
        self._values[start:stop] = table
        for number, row in enumerate(table, start):
            told = ("" if value != value else repr(value) for value in row.tolist())
            self._csv.write(",".join((str(number), *told)) + "\n")

    def close(self) -> None:
        """End both files."""
        self._file.close()
        self._csv.close()

    def _describe(self, group: h5py.Group, axis: str, levels: Mapping[str, list[str]]) -> None:
        """Write the levels, whose labels have to be sorted, and each column's place in every one of them."""
        for number, (name, labels) in enumerate(levels.items()):
            known = sorted(labels)
            stored = _array(group, f"{axis}_level{number}", np.array([label.encode() for label in known]))
            _note(stored, {"kind": "string", "name": name, "nan_rep": "", f"{axis}_name{name}": name})
            places = [known.index(column[number]) for column in self._columns]
            _array(group, f"{axis}_label{number}", np.array(places, np.int16))


def _array(group: h5py.Group, name: str, values: NDArray[np.generic], rows: int | None = None) -> h5py.Dataset:
    """An array as PyTables writes it; with ``rows``, room for so many rows like those of ``values``."""
    shape = (len(values) if rows is None else rows, *values.shape[1:])
    if 0 in shape:  # HDF5 has no room for nothing, so pandas keeps the shape beside one value
        stored = group.create_dataset(name, (1,) * len(shape), values.dtype)
        _note(stored, {"value_type": str(values.dtype)})
        stored.attrs["shape"] = np.array(shape)
    elif rows is None:
        stored = group.create_dataset(name, data=values)
    else:
        stored = group.create_dataset(name, shape, values.dtype, fillvalue=np.nan)
    _note(stored, _ARRAY)
    stored.attrs["transposed"] = np.uint8(1)
    return stored


def _note(node: h5py.HLObject, attributes: Attributes) -> None:
    """Attributes as PyTables writes them: texts have a fixed length, bytes are a pickle (of None)."""
    for name, value in attributes.items():
        if isinstance(value, int):
            node.attrs[name] = np.int64(value)
        elif isinstance(value, bytes):
            node.attrs[name] = np.bytes_(value)
        else:
            text = h5py.string_dtype("utf-8", max(1, len(value)))
            node.attrs.create(name, np.array(value.encode(), text) if value else h5py.Empty(text))
