"""Rows from many files, here or elsewhere, some at a time: loaded, and searched."""

from .how import CUSTOM_ID, Ids, Reading, WhatTheyHold
from .loading import Loaded, check_kind, iter_load, naming, pieces_of, reading
from .nearest import search_files
from .places import Path, Paths, Place, fetched, is_elsewhere, places_of, shown_place

__all__ = [
    "CUSTOM_ID",
    "Ids",
    "Loaded",
    "Path",
    "Paths",
    "Place",
    "Reading",
    "WhatTheyHold",
    "check_kind",
    "fetched",
    "is_elsewhere",
    "iter_load",
    "naming",
    "pieces_of",
    "places_of",
    "reading",
    "search_files",
    "shown_place",
]
