"""An exception from outside, as Ctrl-C raises it, at each line of a change: all of it has happened, or nothing.

Whoever catches it is told which, by a note; the object goes on, and so does everybody else.
"""

from __future__ import annotations

import os
import shutil
import sys
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
from coded import floats
from interrupting import Interrupt

import embcodec
from embcodec import Collection
from embcodec.containers import locks
from embcodec.index.collection import ahead, unlisted

pytestmark = [
    pytest.mark.skipif(os.name != "posix", reason="folders are flushed as on POSIX"),
    # Of a file that is opened in the last instant before somebody has it.
    pytest.mark.filterwarnings("ignore::ResourceWarning", "ignore::pytest.PytestUnraisableExceptionWarning"),
]

X = floats(60, 8)
PACKAGE = os.path.dirname(embcodec.__file__)
ROOMS = os.path.join(PACKAGE, "index", "collection"), os.path.join(PACKAGE, "containers")
RETURNING = ("changes.py", "collection.py")  # whose last instant is that of its caller, whom no note reaches


@pytest.fixture(autouse=True)
def _no_waiting(monkeypatch: pytest.MonkeyPatch) -> None:
    """Nothing is pulled out of this machine: files need not reach its disk."""
    for name in ("fsync", "fdatasync"):
        monkeypatch.setattr(os, name, lambda descriptor: None, raising=False)


def append_much(collection: Collection) -> None:
    """As if these rows were many: their file does not say that it counts, its line does."""
    with pytest.MonkeyPatch.context() as patched:
        patched.setattr(unlisted, "_SMALL", 0)
        collection.append(X[:7])


def append_twice(collection: Collection) -> None:
    """The second time into a file that was made ahead."""
    with pytest.MonkeyPatch.context() as patched:
        patched.setattr(ahead, "_FIRST", 1)
        collection.append(X[:1])
        collection.append(X[:7])


CHANGES: dict[str, Callable[[Collection], object]] = {
    "append": lambda collection: collection.append(X[:7]),
    "append twice": append_twice,
    "append much": append_much,
    "remove": lambda collection: collection.remove([1, 2, 25]),
    "compact": lambda collection: collection.compact(),
}


def holds(collection: Collection) -> tuple[Any, ...]:
    found = collection.search(X[:4], 80)
    return collection.ids.tolist(), found.indices.tolist(), found.scores.tolist(), len(collection._folder.now.shards)


@pytest.mark.parametrize("step", [31, pytest.param(1, marks=pytest.mark.long)])
@pytest.mark.parametrize("change", CHANGES)
def test_an_exception_from_outside(tmp_path: Path, change: str, step: int) -> None:
    made, folder = Collection.create(tmp_path / "made", like=X), tmp_path / "c"
    for start in range(0, 60, 20):
        made.append(X[start : start + 20])
    made.remove([5])
    shutil.copytree(tmp_path / "made", folder)
    states = [holds(made)]
    if change == "append twice":
        made_too = Collection.open(shutil.copytree(folder, tmp_path / "too"))
        made_too.append(X[:1])
        states.append(holds(made_too))
    first = Collection.open(folder)
    CHANGES[change](first)
    states.append(holds(first))
    seen = []
    for at in range(1, 10**6, step):
        shutil.rmtree(folder)
        shutil.copytree(tmp_path / "made", folder)
        collection = Collection.open(folder, lock_timeout=0.1)
        interrupt = Interrupt(at, ROOMS)
        notes = interrupt.raised_in(lambda collection=collection: CHANGES[change](collection))  # type: ignore[misc]
        if notes is None:
            assert not interrupt.place, "it was not raised"
            break
        fresh = Collection.open(folder, lock_timeout=0.1)
        found = holds(fresh)
        seen.append(states.index(found))
        is_told = any("has happened" in note for note in notes)
        if change != "append twice" and not interrupt.place.startswith(RETURNING):
            assert (found == states[-1]) == is_told, interrupt.place
        collection.refresh()
        assert holds(collection) == found, interrupt.place
        ids = [*fresh.append(X[:1]), *collection.append(X[:1])]
        collection.remove(ids[:1])
        fresh.refresh()
        assert holds(fresh) == holds(collection) == holds(Collection.open(folder)), interrupt.place
        assert fresh.ids.tolist() == [*found[0], ids[1]], interrupt.place
    assert seen == sorted(seen)
    assert set(seen) == set(range(len(states))) or step > 1


@pytest.mark.skipif(not sys.platform.startswith("linux"), reason="looks at open files as on Linux")
def test_rows_that_were_seen_stay(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """Others see an append once its file is let go of, so that nothing takes it back from then on."""
    collection = Collection.create(tmp_path / "c", like=X)
    reader, real = Collection.open(tmp_path / "c"), locks._let_go

    def let_go(descriptor: int) -> None:
        real(descriptor)
        if not len(reader) and "rows" in os.readlink(f"/proc/self/fd/{descriptor}"):
            patched.undo()
            reader.refresh()
            assert len(reader) == 60
            raise KeyboardInterrupt

    with monkeypatch.context() as patched:
        patched.setattr(locks, "_let_go", let_go)
        with pytest.raises(KeyboardInterrupt) as caught:
            collection.append(X)
    assert "has happened" in caught.value.__notes__[0]
    for opened in (reader, collection):
        opened.refresh()
        assert len(opened) == 60
