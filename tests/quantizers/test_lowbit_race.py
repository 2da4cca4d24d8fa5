"""Races among choices: who is measured on what, what is told, and the sizes that reach a recall."""

from __future__ import annotations

from pathlib import Path
from typing import ClassVar

import numpy as np
import pytest
from kept import overlap, real_set, varied

from embcodec import LowBitQuantizer, truncate
from embcodec.quantizers.fitting import race
from embcodec.quantizers.fitting import recall as recall_module
from embcodec.quantizers.fitting.race import HeldOut, winner
from embcodec.quantizers.lowbit.rotations import Rotation
from embcodec.quantizers.lowbit.scheme import LowBitScheme


class Fits:
    """What fits schemes that hold nothing but their sample's mean, and keeps the samples."""

    def __init__(self) -> None:
        self.samples: list[tuple[str, np.ndarray]] = []

    def __call__(self, sample: np.ndarray, choice: str) -> LowBitScheme:
        self.samples.append((choice, sample))
        return LowBitScheme(4, sample.shape[1], Rotation(), sample.mean(axis=0), scale_unit=0.1)


def rows_in(some: np.ndarray, others: np.ndarray) -> int:
    return len({row.tobytes() for row in some} & {row.tobytes() for row in others})


@pytest.mark.parametrize("n", [100, 150])
def test_rows_are_coded_by_what_is_fitted_to_others(n: int, monkeypatch: pytest.MonkeyPatch) -> None:
    """Of up to twice as many as are found in four parts, of more by others."""
    monkeypatch.setattr(race, "ROWS", 60)
    x, fits = varied(n, 12), Fits()
    held_out = HeldOut(x, fits, 0, "plain")
    assert held_out.rows.shape == (60, 12)
    estimates = held_out.estimates("a", x[:7], first=False)
    np.testing.assert_allclose(estimates, x[:7] @ held_out.rows.T, atol=0.08)
    first = held_out.estimates("a", x[:7], first=True)
    np.testing.assert_allclose(first, estimates[:, held_out.first], atol=1e-6)  # NumPy's sums, of fewer columns
    assert 10 <= len(held_out.first) <= 20
    samples = [sample for _, sample in fits.samples]
    if n == 150:
        assert len(samples) == 1
        assert len(samples[0]) == 60
        assert rows_in(samples[0], held_out.rows) == 0
    else:
        assert len(samples) == 4
        assert sum(60 - len(sample) for sample in samples) == 60
        assert rows_in(samples[0], held_out.rows[held_out.first]) == 0
        assert all(rows_in(sample, held_out.rows) == len(sample) for sample in samples)
    fits.samples.clear()
    held_out.estimates("plain", x[:7], first=False)
    assert all(sample is held_out.rows for _, sample in fits.samples)


class Grades:
    """Stands in for what is held out: choices whose estimates are off by known amounts."""

    def __init__(self, x: np.ndarray, fit: object, seed: int, plain: str) -> None:
        self.rows, self.first = x, np.arange(0, len(x), 4)
        self.asked: list[tuple[str, bool]] = []
        Grades.last = self

    last: Grades
    noise: ClassVar[dict[str, float]] = {}

    def estimates(self, choice: str, queries: np.ndarray, *, first: bool) -> np.ndarray:
        self.asked.append((choice, first))
        rng = np.random.default_rng(len(choice))
        exact = queries @ (self.rows[self.first] if first else self.rows).T
        return (exact + rng.normal(0, self.noise[choice], exact.shape)).astype(np.float32)


@pytest.fixture
def graded(monkeypatch: pytest.MonkeyPatch) -> type[Grades]:
    monkeypatch.setattr(race, "HeldOut", Grades)
    monkeypatch.setenv("EMBCODEC_THREADS", "1")
    return Grades


def test_who_is_clearly_behind_is_not_measured_on_all_rows(graded: type[Grades]) -> None:
    x = varied(880, 16)
    graded.noise = {"first": 0.3, "good": 0.01, "prefer": 0.3, "bettered": 0.0101, "far": 0.9}
    told: list[tuple[int, int, str]] = []
    best, report = winner(
        x,
        None,
        list(graded.noise),
        Fits(),
        plain="plain",
        preferred=["prefer"],
        seed=0,
        tell=lambda *far: told.append(far),
    )
    assert best in ("good", "bettered")
    assert [name for name, first in graded.last.asked if first] == list(graded.noise)
    assert [name for name, first in graded.last.asked if not first] == ["good", "bettered"]
    assert list(report) == ["good", "bettered"]
    assert [done for done, _, _ in told] == [*range(1, 8)]
    assert [total for _, total, _ in told] == [6] * 5 + [8] * 2
    assert told[3][2] == "measured bettered"


