"""What codes keep by how many rows they are fitted to: overlap@10 with float32 search.

    python benchmarks/fit_rows.py [VECTORS.npy ...] [--queries QUERIES.npy ...] [--bytes 32 64] [--searched 2000]

Of each file some rows are searched. Codes in principal directions are fitted to some of the others, to those that are
searched themselves, and to all; what they keep is a mean over three choices of the rows that are searched. Without a
file the committed vectors are measured, of which 1,000 are searched.
"""

from __future__ import annotations

import argparse
from pathlib import Path

import numpy as np

from embcodec import Embeddings, LowBitQuantizer, search
from quality import COMMITTED, unit
from quality_codes import Floats, K

FITTED = (250, 500, 1000, 2000, 4000, 8000, 16_000)
SEARCHED, SEEDS = 2000, 3


def overlap(fit: Floats, rows: Floats, queries: Floats, row_bytes: int) -> float:
    """Return what codes of rows keep that are fitted to others."""
    quantizer = LowBitQuantizer(bytes_per_vector=row_bytes, rotation="principal", center="mean").fit(fit)
    asked = Embeddings(queries)
    found, exact = (
        search(asked, each, K, metric="cosine").indices for each in (quantizer.encode(rows), Embeddings(rows))
    )
    return float(np.mean([len(np.intersect1d(*pair)) for pair in zip(found, exact, strict=True)])) / K


def measured(x: Floats, queries: Floats, row_bytes: int, searched: int) -> dict[str, float]:
    """Return what is kept, by what is fitted to."""
    kept: dict[str, list[float]] = {}
    for seed in range(SEEDS):
        order = np.random.default_rng(seed).permutation(len(x))
        rows, others = x[order[:searched]], x[order[searched:]]
        fits = {f"{count:,} others": others[:count] for count in FITTED if count <= len(others)}
        for name, fit in (fits | {"those searched": rows, "all": x}).items():
            kept.setdefault(name, []).append(overlap(fit, rows, queries, row_bytes))
    return {name: float(np.mean(values)) for name, values in kept.items()}


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__.partition("\n")[0])
    parser.add_argument("vectors", nargs="*", type=Path)
    parser.add_argument("--queries", nargs="*", type=Path, default=[], help="a file for each of vectors")
    parser.add_argument("--bytes", nargs="*", type=int, default=(32, 64))
    parser.add_argument("--searched", type=int, default=SEARCHED, help="rows, at most half of them")
    given = parser.parse_args()
    if len(given.queries) != len(given.vectors):
        parser.error("--queries wants a file for each of vectors")
    pairs = list(zip(given.vectors, given.queries, strict=True))
    for rows_of, queries_of in pairs or [(COMMITTED / "documents.npy", COMMITTED / "queries.npy")]:
        x, queries = unit(np.load(rows_of)), unit(np.load(queries_of))
        searched = min(given.searched, len(x) // 2)
        print(f"\n{rows_of.stem}, {x.shape[1]} dimensions, {searched:,} rows searched\n")
        for row_bytes in given.bytes:
            kept = measured(x, queries, row_bytes, searched)
            print(f"{row_bytes} bytes: {', '.join(f'{name} {value:.3f}' for name, value in kept.items())}", flush=True)


if __name__ == "__main__":
    main()
