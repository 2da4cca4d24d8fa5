"""DLPack and Arrow's PyCapsule interface: rows in and out by what libraries have in common, over the same memory."""

from __future__ import annotations

import ctypes
import gc
import itertools
import subprocess
import sys
from typing import Any

import ml_dtypes
import numpy as np
import pyarrow
import pytest
from numpy.typing import NDArray

from embcodec import Embeddings, StorageError, from_arrow, from_dlpack, quantize, search, to_arrow

X = np.random.default_rng(0).standard_normal((6, 8)).astype(np.float32)
FLOATS = Embeddings(X)
RANGES = np.stack([X.min(axis=0), X.max(axis=0)])
CODES = {
    **{name: quantize(X / 4, name) for name in ("int8", "uint8", "binary", "ubinary")},  # type: ignore[call-overload]
    "int8 per-vector": quantize(X, "int8", scale="per-vector"),
    "uint8 ranges": quantize(X, "uint8", scale=RANGES),
    "ubinary lsb": quantize(X, "ubinary", bit_order="lsb").truncate(5),
    "binary two's complement": quantize(X, "binary", signed_bytes="twos-complement"),
}
PYTHON = ctypes.pythonapi
PYTHON.PyCapsule_New.restype = ctypes.py_object
PYTHON.PyCapsule_New.argtypes = (ctypes.c_void_p, ctypes.c_char_p, ctypes.c_void_p)


class Tensor:
    """What has DLPack and nothing else."""

    def __init__(self, array: Any, device: int = 1) -> None:
        self.array, self.device = array, device

    def __dlpack__(self, **options: Any) -> Any:
        return self.array.__dlpack__(**options)

    def __dlpack_device__(self) -> tuple[int, int]:
        return self.device, 0


class ManagedTensor(ctypes.Structure):
    """DLPack's struct of before versions."""

    _fields_ = (
        ("data", ctypes.c_void_p),
        ("device", ctypes.c_int32 * 2),
        ("ndim", ctypes.c_int32),
        ("code", ctypes.c_uint8),
        ("bits", ctypes.c_uint8),
        ("lanes", ctypes.c_uint16),
        ("shape", ctypes.POINTER(ctypes.c_int64)),
        ("strides", ctypes.POINTER(ctypes.c_int64)),
        ("byte_offset", ctypes.c_uint64),
        ("context", ctypes.c_void_p),
        ("deleter", ctypes.c_void_p),
    )


class Versioned(ctypes.Structure):
    _fields_ = (
        ("version", ctypes.c_uint32 * 2),
        ("context", ctypes.c_void_p),
        ("deleter", ctypes.c_void_p),
        ("flags", ctypes.c_uint64),
        ("tensor", ManagedTensor),
    )


