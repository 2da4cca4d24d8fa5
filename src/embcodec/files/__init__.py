"""Embeddings in files: what a matrix means travels with it."""

from .ids import load_ids
from .kinds import COLLECTION, check_suffix
from .pack import is_packed, pack, unpack
from .pieces import Skipped, iter_load, search_files
from .storage import load, save

__all__ = [
    "COLLECTION",
    "Skipped",
    "check_suffix",
    "is_packed",
    "iter_load",
    "load",
    "load_ids",
    "pack",
    "save",
    "search_files",
    "unpack",
]
