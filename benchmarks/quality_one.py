"""The process in which `quality.py` measures one code, to end it when its time is over."""

from __future__ import annotations

import json
import math
import sys
import time
from pathlib import Path

import numpy as np

from embcodec import Embeddings, search
from quality_codes import Answer, Code, K, Kept, Vectors, ours
from quality_peers import peers


def codes(dimension: int, sizes: list[int]) -> list[Code]:
    """Return the codes of so many bytes a row, and those whose bytes the dimension says, the small ones first."""
    others = [code for code in peers(dimension, sizes) if code.row_bytes <= 4 * dimension]
    at = {*sizes, *(int(code.row_bytes) for code in others if code.is_here)}
    return sorted([*ours(dimension, sorted(at)), *others], key=lambda code: (code.row_bytes, code.who != "embcodec"))


def exact(vectors: Vectors) -> Answer:
    """Return the K nearest by floats."""
    return search(Embeddings(vectors.queries), Embeddings(vectors.rows), K, metric="cosine").indices


def measured(code: Code, vectors: Vectors) -> Kept:
    began = time.process_time()
    encode = code.fitted(vectors.fit)
    fitted = time.process_time()
    row_bytes, ask = encode(vectors.rows)
    encoded = time.process_time()
    pairs = zip(ask(vectors.queries), exact(vectors), strict=True)
    hits = [len(np.intersect1d(found, nearest)) for found, nearest in pairs]
    return Kept(float(row_bytes), hits, fitted - began, encoded - fitted)


def end_after(seconds: float) -> None:
    """Let the system end this process after so many seconds of processor time; Windows has no such limit."""
    try:
        import resource
    except ImportError:
        return
    resource.setrlimit(resource.RLIMIT_CPU, (math.ceil(seconds), resource.RLIM_INFINITY))


def main(folder: str, index: str, limit: str, *sizes: str) -> None:
    """Measure one of the codes, by its place among them, within seconds, and print what it keeps."""
    end_after(float(limit))
    vectors = Vectors.load(Path(folder))
    code = codes(vectors.dimension, [int(size) for size in sizes])[int(index)]
    print(json.dumps(measured(code, vectors)._asdict()))


if __name__ == "__main__":
    main(*sys.argv[1:])
