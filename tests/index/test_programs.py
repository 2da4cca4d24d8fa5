"""Random programs of an index and of a collection, on guarded memory, held to tables of scores.

Every row comes from a pool of a few hundred. What each query scores with each row of it is asked once, of a plain
search of the whole pool, and compared with the definition in float64. As a score depends on its query and its row
alone, these tables say to the bit what every search of a program must find, whichever way the rows came where they are.
"""

from __future__ import annotations

import copy
import pickle
from itertools import pairwise
from pathlib import Path
from typing import Any, NamedTuple

import numpy as np
import pytest
from coded import rows_of
from guard import guarded_arrays, kept_behind_guard
from numpy.typing import NDArray
from reference import metric_scores

from embcodec import Collection, Embeddings, FlatIndex, merge_topk, prepare, range_search, rescore, search
from embcodec._native import core

KINDS = (
    "float", "int8", "int8/per-vector", "int8/ranges", "uint8", "uint8/per-vector", "uint8/ranges", "binary", "ubinary",
    "b1", "b2", "b4", "budget",
)  # fmt: skip
COUNT, QUERIES, STEPS = 400, 5, 20
METRICS, PRECISIONS = ("cosine", "dot", "l2"), ("int8", "float32")


class Pool(NamedTuple):
    """Rows as floats and as codes, queries, and what each query scores with each row, by each metric that there is."""

    metrics: tuple[str, ...]
    floats: NDArray[np.float32]
    codes: Any
    queries: NDArray[np.float32]
    by_codes: dict[tuple[str, str], NDArray[np.float32]]
    by_floats: dict[str, NDArray[np.float32]]


def is_low_bit(kind: str) -> bool:
    return kind == "budget" or (kind[0] == "b" and kind[1:].isdigit())


def pool_of(kind: str, rng: np.random.Generator) -> Pool:
    dimension = int(rng.choice([24, 64, 100] if is_low_bit(kind) else [1, 3, 8, 33, 64, 100, 130]))
    x = rng.standard_normal((COUNT, dimension)).astype(np.float32)
    x[rng.integers(0, COUNT, 40)] = x[rng.integers(0, COUNT, 40)]  # ties
    if not is_low_bit(kind):
        x[rng.integers(0, COUNT, 5)] = 0
    metrics: tuple[str, ...] = METRICS
    if is_low_bit(kind) and rng.random() < 0.3:
        metrics = ("dot",)  # others are of rows of unit length
    elif is_low_bit(kind) or kind in ("int8", "uint8"):  # of the unit scale
        x /= np.maximum(np.linalg.norm(x, axis=1, keepdims=True), 1e-9)
    queries = rng.standard_normal((QUERIES, dimension)).astype(np.float32)
    queries[0] = x[0]
    codes = rows_of(x, kind)
    by_codes = {(m, precision): table(queries, codes, m, precision) for m in metrics for precision in PRECISIONS}
    by_floats = {m: table(queries, Embeddings(x), m, "float32") for m in metrics}
    for metric in metrics:
        check_by_definition(by_codes[metric, "float32"], queries, codes, x, metric)
        check_by_definition(by_floats[metric], queries, Embeddings(x), x, metric)
    return Pool(metrics, x, codes, queries, by_codes, by_floats)


def table(queries: NDArray[np.float32], rows: Any, metric: str, precision: Any) -> NDArray[np.float32]:
    """Return (queries, rows) scores."""
    found = search(queries, rows, COUNT, metric=metric, query_precision=precision)
    scores = np.empty_like(found.scores)
    np.put_along_axis(scores, found.indices, found.scores, axis=1)
    return scores


def check_by_definition(
    scores: NDArray[np.float32], queries: NDArray[np.float32], rows: Any, x: NDArray[np.float32], metric: str
) -> None:
    """Hold scores of unrounded queries to float64; those of rounded ones have wider bounds, which other tests know.

    Scores of low-bit codes are estimates of those of the floats `x`, within bounds that they state.
    """
    q = queries.astype(np.float64)
    if isinstance(rows, Embeddings):
        true, off, x = metric_scores(Embeddings(queries), rows, metric), 0.0, rows.to_float()
    else:
        true, off = metric_scores(Embeddings(queries), Embeddings(x), metric), rows.error_bounds(queries)
    asked, lengths = np.linalg.norm(q, axis=1)[:, None], np.linalg.norm(x.astype(np.float64), axis=1)[None]
    asked, lengths = np.maximum(asked, 1e-9), np.maximum(lengths, 1e-9)
    products = asked * lengths
    if isinstance(rows, Embeddings) and rows.scale is not None and rows.scale.kind == "ranges":
        # Such codes are counted from the middle of their ranges, also where they stand for nearly 0.
        products = products + np.abs(q) @ np.abs(rows.scale.values.astype(np.float64)).sum(0)[:, None]
    most = {"cosine": 1 + products / (asked * lengths), "dot": products, "l2": products + lengths**2 + asked**2}[metric]
    shares = {"cosine": 1 / asked, "dot": 1, "l2": 2}[metric]
    assert (np.abs(scores - true) <= off * shares + 1e-5 * most).all()


