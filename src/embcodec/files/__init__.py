"""Embeddings in files: what a matrix means travels with it."""

from .ids import load_ids
from .kinds import COLLECTION, SUFFIXES, check_suffix, is_url, refuse_url
from .pack import is_packed, pack, unpack
from .pieces import Skipped, iter_load, search_files
from .storage import check_room, load, save

__all__ = [
    "COLLECTION",
    "SUFFIXES",
    "Skipped",
    "check_room",
    "check_suffix",
    "is_packed",
    "is_url",
    "iter_load",
    "load",
    "load_ids",
    "pack",
    "refuse_url",
    "save",
    "search_files",
    "unpack",
]
