"""How large rows are, for Dask, which plans memory by it."""

from __future__ import annotations

from typing import Any

from ..embeddings import Embeddings
from ..quantizers import Summary
from ..quantizers.lowbit import LowBitCodes
from ..scan import PreparedQueries


def register_sizes(sizeof: Any) -> None:
    """Tell ``dask.sizeof`` how many bytes rows, codes, queries and summaries have; Dask calls this by itself."""
    for kind in (Embeddings, LowBitCodes, PreparedQueries, Summary):
        sizeof.register(kind, _bytes_of)


def _bytes_of(rows: Embeddings | LowBitCodes | PreparedQueries | Summary) -> int:
    return int(rows.nbytes)
