"""Rows from many files, here or elsewhere, some at a time: loaded, and searched."""

from ..kinds import LINES, WITH_IDS
from .how import CUSTOM_ID, HOW_MADE_UP, MADE_UP, Reading, WhatTheyHold
from .loading import (
    Loaded,
    check_kind,
    column_of,
    iter_load,
    naming,
    numbered_pieces,
    passing_over,
    pieces_of,
    reading,
    spans_of,
)
from .nearest import search_files
from .places import Path, Paths, Place, fetched, is_elsewhere, places_of, shown_place
from .skipping import ClusterError, Ids, OnError, Skipped, Skips, chosen_ids, finite_rows_of

__all__ = [
    "CUSTOM_ID",
    "HOW_MADE_UP",
    "LINES",
    "MADE_UP",
    "WITH_IDS",
    "ClusterError",
    "Ids",
    "Loaded",
    "OnError",
    "Path",
    "Paths",
    "Place",
    "Reading",
    "Skipped",
    "Skips",
    "WhatTheyHold",
    "check_kind",
    "chosen_ids",
    "column_of",
    "fetched",
    "finite_rows_of",
    "is_elsewhere",
    "iter_load",
    "naming",
    "numbered_pieces",
    "passing_over",
    "pieces_of",
    "places_of",
    "reading",
    "search_files",
    "shown_place",
    "spans_of",
]
