"""Locks of files: refused at once, waited for by the clock or for ever, and let go of."""

from __future__ import annotations

import math
import os
import sys
import threading
import time
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import pytest

from embcodec import Collection
from embcodec.containers import locked
from embcodec.containers.locks import lock


@contextmanager
def opened(path: Path) -> Iterator[int]:
    descriptor = os.open(path, os.O_RDWR | os.O_CREAT, 0o600)
    try:
        yield descriptor
    finally:
        os.close(descriptor)


def test_a_lock_is_refused_while_another_has_it(tmp_path: Path) -> None:
    with opened(tmp_path / "f") as one, opened(tmp_path / "f") as two:
        with locked(one, 0.0) as is_mine, locked(two, 0.0) as is_theirs:
            assert is_mine
            assert not is_theirs
        assert lock(two)
        assert not lock(one)
    with opened(tmp_path / "f") as three:  # closing a file lets go of its lock
        assert lock(three)


def test_a_lock_is_waited_for_as_long_as_is_said(tmp_path: Path) -> None:
    with opened(tmp_path / "f") as one, opened(tmp_path / "f") as two:
        with locked(one, 0.0):
            before = time.monotonic()
            assert not lock(two, 0.1)
            assert time.monotonic() - before >= 0.1
        assert lock(two, 30.0)


@pytest.mark.parametrize("wait", [30.0, math.inf])
def test_who_waits_gets_the_lock_that_is_let_go_of(tmp_path: Path, wait: float) -> None:
    got: list[bool] = []
    with opened(tmp_path / "f") as one, opened(tmp_path / "f") as two:
        thread = threading.Thread(target=lambda: got.append(lock(two, wait)))
        with locked(one, 0.0):
            thread.start()
            time.sleep(0.05)
            assert not got
        thread.join()
        assert got == [True]


@pytest.mark.skipif(sys.platform == "win32", reason="no process is forked there")
@pytest.mark.filterwarnings("ignore:.*fork:DeprecationWarning")
def test_a_child_that_is_forked_meanwhile_keeps_no_lock(tmp_path: Path) -> None:
    collection = Collection.create(tmp_path / "c", like=[[1.0, 2.0]])
    come, go = os.pipe()
    with collection._folder.changing():
        child = os.fork()
        if not child:
            os.close(go)
            os.read(come, 1)  # until the parent ends, or says so
            os._exit(0)
    try:
        assert Collection.open(tmp_path / "c", lock_timeout=0).append([[3.0, 4.0]]).tolist() == [0]
    finally:
        os.close(go)
        os.close(come)
        os.waitpid(child, 0)
