"""A collection: a folder of files of rows that grows, shrinks and is searched while it does."""

from __future__ import annotations

import os
from collections.abc import Callable, Sequence
from dataclasses import replace
from functools import partial
from pathlib import Path
from typing import Any, NamedTuple, Unpack

import numpy as np
from numpy.typing import ArrayLike, NDArray

from ...codec import as_int64
from ...dtypes import Precision
from ...embeddings import Embeddings
from ...errors import StorageError
from ...files.pieces import Paths, WhatTheyHold
from ...quantizers.lowbit import LowBitCodes, Rows, concat
from ...scan import MetricLike, Progress, SearchResult, as_ids, in_steps
from ...words import as_path, as_real, shows_progress
from ..arguments import check_alike, check_joins, finite_rows, given_to_rescore, like
from ..files import write_index
from ..rows import Part, Snapshot
from .best import best_of_all, ids_of_mask
from .exact import exact_of_all
from .folder import Folder, reporting
from .ingest import ingested
from .lock import NAME as LOCK
from .lock import writing
from .manifest import LIKE, Ingested, Manifest, Shard, write_manifest
from .names import Names
from .shards import write_removed
from .spread import Spread
from .texts import TextIds, texts_among

SHARD_BYTES = 1 << 28
"""How large the files are that :meth:`Collection.compact` makes."""


class CollectionInfo(NamedTuple):
    """What a collection holds.

    Attributes
    ----------
    rows, removed_rows, shards : int
        Rows that count, those that :meth:`Collection.compact` will drop, and files.
    nbytes : int
        Of all files.
    generation : int
        How often it was changed.
    codes, rescore_with : str
        What kind of rows they are; the second is "none" where none are kept.
    """

    rows: int
    removed_rows: int
    shards: int
    nbytes: int
    generation: int
    codes: str
    rescore_with: str


