"""What a study measures on, made fit for it: distinct rows of unit length, queries that do not find themselves."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, field
from typing import Any

import numpy as np
from numpy.typing import ArrayLike, NDArray

from ..codec import as_int64, row_norms
from ..embeddings import Embeddings
from ..words import as_whole, counted, has_elements, shown
from .directions import LOOK_BYTES, same_directions
from .rows import Floats, Rows, as_rows, unit_rows
from .words import figures, next_step

MOST_TO_FIT = 20_000
"""Rows that are fitted to: more would teach a rotation nothing."""

_HELD_OUT = 300
_UNIT_TOLERANCE = 0.01  # float16 rounds the length of a unit row by far less


@dataclass
class Inputs:
    """Rows and queries to measure with.

    Attributes
    ----------
    rows : Rows
        No two of them alike.
    queries : ndarray, float32
        No two of them alike.
    zeros : int
        How many of the rows are zero.
    own : ndarray of int64, (n_queries,), or None
        The row that a query is itself, which it is not to find; -1: none. None: no query is a row.
    relevant : list of ndarray, or None
        The rows that answer each query, without its own.
    others : ndarray, float32, or None
        Rows that are not searched, as many as a fit takes of those that are, or more; None: there are fewer.
    held_out : bool
    warnings : list of str
    """

    rows: Rows
    queries: Floats
    zeros: int = 0
    own: NDArray[np.int64] | None = None
    relevant: list[NDArray[np.int64]] | None = None
    others: Floats | None = None
    held_out: bool = False
    warnings: list[str] = field(default_factory=list)


def as_dimensions(dimensions: Any) -> set[int]:
    """Return the dimensions that vectors are cut to; anything but an iterable of whole numbers is a TypeError."""
    if has_elements(dimensions) and not isinstance(dimensions, str | bytes | dict):
        return {as_whole(dimension, "a dimension") for dimension in dimensions}
    raise TypeError(f"dimensions are whole numbers, as [256, 512], not {shown(dimensions)}")


def as_multipliers(multipliers: Any) -> list[int]:
    """Return how many times k candidates are scored again; anything but an iterable of whole numbers is a TypeError."""
    if has_elements(multipliers) and not isinstance(multipliers, str | bytes | dict):
        return [as_whole(multiplier, "a multiplier", 1) for multiplier in multipliers]
    raise TypeError(f"multipliers are whole numbers, as [4, 10], not {shown(multipliers)}")


def prepare_inputs(
    vectors: ArrayLike | Embeddings | Sequence[Any],
    queries: ArrayLike | Embeddings | None,
    relevant: Sequence[Any] | NDArray[Any] | None,
    *,
    k: int,
    sample: int | None,
    generator: np.random.Generator,
) -> Inputs:
    """Check what a study is given and make it fit to be measured; the arguments are those of :func:`study`."""
    rows = as_rows(vectors, "vectors")
    asked = None if queries is None else as_rows(queries, "queries")
    if asked is None and relevant is not None:
        raise ValueError("relevant rows are those of given queries: pass queries too")
    if asked is not None and asked.dimension != rows.dimension:
        raise ValueError(f"queries have {asked.dimension} dimensions, vectors {rows.dimension}")
    answers = None if relevant is None or asked is None else _answers(relevant, len(asked), len(rows))
    none = np.empty((0, rows.dimension), np.float32)
    found = Inputs(rows, none, relevant=answers, held_out=asked is None)
    lengths = _lengths(rows, "vectors")
    asked_lengths = None if asked is None else _lengths(asked, "queries")
    found.queries = none if asked is None else asked.take(slice(None))
    _to_unit_length(found, lengths, asked_lengths)
    chosen = _without_copies(found)
    if not len(chosen) or not (found.held_out or len(found.queries)):
        raise ValueError(f"{len(chosen)} vectors and {len(found.queries)} queries are too few for the {k} nearest")
    distinct = len(chosen)
    chosen = _sampled(found, chosen, sample, generator)
    if found.held_out:
        if len(chosen) - _held_out_of(len(chosen)) < k or not _held_out_of(len(chosen)):
            raise _too_few(distinct, distinct - _held_out_of(distinct), k, sample, held_out=True)
        chosen = _hold_out(found, chosen, generator)
    if found.own is not None:
        _without_own(found)
    if k > len(chosen) - (found.own is not None):
        raise _too_few(distinct, distinct - (found.own is not None), k, sample, held_out=False)
    found.zeros = int((lengths[chosen] == 0).sum())
    if len(chosen) < len(rows):
        found.rows = found.rows.those(chosen)
    return found


def _lengths(x: Rows, name: str) -> NDArray[np.float64]:
    """Return the lengths of rows, which are finite."""
    lengths = np.empty(len(x), np.float64)  # that of large numbers is beyond float32
    for begin, block in x.blocks(LOOK_BYTES):
        finite = np.isfinite(block).all(axis=1)
        if not finite.all():
            raise ValueError(f"row {begin + int(finite.argmin())} of {name} has NaN or Infinity")
        lengths[begin : begin + len(block)] = row_norms(block)
    return lengths


def _answers(relevant: Sequence[Any] | NDArray[Any], asked: int, rows: int) -> list[NDArray[np.int64]]:
    if (
        not hasattr(relevant, "__len__")
        or isinstance(relevant, str | bytes | type)
        or getattr(relevant, "shape", None) == ()
    ):
        raise TypeError(f"relevant is the row, or the rows, that answer each query, not {shown(relevant)}")
    if len(relevant) != asked:
        raise ValueError(f"relevant rows for {len(relevant)} queries, but {asked} were asked")
    answers = [np.unique(as_int64([some] if np.ndim(some) == 0 else some, "relevant row")) for some in relevant]
    for query, some in enumerate(answers):
        if len(some) and not 0 <= some[0] <= some[-1] < rows:
            wrong = int(some[0] if some[0] < 0 else some[-1])
            raise ValueError(f"row {wrong}, relevant to query {query}, is not one of the {rows:,} vectors")
    return answers


def _to_unit_length(found: Inputs, lengths: NDArray[np.float64], asked: NDArray[np.float64] | None) -> None:
    parts = []
    for name, x in (("vectors", lengths), ("queries", asked)):
        if x is None:
            continue
        off = (np.abs(x - 1) > _UNIT_TOLERANCE) & (x > 0)
        if off.any():
            ends = {figures(float(edge)) for edge in (x[off].min(), x[off].max())}
            span = f"length {' to '.join(sorted(ends, key=lambda text: float(text.replace(',', ''))))}"
            parts.append(f"{int(off.sum()):,} of the {len(x):,} {name} ({span})")
            if name == "vectors":
                found.rows = found.rows.of_unit_length()
            else:
                found.queries = unit_rows(found.queries)
    if parts:
        found.warnings.append(
            f"not of unit length are {' and '.join(parts)}: the study measures cosine, and brought them to unit length "
            "first, as int8 of the unit scale wants it; of a search by dot or l2, where length counts, its figures say "
            "nothing"
        )


def _without_copies(found: Inputs) -> NDArray[np.int64]:
    """Leave the first of rows that are alike: their order would be chance, and one miss count as often as they do."""
    count, asked = len(found.rows), len(found.queries)
    first = same_directions(found.rows.followed_by(found.queries))
    kept = first[:count] == np.arange(count)
    place = np.cumsum(kept) - 1  # among those kept
    if not kept.all():
        found.warnings.append(
            f"{int((~kept).sum()):,} of the {count:,} vectors are copies of others but for their length: measured on "
            f"the {int(kept.sum()):,} distinct ones"
        )
        if found.relevant is not None:
            found.relevant = [np.unique(place[first[some]]) for some in found.relevant]
    chosen = np.flatnonzero(kept)
    if not asked:
        return chosen
    selves = first[count:]
    distinct = np.unique(selves, return_index=True)[1]
    distinct.sort()
    if len(distinct) < asked:
        found.warnings.append(
            f"{asked - len(distinct):,} of the {asked:,} queries repeat others: each is asked once, since asked again "
            "it says nothing new"
        )
        if found.relevant is not None:
            answers = found.relevant
            found.relevant = [
                np.unique(np.concatenate([answers[other] for other in np.flatnonzero(selves == selves[query])]))
                for query in distinct
            ]
        found.queries = found.queries[distinct]
    selves = selves[distinct]
    if (selves < count).any():
        found.own = np.where(selves < count, place[np.minimum(selves, count - 1)], -1)
    return chosen


def _sampled(
    found: Inputs, chosen: NDArray[np.int64], sample: int | None, generator: np.random.Generator
) -> NDArray[np.int64]:
    if sample is None or found.relevant is not None:
        return chosen
    count = len(chosen)
    keep = sample + (min(_HELD_OUT, sample // 4) if found.held_out else 0)
    if count <= keep:
        return chosen
    kept = np.zeros(count, bool)
    kept[generator.choice(count, keep, replace=False)] = True
    if count - keep >= min(sample, MOST_TO_FIT):
        found.others = found.rows.those(chosen[~kept]).spread(MOST_TO_FIT)
    if found.own is not None:
        own = np.where(kept[found.own] & (found.own >= 0), (np.cumsum(kept) - 1)[found.own], -1)
        found.own = own if (own >= 0).any() else None
    found.warnings.append(
        f"measured on a sample of {sample:,} of the {count:,} vectors: all of them lose more to coarse codes"
    )
    return chosen[kept]


def _held_out_of(count: int) -> int:
    """Return how many of so many vectors are queries."""
    return min(_HELD_OUT, count // 5)


def _too_few(distinct: int, most: int, k: int, sample: int | None, *, held_out: bool) -> ValueError:
    """Return the error for vectors that are too few, of which `most` would be searched if all were taken."""
    if held_out and most == distinct:
        there = counted(distinct, "distinct vector is", "distinct vectors are")
        return ValueError(f"{there} too few to hold out queries from; {next_step(held_out=True)}")
    if k <= most:
        words = f"a sample of {sample:,} is too few of the {distinct:,} vectors to find {k:,} nearest among"
        return ValueError(f"{words}: pass sample={max(k + 1, 4)}, or more")
    there = counted(distinct, "distinct vector is", "distinct vectors are")
    once = f", once {counted(distinct - most, 'is held out as a query', 'are held out as queries')}" if held_out else ""
    few = f"{there} too few for the {k:,} nearest of each query{once}"
    return ValueError(f"{few}: pass k={most}, or less, or more vectors" if most else f"{few}: pass more of them")


def _hold_out(found: Inputs, chosen: NDArray[np.int64], generator: np.random.Generator) -> NDArray[np.int64]:
    taken = np.zeros(len(chosen), bool)
    taken[generator.choice(len(chosen), _held_out_of(len(chosen)), replace=False)] = True
    found.queries = found.rows.take(chosen[taken])
    found.warnings.append(
        "the queries are vectors of the collection, held out of it: what people ask is less like its rows, and codes "
        "may keep less of that; pass queries of your own"
    )
    return chosen[~taken]


def _without_own(found: Inputs) -> None:
    assert found.own is not None
    own = found.own
    found.warnings.append(
        f"{int((own >= 0).sum()):,} of the {len(own):,} queries are themselves vectors of the collection: each is kept "
        "from finding itself, which no code misses"
    )
    if found.relevant is not None:
        found.relevant = [some[some != row] for some, row in zip(found.relevant, own, strict=True)]
