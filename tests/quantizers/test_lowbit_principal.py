"""Codes in principal directions: their bytes against plain NumPy, what they keep, their bounds, and their files."""

from __future__ import annotations

import pickle
from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from kept import overlap, real_set, unit, varied
from paths import GOLDEN

from embcodec import FlatIndex, LowBitCodes, LowBitQuantizer, StorageError, load, save, search
from embcodec.containers import read_npz, write_npz
from embcodec.quantizers.fitting.principal import allocated, most_bytes
from embcodec.quantizers.lowbit import PrincipalScheme, prepare_queries
from embcodec.quantizers.lowbit.chains import MEMORY, chain_levels, error_of_chain
from embcodec.quantizers.lowbit.levels import levels_of


def scheme_of(quantizer: LowBitQuantizer) -> PrincipalScheme:
    assert isinstance(quantizer.scheme, PrincipalScheme)
    return quantizer.scheme


def along(scheme: PrincipalScheme, x: np.ndarray) -> np.ndarray:
    rests = x.astype(np.float64) - (0 if scheme.center is None else scheme.center)
    return rests / np.linalg.norm(rests, axis=1, keepdims=True) @ scheme.directions.astype(np.float64)


def former(scheme: PrincipalScheme) -> PrincipalScheme:
    """Return the scheme as it was before chains, with some bytes stored twice."""
    return replace(
        scheme, chain=None, twice=0, gain=0.0, copies=np.arange(int(scheme.allocation.sum()))[:3][::-1].copy()
    )


def levels_by_numpy(scheme: PrincipalScheme, x: np.ndarray) -> np.ndarray:
    values = along(scheme, x)
    coded = np.zeros_like(values)
    for column, (count, deviation) in enumerate(zip(np.repeat(scheme.allocation, 8), scheme.deviations, strict=True)):
        levels = levels_of(int(count))
        if deviation > 0:
            coded[:, column] = levels.levels[np.searchsorted(levels.thresholds, values[:, column] / deviation)]
    return coded * scheme.deviations


def cheapest_chain(scheme: PrincipalScheme, x: np.ndarray) -> np.ndarray:
    """Return the least cost of any chain for each row: by looking at all words, in double precision."""
    values, bits = along(scheme, x), np.repeat(scheme.allocation, 8).astype(int)
    costs = np.where(np.arange(16) == 0, 0, np.inf) * np.ones((len(x), 1))
    before = 0
    for i in range(len(bits))[::-1]:
        levels, coarse = chain_levels(int(bits[i]), remembering=before >= MEMORY), min(int(bits[i]), 4)
        words = np.arange(16 << coarse)
        fine = 1 << (bits[i] - coarse)
        each = levels.table[words, None] + (np.arange(fine) + 0.5 - fine / 2) * (levels.step if fine > 1 else 0)
        value = values[:, i] / scheme.deviations[i] if scheme.deviations[i] > 0 else np.zeros(len(x))
        off = ((value[:, None, None] - each) ** 2).min(axis=2) * cost_of(scheme)[i]
        costs = (costs[:, words >> coarse] + off).reshape(len(x), -1, 16).min(axis=1)
        before += int(bits[i])
    return costs.min(axis=1)


def cost_of(scheme: PrincipalScheme) -> np.ndarray:
    squares = scheme.deviations.astype(np.float64) ** 2
    reached = squares
    if scheme.unit and scheme.center is not None:
        center = scheme.center.astype(np.float64)
        reached = squares + (center @ scheme.directions) ** 2 / (1 - center @ center)
    costs = squares * np.sqrt(reached)
    return costs / costs.max()


def scales_by_numpy(scheme: PrincipalScheme, found: np.ndarray) -> np.ndarray:
    lengths = np.linalg.norm(found.astype(np.float64), axis=1)
    return scheme.gain / lengths**0.75 if scheme.gain else 1 / lengths


SIZES = [(3, 5), (8, 6), (20, 9), (64, 40), (100, 80), (130, 132)]


