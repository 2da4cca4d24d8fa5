"""Rows in a folder of files: appended, removed and searched, in bounded memory."""

from .collection import Collection
from .info import CollectionInfo
from .ingest import failed_and_skipped
from .journal import holds_collection

__all__ = ["Collection", "CollectionInfo", "failed_and_skipped", "holds_collection"]
