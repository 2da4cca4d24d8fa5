"""Rows as Faiss takes them, and those of an index."""

from __future__ import annotations

from typing import Any, Literal, overload

import numpy as np
from numpy.typing import ArrayLike, NDArray

from ...dtypes import OutputDtype
from ...embeddings import Embeddings
from ...errors import StorageError
from ...scale import Scale
from ...words import needs_package
from .rows import packed_bytes, refuse_scale, sendable

_FLOATS = {"QT_fp16": np.dtype("<f2"), "QT_bf16": np.dtype("<u2")}


def to_faiss(embeddings: Embeddings | ArrayLike) -> NDArray[np.float32] | NDArray[np.uint8]:
    """Return the array that a Faiss index of the same codes takes.

    float32 rows for ``IndexFlat``; packed bytes, the first dimension in the highest bit, for ``IndexBinaryFlat``; for
    int8 and uint8 the bytes that ``QT_8bit_direct_signed`` (code + 128) and ``QT_8bit_direct`` store, as
    ``add_sa_codes`` takes them. Faiss scores the codes themselves: an inner product of uint8 is not that of the values.

    Parameters
    ----------
    embeddings : Embeddings or array-like of floats, (n, dimension)

    Returns
    -------
    ndarray, float32 (n, dimension) or uint8 (n, width)
        Of floats the rows themselves, not a copy.

    Raises
    ------
    StorageError
        For integers with per-vector scales or ranges, which Faiss would leave out of its scores, and bits whose
        dimension is not a multiple of 8.
    TypeError
        For bare integers, whose meaning is unknown.

    Examples
    --------
    >>> from embcodec import quantize, to_faiss
    >>> to_faiss(quantize([[1.0, -1.0, 1.0, 1.0, -1.0, -1.0, -1.0, 1.0]], "binary")).tolist()
    [[177]]
    """
    rows = sendable(embeddings, "Faiss")
    if rows.output_dtype.is_packed:
        if rows.dimension % 8:
            raise StorageError(
                f"Faiss has whole bytes of bits, and {rows.dimension} is not a multiple of 8: where only Hamming "
                "distances matter, rows.packed_bytes() has them padded with zeros"
            )
        return packed_bytes(rows, "msb")
    refuse_scale(rows, "Faiss", f"Embeddings(codes, '{rows.output_dtype}', scale=...)")
    if rows.output_dtype is OutputDtype.INT8:
        return rows.values.view(np.uint8) ^ np.uint8(0x80)
    return rows.values


@overload
def from_faiss(index: Any, *, with_ids: Literal[False] = False, scale: Scale | None = None) -> Embeddings: ...


@overload
def from_faiss(
    index: Any, *, with_ids: Literal[True], scale: Scale | None = None
) -> tuple[Embeddings, NDArray[np.int64]]: ...


def from_faiss(
    index: Any, *, with_ids: bool = False, scale: Scale | None = None
) -> Embeddings | tuple[Embeddings, NDArray[np.int64]]:
    """Return the rows of a Faiss index that keeps them as they are, a copy.

    Parameters
    ----------
    index : faiss.Index or faiss.IndexBinary
        ``IndexFlat`` and ``IndexBinaryFlat``; ``IndexScalarQuantizer`` of 8 bits (``QT_8bit``, ``QT_8bit_uniform`` with
        the ranges that it has learned, ``QT_8bit_direct``, ``QT_8bit_direct_signed``) and of short floats
        (``QT_fp16``, ``QT_bf16``); any of these within an ``IndexIDMap`` or ``IndexRefine``, or below an ``IndexHNSW``
        or ``IndexNSG``. ``IndexIVFFlat`` and ``IndexBinaryIVF``, by ascending ids.
    with_ids : bool
        Return the rows' ids, too: those of an ``IndexIDMap`` or of an index of lists, else 0, 1, 2 ...
    scale : Scale, optional
        Of direct codes; the unit scale by default, as :func:`to_faiss` sends it.

    Returns
    -------
    Embeddings, or with `with_ids` (Embeddings, ndarray of int64 (n,))
        ``"float"``; ``"ubinary"``; of 8 bits ``"uint8"``, signed ``"int8"``. They stand for what Faiss decodes them to.

    Raises
    ------
    StorageError
        For an index that keeps something else of its rows, one with ids where `with_ids` does not ask for them, and
        one that is not trained.
    TypeError
        For what is no Faiss index.

    Examples
    --------
    >>> import faiss
    >>> index = faiss.IndexFlatIP(2)
    >>> index.add(np.array([[0.5, -1.0]], np.float32))
    >>> from_faiss(index).values.tolist()
    [[0.5, -1.0]]
    """
    try:
        import faiss
    except ImportError:
        raise StorageError(needs_package("reading an index", "faiss-cpu", "")) from None
    if not isinstance(index, faiss.Index | faiss.IndexBinary):
        raise TypeError(f"from_faiss reads an index of Faiss, not a {type(index).__name__}")
    ids, inner = None, index  # `index` stays, for what is within it ends with it
    if isinstance(index, faiss.IndexIDMap | faiss.IndexBinaryIDMap):
        if not with_ids:
            raise StorageError(_OWN_IDS)
        ids = faiss.vector_to_array(index.id_map).astype(np.int64)
        inner = index.index
    inner = _innermost(inner, faiss)
    if not isinstance(inner, faiss.IndexIVF | faiss.IndexBinaryIVF):
        rows = _rows_of(inner, scale, faiss)
    else:
        listed, rows = _of_lists(inner, faiss)
        if not np.array_equal(listed, np.arange(len(listed))):
            if not with_ids:
                raise StorageError(_OWN_IDS)
            ids = listed
    return (rows, np.arange(len(rows)) if ids is None else ids) if with_ids else rows


