"""Every way to search, run over rows that come in blocks: what it finds, and how fast."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass, replace
from itertools import groupby
from typing import Any

import numpy as np

from .codes import LowBit, standard_pipelines
from .gathering import Gathering
from .inputs import Inputs
from .intervals import EXACTLY_ALL, Estimate, PerQuery, gain_interval, overlap_interval, ratio_interval
from .measurement import Measurement, Stage
from .measures import ndcg, overlap, pareto
from .pipeline import Depths, Pipeline, Rates, rates

Progress = Callable[[int, int, str], None]


@dataclass
class _Way:
    """A way to search: what the first block said of it, and what encoding all of them took."""

    label: str
    facts: dict[str, Any]
    depths: Depths
    gathering: Gathering
    rates: Rates
    encode_seconds: float = 0.0


def measure(
    found: Inputs,
    sizes: Sequence[int],
    multipliers: Sequence[int],
    plain: Sequence[str],
    low_bit: LowBit,
    *,
    k: int,
    threads: int | None = None,
    progress: Progress | None = None,
) -> list[Measurement]:
    """Run every way to search at every number of dimensions; the first is the exact search, to which others are held.

    Rows are coded and searched a block at a time: what is held does not grow with their number. So are speeds those of
    the first block, times as many as there are.

    Parameters
    ----------
    found : Inputs
    sizes : sequence of int
        Dimensions, the full one first.
    multipliers : sequence of int
    plain : sequence of str
        Codes that nothing is fitted to.
    low_bit : LowBit
    """
    fits = [(size, kind.name) for size in sizes for kind in low_bit.kinds_at(size)]
    blocks = found.rows.block_count()
    done, total = 0, len(fits) + blocks * len(sizes)

    def tell(label: str) -> None:
        if progress is not None:
            progress(done, total, label)

    for size in sizes:
        for _ in low_bit.fit_each(size, tell):
            done += 1
    ways: list[_Way] = []
    for begin, block in found.rows.blocks():
        there = f"rows {begin:,} to {begin + len(block):,}: " if blocks > 1 else ""
        place = 0
        for size in sizes:
            pipelines = standard_pipelines(block, found.queries, size, multipliers, low_bit, plain)
            for _, alike in groupby(pipelines, key=lambda pipe: (id(pipe.codes), id(pipe.queries))):
                group = list(alike)
                tell(f"{there}{group[0].label}, {size} dimensions")
                if not begin:
                    ways += _begun(group, found, k, threads)
                ways[place].gathering.add(group, begin, threads)
                for pipe in group:
                    ways[place].encode_seconds += pipe.encode_seconds
                    place += 1
            done += 1
    return _measured(ways, found, k)


def _begun(group: Sequence[Pipeline], found: Inputs, k: int, threads: int | None) -> list[_Way]:
    """Return what the first block tells of ways of the same first stage."""
    gathering = Gathering(group, k, len(found.rows), found.own)
    share = len(found.rows) / len(group[0].codes)
    speeds = [rates(pipe, k, threads) for pipe in group]
    return [
        _Way(
            pipe.label,
            {
                "output_dtype": pipe.kind,
                "dimension": pipe.codes.dimension,
                "rescored_with": str(pipe.rows.output_dtype) if pipe.rows is not None else None,
                "rescore_multiplier": pipe.multiplier,
                "code_bytes": pipe.code_bytes,
                "rescore_bytes": pipe.rows.nbytes / len(pipe.rows) if pipe.rows is not None else 0.0,
                "note": pipe.note,
                "recipe": pipe.recipe,
            },
            pipe.depths,
            gathering,
            speed.of_more(share, speeds[0]),
        )
        for pipe, speed in zip(group, speeds, strict=True)
    ]


def _measured(ways: Sequence[_Way], found: Inputs, k: int) -> list[Measurement]:
    relevant = found.relevant
    answered = np.array([np.size(some) > 0 for some in relevant] if relevant is not None else [], bool)
    truth = ways[0].gathering.stages(ways[0].depths)[-1]
    measurements: list[Measurement] = []
    reference = None
    for way in ways:
        *former, indices = way.gathering.stages(way.depths)
        gains = ndcg(indices, relevant)[answered] if relevant is not None and answered.any() else None
        reference = gains if reference is None else reference
        itself = way is ways[0]
        measurements.append(
            Measurement(
                label=way.label,
                overlap=EXACTLY_ALL if itself else overlap_interval(overlap(indices, truth), k),
                ndcg=gain_interval(gains) if gains is not None else None,
                ndcg_kept=_kept(gains, reference, itself),
                one_per_second=way.rates.one,
                batch_per_second=way.rates.batch,
                of_limit=way.rates.of_limit,
                encoded_per_second=len(found.rows) / way.encode_seconds if way.encode_seconds else None,
                stages=tuple(Stage(kept.shape[1], overlap_interval(overlap(kept, truth), k)) for kept in former),
                k=k,
                **way.facts,
            )
        )
    front = pareto([m.total_bytes for m in measurements], [m.overlap.mean for m in measurements])
    return [replace(m, on_front=best) for m, best in zip(measurements, front, strict=True)]


def _kept(gains: PerQuery | None, reference: PerQuery | None, itself: bool) -> Estimate | None:
    if gains is None or reference is None or not reference.any():
        return None
    return EXACTLY_ALL if itself else ratio_interval(gains, reference)
