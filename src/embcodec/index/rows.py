"""What an index holds at one moment, and how rows are added to it without copying all of it."""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import Any

import numpy as np
from numpy.typing import NDArray

from .._native import scan as native
from .._native.search import squares
from ..embeddings import Embeddings
from ..quantizers.lowbit import Rows, arrays_of, joined
from ..scan import RESIDUALS, RowTerms, residuals_of, row_terms


class Growing:
    """An array with spare room behind it. What is written there lies outside every view that anybody holds.

    It does not count its rows: who holds a view of them does. What an interrupted change has written is spare again.
    """

    def __init__(self, values: NDArray[Any]) -> None:
        self._room = values

    def reserve(self, used: int, count: int) -> None:
        """Make room for `count` rows behind the first `used`; where this fails, nothing has changed."""
        total = used + count
        if total > len(self._room):
            room = np.empty((max(total, len(self._room) * 3 // 2), *self._room.shape[1:]), self._room.dtype)
            room[:used] = self._room[:used]
            self._room = room

    def append(self, used: int, values: NDArray[Any]) -> NDArray[Any]:
        """Return the first `used` rows and the new ones, which have been reserved. Not for two threads at once."""
        total = used + len(values)
        if len(values):  # else the room may be who knows whose: it has not been copied, and may be read-only
            self._room[used:total] = values
        return self._room[:total]


class Trial:
    """Whether searches by codes have paid: where they have not, some times in a row, not each search tries them.

    Threads may count at once. A count that is off costs time, and changes no result.
    """

    _PATIENCE, _MOST = 3, 7  # after so many one is left out, then twice as many, up to 16

    def __init__(self) -> None:
        self._failed = self._left_out = 0

    def is_due(self) -> bool:
        """Whether this search is to try; of those that are not, one is counted off."""
        self._left_out -= 1
        return self._left_out < 0

    def note(self, paid: bool) -> None:
        """Note whether a search that has tried was faster for it; the more have not been, the more are left out."""
        self._failed = 0 if paid else min(self._failed + 1, self._MOST)
        self._left_out = 1 << self._failed >> self._PATIENCE


class Part:
    """Rows of one kind in an index. A `Part` is replaced, never changed, as far as searches see it.

    Attributes
    ----------
    rows : Embeddings or LowBitCodes
    residuals : ndarray of float32, (m, 4)
        Of codes: what they leave out of the first m rows' floats, as far as it has been measured.
    """

    def __init__(self, rows: Rows) -> None:
        self.rows: Rows = rows
        self._growing = [Growing(array) for array in arrays_of(rows)]
        self._squares: NDArray[np.float64] = np.empty(0, np.float64)
        self.residuals: NDArray[np.float32] = np.empty((0, RESIDUALS), np.float32)
        self._terms: dict[str, RowTerms] = {}
        self._trials: dict[tuple[str, int], Trial] = {}

    def appended(self, more: Rows) -> Part:
        """Return a part with `more` rows, which mean the same; it shares the former ones' memory."""
        used = len(self.rows)
        for growing in self._growing:
            growing.reserve(used, len(more))
        arrays = [growing.append(used, array) for growing, array in zip(self._growing, arrays_of(more), strict=True)]
        part = Part.__new__(Part)
        part._growing = self._growing
        part.rows = joined([self.rows, more], arrays)
        part._squares, part.residuals, part._terms, part._trials = self._squares, self.residuals, {}, self._trials
        return part

    def grown(self, rows: Rows) -> Part:
        """Return a part of `rows`, of which these are the first ones, or which are the first ones of these."""
        part = Part(rows)
        part._squares, part.residuals = self._squares[: len(rows)], self.residuals[: len(rows)]
        return part

    def taken(self, kept: NDArray[np.bool_]) -> Part:
        """Return a part with the rows of a mask only, in memory of its own."""
        part = Part(self.rows[kept])
        if len(self._squares) == len(self.rows):
            part._squares = self._squares[kept]
        if len(self.residuals) == len(self.rows):
            part.residuals = self.residuals[kept]
        return part

    def give_squares(self, scan: native.Scan) -> None:
        """Give a scan of these rows their squared lengths, counted once, if it wants them."""
        if scan.args.lengths == native.LENGTH_NONE:
            return
        known = self._squares
        if len(known) < len(self.rows):  # two threads may both count: they find the same
            tail = squares(scan, len(known))
            known = np.concatenate([known, tail])
            self._squares = known
        scan.row_squares = known

    def trial_of(self, metric: str, k: int) -> Trial:
        """Return how searches for about as many of the best have fared by these codes."""
        return self._trials.setdefault((metric, k.bit_length()), Trial())

    def terms_for(self, floats: Embeddings, metric: str) -> RowTerms:
        """Return what bounds on the scores of these rows' floats take; what the codes leave out is measured once."""
        known = self.residuals
        if len(known) < len(self.rows):  # two threads may both measure: they find the same
            known = np.concatenate([known, residuals_of(self.rows, floats, len(known))])
            self.residuals = known
        if metric not in self._terms:
            kind = "cosine" if metric == "cosine" else "dot"  # which distances share
            self._terms[kind] = self._terms[metric] = self._terms.get(kind) or row_terms(self.rows, known, kind)
        return self._terms[metric]


@dataclass(frozen=True)
class Snapshot:
    """What searches see: it does not change while they run.

    Attributes
    ----------
    codes, rescore_with : Part
        Rows in the same order; the second may be None.
    ids : ndarray of int64 or None
        The rows' ids; None where they are 0 .. n - 1.
    next_id : int
        The least number that rows without an id get next.
    """

    codes: Part
    rescore_with: Part | None
    ids: NDArray[np.int64] | None
    next_id: int
    _order: list[NDArray[np.int64]] = field(default_factory=list, repr=False, compare=False)

    def __len__(self) -> int:
        return len(self.codes.rows)

    def all_ids(self) -> NDArray[np.int64]:
        """Return the ids, (n,)."""
        return np.arange(len(self), dtype=np.int64) if self.ids is None else self.ids

    def names(self, rows: NDArray[np.int64]) -> NDArray[np.int64]:
        """Return the ids of rows."""
        return rows if self.ids is None else self.ids[rows]

    def rows_of(self, ids: NDArray[np.int64]) -> NDArray[np.int64]:
        """Return the rows of ids; -1 for those that are not there."""
        if self.ids is None:
            return np.where((ids >= 0) & (ids < len(self)), ids, -1)
        if not len(self.ids):
            return np.full(len(ids), -1, np.int64)
        if not self._order:
            self._order.append(np.argsort(self.ids, kind="stable"))
        order = self._order[0]
        places = np.minimum(np.searchsorted(self.ids, ids, sorter=order), len(order) - 1)
        rows = order[places]
        return np.where(self.ids[rows] == ids, rows, -1)
