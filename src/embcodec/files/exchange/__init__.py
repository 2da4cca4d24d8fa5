"""Rows in the forms of stores and other libraries, and back."""

from .stores import (
    from_arrow,
    from_pgvector,
    from_sqlite_vec,
    to_arrow,
    to_faiss,
    to_pgvector,
    to_sqlite_vec,
    write_pgcopy,
)

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
