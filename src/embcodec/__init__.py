"""Decode, encode, quantize and search the vectors that embeddings APIs send, at memory speed."""

from __future__ import annotations

from importlib import import_module
from typing import Any

from .codec import decode_base64, encode_base64, format_floats, pack_bits, parse_floats, unpack_bits
from .dtypes import EncodingFormat, OutputDtype
from .embeddings import Embeddings
from .errors import (
    CodeMismatchError,
    DecodeError,
    EmbcodecError,
    NotFiniteError,
    ServiceError,
    StorageError,
    TransportError,
)
from .profiles import PROFILES, Profile
from .quantize import dequantize, quantize, truncate
from .quantize_calibrate import calibrate
from .response import EmbeddingResponse, decode_response, encode_response
from .scale import Scale
from .search import SearchResult, search
from .search_bounds import BoundedResult
from .search_range import RangeResult, range_search
from .search_rescore import rescore
from .service import Usage, service_error

__version__ = "0.1.0"

# Names of modules that are heavier than a decoder needs: imported when first asked for.
_LAZY: dict[str, str] = {
    "BatchLine": "batch",
    "decode_octets": "response_octets",
    "LowBitCodes": "lowbit_codes",
    "LowBitQuantizer": "lowbit",
    "BatchResult": "batch",
    "decode_batch": "batch",
    "iter_batch": "batch",
    "AsyncClient": "client",
    "Client": "client",
    "FlatIndex": "index",
    "compile_metric": "jit",
    "load": "storage",
    "save": "storage",
    "run_demo": "demo",
    "write_pgcopy": "storage_exchange",
    "to_sqlite_vec": "storage_exchange",
    "to_pgvector": "storage_exchange",
    "to_faiss": "storage_exchange",
    "to_arrow": "storage_exchange",
    "from_arrow": "storage_exchange",
    "from_sqlite_vec": "storage_exchange",
    "from_pgvector": "storage_exchange",
    "Study": "tradeoff_results",
    "study": "tradeoff",
    "docstring_pairs": "corpus",
    "write_batch": "batch",
}

__all__ = [
    "PROFILES",
    "BoundedResult",
    "CodeMismatchError",
    "DecodeError",
    "EmbcodecError",
    "EmbeddingResponse",
    "Embeddings",
    "EncodingFormat",
    "NotFiniteError",
    "OutputDtype",
    "Profile",
    "RangeResult",
    "Scale",
    "SearchResult",
    "ServiceError",
    "StorageError",
    "TransportError",
    "Usage",
    "calibrate",
    "decode_base64",
    "decode_response",
    "dequantize",
    "encode_base64",
    "encode_response",
    "format_floats",
    "pack_bits",
    "parse_floats",
    "quantize",
    "range_search",
    "rescore",
    "search",
    "service_error",
    "truncate",
    "unpack_bits",
    *_LAZY,
]


def __getattr__(name: str) -> Any:
    if name not in _LAZY:
        raise AttributeError(f"module {__name__!r} has no attribute {name!r}")
    value = getattr(import_module(f".{_LAZY[name]}", __name__), name)
    globals()[name] = value
    return value


def __dir__() -> list[str]:
    return sorted([*__all__, "__version__"])
