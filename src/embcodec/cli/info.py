"""What ``embcodec info`` says of a file."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from functools import partial
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from ..codec import unwarned
from ..dtypes import OutputDtype, OutputDtypeName
from ..embeddings import Embeddings
from ..quantizers.lowbit import LowBitCodes
from ..scale import ScaleName

Floats = NDArray[np.float32]
Rows = Embeddings | LowBitCodes

_TARGETS: tuple[tuple[str, OutputDtypeName, ScaleName | None], ...] = (
    ("int8 per-vector", "int8", "per-vector"),
    ("int8 unit", "int8", "unit"),
    ("uint8 unit", "uint8", "unit"),
    ("ubinary, float query", "ubinary", None),
)
_LEAST_ROWS, _LEAST_TO_FIT = 20, 200
_ASKED, _NEIGHBOURS = 100, 10


def describe(path: Path, rows: Rows) -> dict[str, Any]:
    """Return the facts of a file: what it holds, how much, and how long its vectors are."""
    looked_at = _spread(len(rows), 10_000)
    some = rows[looked_at]
    norms = np.zeros(0, np.float32)
    if len(some):
        norms = some.norms() if isinstance(some, Embeddings) else Embeddings(some.to_float()).norms()
    return {
        "path": str(path),
        "rows": len(rows),
        "dimension": rows.dimension,
        **(_of_low_bit(rows) if isinstance(rows, LowBitCodes) else _of_embeddings(rows)),
        "exact_as": _short_floats(some),
        "row_bytes": _plain(rows.nbytes / max(len(rows), 1)),
        "bytes": rows.nbytes,
        "file_bytes": path.stat().st_size,
        "norms": _summary(norms) if len(norms) else None,
        "not_finite_row": _first_not_finite(some, range(len(rows))[looked_at]),
    }


def index_facts(path: Path) -> tuple[dict[str, Any], Rows]:
    """Return the facts of an index, and the rows that it scans."""
    from ..index import FlatIndex

    index = FlatIndex.load(path, mmap=True)
    ids, better = index.ids, index.rescore_with
    counted = not len(ids) or bool((ids == np.arange(len(ids))).all())
    return {
        "kind": "index",
        **describe(path, index.codes),
        "rescored_with": None if better is None else repr(better),
        "ids": "0 and on" if counted else f"{len(ids):,} from {ids.min()} to {ids.max()}",
    }, index.codes


def collection_facts(path: Path) -> dict[str, Any]:
    """Return the facts of a collection."""
    from ..index.collection import Collection

    facts = Collection.open(path).info()
    return {
        "kind": "collection",
        "path": str(path),
        "rows": facts.rows,
        "codes": facts.codes,
        "rescored_with": None if facts.rescore_with == "none" else facts.rescore_with,
        "removed_rows": facts.removed_rows,
        "files": facts.shards,
        "bytes": facts.nbytes,
        "changes": facts.generation,
    }


def _first_not_finite(some: Rows, numbers: range) -> int | None:
    """Return the number of the first row with NaN or Infinity, if one is there."""
    if not isinstance(some, Embeddings) or some.output_dtype is not OutputDtype.FLOAT:
        return None
    bad = np.flatnonzero(~np.isfinite(some.values).all(axis=1))
    return numbers[bad[0]] if len(bad) else None


def _short_floats(some: Rows) -> str | None:
    """Return the shorter floats that hold every number of some rows, as they do of a file of such."""
    if not isinstance(some, Embeddings) or some.output_dtype is not OutputDtype.FLOAT or not some.values.size:
        return None
    values = some.values
    if not (values.view(np.uint32) & 0xFFFF).any():
        return "bfloat16"
    with np.errstate(over="ignore"):
        return "float16" if np.array_equal(values.astype(np.float16).astype(np.float32), values) else None


def _of_embeddings(rows: Embeddings) -> dict[str, Any]:
    return {
        "output_dtype": str(rows.output_dtype),
        "scale": rows.scale.identity if rows.scale is not None else None,
        "bit_order": rows.bit_order if rows.output_dtype.is_packed else None,
        "signed_bytes": rows.signed_bytes if rows.output_dtype is OutputDtype.BINARY else None,
    }


def _of_low_bit(rows: LowBitCodes) -> dict[str, Any]:
    return {
        "output_dtype": rows.scheme.label,
        "scale": rows.scheme.identity,
        "rotation": rows.scheme.kind,
        "center": "mean" if rows.scheme.center is not None else "none",
        "unit_length": "yes" if rows.is_unit else "no, so they compare by dot only",
    }


def conversions(rows: Rows, sample: int) -> tuple[list[dict[str, Any]], str | None]:
    """Return what each conversion keeps of a sample's rows, and why that is not all of them, if it is not.

    A conversion's facts are the mean cosine with the original, and overlap@10: of each of 100 rows' ten nearest among
    the sample, floats asked of codes. Low-bit quantizers without a rotation (which is quickly fitted) are fitted to
    other rows than the sample where there are others, and else to the sample itself: ``fitted_to`` says which.
    """
    if isinstance(rows, Embeddings) and rows.output_dtype.is_packed:
        return [], "packed bits have no coarser codes to be converted to"
    if len(rows) < _LEAST_ROWS:
        return [], f"{len(rows)} rows are too few to try conversions on: at least {_LEAST_ROWS} are needed"
    chosen = _spread(len(rows), sample)
    floats = rows[chosen].to_float()
    if not np.isfinite(floats).all():
        return [], "the sample holds NaN or infinities, which codes cannot"
    floats = floats[np.linalg.norm(floats, axis=1) > 0]
    if len(floats) < _LEAST_ROWS:
        return [], f"{len(floats)} rows of the sample are not zero: at least {_LEAST_ROWS} are needed"
    from ..quantizers import quantize
    from ..scan import search

    asked = floats[_spread(len(floats), _ASKED)]
    truth = search(asked, floats, _NEIGHBOURS, metric="cosine").indices
    found = []
    for label, dtype, scale in _TARGETS:
        if scale is not None and isinstance(rows, Embeddings) and dtype == rows.output_dtype:
            continue
        found.append(_kept(label, partial(quantize, output_dtype=dtype, scale=scale), floats, asked, truth))
    if isinstance(rows, LowBitCodes) or rows.output_dtype is not OutputDtype.FLOAT:
        return found, None
    if len(floats) < _LEAST_TO_FIT:
        return found, f"{len(floats)} rows are too few to fit low-bit codes to: at least {_LEAST_TO_FIT} are needed"
    step = chosen.step
    others = rows[slice(step // 2, len(rows), step)].to_float() if step > 1 else floats
    if not np.isfinite(others).all():
        return found, "rows that low-bit codes would be fitted to hold NaN or infinities"
    for label, encode in _low_bit(others):
        found.append(
            _kept(label, encode, floats, asked, truth) | {"fitted_to": "the sample" if step == 1 else "other rows"}
        )
    return found, None


def _low_bit(sample: Floats) -> Iterator[tuple[str, Callable[[Floats], Rows]]]:
    from ..quantizers.fitting import LowBitQuantizer

    for bits in (4, 2, 1):
        quantizer = LowBitQuantizer(bits, rotation="none").fit(sample)
        yield f"{bits} bit{'s' * (bits > 1)}, {quantizer.choice}", quantizer.encode


def _kept(
    label: str, encode: Callable[[Floats], Rows], floats: Floats, asked: Floats, truth: NDArray[np.int64]
) -> dict[str, Any]:
    from ..scan import search
    from ..tradeoff import overlap

    lengths = np.linalg.norm(floats, axis=1)
    with unwarned():  # what is lost is in the figures
        codes = encode(floats)
    # What is compared by its cosine has unit length: some codes ask for that.
    searched = codes if isinstance(codes, Embeddings) or codes.is_unit else encode(floats / lengths[:, None])
    back = codes.to_float()
    products = np.einsum("ij,ij->i", back.astype(np.float64), floats)
    cosines = products / np.maximum(np.linalg.norm(back, axis=1) * lengths, 1e-30)
    return {
        "to": label,
        "rows": len(floats),
        "row_bytes": _plain(codes.nbytes / len(codes)),
        "cosine": float(cosines.mean()),
        "overlap": float(overlap(search(asked, searched, _NEIGHBOURS, metric="cosine").indices, truth).mean()),
    }


def _summary(norms: Floats) -> dict[str, float | None]:
    found = {"least": norms.min(), "mean": norms.mean(dtype=np.float64), "greatest": norms.max()}
    return {name: float(norm) if np.isfinite(norm) else None for name, norm in found.items()}


def _plain(number: float) -> float:
    """Return whole numbers as integers: 64, not 64.0."""
    return int(number) if number == int(number) else number


def _spread(count: int, most: int) -> slice:
    return slice(0, count, max(1, -(-count // most)))
