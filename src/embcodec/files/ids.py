"""The numbers of rows in a file: ground truth, as the nearest-neighbour benchmarks have it."""

from __future__ import annotations

import os
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from ..containers import check_decoded, check_max_bytes, open_hdf5, read_ids, read_npy, read_npz
from ..errors import StorageError
from ..words import as_path, shown
from .contents import check_no_quantizer
from .kinds import HDF5, IDS

_KNOWN = (*IDS, ".npy", ".npz", *HDF5)


def load_ids(
    path: str | os.PathLike[str], *, column: str | None = None, max_bytes: int | None = None
) -> NDArray[np.int64]:
    """Read the numbers of rows that answer each query: a ground truth.

    Parameters
    ----------
    path : path-like
        ``.ibin`` (with distances behind the numbers, or without), ``.ivecs``, ``.npy``, ``.npz`` or ``.hdf5``.
    column : str, optional
        Which array of a ``.npz`` or dataset of a ``.hdf5``; by default the only one of whole numbers, and of
        ann-benchmarks' files ``neighbors``.
    max_bytes : int, optional
        How many bytes of memory the data may ask for; see :func:`embcodec.load`.

    Returns
    -------
    ndarray of int64, (n_queries, k) or (n_queries,)

    Raises
    ------
    StorageError
        Where the file is damaged, or holds no whole numbers; it names the file.
    OSError
        Where it cannot be read.

    Examples
    --------
    >>> import tempfile, pathlib, struct
    >>> path = pathlib.Path(tempfile.mkdtemp(), "truth.ibin")
    >>> _ = path.write_bytes(struct.pack("<II4i", 2, 2, 7, 3, 0, 5))
    >>> load_ids(path)
    array([[7, 3],
           [0, 5]])
    """
    name = Path(as_path(path)).name
    suffix = Path(name).suffix.lower()
    if suffix not in _KNOWN:
        raise StorageError(f"{name!r}: unknown kind of file; numbers of rows are in {', '.join(_KNOWN)}")
    if column is not None and not isinstance(column, str):
        raise TypeError(f"column is a name, not {shown(column)}")
    try:
        check_max_bytes(max_bytes)
        found = _read(path, suffix, column, max_bytes)
        if found.dtype.kind not in "iu" or found.ndim not in (1, 2):
            raise StorageError(f"row numbers are integers, one or several a query, not {found.dtype} {found.shape}")
        if found.dtype == np.uint64 and found.size and found.max() >= 1 << 63:
            raise StorageError("row numbers beyond int64")
        return found.astype(np.int64, copy=False)
    except StorageError as error:
        raise StorageError(f"{os.fspath(path)}: {error}") from None


def _read(path: str | os.PathLike[str], suffix: str, column: str | None, max_bytes: int | None) -> NDArray[Any]:
    if suffix in HDF5:
        with open_hdf5(path) as hdf5:
            name = _chosen(hdf5.datasets, column)
            return hdf5.read(name, max_bytes)
    with open(path, "rb") as file:
        size = os.fstat(file.fileno()).st_size
        if suffix == ".npz":
            arrays, _ = read_npz(file, None, max_bytes)
            check_no_quantizer(arrays, suffix)
            if column is None and "embcodec" in arrays:
                raise StorageError("embcodec wrote the file for rows, not for their numbers: embcodec.load(path)")
            return arrays[_chosen(arrays, column)]
        if column is not None:
            raise StorageError(f"a {suffix} file is one array without columns: leave out column={column!r}")
        check_decoded(size, size, max_bytes, f"the {suffix} file")
        return read_npy(file, size) if suffix == ".npy" else read_ids(file, size, suffix)


def _chosen(arrays: Any, column: str | None) -> str:
    """Return the name of the one array of whole numbers, or of the one that is named."""
    holds = ", ".join(f"{name} of {array.dtype} {array.shape}" for name, array in arrays.items()) or "nothing"
    if column is not None:
        if column not in arrays:
            raise StorageError(f"no array {column!r}; the file holds {holds}")
        return column
    found = [name for name, array in arrays.items() if array.dtype.kind in "iu"]
    if "neighbors" in found:
        return "neighbors"
    if len(found) != 1:
        choice = f"; name one, as column={found[0]!r}" if found else ""
        raise StorageError(f"one array of whole numbers is wanted; the file holds {holds}{choice}")
    return str(found[0])
