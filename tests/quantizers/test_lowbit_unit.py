"""Codes in principal directions of rows of unit length, which store no lengths: what says them, bounds, files."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from kept import overlap, real_set, unit, varied
from paths import GOLDEN

from embcodec import (
    CodeMismatchError,
    Collection,
    FlatIndex,
    LowBitCodes,
    LowBitQuantizer,
    StorageError,
    concat,
    load,
    save,
    search,
)
from embcodec.files.pack import pack, unpack
from embcodec.quantizers.lowbit import PrincipalScheme


def shifted(x: np.ndarray, by: float) -> np.ndarray:
    """Return unit rows with a mean that is longer by so much, as models have whose vectors collapse."""
    mean = x.mean(axis=0)
    return unit(x + by * mean / np.linalg.norm(mean))


def scheme_of(quantizer: LowBitQuantizer) -> PrincipalScheme:
    assert isinstance(quantizer.scheme, PrincipalScheme)
    return quantizer.scheme


@pytest.mark.parametrize("dimension", [3, 40, 130])
def test_lengths_are_those_that_make_rows_of_unit_length(isa: str, dimension: int) -> None:
    x = varied(200, dimension)
    quantizer = LowBitQuantizer(5, rotation="principal").fit(x)
    scheme, codes = scheme_of(quantizer), quantizer.encode(x)
    assert scheme.unit
    assert codes.nbytes == scheme.row_bytes * len(x)
    assert scheme.center is not None
    center = scheme.center.astype(np.float64)
    along = scheme.values_of(codes.bit_planes).astype(np.float64) @ (scheme.directions.T @ center)
    wanted = np.sqrt(along**2 + 1 - center @ center) - along
    np.testing.assert_allclose(codes.lengths, wanted, rtol=1e-5)
    true = np.linalg.norm(x - center, axis=1)
    assert np.abs(codes.lengths - true).max() < 0.05
    assert np.abs(codes.lengths**2 - true**2).max() / 2 <= codes.length_error < 0.05


def test_the_center_is_a_direction_of_its_own() -> None:
    """Rows reach along it as queries that share it do: no other direction has any of it, and errors cost more there."""
    fit, _, _ = real_set()
    scheme = scheme_of(LowBitQuantizer(bytes_per_vector=64).fit(fit))
    assert scheme.center is not None
    along = scheme.center.astype(np.float64) @ scheme.directions
    assert np.flatnonzero(np.abs(along) > 1e-6).tolist() == [int(np.abs(along).argmax())]
    assert int(np.abs(along).argmax()) < 8 * int((scheme.allocation == scheme.allocation[0]).sum())
    np.testing.assert_allclose(scheme.directions.T @ scheme.directions, np.eye(scheme.directions.shape[1]), atol=1e-5)


@pytest.mark.parametrize("by", [0.0, 2.0])
@pytest.mark.parametrize("size", [32, 128])
def test_the_bytes_of_lengths_tell_more_in_codes(size: int, by: float) -> None:
    """As much is kept where a long mean leaves little else, and more where not."""
    fit, x, queries = (shifted(part, by) for part in real_set())
    without = LowBitQuantizer(bytes_per_vector=size).fit(fit).encode(x)
    stored = LowBitQuantizer(bytes_per_vector=size, lengths="stored").fit(fit).encode(x)
    assert without.nbytes == stored.nbytes == size * len(x)
    more = overlap(without, x, queries) - overlap(stored, x, queries)
    assert more > (0.003 if by == 0 else -0.012)


@pytest.mark.parametrize("by", [0.0, 2.0])
@pytest.mark.parametrize("center", ["none", "mean"])
@pytest.mark.parametrize("size", [5, 12, 40, 64])
def test_certain_bounds_hold_for_the_worst_query_of_each_row(size: int, center: str, by: float) -> None:
    x = shifted(varied(60, 64), by)
    x[::3] *= 1.009  # unit length, within 1 %
    x[1::3] *= 0.991
    quantizer = LowBitQuantizer(bytes_per_vector=size, center=center).fit(shifted(varied(300, 64, 1), by))  # type: ignore[arg-type]
    assert scheme_of(quantizer).unit
    codes = quantizer.encode(x)
    parts = []
    for row, query in enumerate(unit(x - quantizer.decode(codes))):
        one = codes[row : row + 1]
        along = x[row] if scheme_of(quantizer).center is None else scheme_of(quantizer).center
        for asked in (query, -query, x[row], query + x[row], along):  # queries like the center meet lengths alone
            error = abs(float(asked.astype(np.float64) @ x[row]) - float(one.estimate(asked[None])[0, 0]))
            parts.append(error / one.error_bounds(asked[None])[0, 0])
    assert 0.3 <= max(parts) <= 1


def test_a_million_pairs_keep_to_their_bounds() -> None:
    fit, x, queries = real_set()
    exact = queries.astype(np.float64) @ x.T.astype(np.float64)
    for size in (8, 64, 512):
        codes = LowBitQuantizer(bytes_per_vector=size).fit(fit).encode(x)
        assert (np.abs(codes.estimate(queries) - exact) <= codes.error_bounds(queries)).all()


@pytest.mark.parametrize("length", [0.0, 0.98, 1.02, 3.0])
def test_rows_of_another_length_are_refused_with_the_way_out(length: float) -> None:
    x = varied(100, 24)
    quantizer = LowBitQuantizer(bytes_per_vector=10).fit(x)
    others = x.copy()
    others[7] *= length
    with pytest.raises(CodeMismatchError, match=f"row 7 has length {length:.4g}, .* lengths='stored'"):
        quantizer.encode(others)
    with pytest.raises(CodeMismatchError, match="row 7"):
        LowBitCodes.of(others, quantizer.scheme)
    kept = LowBitQuantizer(bytes_per_vector=10, lengths="stored").fit(x).encode(others)
    assert (kept.nbytes, kept.is_unit) == (1000, False)


def test_lengths_are_stored_where_the_sample_has_several() -> None:
    x = varied(100, 24)
    for sample in (x * np.float32(1.01), x * np.float32(3), np.concatenate([x, np.zeros((1, 24), np.float32)])):
        codes = LowBitQuantizer(bytes_per_vector=10).fit(sample).encode(sample)
        assert (codes.nbytes, "lengths" in codes.stored) == (10 * len(sample), True)
    # A choice among rotations hangs on no length: all of them store something of rows.
    assert "lengths" in LowBitQuantizer(2).fit(x).encode(x).stored
    half = x.astype(np.float16)
    assert "lengths" not in LowBitQuantizer(bytes_per_vector=10).fit(half).encode(half).stored
    with pytest.raises(ValueError, match="unknown lengths 'none'; known are 'auto', 'stored'"):
        LowBitQuantizer(2, lengths="none")  # type: ignore[arg-type]


@pytest.mark.parametrize("suffix", [".safetensors", ".npz"])
def test_files_hold_planes_alone(tmp_path: Path, suffix: str) -> None:
    x = varied(120, 70)
    quantizer = LowBitQuantizer(bytes_per_vector=30).fit(x)
    codes = quantizer.encode(x)
    assert list(codes.stored) == ["bit_planes"]
    save(tmp_path / f"codes{suffix}", codes)
    back = load(tmp_path / f"codes{suffix}")
    assert isinstance(back, LowBitCodes)
    assert back == codes
    errors = ("unit_error", "code_error", "length_error")
    assert [getattr(back, name) for name in errors] == [getattr(codes, name) for name in errors]
    quantizer.save(tmp_path / "quantizer.npz")
    again = LowBitQuantizer.load(tmp_path / "quantizer.npz")
    assert (again.lengths, again.encode(x) == codes) == ("auto", True)
    joined = concat([codes[:50], back[50:]])
    assert joined == codes
    assert joined.length_error == codes.length_error > 0
    parts = [quantizer.encode(x[:60]), quantizer.encode(x[60:])]
    for some in (parts, parts[::-1]):
        assert concat(some).length_error == max(part.length_error for part in parts)


def test_damaged_codes_are_refused() -> None:
    codes = LowBitQuantizer(bytes_per_vector=20).fit(x := varied(100, 40)).encode(x)
    tensors, words = pack(codes)
    assert unpack(tensors, words) == codes
    for name, value, message in (
        ("length_error", "nan", "a length error of nan"),
        ("length_error", float(3).hex(), "a length error of 3.0"),
        ("code_error", float(9).hex(), "a code error of 9.0"),
        ("is_unit", "0", "is_unit 0"),
    ):
        with pytest.raises(StorageError, match=message):
            unpack(tensors, {**words, name: value})
    with pytest.raises(StorageError, match="lacks length_error"):
        unpack(tensors, {name: word for name, word in words.items() if name != "length_error"})


def test_an_index_grows_and_comes_back(tmp_path: Path) -> None:
    x = varied(200, 40)
    quantizer = LowBitQuantizer(bytes_per_vector=22).fit(x)
    index = FlatIndex(quantizer.encode(x[:100]), rescore_with=x[:100])
    index.add(x[100:], rescore_with=x[100:])
    assert index.codes == quantizer.encode(x)
    index.save(tmp_path / "index.safetensors")
    assert FlatIndex.load(tmp_path / "index.safetensors").codes == index.codes
    with pytest.raises(CodeMismatchError, match="row 0 has length 2"):
        index.add(2 * x[:1], rescore_with=x[:1])


def test_former_schemes_have_no_gain_and_their_own_name() -> None:
    """Codes count as ever where a file says nothing of a gain: brought to the row's length."""
    x = varied(100, 40)
    quantizer = LowBitQuantizer(bytes_per_vector=20, lengths="stored").fit(x)
    scheme = replace(scheme_of(quantizer), gain=0.0)
    codes = LowBitCodes.of(x, scheme)
    lengths = np.linalg.norm(scheme.values_of(codes.bit_planes), axis=1)
    np.testing.assert_allclose(codes.scales, 1 / lengths, rtol=1e-6)
    assert scheme.identity != quantizer.scheme.identity
    assert np.array_equal(search(x[:5], codes, 3).indices[:, 0], np.arange(5))


