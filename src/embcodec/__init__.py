"""Decode, encode, quantize and search the vectors that embeddings APIs send, at memory speed.

First steps: ``embcodec.decode_response(body)`` reads a response, ``embcodec.quantize(rows, "int8",
scale="per-vector")`` makes codes, ``embcodec.search(queries, codes, k=10)`` finds the nearest, exactly.
``help(embcodec.search)`` and the like say the rest, with examples.

Rows and what they mean
    Embeddings          rows in one of five dtypes, with their scale and order of bits; .to(), .to_float(), .truncate()
    Scale               how integers map to reals: unit, per-vector, ranges
    OutputDtype         "float", "int8", "uint8", "binary", "ubinary"
    EncodingFormat      "float" (lists of numbers) or "base64"
    Profile, PROFILES   how a service packs its answers, and those that are known
Bodies and batch files
    decode_response     a response body to an EmbeddingResponse: embeddings, model, Usage
    decode_octets       a body of bare bytes, as vLLM sends
    encode_response     rows to the body that a service would send
    decode_batch        a batch job's output to a BatchResult; iter_batch gives a BatchLine at a time
    write_batch         a batch job's input
    service_error       what a service's error body says, as a ServiceError
Payloads
    encode_base64, decode_base64    rows and base64
    format_floats, parse_floats     rows and JSON arrays
    pack_bits, unpack_bits          rows and packed bits
Floats and codes
    quantize, dequantize            to codes and back
    calibrate                       a range for each dimension, from a sample, for scale=
    Summary                         what calibrate and fits need of shards, merged in any order
    truncate                        the first dimensions, at unit length
    LowBitQuantizer, LowBitCodes    codes of few bits, or bytes, a vector
Search, exact
    search              the k nearest, a SearchResult; range_search: all beyond a threshold, a RangeResult
    rescore             the best of given rows; bounded_by=: no more than may count, a BoundedResult
    prepare             queries for many searches: PreparedQueries
    QueryCenter         queries that meet a service's own bits, without what all vectors share
    merge_topk          the best of several searches over different rows, ties by id
    FlatIndex           add, remove, ids, masks, rescoring, files
    Collection          the same in a folder of files, which grows; concat joins rows
    encode_batch        a record batch of Arrow with its vectors as codes, for engines that spread work
    compile_metric      your own metric, by Numba
    study, Study        what each way of coding and searching keeps and costs, on your own vectors
Files and stores
    save, load                      nine kinds of file, and HDF5 to read
    load_ids                        the numbers of rows in a ground truth
    iter_load, search_files         many files, here or elsewhere, some rows at a time: their rows, and the nearest
    Skipped                         what of them was passed over
    to_arrow, to_faiss, to_pgvector, to_sqlite_vec, to_elasticsearch, to_milvus, to_qdrant, to_redis, to_s3_vectors,
    to_vespa, to_bson_vector        rows as stores take them
    from_arrow, from_faiss, from_pgvector, from_sqlite_vec, from_elasticsearch, from_milvus, from_qdrant, from_redis,
    from_s3_vectors, from_vespa, from_bson_vector, from_dlpack    rows as they show them
    write_pgcopy, write_vespa       tables to load; read_pgcopy, iter_pgcopy give CopiedRows
Services
    Client, AsyncClient             texts to embeddings, split, retried and put in order
    run_demo, docstring_pairs       what ``embcodec demo`` does, and the texts that it takes
Errors
    EmbcodecError       the base of all: DecodeError, CodeMismatchError, NotFiniteError, StorageError, ServiceError,
                        TransportError; warnings are PrecisionWarning, SkippedWarning
"""

from __future__ import annotations

import sys
from importlib import import_module
from typing import TYPE_CHECKING, Any

from ._version import __version__ as __version__
from .codec import decode_base64, encode_base64, format_floats, pack_bits, parse_floats, unpack_bits
from .dtypes import EncodingFormat, OutputDtype
from .embeddings import Embeddings
from .errors import (
    CodeMismatchError,
    DecodeError,
    EmbcodecError,
    NotFiniteError,
    PrecisionWarning,
    ServiceError,
    SkippedWarning,
    StorageError,
    TransportError,
)
from .profiles import PROFILES, Profile
from .quantizers import Summary, calibrate, dequantize, quantize, truncate
from .scale import Scale
from .scan import (
    BoundedResult,
    PreparedQueries,
    RangeResult,
    SearchResult,
    merge_topk,
    prepare,
    range_search,
    rescore,
    search,
)
from .wire import EmbeddingResponse, Usage, decode_response, encode_response, service_error

# Names of modules that are heavier than a decoder needs: imported when first asked for, here for type checkers, too.
if TYPE_CHECKING:
    from .client import AsyncClient, Client
    from .distributed import encode_batch
    from .files import Skipped, iter_load, load, load_ids, save, search_files
    from .files.exchange import (
        CopiedRows,
        from_arrow,
        from_bson_vector,
        from_dlpack,
        from_elasticsearch,
        from_faiss,
        from_milvus,
        from_pgvector,
        from_qdrant,
        from_redis,
        from_s3_vectors,
        from_sqlite_vec,
        from_vespa,
        iter_pgcopy,
        read_pgcopy,
        to_arrow,
        to_bson_vector,
        to_elasticsearch,
        to_faiss,
        to_milvus,
        to_pgvector,
        to_qdrant,
        to_redis,
        to_s3_vectors,
        to_sqlite_vec,
        to_vespa,
        write_pgcopy,
        write_vespa,
    )
    from .index import FlatIndex
    from .index.collection import Collection
    from .quantizers.fitting import LowBitQuantizer
    from .quantizers.lowbit import LowBitCodes, concat
    from .scan import QueryCenter, compile_metric
    from .tradeoff import Study, docstring_pairs, run_demo
    from .tradeoff.study import study
    from .wire import decode_octets
    from .wire.batch import BatchLine, BatchResult, decode_batch, iter_batch, write_batch

