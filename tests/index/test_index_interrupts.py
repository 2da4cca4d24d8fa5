"""An exception from outside in a change of an index, as Ctrl-C raises it: the index goes on as it was."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import numpy as np
import pytest
from coded import floats

from embcodec import FlatIndex, LowBitQuantizer, quantize
from embcodec.index import flat, rows
from embcodec.index.rows import Growing

X = floats(60, 16)
INDEXES: dict[str, Callable[[], FlatIndex]] = {
    "bits and floats": lambda: FlatIndex(quantize(X, "ubinary"), rescore_with=X),
    "integers": lambda: FlatIndex(quantize(X, "int8", scale="per-vector")),
    "low-bit": lambda: FlatIndex(X, quantizer=LowBitQuantizer(2, seed=1).fit(X), rescore_with=X),
}


def holds(index: FlatIndex) -> tuple[Any, ...]:
    found = index.search(X[:9], 5)
    return index.ids.tolist(), len(index), found.indices.tolist(), found.scores.tolist()


@pytest.mark.parametrize("name", INDEXES)
@pytest.mark.parametrize("where", ["reserve", "append", "joined", "Snapshot"])
def test_an_interrupted_add_leaves_no_rows(name: str, where: str, monkeypatch: pytest.MonkeyPatch) -> None:
    """Interrupted after each step: what had been written by then is not there, and the next rows take its place."""
    owner = {"joined": rows, "Snapshot": flat}.get(where, Growing)
    ended = getattr(owner, where)
    untouched = INDEXES[name]()
    untouched.add(-X[:20])
    untouched.add(X[20:30])
    for turns in range(1, 9):
        index, left = INDEXES[name](), [turns]
        index.add(-X[:20])
        before = holds(index)

        def interrupted(*given: Any, left: list[int] = left) -> Any:
            result = ended(*given)
            left[0] -= 1
            if not left[0]:
                raise KeyboardInterrupt
            return result

        with monkeypatch.context() as patched:
            patched.setattr(owner, where, interrupted)
            try:
                index.add(-X[40:47])
            except KeyboardInterrupt:
                assert holds(index) == before
            else:
                assert turns > 1
                return
        index.add(X[20:30])
        assert holds(index) == holds(untouched)
        index.remove(np.arange(60, 80))
        assert index.search(X[20:30], 1).indices.shape == (10, 1)