@pytest.mark.parametrize("lengths", ["auto", "stored"])
def test_a_collection_of_few_bytes_opens_again(tmp_path: Path, lengths: Any) -> None:
    """Three bytes may leave out more than there is of a row."""
    x = varied(400, 64)
    codes = LowBitQuantizer(bytes_per_vector=3, lengths=lengths).fit(x).encode(x)
    assert codes.code_error > 1
    Collection.create(tmp_path / "few", like=codes[:0]).append(codes, ids=np.arange(400))
    found, wanted = Collection.open(tmp_path / "few").search(x[:5], 7), search(x[:5], codes, 7)
    assert np.array_equal(found.indices, wanted.indices)
    assert np.array_equal(found.scores, wanted.scores)


def test_files_of_now_will_be_read_as_ever() -> None:
    x = varied(300, 64)
    quantizer, codes = LowBitQuantizer.load(GOLDEN / "unit-quantizer.npz"), load(GOLDEN / "unit-codes.npz")
    assert isinstance(codes, LowBitCodes)
    assert scheme_of(quantizer).unit
    assert quantizer.scheme.identity == codes.scheme.identity
    assert np.array_equal(quantizer.encode(x[:20]).bit_planes, codes.bit_planes)
    found = search(x[20:23], codes, 5)
    assert found.indices.tolist() == [[18, 8, 5, 9, 13], [13, 2, 12, 16, 7], [18, 0, 17, 19, 13]]
    np.testing.assert_allclose(found.scores[:, 0], [0.2370533, 0.2408656, 0.3325966], atol=1e-6)
