"""Measure what each dtype keeps, take the smallest that is good enough, export it."""

import tempfile
from pathlib import Path

import numpy as np
import pyarrow.parquet

import embcodec

TARGET = 0.95  # part of float32's ten nearest that must be found


def some_vectors() -> np.ndarray:
    """Return rows with some structure; your own are np.load("vectors.npy")."""
    rng = np.random.default_rng(0)
    topics = rng.standard_normal((40, 48), dtype=np.float32)
    noise = rng.standard_normal((600, 48), dtype=np.float32)
    return topics[rng.integers(40, size=600)] + noise


def main() -> None:
    """Study, take what other systems read as it is, export, read back."""
    vectors = some_vectors()
    study = embcodec.study(vectors, dimensions=[48], multipliers=[4], rotation="none")
    for sentence in study.advise(TARGET):
        print(sentence)

    best = study.recommend(TARGET, store="any")  # or "pgvector", "qdrant" ...
    if best is None:
        raise SystemExit("nothing that stores take keeps as much: keep float32")
    print(f"{best.label}: {best.code_bytes:g} bytes, overlap {best.overlap.mean:.3f}")
    codes = best.encode(vectors)

    with tempfile.TemporaryDirectory() as folder:
        path = Path(folder, "vectors.parquet")
        columns = {"id": np.arange(len(codes)), "embedding": embcodec.to_arrow(codes)}
        pyarrow.parquet.write_table(pyarrow.table(columns), path)
        assert embcodec.load(path) == codes  # the scale, too, has come through
        print(f"{path.stat().st_size:,} bytes for {vectors.nbytes:,} of floats")


if __name__ == "__main__":
    main()
