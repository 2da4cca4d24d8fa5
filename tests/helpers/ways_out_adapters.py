"""Ways out of what adapters are given: cases of ``test_ways_out``."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import polars

import embcodec.adapters.polars
from embcodec import AsyncClient, Client, to_arrow
from embcodec.adapters import AsyncCachedEmbedder, CachedEmbedder, from_sentence_transformers

FLOATS = np.array([[0.6, -0.8], [0.0, 1.0]], np.float32)
RANGES = np.array([[-1.0, -1.0], [1.0, 1.0]], np.float32)
CODES = np.zeros((2, 2), np.int8)
COLUMN = polars.Series("vector", FLOATS)

Case = tuple[Callable[[Path], Any], str, tuple[Callable[[Path], Any], ...]]
CASES: dict[str, Case] = {
    "vectors of tokens": (
        lambda p: from_sentence_transformers([FLOATS, FLOATS[:1]]),
        r"a vector a token: encode\(output_value='sentence_embedding'\) pools them",
        (lambda p: from_sentence_transformers([FLOATS.mean(axis=0), FLOATS[0]]),),
    ),
    "an async client for a sync embedder": (
        lambda p: CachedEmbedder("m", client=AsyncClient(api_key="key")),
        r"CachedEmbedder takes no AsyncClient: use AsyncCachedEmbedder\(model, client=\.\.\.\)",
        (lambda p: AsyncCachedEmbedder("m", client=AsyncClient(api_key="key")),),
    ),
    "a client's setting for an embedder": (
        lambda p: CachedEmbedder("m", api_key="key", max_retries=3),  # type: ignore[arg-type]
        r"CachedEmbedder takes no max_retries=: pass a client with it, client=Client\(max_retries=3, \.\.\.\)",
        (lambda p: CachedEmbedder("m", client=Client(max_retries=3, api_key="key")),),
    ),
    "a client and what one is made of": (
        lambda p: CachedEmbedder("m", client=Client(api_key="key"), profile="cohere"),
        r"both client= and profile= were given: a client has its own, client=Client\(profile=\.\.\.\)",
        (lambda p: CachedEmbedder("m", client=Client(profile="cohere", api_key="key")),),
    ),
    "a file for a store": (
        lambda p: ((p / "file").touch(), CachedEmbedder("m", client=Client(api_key="key"), store=p / "file")),
        r"store='.*file' is, or lies in, a file: a store is a folder of files",
        (lambda p: CachedEmbedder("m", client=Client(api_key="key"), store=p / "folder"),),
    ),
    "a column of codes with scales": (
        lambda p: COLUMN.embcodec.to("int8", scale="per-vector"),
        r"no room for per-vector scales, as to_arrow\(rows\) has",
        (lambda p: to_arrow(embcodec.quantize(FLOATS, "int8", scale="per-vector")),),
    ),
    "numbers or bits of sentence-transformers": (
        lambda p: from_sentence_transformers(CODES),
        "say precision='int8' or what was asked for",
        (lambda p: from_sentence_transformers(CODES, precision="int8", ranges=RANGES),),
    ),
    "codes of sentence-transformers without ranges": (
        lambda p: from_sentence_transformers(CODES, "int8"),
        r"quantize_embeddings\(floats, precision, ranges=ranges\) and pass ranges=ranges here too",
        (lambda p: from_sentence_transformers(CODES, "int8", ranges=RANGES),),
    ),
}