class Program:
    """An index or a collection, and what it must hold: the pool's row of each id, in the order of rows."""

    def __init__(self, kind: str, seed: int, folder: Path, *, as_collection: bool) -> None:
        self.rng = np.random.default_rng([seed, KINDS.index(kind), as_collection])
        self.kind, self.as_collection, self.pool = kind, as_collection, pool_of(kind, self.rng)
        self.path, self.next_id = folder / ("rows" if as_collection else "rows.safetensors"), 0
        self.rescored = kind != "float" and self.rng.random() < 0.6
        self.held: dict[int, int] = {}
        self.log: list[str] = []
        codes, floats = self.pool.codes[:0], Embeddings(self.pool.floats[:0]) if self.rescored else None
        if as_collection:
            self.index: Any = Collection.create(self.path, like=codes, rescore_with=floats)
        else:
            self.index = FlatIndex(codes, rescore_with=floats)

    def run(self) -> None:
        # Searches of all rows, more rows, then a search of few: what is kept between them is what goes wrong.
        steps, odds = (self.add, self.remove, self.reopen, self.search, self.ask), (0.25, 0.1, 0.1, 0.4, 0.15)
        self.add()
        for step in self.rng.choice(len(steps), STEPS, p=odds):
            steps[step]()
            assert len(self.index) == len(self.held), self.log

    # ---- what changes rows ----

    def add(self) -> None:
        count, ids = int(self.rng.choice([0, 1, 2, 30, 150])), None
        at = self.rng.integers(0, COUNT, count)
        if self.rng.random() < 0.3:
            ids = self.next_id + self.rng.permutation(3 * count)[:count]
        codes = self.pool.codes[at]
        floats = kept_behind_guard(self.pool.floats[at]) if self.rescored or self.rng.random() < 0.5 else None
        self.log.append(f"add {count}")
        rows = codes if floats is None or (self.kind != "float" and self.rng.random() < 0.5) else floats
        better = {"rescore_with": floats} if self.rescored and rows is codes else {}
        if self.as_collection:
            named = self.index.append(floats if self.rescored else rows, ids=ids)
        else:
            named = self.index.add(rows, ids=ids, **better)
        assert ids is None or named.tolist() == ids.tolist()
        self.held.update(zip(named.tolist(), at.tolist(), strict=True))
        self.next_id = max([self.next_id, *(named + 1).tolist()])

    def remove(self) -> None:
        gone = self.rng.permutation(list(self.held))[: int(self.rng.choice([1, 5, 100]))].astype(np.int64)
        self.log.append(f"remove {len(gone)}")
        self.index.remove(gone)
        for name in gone.tolist():
            del self.held[name]

    def reopen(self) -> None:
        ways = ["open", "compact", "other"] if self.as_collection else ["load", "map", "pickle", "copy"]
        way = str(self.rng.choice(ways))
        self.log.append(way)
        if way == "open":
            self.index = Collection.open(self.path)
        elif way == "compact":
            self.index.compact()
        elif way == "other":  # writes what the one at hand has not seen
            kept, self.index = self.index, Collection.open(self.path)
            self.add()
            self.remove()
            self.index = kept
            kept.refresh()
        elif way in ("load", "map"):
            self.index.save(self.path)
            self.index = FlatIndex.load(self.path, mmap=way == "map")
        else:
            self.index = pickle.loads(pickle.dumps(self.index)) if way == "pickle" else copy.deepcopy(self.index)

    # ---- what asks ----

    def names_and_rows(self) -> tuple[NDArray[np.int64], NDArray[np.int64]]:
        names = sorted(self.held) if self.as_collection else list(self.held)
        return np.array(names, np.int64), np.array([self.held[name] for name in names], np.int64)

    def some_rows(self) -> tuple[str, NDArray[np.int64]]:
        """Return a kind of mask, and the positions that it leaves, ascending."""
        kind = str(self.rng.choice(["all", "all", "few", "one", "half", "none"]))
        n = len(self.held)
        count = {"all": n, "few": min(n // 9, 20), "one": min(n, 1), "half": n // 2, "none": 0}[kind]
        return kind, np.sort(self.rng.permutation(n)[:count])

    def options(self) -> tuple[str, dict[str, Any]]:
        metric = str(self.rng.choice(self.pool.metrics))
        return metric, {"metric": metric, "threads": [None, 1, 2, 3][self.rng.integers(4)]}

    def some_queries(self) -> tuple[NDArray[np.int64], NDArray[np.float32]]:
        which = self.rng.permutation(QUERIES)[: self.rng.integers(1, QUERIES + 1)]
        return which, kept_behind_guard(self.pool.queries[which])

    def search(self) -> None:
        (names, at), (which, queries), (metric, options) = self.names_and_rows(), self.some_queries(), self.options()
        kind, allowed = self.some_rows()
        k, precision = int(self.rng.choice([1, 3, 10, 500])), str(self.rng.choice(PRECISIONS))
        if kind != "all":
            as_bools = not self.as_collection and self.rng.random() < 0.5
            options["mask"] = np.isin(np.arange(len(at)), allowed) if as_bools else self.rng.permutation(names[allowed])
        ways = ["codes", "exact", "rescored", "all"]
        if self.kind in ("binary", "ubinary", "b1") and not self.as_collection:
            ways.append("stages")
        way = str(self.rng.choice(ways)) if self.rescored else "codes"
        first, last = self.pool.by_codes[metric, precision], self.pool.by_floats[metric]
        keep: int | None = None
        if way == "codes":
            last = first
            options |= {"rescore_multiplier": None, "query_precision": precision}
        elif way == "exact":
            options["exact"] = True
        else:
            multiplier = 3 if way == "rescored" else max(len(at), 1)
            keep = multiplier * k
            options |= {"rescore_multiplier": multiplier, "query_precision": precision}
            options |= {"three_stage": True} if way == "stages" else {}
        self.log.append(f"search {way} {kind} {k} {options}")
        found = self.index.search(queries, k, **options)
        for i, query in enumerate(which):
            left = allowed if keep is None else best(first[query, at], allowed, metric)[:keep]
            wanted = best(last[query, at], np.sort(left), metric)[:k]
            assert found.indices[i].tolist() == names[wanted].tolist(), self.log
            assert found.scores[i].tobytes() == last[query, at[wanted]].tobytes(), self.log

    def ask(self) -> None:
        """Ask of the rows as they lie what the other functions of search say of them."""
        (_, at), (which, queries), (metric, options) = self.names_and_rows(), self.some_queries(), self.options()
        codes = self.pool.codes[at] if self.as_collection else self.index.codes
        if self.as_collection and self.kind == "float":
            codes = Embeddings(kept_behind_guard(codes.values))
        precision, n = str(self.rng.choice(PRECISIONS)), len(at)
        scores = self.pool.by_codes[metric, precision][np.ix_(which, at)]
        everything = np.arange(n)
        way = str(self.rng.choice(["range", "parts", "rescore"]))
        self.log.append(f"{way} {options} {precision}")
        options["query_precision"] = precision
        if way == "range":
            kind, allowed = self.some_rows()
            threshold = float(self.rng.choice(scores.ravel())) if n else 0.0
            mask = None if kind == "all" else allowed
            found = range_search(queries, codes, threshold, mask=mask, **options)
            for i in range(len(which)):
                order = best(scores[i], allowed, metric)
                passing = scores[i, order] < threshold if metric == "l2" else scores[i, order] > threshold
                part = slice(found.limits[i], found.limits[i + 1])
                assert found.indices[part].tolist() == order[passing].tolist(), self.log
                assert found.scores[part].tobytes() == scores[i, order[passing]].tobytes(), self.log
            return
        k = int(self.rng.choice([1, 4, 500]))
        if way == "parts":
            cuts = [0, *np.sort(self.rng.integers(0, n + 1, 3)).tolist(), n]
            asked = prepare(queries, codes[:0], metric=metric, query_precision=precision)
            parts = []
            for begin, end in pairwise(cuts):
                part_of = search(asked, codes[begin:end], k, threads=options["threads"])
                parts.append((part_of.scores, part_of.indices + begin))
            result = merge_topk(parts, k, metric=metric)
            candidates = [everything] * len(which)
        else:
            chosen = self.rng.integers(-1, n, (len(which), 30)) if n else np.full((len(which), 2), -1)
            result = rescore(queries, kept_behind_guard(chosen), codes, k, **options)
            candidates = [np.unique(row[row >= 0]) for row in chosen]
        for i, row in enumerate(candidates):
            wanted = best(scores[i], row, metric)[:k]
            assert result.indices[i, : len(wanted)].tolist() == wanted.tolist(), self.log
            assert result.scores[i, : len(wanted)].tobytes() == scores[i, wanted].tobytes(), self.log
            assert (result.indices[i, len(wanted) :] == -1).all(), self.log


def best(scores: NDArray[np.float32], rows: NDArray[np.int64], metric: str) -> NDArray[np.int64]:
    """Return ascending rows, best first, ties by the lower one."""
    costs = scores[rows] if metric == "l2" else -scores[rows]
    return rows[np.argsort(costs, kind="stable")]


def run(kind: str, seed: int, folder: Path, as_collection: bool) -> None:
    folder.mkdir(exist_ok=True)
    isas = core.available_isas()
    with core.forced_isa(isas[seed % len(isas)]), guarded_arrays():
        Program(kind, seed, folder, as_collection=as_collection).run()


@pytest.mark.parametrize("kind", KINDS)
@pytest.mark.parametrize("as_collection", [False, True])
def test_a_program(kind: str, as_collection: bool, tmp_path: Path) -> None:
    for seed in range(2):
        run(kind, seed, tmp_path / str(seed), as_collection)


@pytest.mark.long
@pytest.mark.parametrize("kind", KINDS)
@pytest.mark.parametrize("as_collection", [False, True])
@pytest.mark.parametrize("seed", range(2, 22))
def test_more_programs(kind: str, as_collection: bool, seed: int, tmp_path: Path) -> None:
    run(kind, seed, tmp_path, as_collection)