class RawTensor(Tensor):
    """A tensor of elements that NumPy has not, as PyTorch gives one away."""

    def __init__(self, codes: NDArray[Any], code: int, *, versioned: bool = False, offset: int = 0) -> None:
        super().__init__(codes)
        self.taken = 0
        strides = [step // codes.itemsize for step in codes.strides]
        self.sizes = [(ctypes.c_int64 * codes.ndim)(*sizes) for sizes in (codes.shape, strides)]
        made = ManagedTensor()
        made.data, made.byte_offset = codes.ctypes.data - offset, offset
        made.device[0], made.ndim = 1, codes.ndim
        made.code, made.bits, made.lanes = code, 8 * codes.itemsize, 1
        made.shape, made.strides = (ctypes.cast(sizes, ctypes.POINTER(ctypes.c_int64)) for sizes in self.sizes)
        self.name = b"dltensor_versioned" if versioned else b"dltensor"
        self.made: Any = Versioned(tensor=made) if versioned else made

    def __dlpack__(self, **options: Any) -> Any:
        self.taken += 1
        return PYTHON.PyCapsule_New(ctypes.addressof(self.made), self.name, None)


def test_floats_are_given_away_over_their_memory() -> None:
    for read in (np.from_dlpack, lambda x: np.from_dlpack(x, copy=False), lambda x: np.from_dlpack(x, device="cpu")):
        array = read(FLOATS)
        assert np.shares_memory(array, X)
        assert array.shape == X.shape
    assert FLOATS.__dlpack_device__() == (1, 0)
    assert not np.shares_memory(np.from_dlpack(FLOATS, copy=True), X)
    assert from_dlpack(FLOATS) == FLOATS
    for rows in CODES.values():
        with pytest.raises(TypeError, match=r"do not become a tensor silently: use \.values or \.to_float\(\)"):
            rows.__dlpack__()


def test_rows_that_may_not_be_written_are_given_away() -> None:
    rows = X.copy()
    rows.flags.writeable = False
    locked = Embeddings(rows)
    assert np.shares_memory(np.from_dlpack(locked), rows)  # NumPy knows such memory
    assert not np.from_dlpack(locked).flags.writeable
    array = np.from_dlpack(Tensor(Plain(locked)))  # what knows none gets a copy
    assert np.array_equal(array, X)
    assert not np.shares_memory(array, rows)
    with pytest.raises(BufferError):
        locked.__dlpack__(copy=False)


class Plain:
    """Rows as a library asks for them that knows no version."""

    def __init__(self, rows: Any) -> None:
        self.rows = rows

    def __dlpack__(self, **options: Any) -> Any:
        return self.rows.__dlpack__()


def test_tensors_are_read_over_their_memory() -> None:
    for read in (from_dlpack, Embeddings):
        assert np.shares_memory(read(Tensor(X)).values, X)
        assert read(Tensor(X)) == FLOATS
        assert read(Tensor(X.T.copy().T)) == FLOATS
        assert read(Tensor(X.astype(np.float64))) == FLOATS
        assert np.array_equal(read(Tensor(X.astype(np.float16))).values, X.astype(np.float16).astype(np.float32))
    assert search(Tensor(X), Tensor(X), 1).indices.ravel().tolist() == list(range(6))
    for name, rows in CODES.items():
        given = rows.output_dtype, rows.dimension, rows.scale, rows.signed_bytes, rows.bit_order
        scale = {"scale": rows.scale, "signed_bytes": rows.signed_bytes, "bit_order": rows.bit_order}
        back = from_dlpack(Tensor(rows.values), *given[:2], **scale)  # type: ignore[arg-type]
        assert back == rows, name
        assert np.shares_memory(back.values, rows.values)
    with pytest.raises(TypeError, match="bare array of int8"):
        from_dlpack(Tensor(CODES["int8"].values))


@pytest.mark.parametrize("versioned", [False, True])
@pytest.mark.parametrize(
    ("dtype", "code"),
    [(ml_dtypes.bfloat16, 4), (ml_dtypes.float8_e4m3fn, 10), (ml_dtypes.float8_e5m2, 12)],
)
def test_short_floats_are_widened(dtype: Any, code: int, versioned: bool) -> None:
    short = X.astype(dtype)
    want = short.astype(np.float32)
    codes = short.view(np.uint16 if short.itemsize == 2 else np.uint8)
    for given, rows in ((codes, want), (codes[::2, 1::3], want[::2, 1::3]), (codes.T.copy().T, want)):
        for offset in (0, 64):
            for read in (from_dlpack, Embeddings, lambda x: quantize(x, "float")):
                tensor = RawTensor(given, code, versioned=versioned, offset=offset)
                found = read(tensor)
                assert np.array_equal(found.values, rows)
                assert found.values.flags.owndata
                assert tensor.taken
    assert np.array_equal(Embeddings(short).values, want)


def test_short_floats_of_what_numpy_would_not_convert() -> None:
    class Torch(RawTensor):
        """A bfloat16 tensor of PyTorch's, which has no array of it."""

        def __array__(self, *_: Any, **__: Any) -> Any:
            raise TypeError("Got unsupported ScalarType BFloat16")

    short = X.astype(ml_dtypes.bfloat16)
    assert np.array_equal(Embeddings(Torch(short.view(np.uint16), 4)).values, short.astype(np.float32))
    with pytest.raises(TypeError, match="a Torch does not become an array: Got unsupported ScalarType"):
        Embeddings(Torch(short.view(np.uint16), 3))
    with pytest.raises(TypeError, match=r"int8 codes do not become an array silently: use \.values or \.to_float\(\)"):
        Embeddings(CODES["int8"])


def test_tensors_that_cannot_be_read() -> None:
    for read in (from_dlpack, Embeddings):
        with pytest.raises(TypeError, match=r"on another device \(DLPack's 2\): pass it from there, as x.cpu\(\)"):
            read(Tensor(X, device=2))
        with pytest.raises(TypeError, match="does not become an array by DLPack"):
            read(RawTensor(np.zeros((2, 2), np.uint16), 3))
    for other in (X.tolist(), None, "x", 5):
        with pytest.raises(TypeError, match="from_dlpack reads tensors"):
            from_dlpack(other)


def test_memory_lives_as_long_as_it_is_used() -> None:
    rows = np.from_dlpack(Embeddings(np.full((1000, 64), 7, np.float32)))
    column = pytest.importorskip("pyarrow").array(Embeddings(np.full((1000, 64), 7, np.float32)))
    gc.collect()
    np.full((1000, 64), 1, np.float32)
    assert rows.min() == column.flatten().to_numpy().min() == 7


@pytest.mark.parametrize("name", ["float", *CODES])
def test_columns_by_capsule(name: str) -> None:
    pyarrow = pytest.importorskip("pyarrow")
    rows = {"float": FLOATS, **CODES}[name]
    to_arrow(rows)  # pyarrow knows the type from then on
    column = pyarrow.array(rows)
    assert column.type == to_arrow(rows).type
    assert from_arrow(column) == from_arrow(rows) == rows
    for back in (from_arrow(column), from_arrow(rows)):
        assert np.shares_memory(back.values, rows.values)
    plain = getattr(column, "storage", column)
    plain = plain.field("codes") if pyarrow.types.is_struct(plain.type) else plain
    assert plain.values.buffers()[1].address == rows.values.ctypes.data
    assert pyarrow.field(pyarrow.schema([("a", column.type)]).field("a")).type == column.type
    assert pyarrow.DataType._import_from_c_capsule(rows.__arrow_c_schema__()) == column.type


class Capsule:
    """What has Arrow's PyCapsule interface and nothing else: an array, or a stream."""

    def __init__(self, given: Any) -> None:
        for name in ("__arrow_c_array__", "__arrow_c_stream__", "__arrow_c_schema__"):
            if hasattr(given, name):
                setattr(type(self), name, lambda self, *a, name=name, **k: getattr(given, name)(*a, **k))


def capsule(given: Any) -> Any:
    return type("Foreign", (Capsule,), {})(given)


@pytest.mark.parametrize("name", ["float", *CODES])
def test_whatever_has_capsules_is_taken_where_arrow_is(name: str) -> None:
    pyarrow = pytest.importorskip("pyarrow")
    rows = {"float": FLOATS, **CODES}[name]
    column = to_arrow(rows)
    table = pyarrow.table({"id": range(6), "embedding": column})
    chunks = pyarrow.chunked_array([column[:2], column[2:]])
    for given in (column, chunks, table, table.to_batches()[0], table.to_reader()):
        back = from_arrow(capsule(given))
        assert back == rows
        if given is not chunks:
            assert np.shares_memory(back.values, rows.values)
    assert from_arrow(capsule(table), name="embedding") == rows


def test_columns_of_floats_are_rows_wherever_rows_are() -> None:
    pyarrow, polars, pandas = (pytest.importorskip(name) for name in ("pyarrow", "polars", "pandas"))
    column = to_arrow(X)
    assert Embeddings(capsule(column)) == Embeddings(capsule(pyarrow.chunked_array([column[:1], column[1:]]))) == FLOATS
    assert np.shares_memory(Embeddings(capsule(column)).values, X)
    assert search(capsule(column), capsule(column), 1).indices.ravel().tolist() == list(range(6))
    with pytest.raises(TypeError, match=r"a table is no column"):
        Embeddings(capsule(pyarrow.table({"a": column})))
    for frame in (polars.DataFrame({"a": range(6), "e": X}), pandas.DataFrame({"a": range(6), "e": list(X)})):
        assert from_arrow(frame) == from_arrow(frame["e"]) == FLOATS
    for bad in (polars.DataFrame({"a": [1]}), pandas.DataFrame({"e": [[1.0], None]})):
        with pytest.raises(StorageError):
            from_arrow(bad)


def test_tensors_of_arrow() -> None:
    pyarrow = pytest.importorskip("pyarrow")
    column = to_arrow(X, tensors=True)
    assert column.type == pyarrow.fixed_shape_tensor(pyarrow.float32(), [8])
    assert np.shares_memory(column.to_numpy_ndarray(), X)
    assert from_arrow(column) == Embeddings(column) == FLOATS
    assert from_arrow(pyarrow.table({"e": column})) == FLOATS
    with pytest.raises(ValueError, match="tensors=True is for floats: codes have a type of their own"):
        to_arrow(CODES["int8"], tensors=True)


def test_columns_without_pyarrow_say_what_is_missing() -> None:
    code = (
        "import sys; sys.modules['pyarrow'] = None\n"
        "import numpy as np, embcodec\n"
        "rows = embcodec.Embeddings(np.ones((2, 2), np.float32))\n"
        "for act in (rows.__arrow_c_array__, lambda: embcodec.Embeddings(type('Foreign', (), {\n"
        "        '__arrow_c_stream__': None})())):\n"
        "    try:\n"
        "        act()\n"
        "    except (embcodec.StorageError, TypeError) as error:\n"
        "        print(error)\n"
    )
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    assert done.stdout.count("pip install 'embcodec[files]'") == 2


def test_columns_of_booleans_are_bits() -> None:
    bits = np.random.default_rng(1).random((5, 11)) > 0.5
    for column in (pyarrow.array(bits.tolist()), pyarrow.array(bits.tolist(), pyarrow.list_(pyarrow.bool_(), 11))):
        for dtype, order, signed in itertools.product(
            ("ubinary", "binary"), ("msb", "lsb"), ("offset", "twos-complement")
        ):
            found = from_arrow(column, dtype, bit_order=order, signed_bytes=signed)
            assert (found.output_dtype, found.dimension, found.bit_order) == (dtype, 11, order)
            np.testing.assert_array_equal(found.to_float() > 0, bits)
        assert from_arrow(column) == from_arrow(pyarrow.table({"id": range(5), "bits": column}), dimension=11)
        with pytest.raises(StorageError, match="rows of booleans are bits, not int8: say output_dtype='ubinary'"):
            from_arrow(column, "int8")
        with pytest.raises(StorageError, match="rows of 11 booleans, not of 16 dimensions"):
            from_arrow(column, dimension=16)
    with pytest.raises(StorageError, match="row 1 holds a null, not numbers"):
        from_arrow(pyarrow.array([[True, False], [True, None]]))
