"""The rotations of low-bit codes, each against its definition in NumPy; the choices that a fit has, and their names."""

from __future__ import annotations

from typing import Any

import numpy as np
import pytest

from embcodec import LowBitQuantizer
from embcodec.quantizers.lowbit.levels import levels_of
from embcodec.quantizers.lowbit.rotations import (
    Rotation,
    learned_blocks,
    learned_rotation,
    random_rotation,
    whitened,
)


def rows(n: int, dimension: int) -> np.ndarray:
    rng = np.random.default_rng(dimension)
    x = (rng.standard_normal((n, dimension)) * np.geomspace(3, 0.3, dimension)).astype(np.float32)
    return np.asarray(x @ np.linalg.qr(rng.standard_normal((dimension, dimension)))[0].astype(np.float32))


def learned_matrix(x: np.ndarray, bits: int, rounds: int) -> np.ndarray:
    """Each round turns rows of length sqrt(dimension) onto their codes: the orthogonal factor, by a decomposition."""
    dimension, levels = x.shape[1], levels_of(bits).levels.astype(np.float64)
    x = x[np.linalg.norm(x, axis=1) > 0].astype(np.float64)
    x = x / np.linalg.norm(x, axis=1, keepdims=True) * np.sqrt(dimension)
    matrix = np.eye(dimension)
    for _ in range(rounds):
        codes = levels[np.abs((x @ matrix)[..., None] - levels).argmin(axis=-1)]
        towards = x.T @ codes
        towards += 1e-3 * np.trace(towards @ matrix.T) / dimension * matrix
        left, _, right = np.linalg.svd(towards)
        matrix = left @ right
    return matrix


@pytest.mark.parametrize(("bits", "rounds"), [(1, 1), (1, 3), (2, 2), (4, 1)])
def test_a_learned_rotation_turns_rows_onto_their_codes(bits: int, rounds: int) -> None:
    x = rows(400, 12)
    x[7] = 0
    found = learned_rotation(x, levels_of(bits), rounds).matrix
    np.testing.assert_allclose(found, learned_matrix(x, bits, rounds), atol=2e-3)
    assert found is not None
    np.testing.assert_allclose(found @ found.T, np.eye(12), atol=1e-5)
    assert np.array_equal(learned_rotation(x, levels_of(bits)).matrix, learned_rotation(x, levels_of(bits), 5).matrix)
    nothing = learned_rotation(np.zeros((5, 12), np.float32), levels_of(bits)).matrix
    assert np.array_equal(nothing, np.eye(12))


def test_blocks_are_learned_by_themselves() -> None:
    x = rows(500, 70)
    blocks = learned_blocks(x, levels_of(1)).blocks
    assert blocks is not None
    assert blocks.shape == (2, 64, 64)
    assert np.array_equal(blocks[0], learned_rotation(x[:, :64], levels_of(1), 3).matrix)
    assert np.array_equal(blocks[1][:6, :6], learned_rotation(x[:, 64:], levels_of(1), 3).matrix)
    blocks[1][:6, :6] = np.eye(6)
    assert np.array_equal(blocks[1], np.eye(64))


@pytest.mark.parametrize("dimension", [20, 128, 140])
def test_whitening_is_a_small_power_of_the_moments(dimension: int) -> None:
    """Of the moments shrunk by a tenth, to the power -0.1, of 128 directions; relative to the mean of the others."""
    x = rows(600, dimension)
    found = whitened(x, levels_of(1))
    moments = (x.T @ x).astype(np.float64) / 600
    values, vectors = np.linalg.eigh(moments)
    powers = (0.9 * values / values.mean() + 0.1) ** -0.1
    count = min(128, dimension)
    rest = powers[: dimension - count]
    np.testing.assert_allclose(
        found.gains, powers[-count:] / (np.exp(np.log(rest).mean()) if len(rest) else 1), rtol=1e-5
    )
    assert found.directions is not None
    assert found.directions.shape == (dimension, count)
    np.testing.assert_allclose(np.abs((found.directions * vectors[:, -count:]).sum(0)), 1, atol=1e-4)
    stretched = Rotation(directions=found.directions, gains=found.gains).apply(x.copy())
    assert np.array_equal(found.blocks, learned_blocks(stretched, levels_of(1)).blocks)
    constant = whitened(np.zeros((5, dimension), np.float32), levels_of(1))
    assert constant.gains is None
    assert constant.kind == "blocks"


@pytest.mark.parametrize(("dimension", "rounds"), [(1, 2), (2, 2), (3, 4), (64, 2), (96, 4), (100, 4), (128, 2)])
def test_a_random_rotation_has_two_rounds_or_four(dimension: int, rounds: int) -> None:
    factors = random_rotation(dimension, 3).factors
    assert factors is not None
    assert factors.shape == (rounds, dimension)
    other = random_rotation(dimension, 4).factors
    assert dimension < 64 or not np.array_equal(factors, other)


@pytest.mark.parametrize("kind", ["none", "random", "learned", "blocks", "whitened"])
@pytest.mark.parametrize("dimension", [5, 64, 70])
def test_rotations_keep_dots_and_can_be_undone(kind: str, dimension: int) -> None:
    x, levels = rows(200, dimension), levels_of(1)
    made = {
        "none": Rotation(),
        "random": random_rotation(dimension, 0),
        "learned": learned_rotation(x, levels),
        "blocks": learned_blocks(x, levels),
        "whitened": whitened(x, levels),
    }[kind]
    made.check()
    assert made.kind == kind
    mapped, asked = made.apply(x.copy()), made.of_queries.apply(x[:9].copy())
    np.testing.assert_allclose(asked @ mapped.T, x[:9] @ x.T, atol=2e-4 * np.abs(x[:9] @ x.T).max())
    np.testing.assert_allclose(made.undo(mapped.copy()), x, atol=1e-4 * np.abs(x).max())
    np.testing.assert_allclose(made.of_queries.undo(asked.copy()), x[:9], atol=1e-4 * np.abs(x).max())
    if kind not in ("none", "whitened"):
        np.testing.assert_allclose(np.linalg.norm(mapped, axis=1), np.linalg.norm(x, axis=1), rtol=1e-4)


