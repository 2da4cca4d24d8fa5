"""Low-bit codes in files: all of them comes back with its scheme, damage is seen, other formats refuse."""

from __future__ import annotations

import contextlib
import copy
import json
import pickle
import struct
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from embcodec import CodeMismatchError, Embeddings, LowBitCodes, LowBitQuantizer, StorageError, load, save, search
from embcodec.containers.tensors import read_tensors, write_tensors
from embcodec.files.kinds import SUFFIXES
from embcodec.files.pack import pack, unpack

KINDS = [(bits, rotation, center) for bits in (1, 2, 4) for rotation in ("none", "random", "blocks", "learned",
         "whitened") for center in ("none", "mean")]  # fmt: skip


def rows(n: int, dimension: int, seed: int = 0) -> np.ndarray:
    x = np.random.default_rng(seed).standard_normal((n, dimension)).astype(np.float32)
    return x / np.linalg.norm(x, axis=1, keepdims=True)


def codes(
    bits: int = 2, rotation: str = "random", center: str = "mean", n: int = 90, dimension: int = 43
) -> LowBitCodes:
    x = rows(n, dimension)
    return LowBitQuantizer(bits, rotation=rotation, center=center).fit(x).encode(x)


def same(found: Any, original: LowBitCodes) -> bool:
    assert isinstance(found, LowBitCodes)
    flags = (found.is_unit, found.unit_error) == (original.is_unit, original.unit_error)
    return flags and found == original and found.scheme.identity == original.scheme.identity


@pytest.mark.parametrize("suffix", [".safetensors", ".npz"])
@pytest.mark.parametrize(("bits", "rotation", "center"), KINDS)
def test_round_trip(tmp_path: Path, bits: int, rotation: str, center: str, suffix: str) -> None:
    original = codes(bits, rotation, center)
    path = tmp_path / f"codes{suffix}"
    save(path, original)
    found = load(path)
    assert same(found, original)
    np.testing.assert_array_equal(found.to_float(), original.to_float())
    again = rows(5, 43, seed=1)
    assert same(LowBitCodes.of(again, found.scheme), LowBitCodes.of(again, original.scheme))
    assert [entry.name for entry in tmp_path.iterdir()] == [path.name]


@pytest.mark.parametrize("bits", [1, 2, 4])
def test_mapped(tmp_path: Path, bits: int) -> None:
    original, asked = codes(bits), rows(4, 43, seed=2)
    path = tmp_path / "codes.safetensors"
    save(path, original)
    found = load(path, mmap=True)
    assert same(found, original)
    assert not found.bit_planes.flags.owndata
    assert not found.bit_planes.flags.writeable
    ours, theirs = search(asked, found, 7), search(asked, original, 7)
    assert np.array_equal(ours.indices, theirs.indices)
    assert np.array_equal(ours.scores, theirs.scores)
    save(tmp_path / "codes.npz", original)
    with pytest.raises(StorageError, match="cannot be mapped"):
        load(tmp_path / "codes.npz", mmap=True)


@pytest.mark.parametrize(("n", "dimension"), [(1, 1), (0, 9), (3, 8), (70, 1000)])
def test_shapes(tmp_path: Path, n: int, dimension: int) -> None:
    x = rows(max(n, 1), dimension)
    original = LowBitQuantizer(4, rotation="random", center="mean").fit(x).encode(x[:n])
    save(tmp_path / "codes.safetensors", original)
    assert same(load(tmp_path / "codes.safetensors"), original)


@pytest.mark.parametrize("suffix", [suffix for suffix in SUFFIXES if suffix not in (".safetensors", ".npz")])
def test_formats_that_cannot_carry_them_say_so(tmp_path: Path, suffix: str) -> None:
    path = tmp_path / f"codes{suffix}"
    path.write_bytes(b"what was there")
    with pytest.raises(StorageError, match=r"no room for the rotation .* use \.safetensors"):
        save(path, codes())
    assert path.read_bytes() == b"what was there"


def test_what_is_asked_for_is_compared_with_what_is_there(tmp_path: Path) -> None:
    path = tmp_path / "codes.safetensors"
    save(path, codes())
    assert len(load(path, dimension=43)) == 90
    with pytest.raises(StorageError, match="2-bit rows, not int8"):
        load(path, output_dtype="int8")
    with pytest.raises(StorageError, match="43 dimensions, not 40"):
        load(path, dimension=40)


def test_every_changed_bit_of_the_header_is_seen(tmp_path: Path) -> None:
    path = tmp_path / "codes.safetensors"
    original = codes(n=20)
    save(path, original)
    content = path.read_bytes()
    length = 8 + struct.unpack("<Q", content[:8])[0]
    for place in range(0, length, 3):
        broken = bytearray(content)
        broken[place] ^= 1
        path.write_bytes(broken)
        with contextlib.suppress(StorageError):
            assert same(load(path), original)  # a changed space
    for cut in (0, 7, length - 1, length, len(content) - 1):
        path.write_bytes(content[:cut])
        with pytest.raises(StorageError):
            load(path)