_OWN_IDS = "the index has ids of its own: from_faiss(index, with_ids=True) returns them, too"


def _innermost(index: Any, faiss: Any) -> Any:
    """Return the index that keeps the rows themselves: below a graph, or beside the codes that it refines."""
    binary = isinstance(index, faiss.IndexBinary)
    index = faiss.downcast_IndexBinary(index) if binary else faiss.downcast_index(index)
    if isinstance(index, faiss.IndexHNSW | faiss.IndexBinaryHNSW | faiss.IndexNSG):
        return _innermost(index.storage, faiss)
    return _innermost(index.refine_index, faiss) if isinstance(index, faiss.IndexRefine) else index


def _rows_of(index: Any, scale: Scale | None, faiss: Any) -> Embeddings:
    if isinstance(index, faiss.IndexBinaryFlat):
        return Embeddings(faiss.vector_to_array(index.xb).reshape(index.ntotal, -1), "ubinary", index.d)
    if type(index).__name__.startswith("IndexFlat") and isinstance(index, faiss.IndexFlat):
        codes = faiss.vector_to_array(index.codes)
        return Embeddings(codes.view(np.float32).reshape(index.ntotal, index.d))
    if isinstance(index, faiss.IndexScalarQuantizer):
        found = _of_scalar_codes(index, scale, faiss)
        if found is not None:
            return found
    kind, way = type(index).__name__, "Embeddings(index.reconstruct_n(0, index.ntotal))"
    if hasattr(index, "at") and hasattr(index, "count"):
        raise StorageError(
            f"{kind} is of several indexes: from_faiss(faiss.downcast_index(index.at(0))) reads the first"
        )
    raise StorageError(f"{kind} keeps other codes of its rows: {way} has what they decode to")


def _of_lists(index: Any, faiss: Any) -> tuple[NDArray[np.int64], Embeddings]:
    """Return the ids, ascending, and the rows of an index that keeps them in lists."""
    lists = faiss.downcast_InvertedLists(index.invlists)
    is_bits, size = isinstance(index, faiss.IndexBinaryIVF), int(index.code_size)
    if not (is_bits or isinstance(index, faiss.IndexIVFFlat)):
        raise StorageError(
            f"{type(index).__name__} keeps other codes of its rows: after index.set_direct_map_type(faiss.DirectMap."
            "Hashtable) Embeddings(index.reconstruct_batch(ids)) has what those of ids decode to"
        )
    ids, codes = [np.empty(0, np.int64)], [np.empty((0, size), np.uint8)]
    for number in range(int(index.nlist)):
        count = int(lists.list_size(number))
        if count:
            ids.append(faiss.rev_swig_ptr(lists.get_ids(number), count).astype(np.int64))
            codes.append(faiss.rev_swig_ptr(lists.get_codes(number), count * size).reshape(count, size).copy())
    listed, stored = np.concatenate(ids), np.concatenate(codes)
    order = np.argsort(listed, kind="stable")
    stored = stored[order]
    return listed[order], Embeddings(stored, "ubinary", index.d) if is_bits else Embeddings(stored.view(np.float32))


def _of_scalar_codes(index: Any, scale: Scale | None, faiss: Any) -> Embeddings | None:
    """Return the rows of a scalar quantizer; None where its codes are of a kind that embcodec has not."""
    if not index.is_trained:
        raise StorageError("the index is not trained yet")
    kinds = {
        getattr(faiss.ScalarQuantizer, name): name for name in dir(faiss.ScalarQuantizer) if name.startswith("QT_")
    }
    kind = kinds[index.sq.qtype]
    codes = faiss.vector_to_array(index.codes).reshape(index.ntotal, -1)
    if kind == "QT_8bit_direct":
        return Embeddings(codes, "uint8", scale=scale)
    if kind == "QT_8bit_direct_signed":
        return Embeddings((codes ^ np.uint8(0x80)).view(np.int8), "int8", scale=scale)
    if scale is not None:
        raise ValueError(f"an index of {kind} knows the scale of its codes: leave out scale=")
    if kind in _FLOATS:
        short = codes.view(_FLOATS[kind])
        wide = short.astype(np.float32) if kind == "QT_fp16" else (short.astype(np.uint32) << 16).view(np.float32)
        return Embeddings(wide)
    if kind not in ("QT_8bit", "QT_8bit_uniform"):
        return None
    low, spread = faiss.vector_to_array(index.sq.trained).reshape(2, -1)
    low, spread = np.broadcast_to(low, index.d), np.broadcast_to(spread, index.d)
    return Embeddings(codes, "uint8", scale=Scale.ranges(np.stack([low, low + spread])))
