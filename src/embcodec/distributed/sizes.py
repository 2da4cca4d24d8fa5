"""How large rows are, for Dask, which plans memory by it."""

from __future__ import annotations

from typing import Any

from ..embeddings import Embeddings
from ..quantizers.lowbit import LowBitCodes
from ..scan import PreparedQueries


def register_sizes(sizeof: Any) -> None:
    """Tell ``dask.sizeof`` how many bytes rows, codes and prepared queries have; Dask calls this by itself."""
    for kind in (Embeddings, LowBitCodes, PreparedQueries):
        sizeof.register(kind, _bytes_of)


def _bytes_of(rows: Embeddings | LowBitCodes | PreparedQueries) -> int:
    return int(rows.nbytes)
