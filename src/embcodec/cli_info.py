"""What ``embcodec info`` says of a file."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from .dtypes import OutputDtype
from .embeddings import Embeddings
from .scale import Scale

_TARGETS: tuple[tuple[str, str, str | None], ...] = (
    ("int8 per-vector", "int8", "per-vector"),
    ("int8 unit", "int8", "unit"),
    ("uint8 unit", "uint8", "unit"),
    ("ubinary", "ubinary", None),
)


def describe(path: Path, rows: Embeddings) -> dict[str, Any]:
    """Return the facts of a file: what it holds, how much, and how long its vectors are."""
    scale: Scale | None = rows.scale
    some = rows[_spread(len(rows), 10_000)]
    norms = some.norms() if len(some) else np.zeros(0, np.float32)
    return {
        "path": str(path),
        "rows": len(rows),
        "dimension": rows.dimension,
        "output_dtype": str(rows.output_dtype),
        "scale": scale.identity if scale is not None else None,
        "bit_order": rows.bit_order if rows.output_dtype.is_packed else None,
        "signed_bytes": rows.signed_bytes if rows.output_dtype is OutputDtype.BINARY else None,
        "row_bytes": _plain(rows.nbytes / max(len(rows), 1)),
        "bytes": rows.nbytes,
        "file_bytes": path.stat().st_size,
        "norms": _summary(norms) if len(norms) else None,
    }


def conversions(rows: Embeddings, sample: int) -> list[dict[str, Any]]:
    """Return what each conversion keeps of a sample's rows: mean cosine with the original, and overlap@10.

    Overlap is of each of 100 rows' ten nearest among the sample, floats asked of codes. Codes have nothing to lose
    but to coarser codes; packed bits convert to nothing that keeps more, and give an empty list.
    """
    from .quantize import quantize
    from .search import search
    from .tradeoff_measures import overlap

    if rows.output_dtype.is_packed or len(rows) < 20:
        return []
    floats = rows[_spread(len(rows), sample)].to_float()
    lengths = np.linalg.norm(floats, axis=1)
    if not np.isfinite(lengths).all():
        return []
    floats, lengths = floats[lengths > 0], lengths[lengths > 0]
    if len(floats) < 20:
        return []
    k = 10
    asked = floats[_spread(len(floats), 100)]
    truth = search(asked, floats, k, metric="cosine").indices
    found = []
    for label, dtype, scale in _TARGETS:
        if scale is not None and rows.output_dtype != OutputDtype.FLOAT and dtype == rows.output_dtype:
            continue
        codes = quantize(floats, dtype, scale=scale)
        back = codes.to_float()
        products = np.einsum("ij,ij->i", back.astype(np.float64), floats)
        cosines = products / np.maximum(np.linalg.norm(back, axis=1) * lengths, 1e-30)
        nearest = search(asked, codes, k, metric="cosine").indices
        found.append(
            {
                "to": label if scale is not None else f"{label}, float query",
                "rows": len(floats),
                "row_bytes": _plain(codes.nbytes / len(codes)),
                "cosine": float(cosines.mean()),
                "overlap": float(overlap(nearest, truth).mean()),
            }
        )
    return found


def _summary(norms: NDArray[np.float32]) -> dict[str, float | None]:
    found = {"least": norms.min(), "mean": norms.mean(dtype=np.float64), "greatest": norms.max()}
    return {name: float(norm) if np.isfinite(norm) else None for name, norm in found.items()}


def _plain(number: float) -> float:
    """Return whole numbers as integers: 64, not 64.0."""
    return int(number) if number == int(number) else number


def _spread(count: int, most: int) -> slice:
    return slice(0, count, max(1, -(-count // most)))
