"""Rows in a folder of files: appended, removed and searched, in bounded memory."""

from .collection import Collection, CollectionInfo

__all__ = ["Collection", "CollectionInfo"]