@pytest.mark.parametrize(("dimension", "size"), SIZES)
def test_planes_of_former_schemes_are_the_nearest_levels_on_every_tier(isa: str, dimension: int, size: int) -> None:
    x = varied(300, dimension)
    scheme = former(scheme_of(LowBitQuantizer(bytes_per_vector=size, lengths="stored").fit(x)))
    codes = LowBitCodes.of(x, scheme)
    assert len(set(scheme.allocation.tolist())) > (size > 9)
    wanted, found = levels_by_numpy(scheme, x), scheme.values_of(codes.bit_planes)
    differing = np.abs(wanted - found) > 1e-5  # next to a threshold
    assert differing.mean() < 1e-3
    np.testing.assert_allclose(codes.scales, 1 / np.linalg.norm(found.astype(np.float64), axis=1), rtol=1e-5)
    own = int(scheme.allocation.sum())
    assert np.array_equal(codes.bit_planes[:, own:], codes.bit_planes[:, scheme.copies])


@pytest.mark.parametrize("lengths", ["auto", "stored"])
@pytest.mark.parametrize(("dimension", "size"), [*SIZES, (24, 26), (16, 16)])
def test_chains_are_the_cheapest_on_every_tier(isa: str, dimension: int, size: int, lengths: Any) -> None:
    """Their levels err by what the best chain errs by; what planes stand for is what the encoder had meant."""
    x = varied(60, dimension)
    quantizer = LowBitQuantizer(bytes_per_vector=size, lengths=lengths).fit(x)
    scheme, codes = scheme_of(quantizer), quantizer.encode(x)
    assert scheme.unit is (lengths == "auto")
    assert codes.nbytes == min(size, most_bytes(dimension, unit=scheme.unit)) * len(x)
    found = scheme.values_of(codes.bit_planes).astype(np.float64)
    some = scheme.deviations > 0
    errors = (along(scheme, x) - found)[:, some] / scheme.deviations[some]
    np.testing.assert_allclose((errors**2) @ cost_of(scheme)[some], cheapest_chain(scheme, x), rtol=2e-4)
    np.testing.assert_allclose(codes.scales, scales_by_numpy(scheme, found), rtol=1e-5)


@pytest.mark.parametrize("size", [6, 20, 40])
def test_a_row_has_the_same_code_among_any_others(isa: str, size: int) -> None:
    """Some rows are coded at a time: those that are left over, an odd number of them too, as the others are."""
    x = varied(200, 40)
    quantizer = LowBitQuantizer(bytes_per_vector=size).fit(x)
    codes = quantizer.encode(x)
    for count in range(1, 18):
        assert quantizer.encode(x[count : 2 * count]) == codes[count : 2 * count]


@pytest.mark.parametrize("bits", [2, 3, 4])
def test_chains_are_the_cheapest_where_what_came_before_costs_next_to_nothing(isa: str, bits: int) -> None:
    """Words are compared by what the state before adds, which is 0 at times, and by a product of either sign."""
    deviations = (0.1 ** np.arange(16)).astype(np.float32)
    scheme = PrincipalScheme(
        dimension=16,
        directions=np.eye(16, dtype=np.float32),
        deviations=deviations,
        allocation=np.full(2, bits, np.uint8),
        copies=np.empty(0, np.int64),
        chain=np.arange(2 * bits),
    )
    x = np.random.default_rng(0).standard_normal((300, 16)).astype(np.float32) * deviations
    off = (along(scheme, x) - scheme.values_of(scheme.encode_raw(x)[0]).astype(np.float64)) / deviations
    np.testing.assert_allclose((off**2) @ cost_of(scheme), cheapest_chain(scheme, x), rtol=1e-3)


def test_rows_far_out_have_the_cheapest_chains(isa: str) -> None:
    """Where rows barely vary but a new one does, its values are a million times as large as any level."""
    x = varied(100, 16)
    x[:, 8:] *= 1e-6
    scheme = scheme_of(LowBitQuantizer(bytes_per_vector=18, center="none").fit(unit(x)))
    far = np.random.default_rng(3).standard_normal((20, 16)).astype(np.float32)
    planes = scheme.encode_raw(far)[0]
    some = scheme.deviations > 0
    off = (along(scheme, far) - scheme.values_of(planes).astype(np.float64))[:, some] / scheme.deviations[some]
    np.testing.assert_allclose((off**2) @ cost_of(scheme)[some], cheapest_chain(scheme, far), rtol=1e-3)


def test_rows_beyond_all_floats_have_codes(isa: str) -> None:
    """Products with the directions overflow, and what is infinite less what is, is no number: still codes, the same."""
    x = varied(100, 16)
    scheme = scheme_of(LowBitQuantizer(bytes_per_vector=18).fit(x))
    planes = scheme.encode_raw(x[:5] * np.float32(1e38) / np.abs(x).max())[0]
    assert np.array_equal(_beyond.setdefault(18, planes), planes)


