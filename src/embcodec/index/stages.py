"""The stages of a search in an index: bits, the same bits with the float query, better rows."""

from __future__ import annotations

from typing import Any, NamedTuple

import numpy as np
from numpy.typing import NDArray

from ..dtypes import OutputDtype, Precision
from ..embeddings import Embeddings
from ..errors import CodeMismatchError
from ..quantizers.lowbit import LowBitCodes, LowBitScheme, coded_like_rows
from ..scan import (
    BoundedResult,
    Bounds,
    MetricLike,
    SearchResult,
    as_count,
    best_of,
    check_dimensions,
    plan,
    rescored,
    rescored_by_bounds,
    restrict,
)
from ..words import as_real
from .arguments import check_own_metric, encoded, for_both
from .rows import Part, Snapshot

HAMMING_MULTIPLIER = 5
"""Candidates of the Hamming stage for each that the float query on the same bits keeps."""


class Options(NamedTuple):
    """What holds for all stages of a search: how rows are scored, which of them count, and on how many threads."""

    metric: MetricLike | None
    mask: Any
    precision: Precision
    threads: int | None


def staged(
    now: Snapshot,
    asked: Embeddings,
    k: int,
    options: Options,
    *,
    multiplier: float | None,
    three_stage: bool,
    confidence: float | None,
) -> SearchResult:
    """Return the k best rows for each query, as :meth:`FlatIndex.search` has it."""
    metric, _, precision, threads = options
    check_dimensions(asked, now.codes.rows, "index")
    check_own_metric(now.codes.rows, None if now.rescore_with is None else now.rescore_with.rows, asked, metric)
    if now.rescore_with is None or multiplier is None or metric in ("hamming", "jaccard"):
        if confidence is not None:
            raise ValueError(
                "confidence is for rescoring, which this search does not do: give the index rescore_with=, and the "
                "search a rescore_multiplier and a metric of floats"
            )
        if not three_stage:
            return _best(now.codes, asked, k, options)
        candidates = _through_bits(now, asked, as_count(k), options)
        return rescored(asked, candidates, now.codes.rows, k, metric, precision, threads)
    multiplier = as_real(multiplier, "rescore_multiplier")
    if not 1 <= multiplier < np.inf:
        raise ValueError(f"rescore_multiplier must be a number of at least 1, not {multiplier}")
    better = now.rescore_with.rows
    first, final = for_both(asked, better)
    wanted = int(np.ceil(min(as_count(k), len(now.codes.rows)) * multiplier))
    if confidence is not None:
        return _by_bounds(now, first, k, wanted, options, confidence, three_stage=three_stage)
    if three_stage:
        candidates = _through_bits(now, first, wanted, options)
    else:
        candidates = _best(now.codes, first, wanted, options).indices
    return rescored(final, candidates, better, k, metric, "float32", threads)


def _best(part: Part, asked: Embeddings, k: int, options: Options) -> SearchResult:
    scan = plan(asked, part.rows, options.metric, options.precision)
    allowed = restrict(scan, options.mask)
    part.give_squares(scan)
    return best_of(scan, min(as_count(k), allowed), options.threads)


def _by_bounds(
    now: Snapshot,
    asked: Embeddings,
    k: int,
    wanted: int,
    options: Options,
    confidence: float,
    *,
    three_stage: bool,
) -> BoundedResult:
    assert now.rescore_with is not None
    codes, better = now.codes.rows, now.rescore_with.rows
    if not isinstance(codes, LowBitCodes) or three_stage:
        raise CodeMismatchError(
            f"confidence needs low-bit codes, whose errors are bounded, and no three_stage; these are {codes!r}"
        )
    bounds = Bounds(codes, asked, options.metric, confidence)
    found = _best(now.codes, asked, wanted, options).indices
    others = len(codes) if found.shape[1] == wanted else found.shape[1]  # fewer: they are all that count
    return rescored_by_bounds(bounds, found, better, k, options.threads, others=others)


def _through_bits(now: Snapshot, asked: Embeddings, wanted: int, options: Options) -> NDArray[np.int64]:
    """Return candidates by Hamming distance, narrowed by the float query on the same bits."""
    rows = now.codes.rows
    if asked.output_dtype is not OutputDtype.FLOAT or not _is_one_bit(rows):
        raise CodeMismatchError(f"three stages need float queries and one bit a dimension, not {asked!r} and {rows!r}")
    if isinstance(rows, LowBitCodes) and isinstance(rows.scheme, LowBitScheme):
        signs, bits = (
            Embeddings(planes, "ubinary", rows.dimension)
            for planes in (coded_like_rows(rows.scheme, asked.values), rows.bit_planes)
        )
        part = Part(bits)
    else:
        assert isinstance(rows, Embeddings)
        signs, part = encoded(asked, rows), now.codes
    found = _best(part, signs, wanted * HAMMING_MULTIPLIER, options._replace(metric="hamming"))
    return rescored(asked, found.indices, rows, wanted, options.metric, options.precision, options.threads).indices


def _is_one_bit(rows: Embeddings | LowBitCodes) -> bool:
    return rows.scheme.is_one_bit if isinstance(rows, LowBitCodes) else rows.output_dtype.is_packed
