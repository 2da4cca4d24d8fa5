"""FlatIndex over low-bit codes: as search over the codes of all its rows, whatever was added, removed or saved."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import numpy as np
import pytest

from embcodec import (
    CodeMismatchError,
    Embeddings,
    FlatIndex,
    LowBitCodes,
    LowBitQuantizer,
    NotFiniteError,
    PrecisionWarning,
    StorageError,
    load,
    quantize,
    rescore,
    save,
    search,
)
from embcodec.quantizers.lowbit.queries import coded_like_rows


def rows(n: int, dimension: int = 48, seed: int = 0) -> np.ndarray:
    x = np.random.default_rng(seed).standard_normal((n, dimension)).astype(np.float32)
    return x / np.linalg.norm(x, axis=1, keepdims=True)


def quantizer(bits: int = 2, rotation: str = "random", center: str = "mean") -> LowBitQuantizer:
    return LowBitQuantizer(bits, rotation=rotation, center=center).fit(rows(300))


@pytest.mark.parametrize("metric", ["cosine", "dot", "l2"])
@pytest.mark.parametrize(("bits", "center"), [(1, "mean"), (1, "none"), (2, "mean"), (4, "none")])
def test_as_search(bits: int, center: str, metric: str) -> None:
    x, asked, fitted = rows(300), rows(7, seed=1), quantizer(bits, "random", center)
    index = FlatIndex(x[:100], quantizer=fitted)
    assert index.add(x[100:101]).tolist() == [100]  # floats, coded with the scheme that the codes hold
    index.add(fitted.encode(x[101:250]))
    index.add(Embeddings(x[250:]))
    codes = fitted.encode(x)
    assert index.codes == codes
    expected = search(asked, codes, 9, metric=metric)
    found = index.search(asked, 9, metric=metric)
    assert np.array_equal(found.indices, expected.indices)
    assert np.array_equal(found.scores, expected.scores)
    assert index.nbytes == codes.nbytes
    assert f"at {bits} bit" in repr(index)


def test_remove_ids_and_masks() -> None:
    x, asked, fitted = rows(200), rows(5, seed=1), quantizer(1)
    index = FlatIndex(fitted.encode(x), ids=np.arange(200) * 3)
    index.remove(np.arange(0, 60, 2) * 3)
    kept = np.setdiff1d(np.arange(200), np.arange(0, 60, 2))
    assert index.ids.tolist() == (kept * 3).tolist()
    expected = search(asked, fitted.encode(x[kept]), 4)
    assert np.array_equal(index.search(asked, 4).indices, kept[expected.indices] * 3)
    chosen = kept % 5 == 0
    by_rows, by_ids = index.search(asked, 4, mask=chosen), index.search(asked, 4, mask=kept[chosen] * 3)
    assert np.array_equal(by_rows.indices, by_ids.indices)
    assert set(by_rows.indices.ravel()) <= set(kept[chosen] * 3)
    assert index.add(x[:1], ids=[0]).tolist() == [0]
    assert index.search(x[0], 1).indices.tolist() == [0]


@pytest.mark.parametrize("better", ["float", "int8", "4 bits"])
def test_rescoring(better: str) -> None:
    x, asked, fitted = rows(300), rows(6, seed=1), quantizer(1)
    fine: Any = quantizer(4).encode(x) if better == "4 bits" else Embeddings(x).to(better, **_scale(better))
    index = FlatIndex(fitted.encode(x[:250]), rescore_with=fine[:250])
    index.add(x[250:])
    first = search(asked, fitted.encode(x), 40)
    expected = rescore(asked, first.indices, fine, 10, metric="cosine")
    found = index.search(asked, 10)
    assert np.array_equal(found.indices, expected.indices)
    assert np.array_equal(found.scores, expected.scores)
    assert index.rescore_with == fine
    assert np.array_equal(index.search(asked, 40, rescore_multiplier=None).indices, first.indices)


def _scale(better: str) -> dict[str, str]:
    return {"scale": "per-vector"} if better == "int8" else {}


def test_low_bit_rows_rescore_others() -> None:
    x, asked = rows(300), rows(6, seed=1)
    bits, fine = Embeddings(x).to("ubinary"), quantizer(4).encode(x)
    index = FlatIndex(bits, rescore_with=fine)
    expected = rescore(asked, search(asked, bits, 40).indices, fine, 10)
    assert np.array_equal(index.search(asked, 10).indices, expected.indices)
    with pytest.raises(CodeMismatchError, match="4-bit rows: pass floats"):
        index.search(bits[:2], 5)


def test_three_stages() -> None:
    """Hamming over the sign bits of the rotated rows, the float query on them, floats."""
    x = rows(1500, 64)
    asked = x[:20] + 0.1 * np.random.default_rng(5).standard_normal((20, 64)).astype(np.float32)
    fitted = LowBitQuantizer(1, rotation="random", center="mean").fit(x)
    index, truth = FlatIndex(x, quantizer=fitted, rescore_with=x), search(asked, x, 10).indices

    def recall(**how: Any) -> float:
        found = index.search(asked, 10, **how).indices
        return float(np.mean([len(set(a) & set(b)) / 10 for a, b in zip(found, truth, strict=True)]))

    assert recall(three_stage=True, rescore_multiplier=150) == 1
    assert recall(rescore_multiplier=None) < recall(three_stage=True) <= recall() + 0.05
    center = fitted.scheme.center
    units = asked / np.linalg.norm(asked, axis=1, keepdims=True)
    shares = np.clip(units @ center / (center @ center), -2, 2)
    rests = units - shares[:, None] * center
    planes = coded_like_rows(fitted.scheme, asked)
    assert np.unpackbits(planes ^ fitted.encode(rests + center).bit_planes).mean() < 0.01  # but for roundings
    signs = Embeddings(planes, "ubinary", 64)
    hamming = search(signs, Embeddings(index.codes.bit_planes, "ubinary", 64), 200).indices
    narrowed = rescore(asked, hamming, index.codes, 40, query_precision="int8").indices
    found = index.search(asked, 10, three_stage=True)
    assert np.array_equal(found.indices, rescore(asked, narrowed, x, 10).indices)
    assert np.array_equal(index.search(64 * asked, 10, three_stage=True).indices, found.indices)
    with pytest.raises(CodeMismatchError, match="one bit a dimension"):
        FlatIndex(x, quantizer=quantizer_of(2, x)).search(asked, 3, three_stage=True)


def quantizer_of(bits: int, x: np.ndarray) -> LowBitQuantizer:
    return LowBitQuantizer(bits, rotation="none", center="none").fit(x)


@pytest.mark.parametrize("mmap", [False, True])
@pytest.mark.parametrize("bits", [1, 2, 4])
def test_save_and_load(tmp_path: Path, bits: int, mmap: bool) -> None:
    x, asked = rows(80), rows(3, seed=2)
    index = FlatIndex(x, quantizer=quantizer(bits, "learned"), rescore_with=quantizer(4).encode(x), ids=range(80))
    index.remove([3, 79])
    path = tmp_path / "index.safetensors"
    index.save(path)
    again = FlatIndex.load(path, mmap=mmap)
    assert again.codes == index.codes
    assert again.rescore_with == index.rescore_with
    for how in ({}, {"rescore_multiplier": None}):
        ours, theirs = again.search(asked, 5, **how), index.search(asked, 5, **how)
        assert np.array_equal(ours.indices, theirs.indices)
        assert np.array_equal(ours.scores, theirs.scores)
    assert again.add(x[:2]).tolist() == [80, 81]
    # A product with a learned matrix may round otherwise for fewer rows.
    assert np.abs(again.codes[-2:].to_float() - LowBitCodes.of(x[:2], index.codes.scheme).to_float()).max() < 1e-5
    again.save(path)  # over the file that is mapped
    assert FlatIndex.load(path).codes == again.codes


def test_each_kind_of_file_names_the_other_reader(tmp_path: Path) -> None:
    path = tmp_path / "rows.safetensors"
    FlatIndex(rows(5)).save(path)
    with pytest.raises(StorageError, match=r"an index: FlatIndex\.load"):
        load(path)
    save(path, quantizer().encode(rows(5)))
    with pytest.raises(StorageError, match=r"not an index .*embcodec\.load"):
        FlatIndex.load(path)


def test_what_does_not_join_changes_nothing() -> None:
    x, fitted = rows(10), quantizer(2)
    index = FlatIndex(x, quantizer=fitted)
    bad = x.copy()
    bad[2, 3] = np.nan
    for change, error, words in (
        (lambda: index.add(quantizer(2, "none").encode(x)), CodeMismatchError, "one quantizer"),
        (lambda: index.add(quantizer(4).encode(x)), CodeMismatchError, "lowbit4"),
        (lambda: index.add(Embeddings(x).to("int8")), CodeMismatchError, "does not join"),
        (lambda: FlatIndex(x).add(fitted.encode(x)), CodeMismatchError, "does not join"),
        (lambda: index.add(x[:, :20]), CodeMismatchError, "48 dimensions"),
        (lambda: index.add(3 * x), CodeMismatchError, "normalize"),
        (lambda: index.add(bad), NotFiniteError, "row 2"),
        (lambda: FlatIndex(bad, quantizer=fitted), NotFiniteError, "row 2"),
        (lambda: FlatIndex(Embeddings(x).to("int8"), quantizer=fitted), CodeMismatchError, "codes floats"),
        (lambda: FlatIndex(fitted.encode(x), quantizer=fitted), CodeMismatchError, "codes floats"),
        (lambda: FlatIndex(fitted.encode(x), rescore_with=rows(10, 20)), CodeMismatchError, "dimensions"),
    ):
        with pytest.raises(error, match=words):
            change()
        assert len(index) == 10
        assert index.codes == fitted.encode(x)


def test_rows_of_any_length_compare_by_dot() -> None:
    x, fitted = rows(10), quantizer(2, center="none")
    index = FlatIndex(3 * x[:6], quantizer=fitted)
    index.add(x[6:])
    assert not index.codes.is_unit
    expected = search(x, fitted.encode(np.concatenate([3 * x[:6], x[6:]])), 3, metric="dot")
    assert np.array_equal(index.search(x, 3, metric="dot").indices, expected.indices)


def test_empty_at_first() -> None:
    x, fitted = rows(10), quantizer(1)
    index = FlatIndex(x[:0], quantizer=fitted)
    assert index.search(x, 3).indices.shape == (10, 0)
    assert index.search(x, 3, three_stage=True).indices.shape == (10, 0)
    index.add(x)
    assert index.search(x, 1).indices[:, 0].tolist() == list(range(10))
    index.remove(range(10))
    assert index.search(x, 3).indices.shape == (10, 0)


def collapsed(n: int, dimension: int = 64, shared: float = 1.5) -> np.ndarray:
    """Rows that share a mean so many times as long as what they differ in."""
    rng = np.random.default_rng(5)
    mean = rng.choice([-1.0, 1.0], dimension)
    x = rng.standard_normal((n, dimension)) / (1 + np.arange(dimension)) ** 0.5
    x *= np.sqrt(dimension) / np.linalg.norm(x, axis=1, keepdims=True)
    return np.asarray((x + shared * mean) / np.linalg.norm(x + shared * mean, axis=1, keepdims=True), np.float32)


@pytest.mark.parametrize("better", ["float", "int8", "2 bits"])
def test_plain_bits_before_rows_that_share_much_are_warned_of(better: str) -> None:
    """And what the warning names keeps far more of what is found."""
    x = collapsed(400, 32)
    rows, asked = x[:320], x[320:]
    rescoring = {"float": rows, "int8": quantize(rows, "int8", scale="per-vector")}
    fine = rescoring.get(better) if better in rescoring else LowBitQuantizer(2).fit(rows).encode(rows)
    bits = quantize(rows, "ubinary")
    with pytest.warns(PrecisionWarning, match=r"a mean that makes up \d\d% .*LowBitQuantizer\(1\)") as caught:
        plain = FlatIndex(bits, rescore_with=fine)
    assert caught[0].filename == __file__
    centred = FlatIndex(rows, quantizer=LowBitQuantizer(1).fit(rows), rescore_with=fine)
    exact = search(asked, rows, 5).indices
    kept = [
        np.mean([len({*a} & {*b}) for a, b in zip(index.search(asked, 5).indices, exact, strict=True)]) / 5
        for index in (plain, centred)
    ]
    assert kept[1] > kept[0] + 0.15


def test_others_are_not_warned_of() -> None:
    """Rows that differ enough, are few, or have nothing to score them again with."""
    little, much = collapsed(300, shared=0.5), collapsed(300)
    FlatIndex(quantize(little, "ubinary"), rescore_with=little)
    FlatIndex(quantize(much[:99], "ubinary"), rescore_with=much[:99])
    FlatIndex(quantize(much, "ubinary"))
    FlatIndex(quantize(much, "int8", scale="per-vector"), rescore_with=much)
    FlatIndex(quantize(np.zeros((200, 8), np.float32), "ubinary"), rescore_with=np.zeros((200, 8), np.float32))
