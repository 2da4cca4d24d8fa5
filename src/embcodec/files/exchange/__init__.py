"""Rows in the forms of stores and other libraries, and back."""

from .arrow import from_arrow, to_arrow
from .bson import from_bson_vector, to_bson_vector
from .dlpack import from_dlpack
from .elasticsearch import from_elasticsearch, to_elasticsearch
from .faiss import from_faiss, to_faiss
from .milvus import from_milvus, to_milvus
from .pgread import CopiedRows, iter_pgcopy, read_pgcopy
from .pgvector import from_pgvector, to_pgvector
from .pgwrite import write_pgcopy
from .qdrant import from_qdrant, to_qdrant
from .redis import from_redis, to_redis
from .s3_vectors import from_s3_vectors, to_s3_vectors
from .sqlite_vec import from_sqlite_vec, to_sqlite_vec
from .vespa import from_vespa, to_vespa, write_vespa

__all__ = [
    "CopiedRows",
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
    "iter_pgcopy",
    "read_pgcopy",
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
    "write_pgcopy",
    "write_vespa",
]
