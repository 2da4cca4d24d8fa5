"""What an index is given, judged and brought into the form of what it holds."""

from __future__ import annotations

from typing import Any

import numpy as np
from numpy.typing import ArrayLike

from .._native import bits as native_bits
from ..codec import as_int64, warn_of
from ..codec import codes as code_arrays
from ..dtypes import OutputDtype
from ..embeddings import Embeddings, Encoder, replace_values
from ..errors import CodeMismatchError
from ..quantizers.lowbit import LowBitCodes, Rows, say_nothing
from ..scale import PER_VECTOR
from ..scan import as_embeddings, as_mask, check_metric, way_to
from ..words import shown
from .rows import Snapshot

_MOST_SHARED = 0.3
_ALIKE = 0.999  # rows that share so much hardly differ: no code of few bits tells them apart
_FEWEST_ROWS, _MOST_ROWS = 100, 2_000  # how many rows are looked at for what they share


def finite_rows(rows: Rows | ArrayLike, name: str) -> Rows:
    """Return rows that can be scanned and hold no NaN and no infinity (NotFiniteError)."""
    if isinstance(rows, LowBitCodes):
        return rows
    found = as_embeddings(rows, name)
    if found.output_dtype is OutputDtype.FLOAT:
        native_bits.require_finite(found.values)
    return found


def quantized(rows: Rows, quantizer: Encoder[LowBitCodes] | None) -> Rows:
    """Return floats as codes of a quantizer, if there is one; else themselves."""
    if quantizer is None:
        return rows
    if isinstance(quantizer, type | str) or not hasattr(quantizer, "encode"):
        raise TypeError(f"quantizer is a fitted LowBitQuantizer, not {shown(quantizer)}")
    if not isinstance(rows, Embeddings) or rows.output_dtype is not OutputDtype.FLOAT:
        raise CodeMismatchError(f"a quantizer codes floats, not {rows!r}")
    return quantizer.encode(rows.values)


def check_alike(rows: Rows, better: Rows | None) -> None:
    """Refuse rescoring rows that are not as many, or as long, as the codes."""
    if better is not None and len(better) != len(rows):
        raise ValueError(f"{len(rows)} rows of codes, but {len(better)} to rescore with")
    if better is not None and better.dimension != rows.dimension:
        raise CodeMismatchError(f"codes have {rows.dimension} dimensions, rescoring rows {better.dimension}")


def check_better(rows: Rows, better: Rows | None) -> None:
    """Refuse rescoring rows of fewer bits than the codes: the result would be worse than theirs."""
    if better is not None and _bits_of(better) < _bits_of(rows):
        raise CodeMismatchError(
            f"rows to rescore with, {better!r}, have {_bits_of(better):g} bits a dimension, fewer than the codes, "
            f"{rows!r}, with {_bits_of(rows):g}: swap them, or leave out rescore_with="
        )


def _bits_of(rows: Rows) -> float:
    """Return how many bits a dimension has."""
    if isinstance(rows, LowBitCodes):
        return min(float(rows.scheme.bits), 8.0)  # where lengths are counted among them, more
    return 1.0 if rows.output_dtype.is_packed else 8.0 * rows.values.itemsize


