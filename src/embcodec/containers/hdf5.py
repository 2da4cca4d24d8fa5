"""``.hdf5`` files, as ann-benchmarks has them: plain datasets, looked at before any of them is read.

HDF5's own library reads the file: it is large, and its guard against damaged files is its own. Links to other files,
and datasets that lie in such, are passed over, so that a file cannot have another one read.
"""

from __future__ import annotations

import os
from collections.abc import Iterator
from contextlib import contextmanager
from importlib import import_module
from typing import Any

import numpy as np
from numpy.typing import NDArray

from ..errors import StorageError
from ..words import needs_package
from .arrays import Stream
from .checks import check_decoded, check_shape

_MOST = 256  # datasets and groups that are looked at
_FILTERS = {"1": "gzip", "2": "shuffle", "3": "fletcher32", "4": "szip", "32000": "lzf"}
_ROWS_BYTES = 1 << 22  # how much of the rows is read at once


class Hdf5:
    """An open file: its datasets of plain numbers by name (in groups ``group/name``), and what else there is."""

    def __init__(self, file: Any, size: int, h5py: Any) -> None:
        self.size, self.h5py, self.nodes = size, h5py, 0
        self.datasets: dict[str, Any] = {}
        self.others: dict[str, str] = {}
        self._look(file, "", 0)

    def _look(self, group: Any, prefix: str, depth: int) -> None:
        for name in group:
            path = f"{prefix}{name}"
            self.nodes += 1
            if self.nodes > _MOST:
                raise StorageError(f"a .hdf5 file with more than {_MOST} datasets and groups")
            if not isinstance(group.get(name, getlink=True), self.h5py.HardLink):
                self.others[path] = "a link, which is not followed"
                continue
            node = group[name]
            if isinstance(node, self.h5py.Group) and depth < 4:
                self._look(node, f"{path}/", depth + 1)
            elif isinstance(node, self.h5py.Dataset):
                why = _unread(node)
                if why:
                    self.others[path] = why
                else:
                    self.datasets[path] = node

    def read(self, name: str, max_bytes: int | None) -> NDArray[Any]:
        """Return a dataset as an array of its own memory; StorageError where it takes more than `max_bytes`."""
        dataset = self.datasets[name]
        shape, dtype = tuple(map(int, dataset.shape)), dataset.dtype
        check_decoded(check_shape(shape, dtype, repr(name)), self.size, max_bytes, f"dataset {name!r}")
        array = np.empty(shape, dtype)
        if array.size:
            step = max(1, _ROWS_BYTES // max(array[:1].nbytes, 1))
            for start in range(0, len(array), step):
                dataset.read_direct(array, np.s_[start : start + step], np.s_[start : start + step])
        return array

    def stream(self, name: str) -> Stream:
        """Return a dataset (of one axis or more) to be read in parts."""
        dataset = self.datasets[name]
        shape, dtype = tuple(map(int, dataset.shape)), np.dtype(dataset.dtype)
        check_shape(shape, dtype, repr(name))

        def read(first: int, count: int) -> NDArray[Any]:
            return np.ascontiguousarray(dataset[first : first + count])

        return Stream(shape, dtype, read)


@contextmanager
def open_hdf5(path: str | os.PathLike[str]) -> Iterator[Hdf5]:
    """Open a file to read arrays from it.

    Raises
    ------
    StorageError
        Where it is damaged, also where that shows while the block runs, or h5py is missing.
    OSError
        Where there is none, or it cannot be opened.
    """
    try:
        h5py = import_module("h5py")
    except ImportError:
        raise StorageError(needs_package("a .hdf5 file", "h5py", "hdf5")) from None
    size = os.stat(path).st_size
    with open(path, "rb"):
        pass
    try:
        with h5py.File(os.fsdecode(os.fspath(path)), "r") as file:
            yield Hdf5(file, size, h5py)
    except StorageError:
        raise
    except (OSError, RuntimeError, KeyError, ValueError, TypeError, AttributeError, UnicodeError) as error:
        words = str(error).partition("\n")[0][:200]
        raise StorageError(f"not a .hdf5 file, or a damaged one: {words}") from None


def _unread(dataset: Any) -> str:
    """Return why a dataset is not read; nothing where it is."""
    if dataset.shape is None or dataset.dtype.kind not in "bfiu" or dataset.dtype.hasobject:
        return f"elements of {dataset.dtype}, which are not read"
    if dataset.external or dataset.is_virtual:
        return "elements in other files, which are not read"
    plist = dataset.id.get_create_plist()
    filters = [str(plist.get_filter(place)[0]) for place in range(plist.get_nfilters())]
    unknown = [number for number in filters if number not in _FILTERS]
    return f"elements under filter {unknown[0]}, which is not read" if unknown else ""