_beyond: dict[int, np.ndarray] = {}


@pytest.mark.parametrize("bits", range(1, 9))
def test_chains_err_by_what_is_said(bits: int) -> None:
    """Of standard Gaussians, and less than levels by themselves do from two bits on."""
    z = np.random.default_rng(bits).standard_normal((60, 256)).astype(np.float32)
    groups = np.full(32, bits, np.uint8)
    scheme = PrincipalScheme(
        256,
        np.eye(256, dtype=np.float32),
        np.ones(256, np.float32),
        groups,
        np.empty(0, np.int64),
        chain=np.arange(32 * bits),
    )
    scheme = replace(scheme, deviations=np.full(256, 1 / 16, np.float32))
    lengths = np.linalg.norm(z, axis=1, keepdims=True)
    planes = scheme.encode_raw(z)[0]
    errors = (scheme.values_of(planes) - z / lengths) * 16
    assert np.mean(errors.astype(np.float64) ** 2) == pytest.approx(error_of_chain(bits), rel=0.1 if bits < 7 else 0.3)
    assert error_of_chain(bits) <= levels_of(bits).mean_square_error * (1 if bits == 1 else 0.75)


def test_files_from_before_chains_are_read_as_ever() -> None:
    x = varied(300, 64)
    quantizer = LowBitQuantizer.load(GOLDEN / "principal-quantizer.npz")
    codes = load(GOLDEN / "principal-codes.npz")
    assert isinstance(codes, LowBitCodes)
    scheme = scheme_of(quantizer)
    assert (scheme.chain, scheme.twice, len(scheme.copies)) == (None, 0, 9)
    assert quantizer.encode(x[:20]) == codes
    found = search(x[20:23], codes, 5)
    assert found.indices.tolist() == [[18, 5, 13, 8, 7], [13, 2, 12, 9, 16], [18, 0, 17, 13, 19]]
    np.testing.assert_allclose(found.scores[:, 0], [0.2344558, 0.2489605, 0.3316513], atol=1e-6)


def test_all_tiers_make_the_same_codes(isa: str) -> None:
    x = varied(333, 130)
    for size in (5, 40, 120):
        quantizer = LowBitQuantizer(bytes_per_vector=size, seed=1).fit(x)
        codes = quantizer.encode(x)
        first = _first.setdefault(size, (quantizer, codes))
        assert first[0].encode(x) == first[1]
        assert first[1].code_error == first[0].encode(x).code_error


_first: dict[int, tuple[LowBitQuantizer, LowBitCodes]] = {}


@pytest.mark.parametrize(
    ("size", "least"), [(32, 0.78), (64, 0.872), (96, 0.915), (128, 0.941), (192, 0.962), (256, 0.975)]
)
def test_what_they_keep_of_real_rows(size: int, least: float) -> None:
    fit, x, queries = real_set()
    codes = LowBitQuantizer(bytes_per_vector=size).fit(fit).encode(x)
    assert codes.nbytes == size * len(x)
    assert overlap(codes, x, queries) >= least


def test_few_rows_teach_little_and_do_no_harm() -> None:
    fit, x, queries = real_set()
    plain = LowBitQuantizer(1, rotation="none", center="mean", shaping="none")
    for count, least in ((12, 0.62), (100, 0.74), (400, 0.81)):
        kept = overlap(LowBitQuantizer(bytes_per_vector=66).fit(fit[:count]).encode(x), x, queries)
        assert kept >= least
    assert kept >= overlap(plain.fit(fit[:count]).encode(x), x, queries)


def test_bytes_follow_bits() -> None:
    x = varied(200, 100)
    for bits, own in ((0.5, 6), (1, 13), (1.5, 19), (2, 26), (3, 38), (4, 52), (5, 62), (7.5, 94), (8, 100)):
        codes = LowBitQuantizer(bits, rotation="principal").fit(x).encode(x)
        assert (codes.bit_planes.shape[1], codes.nbytes) == (own, own * len(x))
        stored = LowBitQuantizer(bits, rotation="principal", lengths="stored").fit(x).encode(x)
        assert (stored.bit_planes.shape[1], stored.nbytes) == (own, (own + 2) * len(x))
    assert LowBitQuantizer(3).fit(x).choice == "principal directions, centred"
    assert LowBitQuantizer(3, center="none").fit(x).choice == "principal directions"