_LAZY: dict[str, str] = {
    "AsyncClient": "client",
    "Client": "client",
    "Skipped": "files",
    "iter_load": "files",
    "load": "files",
    "load_ids": "files",
    "save": "files",
    "search_files": "files",
    "CopiedRows": "files.exchange",
    "from_arrow": "files.exchange",
    "from_bson_vector": "files.exchange",
    "from_dlpack": "files.exchange",
    "from_elasticsearch": "files.exchange",
    "from_faiss": "files.exchange",
    "from_milvus": "files.exchange",
    "from_pgvector": "files.exchange",
    "from_qdrant": "files.exchange",
    "from_redis": "files.exchange",
    "from_s3_vectors": "files.exchange",
    "from_sqlite_vec": "files.exchange",
    "from_vespa": "files.exchange",
    "iter_pgcopy": "files.exchange",
    "read_pgcopy": "files.exchange",
    "to_arrow": "files.exchange",
    "to_bson_vector": "files.exchange",
    "to_elasticsearch": "files.exchange",
    "to_faiss": "files.exchange",
    "to_milvus": "files.exchange",
    "to_pgvector": "files.exchange",
    "to_qdrant": "files.exchange",
    "to_redis": "files.exchange",
    "to_s3_vectors": "files.exchange",
    "to_sqlite_vec": "files.exchange",
    "to_vespa": "files.exchange",
    "write_pgcopy": "files.exchange",
    "write_vespa": "files.exchange",
    "FlatIndex": "index",
    "Collection": "index.collection",
    "encode_batch": "distributed",
    "concat": "quantizers.lowbit",
    "LowBitCodes": "quantizers.lowbit",
    "LowBitQuantizer": "quantizers.fitting",
    "QueryCenter": "scan",
    "compile_metric": "scan",
    "Study": "tradeoff",
    "docstring_pairs": "tradeoff",
    "run_demo": "tradeoff",
    "study": "tradeoff.study",
    "decode_octets": "wire",
    "BatchLine": "wire.batch",
    "BatchResult": "wire.batch",
    "decode_batch": "wire.batch",
    "iter_batch": "wire.batch",
    "write_batch": "wire.batch",
}

__all__ = [
    "PROFILES",
    "AsyncClient",
    "BatchLine",
    "BatchResult",
    "BoundedResult",
    "Client",
    "CodeMismatchError",
    "Collection",
    "CopiedRows",
    "DecodeError",
    "EmbcodecError",
    "EmbeddingResponse",
    "Embeddings",
    "EncodingFormat",
    "FlatIndex",
    "LowBitCodes",
    "LowBitQuantizer",
    "NotFiniteError",
    "OutputDtype",
    "PrecisionWarning",
    "PreparedQueries",
    "Profile",
    "QueryCenter",
    "RangeResult",
    "Scale",
    "SearchResult",
    "ServiceError",
    "Skipped",
    "SkippedWarning",
    "StorageError",
    "Study",
    "Summary",
    "TransportError",
    "Usage",
    "calibrate",
    "compile_metric",
    "concat",
    "decode_base64",
    "decode_batch",
    "decode_octets",
    "decode_response",
    "dequantize",
    "docstring_pairs",
    "encode_base64",
    "encode_batch",
    "encode_response",
    "format_floats",
    "from_arrow",
    "from_bson_vector",
    "from_dlpack",
    "from_elasticsearch",
    "from_faiss",
    "from_milvus",
    "from_pgvector",
    "from_qdrant",
    "from_redis",
    "from_s3_vectors",
    "from_sqlite_vec",
    "from_vespa",
    "iter_batch",
    "iter_load",
    "iter_pgcopy",
    "load",
    "load_ids",
    "merge_topk",
    "pack_bits",
    "parse_floats",
    "prepare",
    "quantize",
    "range_search",
    "read_pgcopy",
    "rescore",
    "run_demo",
    "save",
    "search",
    "search_files",
    "service_error",
    "study",
    "to_arrow",
    "to_bson_vector",
    "to_elasticsearch",
    "to_faiss",
    "to_milvus",
    "to_pgvector",
    "to_qdrant",
    "to_redis",
    "to_s3_vectors",
    "to_sqlite_vec",
    "to_vespa",
    "truncate",
    "unpack_bits",
    "write_batch",
    "write_pgcopy",
    "write_vespa",
]

# How rows become columns is known in a room above theirs, which only those who ask for it enter.
import_module(".protocols", __name__).make_columns_by(
    lambda rows: import_module(".files.exchange", __name__).to_arrow(rows)
)

# What type checkers are not to see: to them each name above is one that is imported, and no other is there.
if not TYPE_CHECKING:
    _PUBLIC = __all__
    del __all__  # __getattr__ has it, so that help() can be told from others

    def __getattr__(name: str) -> Any:
        if name == "__all__" and not _asked_by_help(sys._getframe(1).f_globals):
            return _PUBLIC
        if name not in _LAZY:
            raise AttributeError(f"module {__name__!r} has no attribute {name!r}")
        value = getattr(import_module(f".{_LAZY[name]}", __name__), name)
        globals()[name] = value
        return value

    def __dir__() -> list[str]:
        return sorted([*_PUBLIC, "__version__"])


def _asked_by_help(caller: dict[str, Any]) -> bool:
    """Whether pydoc looks for names: it would print the whole help of every one, and gets the summary above alone."""
    return "pydoc" in (caller.get("__name__"), getattr(caller.get("__spec__"), "name", None))
