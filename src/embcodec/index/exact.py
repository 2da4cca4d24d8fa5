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

    def whole(queries: Embeddings) -> SearchResult:
        scan = plan(queries, floats, metric, "float32")
        restrict(scan, mask)
        part.give_squares(scan)
        return best_of(scan, count, threads)

    scan = plan(asked, floats, metric, "float32")  # its errors are those of a search of the floats
    n = restrict(scan, mask)
    count, name = min(as_count(k), n), "cosine" if metric is None else metric
    if isinstance(codes, LowBitCodes):  # of those in principal directions no bound is measured
        has_codes = isinstance(codes.scheme, LowBitScheme)
    else:
        has_codes = codes.output_dtype is not OutputDtype.FLOAT
    if not has_codes or not isinstance(name, str) or not count or not len(asked):
        found = whole(asked)
        return BoundedResult(*found, np.full(len(asked), n, np.int64), np.ones(len(asked), np.bool_))
    chosen = scan.selection
    if scan.mask is not None:
        chosen = np.flatnonzero(np.unpackbits(scan.mask, count=len(codes), bitorder="little"))
    terms = now.codes.terms_for(floats, name)
    return exact_by_codes(codes, floats, terms, asked, count, name, chosen, whole, threads)
