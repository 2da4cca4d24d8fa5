"""Rows of one kind in several places, searched as one corpus: the k best of all, with ids, ties by id."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from itertools import pairwise
from typing import Any, NamedTuple, Protocol

import numpy as np
from numpy.typing import NDArray

from .._native.scan import Scan
from .._native.search import NotFiniteRowError
from .._native.segments import Segment, Segments
from ..quantizers.lowbit import LowBitCodes, Rows
from .best import SPARSE, SearchResult, best_of, restrict
from .merge import merge_topk
from .plan import lower_is_better
from .prepared import PreparedQueries, as_met
from .reach import Reach

_MORE = 16  # how many results beyond twice k are kept, so that the end of a tie is among them


class Counted(Protocol):
    """Rows whose squared lengths are counted once."""

    rows: Rows

    def give_squares(self, scan: Scan) -> None:
        """Give a scan of the rows their squared lengths, if it wants them."""


class Place(NamedTuple):
    """Rows that are neighbours in memory.

    Attributes
    ----------
    part : Counted
        At least one row.
    ids : ndarray of int64, (n,)
        Ascending.
    live : ndarray of bool, (n,), or None
        Which rows count; None where all do.
    """

    part: Counted
    ids: NDArray[np.int64]
    live: NDArray[np.bool_] | None


class Segmented:
    """Rows in several places, at least one, all of one kind; ids are in one place only.

    A search is one scan of all places: queries are brought into the form of the kernels once, and what the k-th best so
    far rules out is ruled out in all places that follow.
    """

    def __init__(self, places: Sequence[Place]) -> None:
        by_id = sorted(places, key=lambda place: int(place.ids[0]))
        # Where no order has ids ascend, the given one, as places lie in memory, is the faster one.
        ascends = all(one.ids[-1] < other.ids[0] for one, other in pairwise(by_id))
        self._places = by_id if ascends else list(places)
        self._count = sum(len(place.ids) for place in places)
        self._ends = min(int(place.ids[0]) for place in places), max(int(place.ids[-1]) for place in places) + 1
        self._views: dict[str, Segments] = {}
        self._are_unit: bool | None = None
        self._live: NDArray[np.uint8] | None = None
        if any(place.live is not None for place in places):
            self._live = np.full(-(-len(self._usual) // 8), 0xFF, np.uint8)
            for first, place in zip(self._usual.firsts, self._places, strict=True):
                if place.live is not None:
                    bits = np.packbits(place.live, bitorder="little")
                    self._live[first // 8 : first // 8 + len(bits)] = bits
                    self._count -= len(place.live) - int(np.count_nonzero(place.live))

    def __len__(self) -> int:
        return self._count

    def best(
        self,
        asked: PreparedQueries,
        k: int,
        mask: NDArray[np.int64] | None,
        threads: int | None,
        reach: Reach | None = None,
    ) -> SearchResult:
        """Return the k best rows that count, with ids; of a mask of ids, ascending, only those.

        Where these are a part of all rows, those that its `reach` rules out may be missing; ids are then -1 at the end.
        """
        segments = self._checked(asked)
        self._give_squares(asked, segments)
        scan = asked.over_segments(segments)
        allowed = self._restrict(scan, segments, mask)
        k = min(k, allowed)
        if segments.are_ascending:
            return self._named(segments, scan, k, threads, reach)
        wanted = min(2 * k + _MORE, allowed)
        if wanted == allowed or not scan.is_integer:
            found = self._named(segments, scan, wanted, threads)
            costs = _costs_of(found.scores, asked)
            if wanted == allowed or (k and (costs[:, -1] > costs[:, k - 1]).all()):
                return _by_id(found, costs, k)
        return merge_topk(self._one_by_one(asked, k, mask, threads), k, metric=asked.metric)

    def rescored(
        self, asked: PreparedQueries, candidates: NDArray[np.int64], k: int, threads: int | None
    ) -> SearchResult:
        """Return the k best of each query's candidates (ids) that are here and count; -1 and NaN behind them."""
        segments = self._checked(asked)
        scan = asked.over_segments(segments)
        scan.selection = np.sort(self.positions_of(candidates), axis=1)
        k = min(k, candidates.shape[1])
        if segments.are_ascending:
            return self._named(segments, scan, k, threads)
        found = self._named(segments, scan, candidates.shape[1], threads)
        return _by_id(found, _costs_of(found.scores, asked), k)

    def positions_of(self, ids: NDArray[np.int64]) -> NDArray[np.int64]:
        """Return the positions of the rows of ids, of any shape; -1 for those that are not here or do not count."""
        positions = self._usual.positions_of(ids)
        if self._live is not None:
            counts = self._live[positions >> 3] >> (positions & 7).astype(np.uint8) & 1
            positions[counts == 0] = -1  # what is not here looks at some other row
        return positions

    @property
    def _usual(self) -> Segments:
        return self._segments_for("dot")

    def _segments_for(self, metric: Any) -> Segments:
        """Return the rows as a metric meets them."""
        view = "others" if not isinstance(metric, str) else "jaccard" if metric == "jaccard" else "dots"
        if view not in self._views:
            met = [as_met(place.part.rows, metric) for place in self._places]
            places = zip(met, self._places, strict=True)
            self._views[view] = Segments([Segment(m.rows, place.ids, m.scales, m.biases) for m, place in places])
        return self._views[view]

    def _checked(self, asked: PreparedQueries) -> Segments:
        if self._are_unit is None:
            rows = [place.part.rows for place in self._places]
            self._are_unit = all(not isinstance(some, LowBitCodes) or some.is_unit for some in rows)
        for place in self._places[: 1 if self._are_unit else None]:
            asked.check(place.part.rows)
        return self._segments_for(asked.metric)

    def _give_squares(self, asked: PreparedQueries, segments: Segments) -> None:
        if segments.has_squares or not asked.wants_squares:
            return
        squares = []
        for place in self._places:
            scan = asked.over(place.part.rows)
            place.part.give_squares(scan)
            assert scan.row_squares is not None
            squares.append(scan.row_squares)
        segments.give_squares(squares)

    def _restrict(self, scan: Scan, segments: Segments, mask: NDArray[np.int64] | None) -> int:
        """Restrict a scan to the rows that count, and to those of a mask; return how many they are."""
        scan.mask = self._live
        if mask is None:
            return self._count
        mask = mask[slice(*np.searchsorted(mask, self._ends))]
        chosen = np.sort(self.positions_of(mask))
        chosen = chosen[np.searchsorted(chosen, 0) :]
        if len(chosen) * SPARSE > self._count:
            bits = np.zeros(-(-len(segments) // 8) * 8, np.bool_)
            bits[chosen] = True
            scan.mask = np.packbits(bits, bitorder="little")
        else:
            scan.mask, scan.selection = None, chosen
        return len(chosen)

    def _named(
        self, segments: Segments, scan: Scan, k: int, threads: int | None, reach: Reach | None = None
    ) -> SearchResult:
        try:
            found = best_of(scan, k, threads, reach)
        except NotFiniteRowError as error:
            row = int(segments.ids_of(np.array([error.row]))[0])
            raise NotFiniteRowError(row, error.by_user, "the row of id") from None
        return SearchResult(found.scores, segments.ids_of(found.indices))

    def _one_by_one(
        self, asked: PreparedQueries, k: int, mask: NDArray[np.int64] | None, threads: int | None
    ) -> Iterator[tuple[NDArray[Any], NDArray[np.int64]]]:
        """Yield the k best of each place: where ids go to and fro and ties are long, which rows of all win is not told.

        Within a place the lower row has the lower id.
        """
        yield asked.nothing()
        for place in self._places:
            scan, chosen = asked.over(place.part.rows), place.live
            if mask is not None:
                rows = np.searchsorted(place.ids, mask)
                here = place.ids[np.minimum(rows, len(place.ids) - 1)] == mask
                chosen = rows[here] if place.live is None else rows[here][place.live[rows[here]]]
            allowed = restrict(scan, chosen)
            place.part.give_squares(scan)
            found = best_of(scan, min(k, allowed), threads)
            yield found.scores, place.ids[found.indices]


def _costs_of(scores: NDArray[Any], asked: PreparedQueries) -> NDArray[Any]:
    """Return numbers that are lower for better scores; NaN where there is no result."""
    return scores.astype(np.float64) if lower_is_better(asked.metric) else -scores.astype(np.float64)


def _by_id(found: SearchResult, costs: NDArray[Any], k: int) -> SearchResult:
    """Return the k best of each query's results, with equal ones by id; places without a result stay last."""
    last = np.iinfo(np.int64).max
    ids = np.where(found.indices < 0, last, found.indices)
    order = np.lexsort((ids, np.where(found.indices < 0, np.inf, costs)), axis=1)[:, :k]
    scores, names = (np.take_along_axis(array, order, axis=1) for array in found)
    return SearchResult(scores, names)
