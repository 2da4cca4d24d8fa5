"""Embeddings in files: what a matrix means travels with it."""

from .ids import load_ids
from .kinds import check_suffix
from .pack import is_packed, pack, unpack
from .storage import load, save

__all__ = ["check_suffix", "is_packed", "load", "load_ids", "pack", "save", "unpack"]