def test_where_bytes_go() -> None:
    assert allocated(np.ones(64), np.ones(64), 16).tolist() == [2] * 8
    variances = np.geomspace(1, 1e-4, 64)
    falling = allocated(variances, variances, 16)
    assert falling.tolist() == sorted(falling.tolist(), reverse=True)
    assert falling[0] > 2
    assert falling.sum() == 16
    first = np.where(np.arange(64) < 1, 100.0, 1.0)  # where queries reach far, though rows do not vary more
    assert allocated(np.ones(64), first, 18)[0] > 2
    last = allocated(np.ones(64), first[::-1], 18)
    assert last.tolist() == sorted(last.tolist(), reverse=True)


@pytest.mark.parametrize("size", [64, 128, 256])
def test_tables_lose_little(size: int) -> None:
    """What a search by tables loses against exact scores of the same codes: bytes that count most are met twice."""
    fit, x, queries = real_set()
    quantizer = LowBitQuantizer(bytes_per_vector=size).fit(fit)
    scheme, codes = scheme_of(quantizer), quantizer.encode(x)
    assert size / 64 <= scheme.twice <= size / 8 + 1
    exact = search(queries, x, 10, metric="cosine").indices
    by_floats = search(queries, codes, 10, query_precision="float32").indices
    lost = np.mean([len(np.intersect1d(*pair)) for pair in zip(by_floats, exact, strict=True)]) / 10
    assert lost - overlap(codes, x, queries) <= 0.006
    once = LowBitCodes.of(x, replace(scheme, twice=0))
    if size > 128:
        assert overlap(once, x, queries) < overlap(codes, x, queries) - 0.005


@pytest.mark.parametrize("center", ["none", "mean"])
@pytest.mark.parametrize(("dimension", "size"), [(64, 5), (64, 12), (64, 40), (64, 66), (61, 12), (61, 66), (13, 18)])
def test_certain_bounds_hold_for_the_worst_query_of_each_row(dimension: int, size: int, center: str) -> None:
    x = varied(60, dimension)
    x[::3] *= 2.5
    quantizer = LowBitQuantizer(bytes_per_vector=size, center=center, lengths="stored").fit(varied(300, dimension, 1))
    codes = quantizer.encode(x)
    missed = x - quantizer.decode(codes)
    parts = np.empty(len(x))
    for row, query in enumerate(unit(missed)):
        one = codes[row : row + 1]
        error = abs(float(query.astype(np.float64) @ x[row]) - float(one.estimate(query[None])[0, 0]))
        parts[row] = error / one.error_bounds(query[None])[0, 0]
    assert parts.max() <= 1
    assert parts.max() >= 0.5


@pytest.mark.parametrize("kind", ["chains", "former"])
@pytest.mark.parametrize(("dimension", "size"), [*SIZES, (5, 10), (13, 6), (13, 15), (61, 66), (100, 102)])
def test_queries_meet_every_direction_of_a_code(dimension: int, size: int, kind: str) -> None:
    """Of which the last eight are not all there where dimensions are no multiple of 8."""
    x, queries = varied(60, dimension), varied(9, dimension, 1)
    scheme = scheme_of(LowBitQuantizer(bytes_per_vector=size, center="none").fit(x))
    codes = LowBitCodes.of(x, scheme if kind == "chains" else former(scheme))
    decoded = queries.astype(np.float64) @ codes.to_float().astype(np.float64).T
    np.testing.assert_allclose(codes.estimate(queries), decoded, atol=2e-6)
    found = search(queries, codes, 60, metric="dot", query_precision="float32")
    np.testing.assert_allclose(np.take_along_axis(decoded, found.indices, 1), found.scores, atol=2e-6)


def test_a_million_pairs_keep_to_their_bounds() -> None:
    fit, x, queries = real_set()
    exact = queries.astype(np.float64) @ x.T.astype(np.float64)
    for size in (24, 128, 400):
        codes = LowBitQuantizer(bytes_per_vector=size).fit(fit).encode(x)
        assert (np.abs(codes.estimate(queries) - exact) <= codes.error_bounds(queries)).all()


