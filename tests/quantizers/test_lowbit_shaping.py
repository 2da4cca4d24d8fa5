"""Noise shaping: the levels against plain NumPy, what they cost and keep, and the files of quantizers."""

from __future__ import annotations

from dataclasses import replace
from functools import cache
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from kept import overlap, real_set, varied

from embcodec import LowBitCodes, LowBitQuantizer, StorageError, load, save
from embcodec._native import core
from embcodec.containers import read_npz, write_npz
from embcodec.quantizers.lowbit import LowBitScheme
from embcodec.quantizers.lowbit.shaping import Shaping, shaping_for, shrinkage, shrinkage_of


def scheme_of(quantizer: LowBitQuantizer) -> LowBitScheme:
    assert isinstance(quantizer.scheme, LowBitScheme)
    return quantizer.scheme


def nearest(scheme: LowBitScheme, values: np.ndarray) -> np.ndarray:
    return scheme.levels.levels[np.searchsorted(scheme.levels.thresholds, values)].astype(np.float64)


def shaped_by_numpy(scheme: LowBitScheme, x: np.ndarray) -> np.ndarray:
    """Levels of rows (n, dimension), two passes of one dimension after the other, in double."""
    assert scheme.shaping is not None
    turned = scheme._coder.turn(np.ascontiguousarray(x)).astype(np.float64)
    z = turned * np.sqrt(scheme.dimension) / np.linalg.norm(turned, axis=1, keepdims=True)
    levels, weights = nearest(scheme, z), scheme.shaping.directions.astype(np.float64)
    scales = scheme.dimension / np.einsum("ij,ij->i", z, levels)
    curvature = scheme.shaping.rest + (weights**2).sum(axis=1)
    for _ in range(2):
        for j in range(scheme.dimension):
            errors = scales[:, None] * levels - z
            gradient = scheme.shaping.rest * errors[:, j] + (errors @ weights) @ weights[j]
            levels[:, j] = nearest(scheme, levels[:, j] - gradient / (scales * curvature[j]))
    return levels


def cost(scheme: LowBitScheme, x: np.ndarray, levels: np.ndarray) -> np.ndarray:
    assert scheme.shaping is not None
    turned = scheme._coder.turn(np.ascontiguousarray(x)).astype(np.float64)
    z = turned * np.sqrt(scheme.dimension) / np.linalg.norm(turned, axis=1, keepdims=True)
    near = nearest(scheme, z)
    errors = levels * (scheme.dimension / np.einsum("ij,ij->i", z, near))[:, None] - z
    return np.asarray(
        scheme.shaping.rest * (errors**2).sum(axis=1) + ((errors @ scheme.shaping.directions) ** 2).sum(1)
    )


@cache
def of_the_passes(rotation: Any, bits: int, dimension: int) -> tuple[np.ndarray, LowBitQuantizer, np.ndarray]:
    """Return rows, what was fitted to these and others, and their levels, for every tier the same."""
    x = varied(150, dimension)
    with core.forced_isa(core.available_isas()[-1]):  # the scalar kernels take ten times as long for what is no test
        quantizer = LowBitQuantizer(bits, rotation=rotation, center="mean").fit(x)
        return x[:60], quantizer, shaped_by_numpy(scheme_of(quantizer), x[:60])


@pytest.mark.parametrize("rotation", ["none", "random", "blocks", "whitened"])
@pytest.mark.parametrize(("bits", "dimension"), [(1, 7), (1, 130), (2, 64), (2, 33), (4, 70)])
def test_levels_are_those_of_the_passes_on_every_tier(isa: str, rotation: str, bits: int, dimension: int) -> None:
    x, quantizer, wanted = of_the_passes(rotation, bits, dimension)
    scheme, codes = scheme_of(quantizer), quantizer.encode(x)
    found = scheme.values_of(codes.bit_planes).astype(np.float64)
    rows = np.abs(found - wanted).max(axis=1) > 1e-5  # in float32 a level may be on the other side of a threshold
    assert rows.mean() < 0.05
    unshaped = replace(scheme, shaping=None).encode_raw(x)[0]
    before = scheme.values_of(unshaped)
    assert (cost(scheme, x, found) <= cost(scheme, x, before) * (1 + 1e-5)).all()
    assert not np.array_equal(found, before)