@pytest.mark.parametrize(
    ("change", "words"),
    [
        ({"bits": "3"}, "3"),
        ({"bits": "4"}, "identity|not those of|bit planes"),
        ({"dimension": "44"}, "center|matrix|factors"),
        ({"scaled": "2"}, "scaled"),
        ({"scaled": "0"}, "not those of"),
        ({"scale_unit": "-0x1p+0"}, "scale of"),
        ({"scale_unit": "nan"}, "scale of"),
        ({"scale_unit": "what"}, "contradicts"),
        ({"unit_error": "inf"}, "error of"),
        ({"low_bit": "lowbit2:0000000000000000"}, "not those of"),
        ({"format": "embcodec 9"}, "embcodec 9"),
        ({"is_unit": None}, "lacks is_unit"),
        ({"bit_planes": None}, "lacks bit_planes"),
        ({"scales": np.zeros(90, np.float64)}, "scales of"),
        ({"scales": np.full(90, np.nan, np.float32)}, "not finite"),
        ({"lengths": np.full(90, -1, np.float32)}, "signs of the lengths"),
        ({"scales": np.full(90, -1, np.float32)}, "negative"),
        ({"lengths": np.zeros(89, np.float32)}, "lengths of"),
        ({"lengths": np.full(90, 1e30, np.float32)}, "a value of lengths is out of range"),
        ({"lengths": np.zeros(90, np.float32)}, "scale and the length of row 0"),
        ({"scales": np.full(90, 1e6, np.float32)}, "scale and the length of row 0"),
        ({"center": np.full(43, 1e30, np.float32)}, "not those of"),
        ({"bit_planes": np.zeros((90, 11), np.uint8)}, "bit planes"),
        ({"bit_planes": np.zeros((90, 12), np.int8)}, "bit planes"),
        ({"center": np.zeros(42, np.float32)}, "center of"),
        ({"center": np.full(43, np.inf, np.float32)}, "not finite"),
        ({"matrix": np.zeros((43, 42), np.float32)}, "matrix of"),
        ({"factors": np.zeros((4, 43, 1), np.float32)}, "factors of"),
        ({"blocks": np.zeros((1, 64, 64), np.float32)}, "factors and blocks"),
        ({"gains": np.zeros((3,), np.float32)}, "none goes without"),
        ({"directions": np.zeros((42, 3), np.float32)}, "directions of .* not float32 43 x any"),
        ({"whitening": np.zeros((43, 43), np.float32)}, "no longer made nor read"),
    ],
)
def test_contradictions_are_seen(tmp_path: Path, change: dict[str, Any], words: str) -> None:
    """Also in files whose checksums are right."""
    tensors, texts = pack(codes())
    for name, value in change.items():
        target = tensors if name in tensors or isinstance(value, np.ndarray) else texts
        target.pop(name, None)  # type: ignore[attr-defined]
        if value is not None:
            target[name] = value  # type: ignore[index]
    path = tmp_path / "codes.safetensors"
    write_tensors(path, tensors, texts)
    with pytest.raises(StorageError, match=words):
        load(path)


def test_two_in_one_file_keep_apart(tmp_path: Path) -> None:
    first, second = codes(1), Embeddings(rows(90, 43))
    (tensors, texts), (more_tensors, more_texts) = pack(first, "a."), pack(second, "b.")
    write_tensors(tmp_path / "both.safetensors", {**tensors, **more_tensors}, {**texts, **more_texts})
    tensors, texts = read_tensors(tmp_path / "both.safetensors")
    assert same(unpack(tensors, texts, "a."), first)
    assert unpack(tensors, texts, "b.") == second
    json.dumps(texts)


def test_copies_are_alike() -> None:
    original = codes(1, "learned")
    for found in (copy.copy(original), copy.deepcopy(original), pickle.loads(pickle.dumps(original))):
        assert same(found, original)


def test_directions_and_gains_that_do_not_fit_are_seen() -> None:
    tensors, texts = pack(codes(rotation="whitened"))
    for name, change in (("gains", lambda gains: gains[:1]), ("directions", lambda directions: directions[:, :1])):
        with pytest.raises(StorageError, match=r"gains for \d+ directions"):
            unpack({**tensors, name: np.ascontiguousarray(change(tensors[name]))}, texts)
    with pytest.raises(StorageError, match="none goes without"):
        unpack({name: array for name, array in tensors.items() if name != "blocks"}, texts)


def test_conversions_from_and_to() -> None:
    x = rows(200, 24)
    quantizer = LowBitQuantizer(4, rotation="none", center="none").fit(x)
    found = Embeddings(x).to(quantizer)
    assert same(found, quantizer.encode(x))
    coarse = Embeddings(x).to("int8")
    assert coarse.to(quantizer) == quantizer.encode(coarse.to_float())
    for dtype in ("float", "int8", "uint8", "binary", "ubinary"):
        assert found.to(dtype) == Embeddings(found.to_float()).to(dtype)
    assert found.to("int8", scale="per-vector").scale is not None
    assert np.abs(found.to("float").values - x).max() < 0.2
    with pytest.raises(ValueError, match="scales of its own"):
        Embeddings(x).to(quantizer, scale="unit")  # type: ignore[call-overload]
    with pytest.raises(ValueError, match="not fitted"):
        Embeddings(x).to(LowBitQuantizer(1))
    with pytest.raises(CodeMismatchError, match=r"cannot be cut to 8 .*truncate"):
        found.truncate(8)
