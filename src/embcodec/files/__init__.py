"""Embeddings in files: what a matrix means travels with it."""

from .pack import is_packed, pack, unpack
from .storage import check_suffix, load, save

__all__ = ["check_suffix", "is_packed", "load", "pack", "save", "unpack"]