class Collection(Names):
    """Rows in a folder: appended without writing the others again, searched from mapped files in bounded memory.

    One process writes at a time, any number read: a search sees the collection as it was when it was opened, last
    changed through this object, or refreshed. A crash at any moment leaves it as it was before the change under way, or
    after it; what :meth:`append` returned for stays. The folder's format is described in the documentation.

    Made by :meth:`create` and :meth:`open`.

    Examples
    --------
    >>> import tempfile
    >>> import numpy as np
    >>> from embcodec import Collection, quantize
    >>> x = np.array([[0.9, -0.1], [0.8, 0.6], [-1.0, 0.2]], np.float32)
    >>> folder = tempfile.mkdtemp() + "/vectors"
    >>> vectors = Collection.create(folder, like=quantize(x, "int8", scale="per-vector"), rescore_with=x)
    >>> vectors.append(x).tolist(), vectors.append(x[:1] / 2, ids=[70]).tolist()
    ([0, 1, 2], [70])
    >>> vectors.remove([1])
    >>> Collection.open(folder).search(np.array([1.0, 0.0], np.float32), 2).indices.tolist()
    [0, 70]
    """

    def __init__(self, path: str | os.PathLike[str], *, lock_timeout: float = 10.0) -> None:
        self._folder = Folder(Path(as_path(path)), as_real(lock_timeout, "lock_timeout"))
        self._texts = TextIds(self._folder)

    @classmethod
    def create(
        cls,
        path: str | os.PathLike[str],
        *,
        like: Rows | ArrayLike,
        rescore_with: Rows | ArrayLike | None = None,
        lock_timeout: float = 10.0,
    ) -> Collection:
        """Make an empty collection.

        Parameters
        ----------
        path : path-like
            A folder that is not there yet, or is empty.
        like : Embeddings, LowBitCodes or array-like of floats, (n, dimension)
            Of the kind that its rows will be: dtype, dimension, scale and order of bits, or scheme. Rows are not kept.
        rescore_with : optional
            Likewise, where better rows are to be kept beside the codes.
        lock_timeout : float
            Seconds for which a change waits for another writer.

        Raises
        ------
        StorageError
            Where the folder holds something.
        """
        folder = Path(as_path(path))
        codes = finite_rows(like, "like")[:0]
        better = None if rescore_with is None else finite_rows(rescore_with, "rescore_with")[:0]
        check_alike(codes, better)
        timeout = as_real(lock_timeout, "lock_timeout")
        with reporting(folder):
            folder.mkdir(parents=True, exist_ok=True)
            with writing(folder, timeout):
                if set(os.listdir(folder)) - {LOCK, LIKE}:
                    raise StorageError(f"{folder} holds something: Collection.open(path) opens a collection")
                write_index(folder / LIKE, Snapshot(Part(codes), None if better is None else Part(better), None, 0))
                write_manifest(folder, Manifest())
        return cls(folder, lock_timeout=lock_timeout)

    @classmethod
    def open(cls, path: str | os.PathLike[str], *, lock_timeout: float = 10.0) -> Collection:
        """Open a collection; its files are mapped when they are first searched.

        Raises
        ------
        StorageError
            Where there is none, or it is damaged.
        """
        return cls(path, lock_timeout=lock_timeout)

    def __len__(self) -> int:
        return len(self._folder.now)

    def __repr__(self) -> str:
        kind, files = self._folder.kind, len(self._folder.now.shards)
        better = "" if kind.rescore_with is None else f", rescored with {_words(kind.rescore_with)}"
        return f"Collection({len(self):,} rows in {files} file{'s' * (files != 1)}, {_words(kind.codes)}{better})"

    def __getstate__(self) -> tuple[str, float]:
        return os.fspath(self._folder.path.resolve()), self._folder.timeout

    def __setstate__(self, state: tuple[str, float]) -> None:
        self.__init__(state[0], lock_timeout=state[1])  # type: ignore[misc]

    @property
    def dimension(self) -> int:
        """How many dimensions the rows have."""
        return self._folder.kind.codes.dimension

    @property
    def ids(self) -> NDArray[np.int64]:
        """The ids of all rows that count, ascending within each file, (n,)."""
        return np.concatenate([np.empty(0, np.int64), *(shard.kept_ids() for shard in self._folder.shards())])

    def info(self) -> CollectionInfo:
        """Return how large the collection is, and what it holds."""
        sizes, now = sum(self._folder.sizes().values()), self._folder.now
        gone = sum(shard.removed_rows for shard in now.shards)
        kinds = _words(self._folder.kind.codes), _words(self._folder.kind.rescore_with)
        return CollectionInfo(len(now), gone, len(now.shards), sizes, now.generation, *kinds)

    def refresh(self) -> None:
        """See what other processes have changed since."""
        self._folder.refresh()

    def append(
        self,
        rows: Rows | ArrayLike,
        *,
        rescore_with: Rows | ArrayLike | None = None,
        ids: ArrayLike | None = None,
    ) -> NDArray[np.int64]:
        """Add rows, in a file of their own; return their ids once they are on the disk.

        Parameters
        ----------
        rows : Embeddings, LowBitCodes or array-like of floats, (m, dimension)
            Like those of the collection, or floats, which are coded as they are, for both kinds of rows.
        rescore_with : optional
            Better rows, where the collection keeps such; not needed where `rows` are floats.
        ids : array-like of int, or list of str, optional
            Not negative, each once; by default the numbers after the greatest so far. Texts are kept beside these
            numbers, which :meth:`text_ids` and :meth:`ids_of` translate (``pip install 'embcodec[files]'``).

        Raises
        ------
        CodeMismatchError, ValueError, StorageError
            The collection is then as it was. A StorageError for a full or failing disk is an OSError too, with `errno`.
        """
        return self._append(rows, rescore_with, ids, texts_among(ids))

    def _append(
        self,
        rows: Rows | ArrayLike,
        rescore_with: Rows | ArrayLike | None,
        ids: ArrayLike | None,
        texts: Sequence[str | None] | None,
        record: Callable[[Manifest], Ingested] | None = None,
    ) -> NDArray[np.int64]:
        """Append rows, with texts where there are such; `record` notes where they are from before they count."""
        given = finite_rows(rows, "rows")
        codes = like(given, self._folder.kind.codes)
        better = given_to_rescore(given, rescore_with, self._folder.kind.rescore_with, "collection")
        check_alike(codes, better)
        check_joins(self._folder.kind.codes, codes)
        if better is not None and self._folder.kind.rescore_with is not None:
            check_joins(self._folder.kind.rescore_with, better)
        if not len(codes):
            return np.empty(0, np.int64) if ids is None else as_ids(ids, 0)
        with self._folder.changing() as now:
            if now.shards:
                check_joins(self._folder.shard(now.shards[0]).codes.rows, codes)
            named = self._named(now, len(codes), ids if texts is None else None)
            if texts is not None:
                if len(texts) != len(named):
                    raise ValueError(f"ids have shape ({len(named)},), not ({len(texts)},)")
                self._texts.check_new(now, texts)
            elif ids is not None:
                self._texts.check_unused(named)
            ascending = named
            if (np.diff(named) < 0).any():
                order = np.argsort(named, kind="stable")
                codes, better, ascending = codes[order], None if better is None else better[order], named[order]
            shard = self._folder.write(now.next_file, codes, better, ascending)
            next_id = max(now.next_id, shard.greatest + 1)
            beside = () if texts is None else (self._texts.write(now.next_file, named, texts),)
            self._folder.replace(
                now.changed(
                    shards=(*now.shards, shard),
                    next_file=now.next_file + 1,
                    next_id=next_id,
                    texts=(*now.texts, *(file for file in beside if file is not None)),
                    ingested=now.ingested if record is None else record(now),
                )
            )
        return named

    def remove(self, ids: ArrayLike) -> None:
        """Remove the rows of these ids; their space is freed by :meth:`compact`.

        Raises
        ------
        KeyError
            Where an id is not in the collection, which is then as it was.
        """
        asked = np.unique(as_int64([ids] if isinstance(ids, int | np.integer) else ids))
        with self._folder.changing() as now:
            shards, missing = [], asked
            for number, shard in enumerate(now.shards):
                rows = self._folder.rows_in(shard, asked)
                missing = np.setdiff1d(missing, asked[rows >= 0], assume_unique=True)
                shards.append((number, shard, rows[rows >= 0]))
            if len(missing):
                raise KeyError(f"id {int(missing[0])} is not in the collection")
            if not len(asked):
                return
            kept = []
            for number, shard, rows in shards:
                gone = shard.removed_rows + len(rows)
                if not len(rows):
                    kept.append(shard)
                elif gone < shard.rows:
                    removed = np.zeros(shard.rows, np.bool_)
                    live = self._folder.shard(shard).live
                    removed[:] = False if live is None else ~live
                    removed[rows] = True
                    name = f"removed-{now.generation + 1:08d}-{number:08d}.npy"
                    write_removed(self._folder.path / name, removed)
                    kept.append(shard.without(name, gone))
            self._folder.replace(now.changed(shards=tuple(kept)))

    def compact(self, *, shard_bytes: int = SHARD_BYTES) -> None:
        """Join small files, and drop rows that were removed.

        Searches meanwhile, here and in other processes, are not disturbed. Memory is bounded by about three times
        `shard_bytes`, and by the largest file.
        """
        with self._folder.changing() as now:
            shards, next_file = [], now.next_file
            row_bytes = sum(self._folder.sizes().values()) / max(sum(shard.rows for shard in now.shards), 1)
            for group in _groups(now.shards, shard_bytes / max(row_bytes, 1)):
                if len(group) == 1 and group[0].removed is None:
                    shards.append(group[0])
                    continue
                parts = [self._folder.shard(shard).kept() for shard in group]
                ids = np.concatenate([part[2] for part in parts])
                order = np.argsort(ids, kind="stable")
                codes = concat([part[0] for part in parts])[order]
                betters = [part[1] for part in parts if part[1] is not None]
                better = concat(betters)[order] if betters else None
                shards.append(self._folder.write(next_file, codes, better, ids[order]))
                next_file += 1
            joined = self._texts.joined(replace(now, shards=tuple(shards), next_file=next_file))
            if joined != now:
                self._folder.replace(joined.changed())

    @shows_progress("ingesting")
    def ingest(
        self,
        paths: Paths,
        *,
        column: str | None = None,
        id_column: str | None = None,
        batch_rows: int = 65_536,
        progress: Callable[[int, int], object] | bool | None = None,
        **reading: Unpack[WhatTheyHold],
    ) -> int:
        """Append the rows of files, each once: called again, also after a crash, it goes on where it was.

        The collection records, together with the rows, which files they are from, by path or URL. A file that was taken
        whole is passed over from then on, so that the same call takes what has been added to a folder.

        Parameters
        ----------
        paths, column, batch_rows, **reading
            As for :func:`iter_load`; open files have no name by which they would be known again. Small files are
            appended together, `batch_rows` at a time.
        id_column : str, optional
            What the rows are called: whole numbers, or texts (see :meth:`text_ids`). Those of batch files are their
            custom_ids by default.
        progress : callable or True, optional
            Called with the number of rows appended, and 0, since nobody knows of how many. True: a bar.

        Returns
        -------
        int
            How many rows were appended.

        Raises
        ------
        StorageError, DecodeError, CodeMismatchError, ValueError, OSError
            As :func:`iter_load` and :meth:`append`; also where a file has changed since it was taken, or another
            process ingests at the same time. What was appended before stays, and is not taken again.

        Examples
        --------
        >>> import tempfile
        >>> import numpy as np
        >>> from embcodec import Collection, save
        >>> folder = tempfile.mkdtemp()
        >>> x = np.eye(3, dtype=np.float32)
        >>> save(f"{folder}/a.npy", x)
        >>> vectors = Collection.create(f"{folder}/vectors", like=x)
        >>> vectors.ingest(f"{folder}/*.npy"), vectors.ingest(f"{folder}/*.npy")
        (3, 0)
        """
        named = {"column": column, "id_column": id_column, "batch_rows": batch_rows}
        return ingested(self._folder, self._append, paths, progress, {**named, **reading})

    def search(
        self,
        queries: Embeddings | ArrayLike,
        k: int,
        *,
        rescore_multiplier: float | None = 4,
        metric: MetricLike | None = None,
        mask: ArrayLike | None = None,
        query_precision: Precision = "int8",
        threads: int | None = None,
        scheduler: Any = None,
        exact: bool = False,
        three_stage: bool = False,
        confidence: float | None = None,
        progress: Progress | bool | None = None,
    ) -> SearchResult:
        """Return the k best rows' ids for each query: what one search over all rows would find, ties by id.

        Parameters
        ----------
        queries : Embeddings or array-like of floats, (n_queries, dimension) or (dimension,)
        k : int
        rescore_multiplier : float, optional
            Of how many times k candidates by the codes the k best by the better rows are returned, where the collection
            has such; None: return what the codes say.
        metric, query_precision, threads, progress
            As in :func:`embcodec.search`; hamming and jaccard are not rescored.
        mask : array-like of int, optional
            The ids that count, each once.
        scheduler : dask.distributed.Client, optional
            Run the search on the workers of its cluster, which see the folder under the same path; `threads` are then
            those of one task, 1 by default. The result is the same.
        exact : bool
            Return what a search of all floats returns, as :meth:`FlatIndex.search` does: a :class:`BoundedResult`. Of
            files of many rows the codes are scanned; the first such search measures what they leave out: it reads all
            floats, and keeps 12 bytes a row in memory.
        three_stage, confidence
            Not for collections; they are here for a clear error.

        Returns
        -------
        SearchResult
            `indices` are ids.
        """
        if three_stage or confidence is not None:
            raise ValueError("a collection has two stages, without bounds: leave out three_stage and confidence")
        if exact and (rescore_multiplier != 4 or scheduler is not None):
            raise ValueError(
                "exact=True finds its own candidates, in this process: leave out rescore_multiplier and scheduler"
            )
        options: dict[str, Any] = {"k": k, "metric": metric, "threads": threads}
        if not exact:
            options |= {"multiplier": rescore_multiplier, "precision": query_precision}
        return self._again(lambda: self._search(queries, mask, scheduler, progress, options, exact=exact))

    def _search(
        self,
        queries: Embeddings | ArrayLike,
        mask: ArrayLike | None,
        scheduler: Any,
        told: Progress | bool | None,
        options: dict[str, Any],
        *,
        exact: bool,
    ) -> SearchResult:
        folder = self._folder
        now, here = folder.now, folder.here()
        chosen = ids_of_mask(here, mask)
        find: Callable[..., SearchResult]
        if exact:
            find = partial(exact_of_all, folder.shards(), folder.kind, mask=chosen, **options)
        else:
            parts = here if scheduler is None else Spread(scheduler, folder.path, here, now.shards)
            find = partial(best_of_all, parts, folder.kind, len(now), mask=chosen, **options)
        return in_steps(queries, find, progress=told)

    def _named(self, now: Manifest, count: int, ids: ArrayLike | None) -> NDArray[np.int64]:
        """Return the ids of `count` new rows, none of which is taken."""
        if ids is None:
            if now.next_id + count >= 2**63:
                raise ValueError(f"no whole numbers are left after id {now.next_id - 1}: give the new rows ids")
            return np.arange(now.next_id, now.next_id + count, dtype=np.int64)
        named = as_ids(ids, count)
        least, greatest = int(named.min()), int(named.max())
        for shard in now.shards:
            if shard.greatest < least or greatest < shard.least:
                continue
            taken = named[self._folder.rows_in(shard, named) >= 0]
            if len(taken):
                raise ValueError(f"id {int(taken[0])} is in the collection already")
        return named


def _groups(shards: tuple[Shard, ...], most_rows: float) -> list[list[Shard]]:
    """Return neighbouring shards in groups, of which each becomes one of about `most_rows` rows."""
    groups: list[list[Shard]] = []
    for shard in shards:
        if groups and sum(other.live for other in groups[-1]) + shard.live <= most_rows:
            groups[-1].append(shard)
        else:
            groups.append([shard])
    return groups


def _words(rows: Rows | None) -> str:
    if rows is None:
        return "none"
    if isinstance(rows, LowBitCodes):
        return f"{rows.scheme.bits} bits x {rows.dimension}"
    scale = "" if rows.scale is None or rows.scale.identity == "unit" else f" ({rows.scale.identity})"
    return f"{rows.output_dtype} x {rows.dimension}{scale}"
