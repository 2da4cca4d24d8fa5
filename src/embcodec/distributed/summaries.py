"""What fits need of rows that lie in many files, or in a Dask collection, made where they are and merged in a tree."""

from __future__ import annotations

import pickle
import time
from collections.abc import Iterable, Iterator, Sequence
from concurrent.futures import CancelledError
from typing import Any, NamedTuple, Unpack

from numpy.typing import NDArray

from .._version import __version__
from ..dtypes import OutputDtype
from ..embeddings import Embeddings
from ..errors import CodeMismatchError
from ..files.pieces import (
    PAUSE,
    TRIES,
    ClusterError,
    Paths,
    Place,
    Reading,
    WhatTheyHold,
    check_cluster,
    check_version,
    is_of_file,
    naming,
    numbered_pieces,
    places_of,
    reading,
    spans_of,
    threads_of,
)
from ..quantizers import Summary
from ..words import shown

_A_THREAD = 2  # tasks, so that threads end at about the same time; each makes a summary of all that it reads
_FAN = 4  # summaries that a task merges: each may have some ten thousand rows
_SPAN_BATCHES = 4  # of rows of a file, at least, that go to a task


class _Made(NamedTuple):
    """How a summary is made: its arguments."""

    rows: int
    histograms: bool


class _Span(NamedTuple):
    """Rows start .. stop - 1 of a file, and about how many bytes of it these are."""

    place: Place
    start: int
    stop: int | None
    nbytes: float


def summarize(
    source: Paths | Any,
    *,
    scheduler: Any,
    rows: int = 20_000,
    histograms: bool = False,
    column: str | None = None,
    batch_rows: int = 16_384,
    **what: Unpack[WhatTheyHold],
) -> Summary:
    """Return the :class:`Summary` of rows that the workers of a Dask cluster read.

    It is, to the bit, that of one pass over all rows, whatever worker has which, and where workers are lost.

    Parameters
    ----------
    source : paths, dask.array.Array, or sequence of delayed values or futures
        Files of floats, as :func:`iter_load` takes them, which workers see under the same path or URL; an array of
        (n, dimension), of any chunks; or parts that are such arrays.
    scheduler : dask.distributed.Client
    rows, histograms
        As in :class:`Summary`.
    column, batch_rows, **what
        As in :func:`iter_load`. Without ``failed=`` or with ``on_error="raise"`` alone: who hears of what is left out
        is in another process.

    Returns
    -------
    Summary
        For :func:`calibrate` and :meth:`LowBitQuantizer.fit`.

    Raises
    ------
    NotFiniteError, StorageError, DecodeError, FileNotFoundError, PermissionError
        As :func:`iter_load` and :meth:`Summary.update`; it names the file.
    CodeMismatchError
        For files of codes.
    TypeError
        For open files, which no worker sees.
    RuntimeError
        Where the cluster has lost all workers again and again.

    Examples
    --------
    >>> import tempfile
    >>> import numpy as np
    >>> from distributed import Client
    >>> from embcodec import calibrate, save
    >>> from embcodec.distributed import summarize
    >>> folder, x = tempfile.mkdtemp(), np.random.default_rng(0).standard_normal((100, 8), dtype=np.float32)
    >>> save(f"{folder}/a.npy", x[:60])
    >>> save(f"{folder}/b.npy", x[60:])
    >>> with Client(n_workers=1, processes=False, dashboard_address=":0") as client:
    ...     summary = summarize(f"{folder}/*.npy", scheduler=client)
    >>> summary, bool((calibrate(summary) == calibrate(x)).all())
    (Summary(100 rows of 8 dimensions, 100 kept), True)
    """
    check_cluster(scheduler)
    made = _Made(rows, histograms)
    Summary(rows=rows, histograms=histograms)  # judges them
    for tries in range(TRIES):
        try:
            tasks = _tasks(source, scheduler, made, {"column": column, "batch_rows": batch_rows, **what})
            if not tasks:
                return Summary(rows=rows, histograms=histograms)
            while len(tasks) > 1:
                some = [tasks[i : i + _FAN] for i in range(0, len(tasks), _FAN)]
                tasks = [scheduler.submit(_merged, each, pure=False) for each in some]
            found: Summary = tasks[0].result()
        except (CancelledError, OSError) as error:  # workers are gone
            if is_of_file(error):
                raise
            if tries == TRIES - 1:
                raise ClusterError("the cluster has lost each worker that was to make a summary") from error
            time.sleep(PAUSE * 2**tries)
        else:
            return found
    raise AssertionError


