"""What a study measures on, made fit for it: distinct rows of unit length, queries that do not find themselves."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from dataclasses import dataclass, field
from typing import Any

import numpy as np
from numpy.typing import ArrayLike, NDArray

from ..codec import as_array, row_norms
from ..dtypes import OutputDtype
from ..embeddings import Embeddings
from ..words import as_whole, shown
from .words import counted, figures, next_step

Floats = NDArray[np.float32]

_HELD_OUT = 300
_MOST_TO_FIT = 20_000
_UNIT_TOLERANCE = 0.01  # float16 rounds the length of a unit row by far less
_SAME = 1e-6  # of a dimension of unit rows: what float32 makes of other lengths


@dataclass
class Inputs:
    """Rows and queries to measure with.

    Attributes
    ----------
    rows, queries : ndarray, float32
        No two rows alike, no two queries alike.
    own : ndarray of int64, (n_queries,), or None
        The row that a query is itself, which it is not to find; -1: none. None: no query is a row.
    relevant : list of ndarray, or None
        The rows that answer each query, without its own.
    others : ndarray, float32, or None
        Rows that are not searched.
    held_out : bool
    warnings : list of str
    """

    rows: Floats
    queries: Floats
    own: NDArray[np.int64] | None = None
    relevant: list[NDArray[np.int64]] | None = None
    others: Floats | None = None
    held_out: bool = False
    warnings: list[str] = field(default_factory=list)


def as_dimensions(dimensions: Any) -> set[int]:
    """Return the dimensions that vectors are cut to; anything but an iterable of whole numbers is a TypeError."""
    if isinstance(dimensions, Iterable) and not isinstance(dimensions, str | bytes | dict):
        return {as_whole(dimension, "a dimension") for dimension in dimensions}
    raise TypeError(f"dimensions are whole numbers, as [256, 512], not {shown(dimensions)}")


def prepare_inputs(
    vectors: ArrayLike | Embeddings,
    queries: ArrayLike | Embeddings | None,
    relevant: Sequence[Any] | NDArray[Any] | None,
    *,
    k: int,
    sample: int | None,
    generator: np.random.Generator,
) -> Inputs:
    """Check what a study is given and make it fit to be measured; the arguments are those of :func:`study`."""
    rows = _floats(vectors, "vectors")
    asked = None if queries is None else _floats(queries, "queries")
    if asked is None and relevant is not None:
        raise ValueError("relevant rows are those of given queries: pass queries too")
    if asked is not None and asked.shape[1] != rows.shape[1]:
        raise ValueError(f"queries have {asked.shape[1]} dimensions, vectors {rows.shape[1]}")
    answers = None if relevant is None or asked is None else _answers(relevant, len(asked), len(rows))
    found = Inputs(rows, rows[:0] if asked is None else asked, relevant=answers, held_out=asked is None)
    _to_unit_length(found)
    _without_copies(found)
    if not len(found.rows) or not (found.held_out or len(found.queries)):
        raise ValueError(f"{len(found.rows)} vectors and {len(found.queries)} queries are too few for the {k} nearest")
    _sampled(found, sample, generator)
    if found.held_out:
        _hold_out(found, k, generator)
    if found.own is not None:
        _without_own(found)
    if not 1 <= k <= len(found.rows) - (found.own is not None):
        rows_there = counted(len(found.rows), "distinct vector is", "distinct vectors are")
        raise ValueError(f"{rows_there} too few for the {k} nearest of each query")
    return found


def same_directions(x: Floats) -> NDArray[np.int64]:
    """Return for each row the first of the same direction, (n,); a row of zeros has none and stands for itself.

    Rows are put in the order of their shadows on one random line: those of the same direction are together then.

    Examples
    --------
    >>> same_directions(np.array([[1, 0], [0, 1], [3, 0], [0, 0], [0, 0]], np.float32)).tolist()
    [0, 1, 0, 3, 4]
    """
    first = np.arange(len(x))
    if len(x) < 2:
        return first
    line = np.random.default_rng(0).standard_normal(x.shape[1])
    shadows, zero = np.empty(len(x)), np.zeros(len(x), bool)
    for begin in range(0, len(x), 65_536):
        part = x[begin : begin + 65_536].astype(np.float64)
        lengths = np.sqrt(np.einsum("ij,ij->i", part, part))
        zero[begin : begin + len(part)] = lengths == 0
        shadows[begin : begin + len(part)] = part @ line / np.where(lengths > 0, lengths, 1)
    order = np.flatnonzero(~zero)[np.argsort(shadows[~zero], kind="stable")]
    reach = 2 * np.finfo(np.float32).eps * np.linalg.norm(line)
    ends = np.flatnonzero(np.append(np.diff(shadows[order]) > reach, True)) + 1
    begins = np.concatenate([[0], ends[:-1]])
    for number in np.flatnonzero(ends - begins > 1):
        left = np.sort(order[begins[number] : ends[number]])
        while len(left) > 1:
            near = left[1:]
            # Whatever the lengths, float32 has divided each by its own.
            there = np.abs(_unit(x[near]) - _unit(x[left[:1]])).max(axis=1) <= _SAME
            first[near[there]] = left[0]
            left = near[~there]
    return first


def _unit(x: Floats) -> Floats:
    lengths = row_norms(x)[:, None]
    return (x / np.where(lengths > 0, lengths, 1)).astype(np.float32)


def _floats(x: ArrayLike | Embeddings, name: str) -> Floats:
    if isinstance(x, Embeddings):
        if x.output_dtype is not OutputDtype.FLOAT:
            raise ValueError(f"{name} are {x.output_dtype} codes; a study begins with the floats they came from")
        x = x.values
    array = np.ascontiguousarray(as_array(x))
    if array.ndim != 2 or array.dtype.kind != "f":
        raise ValueError(f"{name} are floats of shape (n, dimension), not {array.dtype} {array.shape}")
    array = array.astype(np.float32, copy=False)
    if not np.isfinite(array).all():
        raise ValueError(f"row {int((~np.isfinite(array)).any(axis=1).argmax())} of {name} has NaN or Infinity")
    return array


def _answers(relevant: Sequence[Any] | NDArray[Any], asked: int, rows: int) -> list[NDArray[np.int64]]:
    if (
        not hasattr(relevant, "__len__")
        or isinstance(relevant, str | bytes | type)
        or getattr(relevant, "shape", None) == ()
    ):
        raise TypeError(f"relevant is the row, or the rows, that answer each query, not {shown(relevant)}")
    if len(relevant) != asked:
        raise ValueError(f"relevant rows for {len(relevant)} queries, but {asked} were asked")
    answers = [np.unique(np.atleast_1d(np.asarray(some, np.int64))) for some in relevant]
    for query, some in enumerate(answers):
        if len(some) and not 0 <= some[0] <= some[-1] < rows:
            wrong = int(some[0] if some[0] < 0 else some[-1])
            raise ValueError(f"row {wrong}, relevant to query {query}, is not one of the {rows:,} vectors")
    return answers


def _to_unit_length(found: Inputs) -> None:
    parts = []
    for name, x in (("vectors", found.rows), ("queries", found.queries)):
        lengths = row_norms(x)
        off = (np.abs(lengths - 1) > _UNIT_TOLERANCE) & (lengths > 0)
        if off.any():
            ends = {figures(float(edge)) for edge in (lengths[off].min(), lengths[off].max())}
            span = f"length {' to '.join(sorted(ends, key=lambda text: float(text.replace(',', ''))))}"
            parts.append(f"{int(off.sum()):,} of the {len(x):,} {name} ({span})")
            setattr(found, "rows" if name == "vectors" else "queries", _unit(x))
    if parts:
        found.warnings.append(
            f"not of unit length are {' and '.join(parts)}: the study measures cosine, and brought them to unit length "
            "first, as int8 of the unit scale wants it; of a search by dot or l2, where length counts, its figures say "
            "nothing"
        )


def _without_copies(found: Inputs) -> None:
    """Leave the first of rows that are alike: their order would be chance, and one miss count as often as they do."""
    count, asked = len(found.rows), len(found.queries)
    first = same_directions(np.concatenate([found.rows, found.queries]) if asked else found.rows)
    kept = first[:count] == np.arange(count)
    place = np.cumsum(kept) - 1  # among those kept
    if not kept.all():
        found.warnings.append(
            f"{int((~kept).sum()):,} of the {count:,} vectors are copies of others but for their length: measured on "
            f"the {int(kept.sum()):,} distinct ones"
        )
        found.rows = found.rows[kept]
        if found.relevant is not None:
            found.relevant = [np.unique(place[first[some]]) for some in found.relevant]
    if not asked:
        return
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


def _sampled(found: Inputs, sample: int | None, generator: np.random.Generator) -> None:
    if sample is None or found.relevant is not None:
        return
    count = len(found.rows)
    keep = sample + (min(_HELD_OUT, sample // 4) if found.held_out else 0)
    if count <= keep:
        return
    kept = np.zeros(count, bool)
    kept[generator.choice(count, keep, replace=False)] = True
    left = np.flatnonzero(~kept)
    found.rows, found.others = found.rows[kept], found.rows[left[:: -(-len(left) // _MOST_TO_FIT)]]
    if found.own is not None:
        own = np.where(kept[found.own] & (found.own >= 0), (np.cumsum(kept) - 1)[found.own], -1)
        found.own = own if (own >= 0).any() else None
    found.warnings.append(
        f"measured on a sample of {sample:,} of the {count:,} vectors: all of them lose more to coarse codes"
    )


def _hold_out(found: Inputs, k: int, generator: np.random.Generator) -> None:
    rows = found.rows
    count = min(_HELD_OUT, len(rows) // 5)
    if count < 1 or len(rows) - count < k:
        there = counted(len(rows), "distinct vector is", "distinct vectors are")
        raise ValueError(f"{there} too few to hold out queries from; {next_step(held_out=True)}")
    taken = np.zeros(len(rows), bool)
    taken[generator.choice(len(rows), count, replace=False)] = True
    found.rows, found.queries = rows[~taken], rows[taken]
    found.warnings.append(
        "the queries are vectors of the collection, held out of it: what people ask is less like its rows, and codes "
        "may keep less of that; pass queries of your own"
    )


def _without_own(found: Inputs) -> None:
    assert found.own is not None
    own = found.own
    found.warnings.append(
        f"{int((own >= 0).sum()):,} of the {len(own):,} queries are themselves vectors of the collection: each is kept "
        "from finding itself, which no code misses"
    )
    if found.relevant is not None:
        found.relevant = [some[some != row] for some, row in zip(found.relevant, own, strict=True)]
