"""Populations of queries for `interval_coverage.py`: what every pipeline keeps of each of many queries' neighbours."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path
from typing import NamedTuple

import numpy as np

from embcodec.scan.search import search
from embcodec.tradeoff.codes import LowBit, standard_pipelines
from embcodec.tradeoff.intervals import PerQuery
from embcodec.tradeoff.kinds import as_kinds
from embcodec.tradeoff.measures import ndcg, overlap

K = 10
DATA = Path(__file__).parent.parent / "tests" / "data"
CHOSEN_ON = ("real", "mixed", "clustered", "gaussian", "collapsed", "near copies")
"""The populations by which the intervals' constants were chosen; they do not tell how well others are covered."""


class Searched(NamedTuple):
    """A pipeline's values of every query of a population."""

    label: str
    bytes: float
    values: dict[str, PerQuery]


def populations(generator: np.random.Generator, count: int) -> Iterator[tuple[str, list[Searched]]]:
    """Yield name and pipelines of each population, of `count` queries where these are made."""
    documents, queries = (np.load(DATA / f"{name}.npy").astype(np.float32) for name in ("documents", "queries"))
    yield "real", searched(documents, queries, np.arange(len(queries)), (512, 256, 128))
    of, other = generator.integers(0, len(documents), count), generator.integers(0, len(queries), count)
    yield "mixed", searched(documents, 0.6 * documents[of] + 0.8 * queries[other], of, (512, 128))
    made = generator.standard_normal
    near = generator.integers(0, 3000, count)

    centres = made((12, 64))
    rows = centres[generator.integers(0, 12, 3000)] + 0.8 * made((3000, 64))
    yield "clustered", searched(rows, rows[near] + made((count, 64)), near, (64, 16))
    rows = made((3000, 96))
    yield "gaussian", searched(rows, rows[near] + 0.7 * made((count, 96)), near, (96, 32))
    spread = np.exp(-np.arange(128) / 8)
    rows = made((3000, 128)) * spread + 0.1 * made(128)
    yield "collapsed", searched(rows, rows[near] + 0.5 * made((count, 128)) * spread, near, (128, 32))
    rows = made((600, 64))[generator.integers(0, 600, 3000)]
    rows = rows + 0.05 * made((3000, 64)) * generator.gamma(0.3, size=(3000, 1))
    noise = 0.6 * made((count, 64)) * generator.gamma(0.5, size=(count, 1))
    yield "near copies", searched(rows, rows[near] + noise, near, (64, 32))

    rows = generator.standard_t(3, size=(3000, 80))
    yield "heavy tails", searched(rows, rows[near] + 0.8 * generator.standard_t(3, size=(count, 80)), near, (80, 32))
    sizes = 1 / np.arange(1, 201)
    centres = 1.5 * made((200, 96)) * np.linspace(1.5, 0.3, 96)
    rows = centres[generator.choice(200, 3000, p=sizes / sizes.sum())] + made((3000, 96)) * np.linspace(1, 0.2, 96)
    yield "uneven clusters", searched(rows, rows[near] + 0.4 * made((count, 96)), near, (96, 48))
    flat, bent = made((6, 64)), made((6, 64))
    places = made((3000, 6))
    rows = np.sin(places @ flat) + 0.3 * places @ bent
    moved = places[near] + 0.15 * made((count, 6))
    yield "curved surface", searched(rows, np.sin(moved @ flat) + 0.3 * moved @ bent, near, (64, 24))
    yield "beta-binomial", beta_binomial(generator, count)


def searched(rows: np.ndarray, queries: np.ndarray, answers: np.ndarray, dimensions: tuple[int, ...]) -> list[Searched]:
    """Return what each pipeline at each of some dimensions finds, the first one float's at full dimension."""
    rows, queries = ((x / np.linalg.norm(x, axis=1, keepdims=True)).astype(np.float32) for x in (rows, queries))
    exact = search(queries, rows, K, metric="cosine").indices
    low_bit, found = LowBit(rows, "random", 0, as_kinds(None, rows.shape[1]).low_bit), []
    for dimension in dimensions:
        for pipe in standard_pipelines(rows, queries, dimension, (4, 10), low_bit):
            indices = pipe.run(K)
            hits = indices == answers[:, None]
            values = {"overlap": overlap(indices, exact), "nDCG": ndcg(indices, answers)}
            values["reciprocal rank"] = np.where(hits.any(axis=1), 1 / (1 + hits.argmax(axis=1)), 0.0)
            size = pipe.code_bytes + (pipe.rows.nbytes / len(rows) if pipe.rows is not None else 0)
            found.append(Searched(f"{pipe.label}, {dimension} d", size, values))
    return found


def beta_binomial(generator: np.random.Generator, count: int) -> list[Searched]:
    """Return overlaps that no search made, from even to skewed: some queries are harder than others by chance."""
    found = []
    for mean in (0.3, 0.6, 0.8, 0.9, 0.95, 0.98, 0.99, 0.995, 0.999):
        for evenness in (8.0, 15.0, 30.0):
            kept = generator.beta(mean * evenness, (1 - mean) * evenness, count)
            values = {"overlap": generator.binomial(K, kept) / K}
            found.append(Searched(f"mean {mean}, a + b = {evenness:.0f}", 1 / (1 - mean), values))
    return found