def test_scores_are_those_of_estimates_and_of_rows_alone() -> None:
    fit, x, queries = real_set()
    codes = LowBitQuantizer(bytes_per_vector=48).fit(fit).encode(x)
    estimates = codes.estimate(queries[:20])
    found = search(queries[:20], codes, 30, query_precision="float32")
    np.testing.assert_allclose(np.take_along_axis(estimates, found.indices, 1), found.scores, atol=2e-6)
    for row in found.indices[3, :5]:
        one = search(queries[3:4], codes[row : row + 1], 1, query_precision="float32")
        place = found.indices[3].tolist().index(row)
        assert one.scores[0, 0] == found.scores[3, place]


def test_rows_of_any_length_compare_by_dot() -> None:
    fit, x, queries = real_set()
    longer = x * np.linspace(0.2, 7, len(x), dtype=np.float32)[:, None]
    codes = LowBitQuantizer(bytes_per_vector=130, lengths="stored").fit(fit).encode(longer)
    assert not codes.is_unit
    exact = queries @ longer.T
    assert np.corrcoef(codes.estimate(queries).ravel(), exact.ravel())[0, 1] > 0.98
    assert (np.abs(codes.estimate(queries) - exact) <= codes.error_bounds(queries)).all()


def test_zeros_and_rows_like_the_center() -> None:
    x = varied(100, 24)
    quantizer = LowBitQuantizer(bytes_per_vector=10, center="none", lengths="stored").fit(x)
    codes = quantizer.encode(np.zeros((3, 24), np.float32))
    assert not codes.estimate(x).any()
    same = LowBitQuantizer(bytes_per_vector=10).fit(np.ones((50, 24), np.float32) / np.float32(24**0.5))
    assert np.allclose(same.encode(np.ones((2, 24), np.float32) / np.float32(24**0.5)).to_float(), 24**-0.5, atol=1e-4)


@pytest.mark.parametrize("suffix", [".safetensors", ".npz"])
def test_files(tmp_path: Path, suffix: str) -> None:
    x = varied(120, 70)
    quantizer = LowBitQuantizer(bytes_per_vector=30).fit(x)
    codes = quantizer.encode(x)
    save(tmp_path / f"codes{suffix}", codes)
    back = load(tmp_path / f"codes{suffix}")
    assert isinstance(back, LowBitCodes)
    assert back == codes
    assert back.code_error == codes.code_error > 0
    assert np.array_equal(back.estimate(x[:5]), codes.estimate(x[:5]))
    quantizer.save(tmp_path / "quantizer.npz")
    again = LowBitQuantizer.load(tmp_path / "quantizer.npz")
    assert repr(again) == repr(quantizer)
    assert again.bytes_per_vector == 30
    assert again.encode(x) == codes
    assert pickle.loads(pickle.dumps(codes)) == codes
    halves = LowBitQuantizer(2.5).fit(x)
    halves.save(tmp_path / "halves.npz")
    assert LowBitQuantizer.load(tmp_path / "halves.npz").bits == 2.5


def test_an_index_grows_and_comes_back(tmp_path: Path) -> None:
    x = varied(200, 40)
    quantizer = LowBitQuantizer(bytes_per_vector=22).fit(x)
    index = FlatIndex(quantizer.encode(x[:100]), rescore_with=x[:100])
    index.add(x[100:], rescore_with=x[100:])
    assert isinstance(index.codes, LowBitCodes)
    assert index.codes == quantizer.encode(x)
    assert index.codes.code_error >= quantizer.encode(x[100:]).code_error
    exact = search(x[:9], x, 3, metric="cosine").indices
    assert np.array_equal(index.search(x[:9], 3, rescore_multiplier=20).indices, exact)
    found = index.search(x[:9], 3, rescore_multiplier=60, confidence=1.0)
    assert np.array_equal(found.indices[found.is_final], exact[found.is_final])
    index.save(tmp_path / "index.safetensors")
    assert np.array_equal(FlatIndex.load(tmp_path / "index.safetensors").search(x[:9], 3).indices[:, 0], exact[:, 0])


