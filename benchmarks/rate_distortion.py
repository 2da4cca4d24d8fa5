"""How far codes of a number of bytes are from what any code of their directions can keep.

    python benchmarks/rate_distortion.py [VECTORS.npy ...] [--queries QUERIES.npy ...] [--bytes 32 64 128] [--fit 2000]

No code of Gaussians in R bits errs by less than their rate-distortion function says, however long it takes to find.
That bound is simulated here: of the same principal directions each gets an error by reverse water-filling, weighted as
chains weigh it, and rows that errors are added to as the forward test channel does (they are shortened, and noise of
the rest is added) are searched with the same scores. Printed is overlap@10 of our codes, of rows at the bound, and of
rows whose errors are 0.5, 1 and 1.5 dB greater; the last column says how many dB the mean square errors of our codes
are above the bound, weighted, where codes are brought to the length at which they err least. Queries are not rounded;
those and rows are what `quality.py` takes.
"""

from __future__ import annotations

import argparse
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from embcodec import LowBitQuantizer
from embcodec.quantizers.fitting.principal import Directions, directions_of
from embcodec.quantizers.lowbit.principal import SHRUNK
from quality import committed, of_file
from quality_codes import K, Vectors

Doubles = NDArray[np.float64]

LOSSES = (0.0, 0.5, 1.0, 1.5)  # dB
HALVINGS = 80  # of the interval in which the level of the water is looked for


def water_filled(variances: Doubles, weights: Doubles, bits: float) -> Doubles:
    """Return the errors of independent Gaussians in so many bits whose weighted sum is least."""
    low, high = -80.0, 20.0
    for _ in range(HALVINGS):
        middle = (low + high) / 2
        errors: Doubles = np.minimum(variances, 2.0**middle / weights)
        low, high = (middle, high) if np.log2(variances / errors).sum() / 2 > bits else (low, middle)
    return errors


def overlap(scores: NDArray[np.floating], exact: Doubles) -> float:
    ours, theirs = (np.argpartition(-each, K, axis=1)[:, :K] for each in (scores, exact))
    return float(np.mean([len(np.intersect1d(*pair)) for pair in zip(ours, theirs, strict=True)]) / K)


def scores_of(values: Doubles, found: Directions, center: Doubles, queries: Doubles) -> Doubles:
    """Return scores by values along the directions, as codes that store no lengths have them."""
    lengths = np.sqrt((values**2).sum(axis=1))
    typical = np.median(lengths)
    square = float(center @ center)
    along = values @ (found.vectors.T @ center)
    reach = np.sqrt(along**2 + max(1 - square, 0)) - along  # of rows without the center
    scaled = values * (reach * (typical / lengths) ** SHRUNK)[:, None]
    shares = queries @ center / square
    rests = (queries - shares[:, None] * center) @ found.vectors
    scores: Doubles = rests @ scaled.T + (queries @ center)[:, None] + shares[:, None] * (1 - square - reach**2) / 2
    return scores


def measured(vectors: Vectors, row_bytes: int, generator: np.random.Generator) -> str:
    """Return a row of the table."""
    fit, rows, queries = vectors.fit, vectors.rows, vectors.queries.astype(np.float64)
    mean = fit.mean(axis=0, dtype=np.float64).astype(np.float32)
    found, center = directions_of(fit, mean, unit=True), mean.astype(np.float64)
    rests = rows - center
    values = (rests / np.linalg.norm(rests, axis=1, keepdims=True)) @ found.vectors
    weights, exact = np.sqrt(found.moments), queries @ rows.T
    bound = water_filled(found.variances, weights, 8 * row_bytes)
    kept = []
    for loss in LOSSES:
        errors = np.minimum(found.variances, bound * 10 ** (loss / 10))
        share = 1 - errors / found.variances
        noisy = share * values + np.sqrt(share * errors) * generator.standard_normal(values.shape)
        kept.append(overlap(scores_of(noisy, found, center, queries), exact))
    quantizer = LowBitQuantizer(bytes_per_vector=row_bytes, rotation="principal", center="mean").fit(fit)
    codes = quantizer.encode(rows)
    lengths = np.linalg.norm(rests, axis=1, keepdims=True)
    back = ((codes.to_float() - center) / lengths) @ found.vectors
    best = float((values * back @ weights).sum() / (back**2 @ weights).sum())
    ours = (values - best * back) ** 2
    least = ((values * np.sqrt(bound / found.variances)) ** 2 @ weights).mean()
    above = 10 * np.log10((ours @ weights).mean() / least)
    cells = [f"{overlap(codes.estimate(queries), exact):.3f}", *(f"{each:.3f}" for each in kept), f"{above:.1f}"]
    return f"| {row_bytes} | {' | '.join(cells)} |"


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__.partition("\n")[0])
    parser.add_argument("vectors", nargs="*", type=Path)
    parser.add_argument("--queries", nargs="*", type=Path, default=[], help="a file for each of vectors")
    parser.add_argument("--bytes", nargs="*", type=int, default=(32, 64, 128))
    parser.add_argument("--fit", type=int, default=2000, help="rows to fit to")
    given = parser.parse_args()
    asked = given.queries or [None] * len(given.vectors)
    sets = [("committed vectors", committed())] if not given.vectors else []
    for path, queries in zip(given.vectors, asked, strict=True):
        sets.append((path.stem, of_file(path, queries, given.fit, 10_000)))
    for name, vectors in sets:
        print(f"\n{name}, {vectors.dimension} dimensions\n")
        print(
            "| bytes | ours | at the bound |",
            " | ".join(f"{loss} dB above" for loss in LOSSES[1:]),
            "| ours above, dB |",
        )
        print("|---|---|---|---|---|---|---|", flush=True)
        for row_bytes in given.bytes:
            print(measured(vectors, row_bytes, np.random.default_rng(0)), flush=True)


if __name__ == "__main__":
    main()
