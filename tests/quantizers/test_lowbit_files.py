"""Files of quantizers: everything in them is judged before the C core sees it, and once more there."""

from __future__ import annotations

import struct
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from hostile_files import with_arrays

from embcodec import Embeddings, FlatIndex, LowBitCodes, LowBitQuantizer, StorageError, iter_load, load, load_ids, save
from embcodec._native import lowbit as native
from embcodec.quantizers.lowbit.rotations import Rotation
from embcodec.quantizers.lowbit.scheme import LowBitScheme

D = 80
X = np.random.default_rng(0).standard_normal((120, D)).astype(np.float32)


def saved(path: Path, rotation: str, *, former: bool = False) -> Path:
    LowBitQuantizer(2, rotation=rotation, center="mean", seed=1).fit(X).save(path)
    with_arrays(path, **({"format": None} if former else {}))
    return path


def settings(**changes: int) -> np.ndarray:
    return np.array(list({"bits": 2, "seed": 1, "dimension": D, "scaled": 1, **changes}.values()), np.int64)


UNITS = (1e308, -1.0, 0.0, np.nan, np.inf, 1e-40, 5e-324)
CRAFTED: list[tuple[str, dict[str, Any], str]] = [
    ("none", {"center": np.zeros(D - 1, np.float32)}, r"center of float32 \(79,\), not float32 80"),
    ("none", {"center": np.zeros(D, np.float64)}, "center of float64"),
    ("none", {"center": np.full(D, np.nan, np.float32)}, r"a value of center is not finite: nan at \[0\]"),
    ("none", {"center": np.full(D, 1, np.float32), "matrix": np.eye(D, dtype=np.uint8)}, "matrix of uint8"),
    ("none", {"settings": settings(dimension=100_000)}, r"center of float32 \(80,\), not float32 100000"),
    ("none", {"settings": settings(dimension=0)}, "a dimension of 0"),
    ("none", {"settings": settings(dimension=-5)}, "a dimension of -5"),
    ("none", {"settings": settings(dimension=1 << 62)}, "a dimension of 4611686018427387904"),
    ("none", {"settings": settings(bits=3)}, "codes of 3 bits"),
    ("none", {"settings": settings(scaled=2)}, "scaled 2"),
    ("none", {"settings": settings()[:3]}, r"settings of int64 \(3,\)"),
    ("none", {"settings": settings().astype(np.float64)}, "settings of float64"),
    ("none", {"names": np.array([["none", "mean", "x"]])}, "names of"),
    ("none", {"names": np.array(["no", "mean", "x"])}, "unknown rotation"),
    ("none", {"report": np.zeros(2)}, "report of"),
    ("none", {"scale_unit": None}, "lacks scale_unit"),
    *(("none", {"scale_unit": np.float64(unit)}, "scale") for unit in UNITS),
    ("none", {"format": np.array(["embcodec quantizer 9", ""])}, "another format"),
    ("random", {"factors": np.ones((4, D - 1), np.float32)}, "factors of"),
    ("random", {"factors": np.ones((4, D), np.uint8)}, "factors of uint8"),
    ("random", {"factors": np.full((4, D), 1e30, np.float32)}, "a value of factors is out of range"),
    ("random", {"blocks": np.zeros((2, 64, 64), np.float32)}, "factors and blocks in one rotation"),
    ("blocks", {"blocks": np.zeros((1, 64, 64), np.float32)}, "blocks of"),
    ("blocks", {"blocks": np.zeros((2, 64, 64), np.uint8)}, "blocks of uint8"),
    ("blocks", {"blocks": np.zeros((2, 64, 63), np.float32)}, "blocks of"),
    ("learned", {"matrix": np.zeros((D, D - 1), np.float32)}, "matrix of"),
    ("learned", {"matrix": np.zeros((1, 1), np.float32)}, "matrix of"),
    ("learned", {"matrix": np.full((D, D), np.inf, np.float32)}, "a value of matrix is not finite"),
    ("whitened", {"gains": np.zeros(D, np.float32)}, "a gain of 0.0"),
    ("whitened", {"gains": np.ones(3, np.float32)}, "3 gains for 80 directions"),
    ("whitened", {"directions": np.zeros((D, D + 1), np.float32), "gains": np.ones(D + 1, np.float32)}, "81 dir"),
    ("whitened", {"directions": None}, "none goes without"),
    ("whitened", {"whitening": np.zeros((D, D), np.float32)}, "no longer made nor read"),
]  # fmt: skip