def test_one_that_is_better_than_all_has_won_at_once(graded: type[Grades]) -> None:
    graded.noise = {"first": 0.3, "good": 0.01, "prefer": 0.3}
    best, report = winner(varied(880, 16), None, [*graded.noise], Fits(), plain="first", preferred=["prefer"], seed=0)
    assert best == "good"
    assert list(report) == list(graded.noise)
    assert all(first for _, first in graded.last.asked)


def test_of_few_rows_all_are_measured_on_all(graded: type[Grades]) -> None:
    graded.noise = {"first": 0.3, "good": 0.01}
    best, _ = winner(varied(400, 16), None, list(graded.noise), Fits(), plain="", preferred=[], seed=0)
    assert best == "good"
    assert not any(first for _, first in graded.last.asked)


def test_a_fit_tells_how_far_it_is() -> None:
    told: list[tuple[int, int, str]] = []
    LowBitQuantizer(2, rotation="blocks").fit(varied(100, 12), progress=lambda *far: told.append(far))
    assert told == [(1, 3, "measured blocks of rotations"), (2, 3, "measured blocks of rotations, centred")]
    LowBitQuantizer(2, rotation="blocks").fit(varied(100, 12), progress=True)


def test_fits_do_not_hang_on_threads(monkeypatch: pytest.MonkeyPatch) -> None:
    x, found = varied(900, 40), []
    for threads in ("1", "2"):
        monkeypatch.setenv("EMBCODEC_THREADS", threads)
        quantizer = LowBitQuantizer(1).fit(x)
        found.append((quantizer.scheme.identity, quantizer.report))
    assert found[0] == found[1]


@pytest.mark.parametrize("recall", [0.7, 0.93])
def test_the_fewest_bytes_reach_a_recall(recall: float) -> None:
    fit, x, queries = (truncate(some, 128) for some in real_set())
    told: list[tuple[int, int, str]] = []
    quantizer = LowBitQuantizer(recall=recall).fit(fit, queries=queries, progress=lambda *far: told.append(far))
    low, high = quantizer.recall_interval or (0.0, 0.0)
    codes = quantizer.encode(x)
    size = codes.nbytes // len(x)
    assert recall <= low <= quantizer.report[f"{quantizer.choice}, {size} bytes"] <= high
    assert overlap(codes, x, queries) >= low - 0.01  # of other rows
    principal = {bytes_of(name): kept for name, kept in quantizer.report.items() if name.startswith("principal")}
    assert size % 4 == 0
    assert principal[size - 4] < recall + (high - low)
    assert min(principal) <= size - 4
    assert [done for done, _, _ in told] == [*range(1, len(quantizer.report) + 1)]
    assert len(told) < told[-1][1] == told[0][1]


def bytes_of(name: str) -> int:
    return int(name.split(", ")[-1].removesuffix(" bytes"))


@pytest.mark.parametrize(
    ("rotation", "noise", "choice"),
    [
        ("auto", 0.002, "whitened, blocks of rotations, centred"),
        ("auto", 2.0, "principal directions, centred"),
        ("principal", 0.001, "principal directions, centred"),
    ],
)
def test_codes_of_as_many_bits_for_all_are_taken_where_they_reach_as_much(
    graded: type[Grades], monkeypatch: pytest.MonkeyPatch, rotation: str, noise: float, choice: str
) -> None:
    """Four bits where their bytes are fewer; centred or not, whichever keeps more."""
    monkeypatch.setattr(recall_module, "HeldOut", graded)
    graded.noise = {f"principal directions, centred, {size} bytes": 0.96 / size for size in (*range(4, 130, 4), 130)}
    graded.noise |= {"whitened, blocks of rotations, 72 bytes": 2 * noise}
    graded.noise |= {"whitened, blocks of rotations, centred, 72 bytes": noise}
    quantizer = LowBitQuantizer(recall=0.9, rotation=rotation).fit(varied(300, 128))  # type: ignore[arg-type]
    assert quantizer.choice == choice
    asked = [name for name, _ in graded.last.asked]
    assert sum(name.startswith("whitened") for name in asked) == 2 * (rotation == "auto")
    if "whitened" in choice:
        assert quantizer.encode(varied(9, 128)).nbytes == 9 * 72
    assert min(bytes_of(name) for name in asked if name.startswith("p") and quantizer.report[name] > 0.9) > 72


