"""Rows in the forms of stores and other libraries, and back."""

from .arrow import from_arrow, to_arrow
from .dlpack import from_dlpack
from .faiss import from_faiss, to_faiss
from .pgread import CopiedRows, iter_pgcopy, read_pgcopy
from .pgvector import from_pgvector, to_pgvector
from .pgwrite import write_pgcopy
from .sqlite_vec import from_sqlite_vec, to_sqlite_vec

__all__ = [
    "CopiedRows",
    "from_arrow",
    "from_dlpack",
    "from_faiss",
    "from_pgvector",
    "from_sqlite_vec",
    "iter_pgcopy",
    "read_pgcopy",
    "to_arrow",
    "to_faiss",
    "to_pgvector",
    "to_sqlite_vec",
    "write_pgcopy",
]
