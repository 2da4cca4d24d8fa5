"""Which rows of a file cannot be appended, so that the others can."""

from __future__ import annotations

from typing import NamedTuple

import numpy as np
from numpy.typing import NDArray

from ...files.pieces import Ids, Skips, chosen_ids, finite_rows_of
from ...quantizers.lowbit import Rows
from ...words import shown
from .coded import Coded
from .folder import Folder
from .texts import TextIds, has_half_a_pair


class Run(NamedTuple):
    """Rows that follow each other in a file.

    Attributes
    ----------
    name : str
        The file's.
    first : int
        Which row of it is the first.
    rows : Embeddings or LowBitCodes
    ids : ndarray of int64, list of texts, or None
    """

    name: str
    first: int
    rows: Rows | Coded
    ids: Ids


def fit_to_append(
    folder: Folder, texts_of: TextIds, run: Run, held: list[Ids], skips: Skips
) -> tuple[Rows | Coded, Ids]:
    """Return the rows that are finite, and whose ids are free, with these ids; `skips` hears of the others.

    Parameters
    ----------
    folder, texts_of
        The collection's.
    run : Run
    held : list
        The ids of the rows that are to be appended before these.
    skips : Skips
    """
    name, first, rows, ids = run
    kept = None if isinstance(rows, Coded) else finite_rows_of(rows, name, first, skips)
    kept = np.arange(len(rows)) if kept is None else kept
    refused = _refused(folder, texts_of, chosen_ids(ids, kept), held)
    for number, words in sorted(refused.items()):
        row = first + int(kept[number])
        skips.add(name, ValueError(words), row=row)
    kept = np.delete(kept, list(refused))
    return (rows, ids) if len(kept) == len(rows) else (rows[kept], chosen_ids(ids, kept))


def _refused(folder: Folder, texts_of: TextIds, ids: Ids, held: list[Ids]) -> dict[int, str]:
    """Return which ids cannot be given to new rows, and why."""
    if ids is None:
        return {}
    if isinstance(ids, np.ndarray):
        return _refused_numbers(folder, texts_of, ids, held)
    seen = {text for each in held if not isinstance(each, np.ndarray) for text in each or ()}
    refused = {}
    for number, text in enumerate(ids):
        if text is not None and text in seen:
            refused[number] = f"an id is given twice: {shown(text)}"
        elif text is not None and has_half_a_pair(text):
            refused[number] = f"id {shown(text)} has half of a surrogate pair"
        seen.add(text)
    named = [number for number, text in enumerate(ids) if text is not None]
    for row in texts_of.taken(folder.now, [str(ids[number]) for number in named]).tolist():
        refused[named[row]] = f"id {shown(ids[named[row]])} is in the collection already"
    return refused


def _refused_numbers(folder: Folder, texts_of: TextIds, ids: NDArray[np.int64], held: list[Ids]) -> dict[int, str]:
    waiting = [each for each in held if isinstance(each, np.ndarray)]
    there = np.isin(ids, np.concatenate(waiting)) if waiting else np.zeros(len(ids), np.bool_)
    there[np.setdiff1d(np.arange(len(ids)), np.unique(ids, return_index=True)[1])] = True
    refused = {row: f"an id is given twice: {ids[row]}" for row in np.flatnonzero(there).tolist()}
    for shard in folder.now.shards:
        for row in np.flatnonzero(folder.rows_in(shard, ids) >= 0).tolist():
            refused[row] = f"id {ids[row]} is in the collection already"
    for row, text in enumerate(texts_of.of(ids)):
        if text is not None and row not in refused:
            refused[row] = f"id {ids[row]} was that of {shown(text)}"
    for row in np.flatnonzero((ids < 0) | (ids >= 2**63 - 1)).tolist():
        refused[row] = f"ids must be 0 .. 2**63 - 2, not {ids[row]}"
    return refused