@pytest.mark.parametrize(
    ("size", "rotation", "names"),
    [
        (71, "auto", "p"),
        (72, "auto", "pww"),
        (80, "auto", "pww"),
        (81, "auto", "p"),
        (72, "principal", "p"),
        (36, "auto", "p"),
    ],
)
def test_four_bits_for_all_are_measured_where_they_fill_the_bytes(size: int, rotation: str, names: str) -> None:
    quantizer = LowBitQuantizer(bytes_per_vector=size, rotation=rotation)  # type: ignore[arg-type]
    sizes = quantizer._wishes.sizes(128)
    assert "".join(name[0] for name in sizes) == names
    assert [each.row_bytes for each in sizes.values()] == [size, 72, 72][: len(names)]


def test_a_byte_budget_is_not_exceeded_by_what_is_chosen() -> None:
    fit, x, queries = (truncate(some, 256) for some in real_set())
    quantizer = LowBitQuantizer(bytes_per_vector=137).fit(fit)
    codes = quantizer.encode(x)
    assert quantizer.choice == "principal directions, centred"
    assert codes.nbytes == 137 * len(x)
    alike = LowBitQuantizer(4, rotation="whitened", center="mean")
    assert overlap(codes, x, queries) > overlap(alike.fit(fit).encode(x), x, queries) + 0.01
    few = LowBitQuantizer(bytes_per_vector=137).fit(fit[:200]).encode(x)
    assert few.nbytes <= 137 * len(x)
    assert overlap(few, x, queries) >= overlap(alike.fit(fit[:200]).encode(x), x, queries)


@pytest.mark.parametrize("seed", [0, 1])
def test_other_rows_and_another_seed_choose_the_same(seed: int) -> None:
    """Four bits of real vectors: what keeps the most is taken, though a doubt is left that it does so by chance."""
    fit, x, queries = (truncate(some, 192) for some in real_set())
    some = fit[np.random.default_rng(seed).permutation(len(fit))[:500]]
    quantizer = LowBitQuantizer(4, seed=seed).fit(some)
    assert quantizer.choice == "principal directions, centred"
    plainer = LowBitQuantizer(4, rotation="none", center="none", seed=seed).fit(some)
    assert overlap(quantizer.encode(x), x, queries) > overlap(plainer.encode(x), x, queries) + 0.01


def test_a_recall_is_kept_in_files(tmp_path: Path) -> None:
    quantizer = LowBitQuantizer(recall=0.6).fit(varied(200, 16))
    assert repr(quantizer).startswith("LowBitQuantizer(recall=0.6, rotation='auto'")
    quantizer.save(tmp_path / "q.npz")
    back = LowBitQuantizer.load(tmp_path / "q.npz")
    assert (repr(back), back.recall, back.recall_interval) == (repr(quantizer), 0.6, quantizer.recall_interval)
    assert back.report == quantizer.report
    assert LowBitQuantizer(2, rotation="none").recall_interval is None


def test_recall_refusals() -> None:
    x = varied(100, 16)
    for recall in (0, 1, -0.5, 1.5, float("nan")):
        with pytest.raises(ValueError, match="recall is above 0 and below 1"):
            LowBitQuantizer(recall=recall)
    with pytest.raises(TypeError, match="recall"):
        LowBitQuantizer(recall="high")  # type: ignore[arg-type]
    for more in ({"bits": 2}, {"bytes_per_vector": 20}):
        with pytest.raises(ValueError, match="bits, bytes_per_vector or recall say how large codes are"):
            LowBitQuantizer(recall=0.9, **more)  # type: ignore[arg-type]
    with pytest.raises(ValueError, match="other sizes want rotation='principal'"):
        LowBitQuantizer(recall=0.9, rotation="blocks")
    with pytest.raises(ValueError, match="measured on 80 rows or more, not 79: give bytes_per_vector"):
        LowBitQuantizer(recall=0.9).fit(x[:79])
    with pytest.raises(ValueError, match=r"recall=0.9999 is more than low-bit codes keep .* 16 bytes keep 0\.9"):
        LowBitQuantizer(recall=0.9999).fit(x)