def _tasks(source: Any, scheduler: Any, made: _Made, arguments: dict[str, Any]) -> list[Any]:
    parts = _parts_of(source)
    if parts is not None:
        arrays = scheduler.compute(parts)
        return [scheduler.submit(_of_array, __version__, made, array, pure=False) for array in arrays]
    storage = arguments.pop("storage_options", None)
    how = reading(**arguments)
    if how.failed is not None or how.skips is not None:
        raise ValueError("a summary is of all rows: leave out failed= and on_error=, and mend or leave out the files")
    spans = list(_spans(places_of(source, storage), how))
    groups = _grouped(spans, _A_THREAD * max(len(threads_of(scheduler)), 1))
    tasks = [pickle.dumps((made, how, group), protocol=5) for group in groups]
    return list(scheduler.map(_of_files, [__version__] * len(tasks), tasks, pure=False))


def _parts_of(source: Any) -> list[Any] | None:
    """Return the parts of a Dask collection, or of a sequence of values that are made later; None of paths."""
    if hasattr(type(source), "chunks"):  # a delayed value would have any attribute
        if source.ndim != 2:
            raise ValueError(f"an array of rows has two axes, not {source.ndim}")
        return list(source.rechunk({1: -1}).to_delayed().ravel())
    if isinstance(source, list | tuple) and source and all(map(_is_of_dask, source)):
        return list(source)
    if _is_of_dask(source):
        raise TypeError(f"source is paths, a dask.array or a list of delayed values or futures, not {shown(source)}")
    return None


def _is_of_dask(value: Any) -> bool:
    return type(value).__module__.partition(".")[0] in ("dask", "distributed")


def _spans(places: Iterable[Place], how: Reading) -> Iterator[_Span]:
    for place in places:
        if place.path is None and place.url is None:
            raise TypeError(f"workers read files by their path or URL, not as open files: {place.name}")
        size = max(place.size(), 1)
        spans = spans_of(place, how, 0, _SPAN_BATCHES * how.batch_rows)
        if spans is None:
            yield _Span(place.absolute(), 0, None, size)
            continue
        for start, stop in spans:
            yield _Span(place.absolute(), start, stop, size * (stop - start) / spans[-1][1])


def _grouped(spans: Sequence[_Span], count: int) -> list[list[_Span]]:
    """Return neighbours together, in as many groups at most, about as many bytes in each."""
    groups: list[list[_Span]] = [[] for _ in range(count)]
    total, before = sum(span.nbytes for span in spans), 0.0
    for span in spans:
        groups[min(int((before + span.nbytes / 2) / total * count), count - 1)].append(span)
        before += span.nbytes
    return [group for group in groups if group]


def _of_array(version: str, made: _Made, part: Any) -> Summary:
    """Return the summary of a part: a task."""
    check_version(version)
    return Summary(rows=made.rows, histograms=made.histograms).update(part, threads=1)


def _of_files(version: str, task: bytes) -> Summary:
    """Return the summary of rows of files: a task."""
    check_version(version)
    made, how, group = pickle.loads(task)
    name, first, before, count = "", 0, 0, 0  # of what is read now, and how many rows were before it

    def parts() -> Iterator[NDArray[Any]]:
        nonlocal name, first, before, count
        for place, start, stop, _ in group:
            name = place.name
            for row, rows, _ in numbered_pieces(place, how, start, stop):
                first = row
                if not isinstance(rows, Embeddings) or rows.output_dtype is not OutputDtype.FLOAT:
                    raise CodeMismatchError(f"{rows!r} are codes: a summary is of floats", "the files they are made of")
                before, count = count, count + len(rows)
                yield rows.values

    try:
        return Summary(rows=made.rows, histograms=made.histograms).update(parts(), threads=1)
    except ValueError as error:
        raise naming(error, name, first - before) from None


def _merged(parts: Sequence[Summary]) -> Summary:
    """Return the summary of all rows of several: a task."""
    return parts[0].merge(*parts[1:])
