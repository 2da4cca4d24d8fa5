"""Measure what each dtype keeps of your vectors, take the smallest that is good enough, and export it."""

import tempfile
from pathlib import Path

import numpy as np
import pyarrow.parquet

import embcodec

TARGET = 0.95  # part of float32's ten nearest that must be found
WAYS = {
    "float": embcodec.Embeddings,
    "int8 per-vector": lambda rows: embcodec.quantize(rows, "int8", scale="per-vector"),
    "int8 unit": lambda rows: embcodec.Embeddings(embcodec.truncate(rows, rows.shape[1])).to("int8"),
    "bits, float query": lambda rows: embcodec.quantize(rows, "ubinary"),
}


def some_vectors() -> np.ndarray:
    """Return rows with some structure; put your own here: np.load("vectors.npy")."""
    rng = np.random.default_rng(0)
    topics = rng.standard_normal((40, 48), dtype=np.float32)
    return topics[rng.integers(40, size=600)] + rng.standard_normal((600, 48), dtype=np.float32)


def main() -> None:
    """Study, choose among what needs no rescoring, export, read back."""
    vectors = some_vectors()
    study = embcodec.study(vectors, dimensions=[vectors.shape[1]], multipliers=[4], rotation="none")
    for sentence in study.advise(TARGET):
        print(sentence)

    enough = [m for m in study.measurements if m.label in WAYS and m.overlap.low >= TARGET]
    best = min(enough, key=lambda measured: measured.code_bytes)
    print(f"{best.label}: {best.code_bytes:g} bytes a vector, overlap {best.overlap.mean:.3f}")
    codes = WAYS[best.label](vectors)

    with tempfile.TemporaryDirectory() as folder:
        path = Path(folder, "vectors.parquet")
        table = pyarrow.table({"id": np.arange(len(codes)), "embedding": embcodec.to_arrow(codes)})
        pyarrow.parquet.write_table(table, path)
        assert embcodec.load(path) == codes  # the scale, too, has come through
        print(f"{path.name}: {path.stat().st_size:,} bytes for {vectors.nbytes:,} of floats")


if __name__ == "__main__":
    main()
