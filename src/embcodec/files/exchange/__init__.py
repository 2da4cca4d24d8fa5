"""Rows in the forms of stores and other libraries, and back."""

from .arrow import from_arrow, to_arrow
from .pgvector import from_pgvector, to_pgvector, write_pgcopy
from .stores import from_sqlite_vec, to_faiss, to_sqlite_vec

__all__ = [
    "from_arrow",
    "from_pgvector",
    "from_sqlite_vec",
    "to_arrow",
    "to_faiss",
    "to_pgvector",
    "to_sqlite_vec",
    "write_pgcopy",
]