@pytest.mark.parametrize(
    ("parts", "words"),
    [
        (("matrix", "factors"), "matrix and factors in one rotation"),
        (("factors", "blocks"), "factors and blocks in one rotation"),
        (("directions",), "of directions, gains and blocks none goes without the others"),
        (("directions", "gains"), "of directions, gains and blocks none goes without the others"),
        (("directions", "blocks"), "of directions, gains and blocks none goes without the others"),
        (("gains", "blocks"), "of directions, gains and blocks none goes without the others"),
        (("directions", "other gains", "blocks"), "3 gains for 2 directions"),
        (("directions", "gains", "blocks"), ""),
        (("blocks",), ""),
        ((), ""),
    ],
)
def test_parts_of_a_rotation_go_together(parts: tuple[str, ...], words: str) -> None:
    known: dict[str, Any] = {"matrix": np.eye(4), "factors": np.ones((2, 4)), "blocks": np.eye(64)[None]}
    known |= {"directions": np.eye(4)[:, :2], "gains": np.ones(2), "other gains": np.ones(3)}
    rotation = Rotation(**{part.removeprefix("other "): np.float32(known[part]) for part in parts})
    if not words:
        rotation.check()
        return
    with pytest.raises(ValueError, match=f"^{words}$"):
        rotation.check()


@pytest.mark.parametrize(
    ("bits", "rotation", "center", "choices"),
    [
        (1, "none", "none", ["no rotation"]),
        (1, "random", "mean", ["random rotation, centred"]),
        (2, "blocks", "auto", ["blocks of rotations", "blocks of rotations, centred"]),
        (4, "whitened", "mean", ["whitened, blocks of rotations, centred"]),
        (
            1,
            "auto",
            "none",
            [
                "plain sign bits",
                "no rotation",
                "random rotation",
                "blocks of rotations",
                "learned rotation",
                "whitened, blocks of rotations",
                "principal directions",
            ],
        ),
        (
            2,
            "auto",
            "mean",
            [
                "no rotation, centred",
                "random rotation, centred",
                "blocks of rotations, centred",
                "learned rotation, centred",
                "whitened, blocks of rotations, centred",
                "principal directions, centred",
            ],
        ),
    ],
)
def test_what_may_be_chosen(bits: int, rotation: str, center: str, choices: list[str]) -> None:
    assert list(LowBitQuantizer(bits, rotation=rotation, center=center)._wishes.sizes(12)) == choices
    few = rows(3, 12)  # too few to choose by: the first
    assert LowBitQuantizer(bits, rotation=rotation, center=center).fit(few).choice == choices[0]


def test_the_unit_of_scales_is_that_of_a_typical_row_with_one() -> None:
    x = rows(50, 16)
    plain = LowBitQuantizer(1, rotation="none", center="none").fit(x)
    assert plain.scheme.scale_unit == pytest.approx(float(np.median(plain.scheme.encode_raw(x)[1])))
    padded = np.concatenate([x, np.zeros((200, 16), np.float32)])
    again = LowBitQuantizer(1, rotation="none", center="none").fit(padded)
    assert again.scheme.scale_unit == plain.scheme.scale_unit
    assert LowBitQuantizer(1, rotation="none", center="none").fit(padded[50:]).scheme.scale_unit == 1
    centred = LowBitQuantizer(1, rotation="none", center="mean").fit(x)
    np.testing.assert_allclose(centred.scheme.center, x.mean(0), atol=1e-6)
    assert plain.scheme.center is None


def test_how_a_quantizer_is_shown() -> None:
    bare = LowBitQuantizer(2, rotation="random", center="none")
    assert repr(bare) == "LowBitQuantizer(bits=2, rotation='random', center='none', not fitted)"
    assert repr(bare.fit(rows(5, 4))) == "LowBitQuantizer(bits=2, rotation='random', center='none': random rotation)"


@pytest.mark.parametrize(
    ("n", "dimension", "tried"),
    [
        (79, 20, ""),
        (80, 20, "plain no random blocks learned whitened, principal"),
        (81, 21, "plain no random blocks whitened, principal"),
        (83, 168, "plain no random principal"),
        (84, 168, "plain no random blocks whitened, principal"),
    ],
)
def test_what_so_few_rows_cannot_teach_is_not_tried(n: int, dimension: int, tried: str) -> None:
    """Eighty rows to choose by; half a row a dimension for blocks, four for a whole rotation."""
    quantizer = LowBitQuantizer(1, rotation="auto", center="none").fit(rows(n, dimension))
    assert sorted(name.partition(" ")[0] for name in quantizer.report) == sorted(tried.split())


@pytest.mark.parametrize("power", [-70, 66, 120])
@pytest.mark.parametrize("bits", [1, 2, 4])
def test_rotations_are_learned_of_directions_whatever_the_size_of_rows(bits: int, power: int) -> None:
    x = np.random.default_rng(2).standard_normal((300, 24)).astype(np.float32)
    far = np.ldexp(x, power)
    fitted = [LowBitQuantizer(bits, rotation="learned", center="none").fit(rows) for rows in (x, far)]
    near, same = (one.encode(rows) for one, rows in zip(fitted, (x, far), strict=True))
    assert (near.bit_planes != same.bit_planes).mean() < 1e-3