def warn_of_common_mean(codes: Rows, better: Rows | None) -> None:
    """Warn where plain bits are the first stage of rows that share so much that most of the bits are alike."""
    if better is None or len(better) < _FEWEST_ROWS or isinstance(codes, LowBitCodes):
        return
    if not codes.output_dtype.is_packed:
        return
    some = better[:: -(-len(better) // _MOST_ROWS)].to_float().astype(np.float64)
    square = float(np.einsum("ij,ij->", some, some)) / len(some)
    mean = some.mean(axis=0)
    share = float(mean @ mean) / square if square > 0 else 0.0
    if _MOST_SHARED < share < _ALIKE:
        warn_of(
            f"the rows share a mean that makes up {share:.0%} of their length squared: most bits say the same of all; "
            "bits of FlatIndex(floats, quantizer=LowBitQuantizer(1).fit(floats), rescore_with=...) say more"
        )


def check_joins(rows: Rows, more: Rows, holder: str = "index") -> None:
    """Refuse codes that mean something else than those of a holder (an index)."""
    if isinstance(rows, LowBitCodes) and isinstance(more, LowBitCodes):
        if rows.scheme.identity != more.scheme.identity:
            raise CodeMismatchError(
                f"{more!r} were made by {more.scheme.identity}, the {holder}'s by {rows.scheme.identity}: encode with "
                "one quantizer, or add floats"
            )
        if len(rows) and len(more) and rows.is_unit and not more.is_unit:
            raise CodeMismatchError(
                f"the {holder} holds rows of unit length, which cosine and l2 need; these are not: normalize them"
            )
    elif isinstance(rows, LowBitCodes) or isinstance(more, LowBitCodes) or rows.meaning != more.meaning:
        way = "add floats"
        if isinstance(rows, Embeddings) and isinstance(more, Embeddings):
            if holder == "index" or rows.scale is None or rows.scale.kind in ("unit", PER_VECTOR):
                way = f"add {way_to('codes', rows, 'index.codes')}, or floats"
            if rows.dimension != more.dimension:
                way = _all_dimensions(more, rows, holder)
        raise CodeMismatchError(f"{more!r} does not join {rows!r}: {way}")


def _all_dimensions(more: Rows, rows: Rows, holder: str) -> str:
    known = f"the {holder} has {rows.dimension} dimensions"
    return (
        f"{known}: add truncate(rows, {rows.dimension})"
        if more.dimension > rows.dimension
        else f"{known}, all of which a row needs"
    )


def like(given: Rows, rows: Rows, holder: str = "index") -> Rows:
    """Return `given` as codes like `rows`, if it is floats; else itself. Of what says nothing none of `rows`."""
    if say_nothing(given):
        return rows[:0]
    if isinstance(given, LowBitCodes) or given.output_dtype is not OutputDtype.FLOAT:
        return given
    if isinstance(rows, Embeddings) and rows.output_dtype is OutputDtype.FLOAT:
        return given
    if given.dimension != rows.dimension:
        raise CodeMismatchError(f"{given!r} does not join {rows!r}: {_all_dimensions(given, rows, holder)}")
    return LowBitCodes.of(given.values, rows.scheme) if isinstance(rows, LowBitCodes) else encoded(given, rows)


def given_to_rescore(given: Rows, rescore_with: Any, rows: Rows | None, holder: str) -> Rows | None:
    """Return what rescores the rows `given`, like `rows`, which a holder (an index) rescores with, if it does."""
    if rows is None:
        if rescore_with is not None:
            raise ValueError(f"this {holder} has no rows to rescore with")
        return None
    if rescore_with is not None:
        source = finite_rows(rescore_with, "rescore_with")
    elif isinstance(given, Embeddings) and given.output_dtype is OutputDtype.FLOAT:
        source = given
    else:
        raise ValueError(f"this {holder} rescores: give rescore_with too, or floats as codes")
    return like(source, rows, holder)


def encoded(given: Embeddings, rows: Embeddings) -> Embeddings:
    """Return floats as codes with the meaning of `rows`."""
    kind: Any = rows.scale
    if rows.scale is not None and rows.scale.kind == PER_VECTOR:
        kind = PER_VECTOR
    values, scale = code_arrays.encode_values(given.values, rows.output_dtype, kind, rows.signed_bytes, rows.bit_order)
    return replace_values(rows, values, scale=scale)


def rows_of_mask(now: Snapshot, mask: Any) -> Any:
    """Return a mask of ids as one of rows; other masks as they are."""
    if mask is None:
        return None
    numbers = "row numbers" if now.ids is None else "ids"
    chosen = as_mask(mask, "mask id", f"a mask is one boolean a row, or a list of {numbers}")
    if not chosen.size or chosen.dtype.kind == "b":
        return chosen
    chosen = as_int64(chosen, "mask id")
    if now.ids is None:
        return chosen
    rows = now.rows_of(chosen)
    if (rows < 0).any():
        raise ValueError(f"mask names id {int(chosen[rows < 0][0])}, which is not in the index")
    return rows


def for_both(asked: Embeddings, better: Rows) -> tuple[Embeddings, Embeddings]:
    """Return queries for the scan and for rescoring."""
    if asked.output_dtype is OutputDtype.FLOAT:
        return asked, asked
    if isinstance(better, Embeddings) and asked.meaning == better.meaning:
        return Embeddings(asked.to_float()), asked
    raise CodeMismatchError(
        f"{asked.output_dtype} queries cannot be rescored with {_kind(better)} rows: pass floats, or "
        "rescore_multiplier=None to search the codes alone"
    )


def check_own_metric(codes: Rows, better: Rows | None, asked: Embeddings, metric: Any) -> None:
    """Refuse a user's metric of floats where other codes, which it cannot compare, are scanned before the floats."""
    if metric is not None:
        check_metric(metric)
    if metric is None or isinstance(metric, str) or asked.output_dtype is not OutputDtype.FLOAT:
        return
    takes_floats = getattr(metric, "output_dtype", None) in (None, OutputDtype.FLOAT)
    if takes_floats and _kind(codes) != OutputDtype.FLOAT and better is not None and _kind(better) == OutputDtype.FLOAT:
        raise CodeMismatchError(
            f"a user's metric of floats does not compare {_kind(codes)} rows, which are scanned first",
            "exact=True, which scores the floats by it",
        )


def _kind(rows: Rows) -> str:
    return rows.scheme.label if isinstance(rows, LowBitCodes) else rows.output_dtype