@pytest.mark.parametrize("kept", [64, 128, 192])
def test_all_tiers_choose_the_same_levels(isa: str, kept: int) -> None:
    x = varied(300, 210)
    weights = np.random.default_rng(kept).standard_normal((210, kept)).astype(np.float32) / 4
    scheme = replace(
        scheme_of(LowBitQuantizer(2, rotation="blocks", shaping="none", center="mean").fit(varied(300, 210, 5))),
        shaping=Shaping(weights, 0.5),
    )
    planes, scales, lengths, _ = scheme.encode_raw(x)
    first = _first.setdefault(kept, (planes, scales, lengths))
    assert all(np.array_equal(a, b) for a, b in zip(first, (planes, scales, lengths), strict=True))


_first: dict[int, tuple[np.ndarray, ...]] = {}


@cache
def whitened_rows(own: bool, bits: int, dimension: int) -> tuple[np.ndarray, LowBitScheme, np.ndarray]:
    """Return rows, the scheme that codes them, and their levels, for every tier the same."""
    fit, x = varied(300, dimension, 5), varied(60, dimension)
    with core.forced_isa(core.available_isas()[-1]):
        scheme = scheme_of(LowBitQuantizer(bits, rotation="whitened", center="mean").fit(fit))
        if not own:
            weights = np.random.default_rng(3).standard_normal((dimension, 70)).astype(np.float32) / 4
            scheme = replace(scheme, shaping=Shaping(weights, 0.5))
        return x, scheme, shaped_by_numpy(scheme, x)


@pytest.mark.parametrize("own", [True, False])
@pytest.mark.parametrize(("bits", "dimension"), [(1, 150), (4, 260)])
def test_scales_of_whitened_rows_are_those_of_their_levels(isa: str, own: bool, bits: int, dimension: int) -> None:
    """Where errors are kept along the whitening's directions, its own, and where they are along others."""
    x, scheme, wanted = whitened_rows(own, bits, dimension)
    assert scheme.shaping is not None
    assert ("shared" in scheme.shaping.parts_for_coding(scheme.rotation)) == own
    planes, scales, lengths, _ = scheme.encode_raw(x)
    found = scheme.values_of(planes).astype(np.float64)
    assert (np.abs(found - wanted).max(axis=1) > 1e-5).mean() < 0.1
    centred = x if scheme.center is None else x - scheme.center
    seen = np.einsum("ij,ij->i", scheme.rotation.of_queries.apply(centred).astype(np.float64), found)
    np.testing.assert_allclose(scales, np.square(lengths.astype(np.float64)) / seen, rtol=2e-5)


def test_a_whitening_of_the_same_sample_has_the_directions_of_the_queries() -> None:
    fit, x, queries = real_set()
    scheme = scheme_of(LowBitQuantizer(1, rotation="whitened", center="mean").fit(fit))
    assert scheme.center is not None
    anywhere = shaping_for(scheme.turn_queries(fit - scheme.center), shrinkage_of(fit - scheme.center))
    kept = [
        overlap(LowBitCodes.of(x, replace(scheme, shaping=shaping)), x, queries)
        for shaping in (anywhere, scheme.shaping)
    ]
    assert kept[1] >= kept[0] - 0.01


@pytest.mark.parametrize(("bits", "gain"), [(1, 0.03), (2, 0.01)])
def test_shaped_codes_keep_more(bits: int, gain: float) -> None:
    fit, x, queries = real_set()
    kept = [
        overlap(LowBitQuantizer(bits, rotation="blocks", center="mean", shaping=shaping).fit(fit).encode(x), x, queries)
        for shaping in ("none", "auto")
    ]
    assert kept[1] - kept[0] >= gain


def test_bounds_hold() -> None:
    fit, x, queries = real_set()
    exact = queries.astype(np.float64) @ x.T.astype(np.float64)
    for bits in (1, 2, 4):
        codes = LowBitQuantizer(bits, rotation="whitened", center="mean").fit(fit).encode(x)
        assert (np.abs(codes.estimate(queries) - exact) <= codes.error_bounds(queries)).all()


