"""Fixtures of every test: one forces each tier the machine has, and restores what was in force."""

from __future__ import annotations

import gc
import os
import tempfile
from collections.abc import Generator, Iterator
from pathlib import Path

# Before NumPy is loaded: many products of small matrices, which OpenBLAS' threads only wait for, turning.
os.environ.setdefault("OPENBLAS_NUM_THREADS", "1")

import hypothesis
import pytest

from embcodec._native import core
from embcodec.tradeoff import pipeline

# Studies in tests are of what is found: speeds are measured by as few calls as a rate can be of.
pipeline._BUDGET = 0.0

# As many threads as a test asks for run, also where cores are few.
core.lib.ec_pool_pretend_cores(256)

hypothesis.settings.register_profile("embcodec", deadline=None, print_blob=True, max_examples=100)
hypothesis.settings.load_profile("embcodec")


gc.disable()  # while tests are collected, of which nothing is let go: looks for garbage took a ninth of the time


@pytest.hookimpl(wrapper=True)
def pytest_collect_file(file_path: Path) -> Generator[None, list[pytest.Collector], list[pytest.Collector]]:
    """Look for examples in docstrings only where a file of tests has any: pytest would look at all that it imports."""
    found = yield
    others = [one for one in found if type(one).__name__ != "DoctestModule"]  # which pytest keeps to itself
    return found if len(others) == len(found) or b">>> " in file_path.read_bytes() else others


def pytest_collection_finish() -> None:
    """Leave the tests, millions of objects that stay to the end, out of every later look for garbage."""
    gc.collect()
    gc.freeze()
    gc.enable()


@pytest.hookimpl(wrapper=True)
def pytest_runtest_protocol(item: pytest.Item) -> Generator[None, object, object]:
    """Keep finalizers from running in tests that fill Python's stack: pytest reports them where they find no room."""
    if "deep" not in item.name:  # a hook, as a fixture of all would take each test longer than most take themselves
        return (yield)
    gc.disable()
    try:
        return (yield)
    finally:
        gc.enable()


@pytest.fixture(params=core.available_isas())
def isa(request: pytest.FixtureRequest) -> Iterator[str]:
    """Run the test once a tier, with that tier's kernels in force."""
    with core.forced_isa(request.param):
        yield request.param


@pytest.fixture
def folder_in_memory(tmp_path: Path) -> Iterator[Path]:
    """Give a folder for small files that are overwritten by the thousand, each of which a disk is waited for to write.

    Where the system has no file system in memory, it is one like any other.
    """
    memory = Path("/dev/shm")
    if not (memory.is_dir() and os.access(memory, os.W_OK)):
        yield tmp_path
        return
    with tempfile.TemporaryDirectory(dir=memory) as folder:
        yield Path(folder)
