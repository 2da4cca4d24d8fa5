"""Searches for many queries, some at a time, that tell how far they are."""

from __future__ import annotations

from collections.abc import Callable

import numpy as np
from numpy.typing import ArrayLike

from ..embeddings import Embeddings
from ..words import shows_progress
from .best import SearchResult, as_queries
from .bounds import BoundedResult

Progress = Callable[[int, int], object]
_STEP = 1024  # queries between two words on how far a search is: as many as one pass over the corpus answers


@shows_progress("searching")
def in_steps(
    queries: Embeddings | ArrayLike, find: Callable[[Embeddings], SearchResult], *, progress: Progress | bool | None
) -> SearchResult:
    """Search for some queries at a time, and tell how far it is; a score depends on its own query alone.

    Without `progress` all are searched for at once.
    """
    asked, single = as_queries(queries)
    total, parts = len(asked), []
    step = _STEP if callable(progress) else max(total, 1)
    for start in range(0, max(total, 1), step):
        parts.append(find(asked[start : start + step] if step < total else asked))
        if callable(progress):
            progress(min(start + step, total), total)
    found = parts[0] if len(parts) == 1 else _joined(parts)
    if not single:
        return found
    return found.first() if isinstance(found, BoundedResult) else SearchResult(found.scores[0], found.indices[0])


def _joined(parts: list[SearchResult]) -> SearchResult:
    scores, indices = (np.concatenate(found) for found in zip(*parts, strict=True))
    bounded = [part for part in parts if isinstance(part, BoundedResult)]
    if len(bounded) < len(parts):
        return SearchResult(scores, indices)
    rescored = np.concatenate([part.rescored for part in bounded])
    return BoundedResult(scores, indices, rescored, np.concatenate([part.is_final for part in bounded]))
