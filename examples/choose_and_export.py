"""Measure what each dtype keeps, take the smallest that is good enough, export it."""

import tempfile
from pathlib import Path

import numpy as np
import pyarrow.parquet

import embcodec

TARGET = 0.95  # part of float32's ten nearest that must be found
WAYS = {
    "float": embcodec.Embeddings,
    "int8 per-vector": lambda rows: embcodec.quantize(rows, "int8", scale="per-vector"),
    "int8 unit": lambda rows: embcodec.quantize(unit_length(rows), "int8"),
    "bits, float query": lambda rows: embcodec.quantize(rows, "ubinary"),
}


def unit_length(rows: np.ndarray) -> np.ndarray:
    """Return rows at length 1, which the services' own scale is for."""
    return rows / np.linalg.norm(rows, axis=1, keepdims=True)


def some_vectors() -> np.ndarray:
    """Return rows with some structure; your own are np.load("vectors.npy")."""
    rng = np.random.default_rng(0)
    topics = rng.standard_normal((40, 48), dtype=np.float32)
    noise = rng.standard_normal((600, 48), dtype=np.float32)
    return topics[rng.integers(40, size=600)] + noise


def main() -> None:
    """Study, choose among what needs no rescoring, export, read back."""
    vectors = some_vectors()
    study = embcodec.study(vectors, dimensions=[48], multipliers=[4], rotation="none")
    for sentence in study.advise(TARGET):
        print(sentence)

    alone = [way for way in study.measurements if way.label in WAYS]
    enough = [way for way in alone if way.overlap.low >= TARGET]
    best = min(enough, key=lambda way: way.code_bytes)
    print(f"{best.label}: {best.code_bytes:g} bytes, overlap {best.overlap.mean:.3f}")
    codes = WAYS[best.label](vectors)

    with tempfile.TemporaryDirectory() as folder:
        path = Path(folder, "vectors.parquet")
        columns = {"id": np.arange(len(codes)), "embedding": embcodec.to_arrow(codes)}
        pyarrow.parquet.write_table(pyarrow.table(columns), path)
        assert embcodec.load(path) == codes  # the scale, too, has come through
        print(f"{path.stat().st_size:,} bytes for {vectors.nbytes:,} of floats")


if __name__ == "__main__":
    main()
