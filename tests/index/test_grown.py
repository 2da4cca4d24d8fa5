"""What grows, as it was at several moments."""

from __future__ import annotations

from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

import pytest
from coded import floats
from hypothesis import given, settings
from hypothesis import strategies as st

from embcodec import Collection
from embcodec.index.collection.grown import Grown


@settings(max_examples=60, deadline=None)
@given(steps=st.lists(st.tuples(st.integers(0, 20), st.lists(st.integers(0, 2), max_size=3)), max_size=12))
def test_each_moment_stays_what_it_was(steps: list[tuple[int, list[int]]]) -> None:
    """Also where some are continued in several ways."""
    moments: list[tuple[Grown[int], list[int]]] = [(Grown([7]), [7])]
    for which, more in steps:
        former, items = moments[which % len(moments)]
        moments.append((former.with_more(more), items + more))
    for grown, items in moments:
        assert (list(grown), len(grown), grown[0], grown[-1]) == (items, len(items), items[0], items[-1])
        assert (grown[1:], list(reversed(grown))) == (items[1:], items[::-1])
        with pytest.raises(IndexError, match=rf"item {len(items)} of {len(items)}"):
            grown[len(items)]
        for other, there in moments:
            assert grown.begins_with(other) == (items[: len(there)] == there)
            assert (grown == other) == (items == there)


def test_many_threads_continue_one() -> None:
    former = Grown(range(5))
    with ThreadPoolExecutor(8) as pool:
        for _ in range(50):
            for place, grown in enumerate(pool.map(lambda i, now=former: now.with_more([i]), range(8))):
                assert list(grown) == [*former, place]
            former = former.with_more([0])


def test_an_append_copies_no_manifest(tmp_path: Path) -> None:
    collection = Collection.create(tmp_path / "c", like=floats(1, 8))
    collection.append(floats(2, 8))
    before = collection._folder.now.shards
    collection.append(floats(2, 8))
    after = collection._folder.now.shards
    assert (len(before), len(after), after._items is before._items) == (1, 2, True)