def test_few_rows_weigh_little() -> None:
    rng = np.random.default_rng(0)
    gaussian = rng.standard_normal((4000, 96)).astype(np.float32) * np.geomspace(1, 0.05, 96, dtype=np.float32)
    many, few = (shrinkage(part.T @ part, len(part)) for part in (gaussian, gaussian[:20]))
    assert many < 0.02 < 0.2 < few
    assert shrinkage(np.eye(5), 10) == 1
    assert shrinkage_of(gaussian[:20]) == few == shrinkage_of(np.concatenate([gaussian[:20], 0 * gaussian[:9]]))
    shaping = shaping_for(gaussian[:20], few)
    assert shaping is not None
    assert shaping.directions.shape == (96, 20)
    assert shaping.rest > 0.5
    assert shaping_for(np.zeros((9, 4), np.float32), 0.0) is None
    assert shaping_for(gaussian, 1.0).directions.max() == 0  # type: ignore[union-attr]


def test_quantizer_files_hold_what_the_encoder_needs(tmp_path: Path) -> None:
    x = varied(200, 48)
    quantizer = LowBitQuantizer(2, rotation="blocks", center="mean").fit(x)
    quantizer.save(tmp_path / "shaped.npz")
    again = LowBitQuantizer.load(tmp_path / "shaped.npz")
    assert again.shaping == "auto"
    assert again.encode(x) == quantizer.encode(x)
    plain = LowBitQuantizer(2, rotation="blocks", center="mean", shaping="none").fit(x)
    assert plain.encode(x) != quantizer.encode(x)
    with open(tmp_path / "shaped.npz", "rb") as file:
        arrays = dict(read_npz(file)[0])
    old = {name: array for name, array in arrays.items() if not name.startswith(("shaping", "size"))}
    with open(tmp_path / "old.npz", "wb") as file:
        write_npz(file, old)
    former = LowBitQuantizer.load(tmp_path / "old.npz")
    assert former.shaping == "none"
    assert scheme_of(former).shaping is None
    assert scheme_of(former).identity == scheme_of(quantizer).identity


def test_files_of_codes_can_be_added_to_and_are_read_without_shaping(tmp_path: Path) -> None:
    x, more = varied(60, 48), varied(40, 48, 3)
    codes = LowBitQuantizer(1, rotation="blocks", center="mean").fit(x).encode(x)
    save(tmp_path / "codes.npz", codes)
    back = load(tmp_path / "codes.npz")
    assert isinstance(back, LowBitCodes)
    assert back == codes
    assert LowBitCodes.of(more, back.scheme) == LowBitCodes.of(more, codes.scheme)
    assert isinstance(codes.scheme, LowBitScheme)
    unshaped = replace(codes, scheme=replace(codes.scheme, shaping=None))
    save(tmp_path / "former.npz", unshaped)
    assert load(tmp_path / "former.npz") == codes
    assert LowBitCodes.of(more, unshaped.scheme) != LowBitCodes.of(more, codes.scheme)


@pytest.mark.parametrize(
    ("name", "value"),
    [("shaping_directions", np.zeros((47, 3), np.float32)), ("shaping_directions", np.zeros((48, 49), np.float32)),
     ("shaping_directions", np.full((48, 2), np.nan, np.float32)), ("shaping_rest", np.zeros(1, np.float32))],
)  # fmt: skip
def test_damaged_shaping_is_refused(tmp_path: Path, name: str, value: np.ndarray) -> None:
    LowBitQuantizer(1, rotation="none", center="mean").fit(varied(60, 48)).save(tmp_path / "quantizer.npz")
    with open(tmp_path / "quantizer.npz", "rb") as file:
        arrays = dict(read_npz(file)[0])
    with open(tmp_path / "damaged.npz", "wb") as file:
        write_npz(file, {**arrays, name: value})
    with pytest.raises(StorageError, match="shaping"):
        LowBitQuantizer.load(tmp_path / "damaged.npz")


@pytest.mark.parametrize("exponent", [-100, -66, -20, 20, 60, 100])
def test_weights_do_not_hang_on_the_rows_lengths(exponent: int) -> None:
    """By powers of two to the bit, also where products of such rows are beyond float32."""
    x = varied(300, 24)
    scaled = np.ldexp(x, exponent)
    found, expected = shaping_for(scaled, shrinkage_of(scaled)), shaping_for(x, shrinkage_of(x))
    assert found is not None
    assert expected is not None
    np.testing.assert_array_equal(found.directions, expected.directions)
    assert found.rest == expected.rest
