"""Rows of a file as a collection keeps them, which is what workers send of those that they have read."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

from ...dtypes import OutputDtype
from ...embeddings import Embeddings
from ...quantizers.lowbit import Rows, concat, kind_of
from ..arguments import check_joins, finite_rows, like
from .shards import Kind


@dataclass(frozen=True)
class Coded:
    """Rows that go into a collection as they are.

    Attributes
    ----------
    codes : Embeddings or LowBitCodes
    rescore_with : Embeddings or LowBitCodes, optional
        Better rows, where the collection has such.
    """

    codes: Rows
    rescore_with: Rows | None = None

    def __len__(self) -> int:
        return len(self.codes)

    def __getitem__(self, rows: Any) -> Coded:
        return Coded(self.codes[rows], None if self.rescore_with is None else self.rescore_with[rows])


def coded(rows: Rows, kind: Kind) -> Rows | Coded:
    """Return floats as a collection keeps them; what does not go into it as it is, which who appends it refuses."""
    if not len(rows) or not isinstance(rows, Embeddings) or rows.output_dtype is not OutputDtype.FLOAT:
        return rows
    try:
        given = finite_rows(rows, "rows")
        parts = [None if each is None else like(given, each, "collection") for each in kind]
        for part, each in zip(parts, kind, strict=True):
            if part is not None and each is not None:
                check_joins(each, part, "collection")
    except ValueError:
        return rows
    codes, better = parts
    return rows if codes is None else Coded(codes, better)


def joined_alike(parts: Sequence[Rows | Coded]) -> tuple[Rows, Rows | None]:
    """Return rows of one kind, or of parts that are all coded, as one, and what rescores them, where that is known."""
    codes = [part.codes if isinstance(part, Coded) else part for part in parts]
    betters = [part.rescore_with for part in parts if isinstance(part, Coded) and part.rescore_with is not None]
    return _joined(codes), _joined(betters) if betters else None


def _joined(parts: list[Rows]) -> Rows:
    return concat(parts) if len(parts) > 1 else parts[0]


def likeness(rows: Rows | Coded) -> Any:
    """Return what is the same of rows that go together."""
    return (Coded, kind_of(rows.codes)) if isinstance(rows, Coded) else kind_of(rows)
