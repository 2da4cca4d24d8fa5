"""The rows of a batch file, put together."""

from __future__ import annotations

from typing import Any

import numpy as np
from numpy.typing import NDArray


class GrowingRows:
    """A matrix that grows, by moving its pages rather than its rows; or one that the caller gave."""

    def __init__(self, out: NDArray[Any] | None) -> None:
        if out is not None and (
            not isinstance(out, np.ndarray) or out.ndim != 2 or not out.flags.c_contiguous or not out.flags.writeable
        ):
            raise ValueError("out must be a matrix, an array of two axes, C-contiguous and writable")
        self.values, self.given, self.rows = out, out is not None, 0

    def add(self, rows: NDArray[Any], part: float) -> None:
        """Append rows, when `part` of the whole has come with them."""
        end = self.rows + len(rows)
        if self.values is None:
            self.values = np.empty((0, rows.shape[1]), rows.dtype)
        if self.values.dtype != rows.dtype or self.values.shape[1] != rows.shape[1]:
            raise ValueError(
                f"out has rows of {self.values.shape[1]} {self.values.dtype} elements, but those of the file are "
                f"{rows.shape[1]} of {rows.dtype}"
            )
        if end > len(self.values):
            if self.given:
                raise ValueError(f"out has room for {len(self.values)} rows only")
            wanted = max(end, min(int(end / max(part, 1e-9) * 1.01), 4 * end + 1024))
            self.values.resize((wanted, rows.shape[1]), refcheck=False)
        self.values[self.rows : end] = rows
        self.rows = end

    def matrix(self) -> NDArray[Any]:
        """Return the rows."""
        assert self.values is not None
        if not self.given:
            self.values.resize((self.rows, self.values.shape[1]), refcheck=False)
        return self.values[: self.rows]