@pytest.mark.parametrize(
    ("name", "value", "message"),
    [
        ("allocation", np.array([1, 2], np.uint8), "an allocation of bits that are not 8 .. 1, falling"),
        ("allocation", np.array([9, 2], np.uint8), "an allocation of bits that are not 8 .. 1, falling"),
        ("allocation", np.array([], np.uint8), "0 groups of eight directions in 40 dimensions"),
        ("allocation", np.ones(6, np.uint8), "6 groups of eight directions in 40 dimensions"),
        ("copies", np.array([1000], np.int64), "copies of bytes that are not among"),
        ("copies", np.array([-1], np.int64), "copies of bytes that are not among"),
        ("copies", np.array([1], np.int64), "copies of bytes of a chain"),
        ("chain", np.zeros(18, np.int64), "a chain that does not have each of 18 bytes once"),
        ("chain", np.arange(19), "chain"),
        ("twice", np.array([1], np.int64), "1 bytes that are met twice, of 18"),
        ("twice", np.array([-2], np.int64), "-2 bytes that are met twice, of 18"),
        ("twice", np.array([20], np.int64), "20 bytes that are met twice, of 18"),
        ("deviations", np.zeros(40, np.float32), "deviations"),
        ("gain", np.array([1e9]), "a gain of 1000000000.0, which is not 0 or"),
        ("unit", np.array([2], np.uint8), "unit 2 is neither 0 nor 1"),
        ("scale_unit", np.array(0.5), "a scale of 0.5 for rows of unit length in 40 dimensions"),
        ("principal_directions", np.full((40, 40), 3, np.float32), "principal_directions"),
    ],
)
def test_damaged_schemes_are_refused(tmp_path: Path, name: str, value: np.ndarray, message: str) -> None:
    x = varied(100, 40)
    LowBitQuantizer(bytes_per_vector=18).fit(x).save(tmp_path / "quantizer.npz")
    with open(tmp_path / "quantizer.npz", "rb") as file:
        arrays = dict(read_npz(file)[0])
    with open(tmp_path / "damaged.npz", "wb") as file:
        write_npz(file, {**arrays, name: value})
    with pytest.raises(StorageError, match=message):
        LowBitQuantizer.load(tmp_path / "damaged.npz")


def test_more_directions_than_dimensions_are_refused(tmp_path: Path) -> None:
    LowBitQuantizer(bytes_per_vector=22).fit(varied(100, 20)).save(tmp_path / "quantizer.npz")
    with open(tmp_path / "quantizer.npz", "rb") as file:
        arrays = dict(read_npz(file)[0])
    assert arrays["principal_directions"].shape == (20, 24)
    with open(tmp_path / "damaged.npz", "wb") as file:
        write_npz(file, {**arrays, "principal_directions": np.full((20, 24), 0.1, np.float32)})
    with pytest.raises(StorageError, match="24 directions in 20 dimensions"):
        LowBitQuantizer.load(tmp_path / "damaged.npz")


def test_refusals() -> None:
    x = varied(50, 16)
    with pytest.raises(ValueError, match="19 bytes a vector are more than 16 dimensions can use, which is 18"):
        LowBitQuantizer(bytes_per_vector=19).fit(x)
    assert most_bytes(16) == 18
    with pytest.raises(ValueError, match="bytes_per_vector must be at least 3, not 2"):
        LowBitQuantizer(bytes_per_vector=2)
    with pytest.raises(ValueError, match="bytes_per_vector must be at least 3, not -1"):
        LowBitQuantizer(bytes_per_vector=-1)
    with pytest.raises(ValueError, match="give one of them"):
        LowBitQuantizer(2, bytes_per_vector=20)
    with pytest.raises(ValueError, match="rotation 'blocks' has 1, 2 or 4 bits a dimension alike"):
        LowBitQuantizer(3, rotation="blocks")
    for bits in (0, 9, -1, float("nan")):
        with pytest.raises(ValueError, match="bits is above 0 and at most 8"):
            LowBitQuantizer(bits)
    for word in (True, "2", None):
        with pytest.raises(TypeError, match="bits is a number, not"):
            LowBitQuantizer(word)  # type: ignore[arg-type]
    for queries, words in ((x[:, :8], "queries have 8 dimensions, the sample 16"), (x[:0], "leave queries out")):
        with pytest.raises(ValueError, match=words):
            LowBitQuantizer(2).fit(x, queries=queries)
    with pytest.raises(TypeError, match="bytes_per_vector is a whole number"):
        LowBitQuantizer(bytes_per_vector=2.5)  # type: ignore[arg-type]


def test_queries_share_what_copied_bytes_count() -> None:
    x = varied(300, 64)
    scheme = former(scheme_of(LowBitQuantizer(bytes_per_vector=66, lengths="stored").fit(x)))
    values = prepare_queries(scheme, x[:1]).values.reshape(-1, 8)
    own = int(scheme.allocation.sum())
    assert np.array_equal(values[own:], values[scheme.copies])