@pytest.mark.parametrize(("rotation", "change", "words"), CRAFTED)
def test_a_crafted_quantizer_is_refused(tmp_path: Path, rotation: str, change: dict[str, Any], words: str) -> None:
    path = saved(tmp_path / "q.npz", rotation, former="format" not in change)
    assert LowBitQuantizer.load(path).encode(X).bit_planes.shape == (120, 20) if "format" not in change else True
    with_arrays(path, **change)
    with pytest.raises(StorageError, match=rf"q\.npz holds no low-bit quantizer: .*{words}"):
        LowBitQuantizer.load(path)


def test_what_was_written_is_what_is_read(tmp_path: Path) -> None:
    """A change that fits in every way but one: the file says what it held."""
    path = saved(tmp_path / "q.npz", "none")
    with_arrays(path, center=np.zeros(D, np.float32))
    with pytest.raises(StorageError, match="what it holds is not 'lowbit2:"):
        LowBitQuantizer.load(path)


def test_flipped_bits_are_seen(tmp_path: Path) -> None:
    quantizer = LowBitQuantizer(1, rotation="none", center="mean").fit(X[:, :5])
    path = tmp_path / "q.npz"
    quantizer.save(path)
    whole = bytearray(path.read_bytes())
    for place in range(0, 8 * len(whole), 41):
        whole[place // 8] ^= 1 << place % 8
        path.write_bytes(whole)
        whole[place // 8] ^= 1 << place % 8
        try:
            found = LowBitQuantizer.load(path)
        except StorageError:
            continue
        assert found.scheme.identity == quantizer.scheme.identity
        assert (found.choice, found.report) == (quantizer.choice, quantizer.report)
    for length in range(0, len(whole), 19):
        path.write_bytes(whole[:length])
        with pytest.raises(StorageError):
            LowBitQuantizer.load(path)


PARTS: list[tuple[str, dict[str, Any]]] = [
    ("center", {"center": np.zeros(D - 1, np.float32)}),
    ("factors", {"rotation": Rotation(factors=np.ones((2, D - 1), np.float32))}),
    ("panels", {"rotation": Rotation(blocks=np.zeros((1, 64, 64), np.float32))}),
    ("panels of a matrix", {"rotation": Rotation(matrix=np.zeros((D - 1, D), np.float32))}),
    ("fewer columns", {"rotation": Rotation(matrix=np.zeros((D, D - 20), np.float32))}),
    ("bits", {"bits": 5}),
]


@pytest.mark.parametrize("change", [change for _, change in PARTS], ids=[name for name, _ in PARTS])
def test_the_core_bounds_what_it_is_given(isa: str, change: dict[str, Any]) -> None:
    """Also where a scheme was made by hand, or unpickled."""
    parts: dict[str, Any] = {"bits": 1, "dimension": D, "rotation": Rotation(), **change}
    with pytest.raises(ValueError, match=r"do not go together|unknown|bits"):
        LowBitCodes.of(X, LowBitScheme(**parts))


def test_the_core_takes_floats_only() -> None:
    with pytest.raises(TypeError, match="float32 is wanted, not of uint8"):
        LowBitCodes.of(X, LowBitScheme(1, D, Rotation(blocks=np.zeros((2, 64, 64), np.uint8))))
    with pytest.raises(ValueError, match="do not go together"):
        native.rotate(X.copy(), np.ones((2, D - 1), np.float32))
    with pytest.raises(ValueError, match="do not go together"):
        native.Coder(D, 1, levels=np.zeros(1, np.float32)).encode(
            X, *(np.zeros((120, 10), np.uint8), *(np.zeros(120, np.float32),) * 2, np.zeros(120))
        )


@pytest.mark.parametrize("part", ["planes", "scales", "lengths", "squares"])
def test_the_core_writes_within_what_it_is_given(isa: str, part: str) -> None:
    levels = {"levels": np.array([-1, 1], np.float32), "thresholds": np.zeros(1, np.float32)}
    coder = native.Coder(D, 1, **levels, patterns=np.array([0, 1], np.uint8))
    room = {"planes": np.zeros((120, 10), np.uint8), "scales": np.zeros(120, np.float32),
            "lengths": np.zeros(120, np.float32), "squares": np.zeros(120)}  # fmt: skip
    coder.encode(X, **room)
    room[part] = room[part][:-1].copy()
    with pytest.raises(ValueError, match="do not go together"):
        coder.encode(X, **room)


def test_small_rows_can_be_saved(tmp_path: Path) -> None:
    """The unit of scales is a normal number, however short the sample's rows are."""
    quantizer = LowBitQuantizer(4, rotation="none", center="none").fit(X * np.float32(1e-41))
    quantizer.save(tmp_path / "q.npz")
    unit = np.float32(LowBitQuantizer.load(tmp_path / "q.npz").scheme.scale_unit)
    assert struct.unpack("<I", unit.tobytes())[0] >> 23 > 0


@pytest.mark.parametrize("how", [{"bits": 1, "rotation": "none"}, {"bits": 2, "rotation": "random"},
                                 {"bits": 4, "rotation": "learned"}, {"bytes_per_vector": 12}],
                         ids=["none", "random", "learned", "principal"])  # fmt: skip
def test_a_quantizer_is_no_file_of_rows(tmp_path: Path, how: dict[str, Any]) -> None:
    """Its rotation is a matrix, and would do as rows."""
    path = tmp_path / "q.npz"
    LowBitQuantizer(**how).fit(X).save(path)
    for former in (False, True):
        with_arrays(path, **({"format": None, "shaping": None} if former else {}))
        for read in (load, load_ids, lambda path: list(iter_load(path)), lambda path: load(path, column="center")):
            with pytest.raises(StorageError, match=r"a fitted quantizer, not rows: LowBitQuantizer\.load\(path\)"):
                read(path)
        assert LowBitQuantizer.load(path).scheme.dimension == D


def test_arrays_of_such_names_in_others_files_are_rows(tmp_path: Path) -> None:
    np.savez(tmp_path / "x.npz", vectors=X, names=np.arange(len(X)), settings=np.zeros(4))
    assert load(tmp_path / "x.npz").shape == X.shape
    assert load_ids(tmp_path / "x.npz").tolist() == list(range(len(X)))


def test_rows_are_no_numbers_of_rows(tmp_path: Path) -> None:
    save(tmp_path / "x.npz", Embeddings(X).to("int8", scale="per-vector"))
    with pytest.raises(StorageError, match=r"wrote the file for rows, .*: embcodec\.load\(path\)"):
        load_ids(tmp_path / "x.npz")


@pytest.mark.parametrize("suffix", [".npz", ".safetensors"])
def test_what_holds_codes_is_no_quantizer_and_says_what_reads_it(tmp_path: Path, suffix: str) -> None:
    path = tmp_path / f"x{suffix}"
    save(path, LowBitQuantizer(1, rotation="none").fit(X).encode(X))
    with pytest.raises(
        StorageError, match=r"holds low-bit codes, .*load\(path\).*LowBitCodes\.of\(rows, codes\.scheme"
    ):
        LowBitQuantizer.load(path)
    save(path, X)
    with pytest.raises(StorageError, match=r"it holds rows, embcodec\.load\(path\) reads them"):
        LowBitQuantizer.load(path)
    FlatIndex(X).save(tmp_path / "i.safetensors")
    with pytest.raises(StorageError, match=r"it holds an index, FlatIndex\.load\(path\) reads it"):
        LowBitQuantizer.load(tmp_path / "i.safetensors")


@pytest.mark.parametrize("name", ["q.safetensors", "q", "q.npy"])
def test_a_quantizer_is_written_under_its_own_suffix(tmp_path: Path, name: str) -> None:
    with pytest.raises(StorageError, match=r"a quantizer is stored in a \.npz file"):
        LowBitQuantizer(1, rotation="none").fit(X).save(tmp_path / name)
    assert not list(tmp_path.iterdir())
