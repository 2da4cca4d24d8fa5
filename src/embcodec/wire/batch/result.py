"""What a batch file held: the rows of all its lines, and the lines that have none."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from dataclasses import dataclass, field

import numpy as np

from ...embeddings import Embeddings
from ...errors import DecodeError
from ...words import as_iterable, shown
from ..service import Usage
from .lines import BatchLine


@dataclass(frozen=True, slots=True)
class BatchResult:
    """What a file held.

    Attributes
    ----------
    custom_ids : list of str or None
        One a row of `embeddings`; a line of several inputs gives its id to each.
    embeddings : Embeddings
        In the order of the file.
    errors : sequence of BatchLine
        The lines that hold no embeddings, each with its ``error``.
    usage : Usage
        The sum.
    """

    custom_ids: list[str | None]
    embeddings: Embeddings
    errors: Sequence[BatchLine] = field(default_factory=list)
    usage: Usage = field(default_factory=Usage)

    def __repr__(self) -> str:
        counts = f"{len(self.custom_ids)} custom_ids, {len(self.errors)} errors"
        return f"BatchResult({self.embeddings!r}, {counts}, {self.usage!r})"

    @property
    def broken_off(self) -> DecodeError | None:
        """Where and why the file could not be read to its end, also in `errors`; None where it could."""
        last = self.errors[-1] if self.errors else None
        return last.error if last is not None and last.breaks_off and isinstance(last.error, DecodeError) else None

    def in_order(self, custom_ids: Iterable[str]) -> Embeddings:
        """Return the rows of these ids, in this order (all rows of an id, in the order they had).

        Raises
        ------
        KeyError
            Where an id has no row; it names the line that failed, if one of that id did.
        """
        rows: dict[str | None, list[int]] = {}
        for row, custom_id in enumerate(self.custom_ids):
            rows.setdefault(custom_id, []).append(row)
        found: list[int] = []
        for name in as_iterable(custom_ids, "custom_ids", "the ids of rows"):
            if not (name is None or isinstance(name, str)) or name not in rows:
                text = " (ids are text)" if isinstance(name, int | np.integer) and str(name) in rows else ""
                raise KeyError(f"no row has the custom_id {shown(name)}{text or self._why_none(name)}")
            found += rows[name]
        return self.embeddings[np.array(found, np.intp)]

    def _why_none(self, custom_id: object) -> str:
        """Say which line of that id failed, and the way out; nothing where none did."""
        line = next((one for one in self.errors if custom_id is not None and one.custom_id == custom_id), None)
        if line is None:
            return ""
        reason = line.error.reason if isinstance(line.error, DecodeError) else line.error
        return f": line {line.line} failed ({reason}); leave out the ids that are not in custom_ids"
