"""Disks whose locks do not reach other machines: two writers at once are told, and neither's rows are lost unsaid."""

from __future__ import annotations

import os
import pickle
from collections.abc import Callable
from contextlib import nullcontext
from pathlib import Path

import pytest
from coded import floats

from embcodec import Collection, StorageError
from embcodec.index.collection import folder, unlisted

pytestmark = pytest.mark.skipif(os.name != "posix", reason="folders are flushed as on POSIX")

X = floats(60, 8)
CHANGES: dict[str, Callable[[Collection], object]] = {
    "append": lambda collection: collection.append(X[:7]),
    "remove": lambda collection: collection.remove([1, 2, 25]),
    "compact": lambda collection: collection.compact(),
}


@pytest.mark.parametrize("other", CHANGES)
@pytest.mark.parametrize("small", [1 << 22, 0], ids=["small", "large"])
@pytest.mark.parametrize("change", CHANGES)
def test_two_writers_at_once(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, change: str, small: int, other: str
) -> None:
    """The second one begins and ends while the first one flushes."""
    monkeypatch.setattr(folder, "writing", lambda path, timeout: nullcontext())
    monkeypatch.setattr(unlisted, "_SMALL", small)
    first = Collection.create(tmp_path / "c", like=X)
    for _ in range(2):
        first.append(X[:20])
    second, is_at_work = Collection.open(tmp_path / "c"), False

    def flush(descriptor: int) -> None:
        nonlocal is_at_work
        if not is_at_work:
            is_at_work = True
            CHANGES[other](second)

    monkeypatch.setattr(os, "fsync", flush)
    with pytest.raises(StorageError, match="another process changed the collection during this change") as caught:
        CHANGES[change](first)
    assert not getattr(caught.value, "__notes__", [])
    assert str(pickle.loads(pickle.dumps(caught.value))) == str(caught.value)
    first.refresh()
    ids = list(range(47 if other == "append" else 40))
    if other == "remove":
        ids = [i for i in ids if i not in (1, 2, 25)]
    assert first.ids.tolist() == Collection.open(tmp_path / "c").ids.tolist() == ids
