"""Rows in a folder of files: appended, removed and searched, in bounded memory."""

from .collection import Collection
from .info import CollectionInfo
from .ingest import failed_lines, skipped_rows
from .journal import holds_collection

__all__ = ["Collection", "CollectionInfo", "failed_lines", "holds_collection", "skipped_rows"]
