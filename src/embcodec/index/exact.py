"""Exhaustive float32 search in an index, by way of its codes."""

from __future__ import annotations

from typing import Any

import numpy as np

from ..dtypes import OutputDtype
from ..embeddings import Embeddings
from ..errors import CodeMismatchError
from ..quantizers.lowbit import LowBitCodes, LowBitScheme
from ..scan import (
    BoundedResult,
    MetricLike,
    SearchResult,
    as_count,
    best_of,
    check_dimensions,
    exact_by_codes,
    plan,
    restrict,
)
from .rows import Snapshot


def exhaustive(
    now: Snapshot, asked: Embeddings, k: int, *, metric: MetricLike | None, mask: Any, threads: int | None
) -> BoundedResult:
    """Return the k best rows for each query by the float32 scores of all, as :meth:`FlatIndex.search` has it."""
    part = now.codes if now.rescore_with is None else now.rescore_with
    codes, floats = now.codes.rows, part.rows
    if not isinstance(floats, Embeddings) or floats.output_dtype is not OutputDtype.FLOAT:
        raise CodeMismatchError(
            f"exact=True is about floats, which this index of {floats!r} lacks", "FlatIndex(codes, rescore_with=floats)"
        )
    check_dimensions(asked, codes, "index")

    scan = plan(asked, floats, metric, "float32")  # its errors are those of a search of the floats
    n = restrict(scan, mask)

    def whole(queries: Embeddings) -> SearchResult:
        theirs = scan
        if queries is not asked:
            theirs = plan(queries, floats, metric, "float32")
            theirs.mask, theirs.selection = scan.mask, scan.selection
        part.give_squares(theirs)
        return best_of(theirs, count, threads)

    count, name = min(as_count(k), n), "cosine" if metric is None else metric
    if isinstance(codes, LowBitCodes):  # of those in principal directions no bound is measured
        has_codes = isinstance(codes.scheme, LowBitScheme)
    else:
        has_codes = codes.output_dtype is not OutputDtype.FLOAT
    tries = has_codes and count > 0 and len(asked) > 0
    trial = now.codes.trial_of(name, count) if tries and isinstance(name, str) else None
    if trial is None or not isinstance(name, str) or not trial.is_due():
        found = whole(asked)
        return BoundedResult(*found, np.full(len(asked), n, np.int64), np.ones(len(asked), np.bool_))
    chosen = scan.selection
    if scan.mask is not None:
        chosen = np.flatnonzero(np.unpackbits(scan.mask, count=len(codes), bitorder="little"))
    terms = now.codes.terms_for(floats, name)
    result = exact_by_codes(codes, floats, terms, asked, count, name, chosen, whole, threads)
    trial.note(bool((result.rescored < n).any()))
    return result
