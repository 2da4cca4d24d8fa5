"""How often the study's 95% intervals hold the truth: queries drawn from large sets whose means are known.

    python benchmarks/interval_coverage.py [--repeats 200]

Whole searches are run: documents and queries of a real model, mixtures of them, and vectors in clusters, with every way
to code and rescore that the study knows at several dimensions, so that what is measured ranges from poor to all but
perfect. Each set of queries is taken for the population; samples of it are drawn with replacement, and each sample's
interval is asked whether it holds the population's mean: of overlap@10, of nDCG@10 and reciprocal rank on known
answers, and of nDCG as a share of float's.

Near 1 there is no coverage of 95%: where most samples hold no loss at all their interval is one and the same, and it
holds the truth or not. Such pipelines are counted apart, and must be covered as often or more often. Ends with status 1
where a mean over pipelines is out of bounds, or where more than 5% of recommendations miss what they promise.
"""

from __future__ import annotations

import argparse
import sys
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import NamedTuple

import numpy as np

from embcodec.scan.search import search
from embcodec.tradeoff.codes import LowBit, standard_pipelines
from embcodec.tradeoff.intervals import GAIN_STEP, Estimate, PerQuery, mean_interval, overlap_interval, ratio_interval
from embcodec.tradeoff.measures import ndcg, overlap

K, COUNTS, TARGETS = 10, (30, 100, 300, 1000), (0.8, 0.9, 0.95, 0.98)
LOSSLESS = 0.05
"""The chance of a sample without any loss from which on a pipeline counts as all but perfect."""
BOUNDS = {"in doubt": (0.94, 0.97), "all but perfect": (0.94, 1.0)}
DATA = Path(__file__).parent.parent / "tests" / "data"


class Searched(NamedTuple):
    """A pipeline's values of every query of a population."""

    label: str
    bytes: float
    values: dict[str, PerQuery]


def populations(generator: np.random.Generator, count: int) -> Iterator[tuple[str, list[Searched]]]:
    documents, queries = (np.load(DATA / f"{name}.npy").astype(np.float32) for name in ("documents", "queries"))
    yield "real", searched(documents, queries, np.arange(len(queries)), (512, 256, 128))
    of, other = generator.integers(0, len(documents), count), generator.integers(0, len(queries), count)
    yield "mixed", searched(documents, 0.6 * documents[of] + 0.8 * queries[other], of, (512, 128))
    centres = generator.standard_normal((12, 64))
    rows = centres[generator.integers(0, 12, 3000)] + 0.8 * generator.standard_normal((3000, 64))
    of = generator.integers(0, len(rows), count)
    yield "clustered", searched(rows, rows[of] + generator.standard_normal((count, 64)), of, (64, 16))


def searched(rows: np.ndarray, queries: np.ndarray, answers: np.ndarray, dimensions: tuple[int, ...]) -> list[Searched]:
    rows, queries = ((x / np.linalg.norm(x, axis=1, keepdims=True)).astype(np.float32) for x in (rows, queries))
    exact = search(queries, rows, K, metric="cosine").indices
    low_bit, found = LowBit(rows, "random", 0), []
    for dimension in dimensions:
        for pipe in standard_pipelines(rows, queries, dimension, (4, 10), low_bit):
            indices = pipe.run(K)
            hits = indices == answers[:, None]
            values = {"overlap": overlap(indices, exact), "nDCG": ndcg(indices, answers)}
            values["reciprocal rank"] = np.where(hits.any(axis=1), 1 / (1 + hits.argmax(axis=1)), 0.0)
            size = pipe.codes.nbytes + (pipe.rows.nbytes if pipe.rows is not None else 0)
            found.append(Searched(f"{pipe.label}, {dimension} d", size / len(rows), values))
    return found


KINDS: dict[str, Callable[[PerQuery, PerQuery], Estimate | None]] = {
    "overlap": lambda values, _: overlap_interval(values, K),
    "nDCG": lambda values, _: mean_interval(values, step=GAIN_STEP),
    "reciprocal rank": lambda values, _: mean_interval(values, step=GAIN_STEP),
    "nDCG, share of float's": ratio_interval,
}


def coverage(
    pipelines: list[Searched], kind: str, count: int, repeats: int, generator: np.random.Generator
) -> Iterator[tuple[str, bool, float]]:
    """Yield label, whether all but perfect, and coverage of every pipeline with something to lose."""
    name = "nDCG" if kind.startswith("nDCG") else kind
    reference = pipelines[0].values[name]
    for pipe in pipelines:
        values = pipe.values[name]
        share = kind not in pipe.values
        truth = values.mean() / reference.mean() if share else values.mean()
        whole = values == (reference if share else 1.0)
        if whole.all() or not values.any():
            continue
        draws = generator.integers(0, len(reference), (repeats, count))  # of its own, so that their mean is sure
        held = [KINDS[kind](values[draw], reference[draw]) for draw in draws]
        covers = [interval is None or interval.low <= truth <= interval.high for interval in held]
        yield pipe.label, bool(whole.mean() ** count > LOSSLESS), float(np.mean(covers))


def broken_promises(pipelines: list[Searched], count: int, repeats: int, generator: np.random.Generator) -> float:
    """Return how often the cheapest pipeline that surely reaches a target does not."""
    truths = [pipe.values["overlap"].mean() for pipe in pipelines]
    order = sorted(range(len(pipelines)), key=lambda number: pipelines[number].bytes)
    broken = []
    for draw in generator.integers(0, len(pipelines[0].values["overlap"]), (repeats, count)):
        lows = [overlap_interval(pipe.values["overlap"][draw], K).low for pipe in pipelines]
        for target in TARGETS:
            chosen = next((number for number in order if lows[number] >= target), None)
            broken.append(chosen is not None and truths[chosen] < target)
    return float(np.mean(broken))


def main() -> int:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--repeats", type=int, default=100, help="samples of a pipeline and a number of queries")
    parser.add_argument("--population", type=int, default=10_000, help="queries of a set that is made")
    parser.add_argument("--seed", type=int, default=0)
    options = parser.parse_args()
    generator = np.random.default_rng(options.seed)
    sets = list(populations(generator, options.population))
    good = True
    print(f"{options.repeats} samples each; bounds are of the mean over pipelines\n")
    print(f"{'intervals of':24}{'queries':>8}  {'pipelines':>24}  {'mean':>6}  {'least':>6}")
    for kind in KINDS:
        for count in COUNTS:
            found = [
                (f"{name}: {label}", near, share)
                for name, pipelines in sets
                for label, near, share in coverage(pipelines, kind, count, options.repeats, generator)
            ]
            for group, (low, high) in BOUNDS.items():
                chosen = [(share, label) for label, near, share in found if near == (group != "in doubt")]
                if not chosen:
                    continue
                mean, (least, label) = float(np.mean([share for share, _ in chosen])), min(chosen)
                within = low <= mean <= high
                good &= within
                words = f"{len(chosen)} {group}"
                mark = "" if within else "  OUT OF BOUNDS"
                print(f"{kind:24}{count:8}  {words:>24}  {mean:6.3f}  {least:6.3f}  {label}{mark}", flush=True)
    for count in COUNTS:
        broken = float(np.mean([broken_promises(some, count, options.repeats, generator) for _, some in sets]))
        good &= broken <= 0.05
        print(f"of recommendations by {count} queries {broken:.1%} miss the target of {', '.join(map(str, TARGETS))}")
    return 0 if good else 1


if __name__ == "__main__":
    sys.exit(main())
