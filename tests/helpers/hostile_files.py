"""Files that lie about what they hold, made small: each names the way it lies."""

from __future__ import annotations

import io
import struct
import zipfile
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import numpy as np


def npy(array: np.ndarray) -> bytes:
    """Return a .npy file."""
    file = io.BytesIO()
    np.lib.format.write_array(file, array, version=(1, 0), allow_pickle=False)
    return file.getvalue()


def npy_of(shape: str, data: bytes = b"", descr: str = "<f4") -> bytes:
    """Return a .npy file whose header says that shape."""
    header = f"{{'descr':'{descr}','fortran_order':False,'shape':{shape}}}".encode()
    header += b" " * (-(11 + len(header)) % 64) + b"\n"
    return b"\x93NUMPY\x01\x00" + struct.pack("<H", len(header)) + header + data


def safetensors_of(shape: list[int], nbytes: int, dtype: str = "F32") -> bytes:
    """Return a .safetensors file of one tensor whose header says that shape, of `nbytes` zeros."""
    import json

    header = json.dumps({"a": {"dtype": dtype, "shape": shape, "data_offsets": [0, nbytes]}}).encode()
    return struct.pack("<Q", len(header)) + header + bytes(nbytes)


def npz_of_overlapping_members(path: Path, values: np.ndarray, count: int) -> None:
    """Write a .npz whose members all share the one stream of deflated zeros."""
    with zipfile.ZipFile(path, "w", zipfile.ZIP_DEFLATED) as archive:
        archive.writestr("a0.npy", npy(values))
        first = archive.infolist()[0]
        for number in range(1, count):
            twin = zipfile.ZipInfo(f"a{number}.npy")
            for name in ("compress_type", "CRC", "compress_size", "file_size", "header_offset", "flag_bits"):
                setattr(twin, name, getattr(first, name))
            archive.filelist.append(twin)
            archive.NameToInfo[twin.filename] = twin


def parquet_of_one_long_row(path: Path, values: int, announced: int | None = None) -> None:
    """Write a .parquet of a single row of so many zeros; its footer may announce another number of values."""
    import pyarrow
    from pyarrow import parquet

    row = pyarrow.LargeListArray.from_arrays([0, values], pyarrow.array(np.zeros(values, np.float32)))
    parquet.write_table(pyarrow.table({"v": row}), path)
    if announced is None:
        return
    content = bytearray(path.read_bytes())
    length = int.from_bytes(content[-8:-4], "little")
    begin = len(content) - 8 - length
    old, new = zigzag(values), zigzag(announced)
    assert len(old) == len(new)
    footer = bytes(content[begin:-8])
    assert old in footer
    content[begin:-8] = footer.replace(old, new)
    path.write_bytes(content)


def zigzag(value: int) -> bytes:
    """Return a whole number as Thrift's compact protocol writes it."""
    value <<= 1
    out = bytearray()
    while value > 127:
        out.append(value & 127 | 128)
        value >>= 7
    return bytes([*out, value])


def with_arrays(path: Path, **changes: Any) -> None:
    """Change arrays of a .npz, as a hostile hand would: None takes one out."""
    with np.load(path) as file:
        arrays = {name: file[name] for name in file.files}
    for name, value in changes.items():
        arrays.pop(name, None)
        if value is not None:
            arrays[name] = value
    np.savez(path, **arrays)


@contextmanager
def memory_within(nbytes: int) -> Iterator[None]:
    """Fail where the block takes more, of what NumPy, Python and pyarrow count."""
    import tracemalloc

    import pyarrow

    pool = pyarrow.default_memory_pool()
    before, peak = pool.bytes_allocated(), pool.max_memory()
    tracemalloc.start()
    try:
        yield
        assert tracemalloc.get_traced_memory()[1] <= nbytes
        assert pool.max_memory() <= max(peak, before + nbytes)
    finally:
        tracemalloc.stop()
