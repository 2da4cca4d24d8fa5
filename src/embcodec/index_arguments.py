"""What an index is given, judged and brought into the form of what it holds."""

from __future__ import annotations

from typing import Any

import numpy as np

from . import codes as code_arrays
from ._native import bits as native_bits
from .dtypes import OutputDtype
from .embeddings import Embeddings, replace_values
from .errors import CodeMismatchError
from .index_rows import Snapshot
from .scale import PER_VECTOR


def finite(rows: Embeddings) -> Embeddings:
    """Return `rows`, which hold no NaN and no infinity (NotFiniteError)."""
    if rows.output_dtype is OutputDtype.FLOAT:
        native_bits.require_finite(rows.values)
    return rows


def check_alike(rows: Embeddings, better: Embeddings | None) -> None:
    """Refuse rescoring rows that are not as many, or as long, as the codes."""
    if better is not None and len(better) != len(rows):
        raise ValueError(f"{len(rows)} rows of codes, but {len(better)} to rescore with")
    if better is not None and better.dimension != rows.dimension:
        raise CodeMismatchError(f"codes have {rows.dimension} dimensions, rescoring rows {better.dimension}")


def check_joins(rows: Embeddings, more: Embeddings) -> None:
    """Refuse codes that mean something else than those of the index."""
    if rows.meaning != more.meaning:
        raise CodeMismatchError(f"{more!r} does not join {rows!r}: they differ in dtype, dimension, scale or bit order")


def like(given: Embeddings, rows: Embeddings) -> Embeddings:
    """Return `given` as codes like `rows`, if it is floats; else itself."""
    if given.output_dtype is not OutputDtype.FLOAT or rows.output_dtype is OutputDtype.FLOAT:
        return given
    if given.dimension != rows.dimension:
        raise CodeMismatchError(f"the index has {rows.dimension} dimensions, not {given.dimension}")
    return encoded(given, rows)


def encoded(given: Embeddings, rows: Embeddings) -> Embeddings:
    """Return floats as codes with the meaning of `rows`."""
    kind: Any = rows.scale
    if rows.scale is not None and rows.scale.kind == PER_VECTOR:
        kind = PER_VECTOR
    values, scale = code_arrays.encode_values(
        given.values, rows.output_dtype, kind, signed_bytes=rows.signed_bytes, bit_order=rows.bit_order
    )
    return replace_values(rows, values, scale=scale)


def rows_of_mask(now: Snapshot, mask: Any) -> Any:
    """Return a mask of ids as one of rows; other masks as they are."""
    if mask is None:
        return None
    chosen = np.asarray(mask)
    if chosen.dtype == np.bool_ or now.ids is None or not chosen.size or chosen.dtype.kind not in "iu":
        return chosen
    rows = now.rows_of(chosen.astype(np.int64))
    if (rows < 0).any():
        raise ValueError(f"mask names id {int(chosen[rows < 0][0])}, which is not in the index")
    return rows


def for_both(asked: Embeddings, now: Snapshot) -> tuple[Embeddings, Embeddings]:
    """Return queries for the scan and for rescoring."""
    assert now.rescore_with is not None
    if asked.output_dtype is OutputDtype.FLOAT:
        return asked, asked
    if asked.meaning == now.rescore_with.rows.meaning:
        return Embeddings(asked.to_float()), asked
    raise CodeMismatchError(
        f"{asked.output_dtype} queries cannot be rescored with {now.rescore_with.rows.output_dtype} rows: pass floats, "
        "or rescore_multiplier=None to search the codes alone"
    )
