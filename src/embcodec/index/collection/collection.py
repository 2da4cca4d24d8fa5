"""A collection: a folder of files of rows that grows, shrinks and is searched while it does."""

from __future__ import annotations

import os
from collections.abc import Callable
from pathlib import Path
from typing import Any, Unpack

import numpy as np
from numpy.typing import ArrayLike, NDArray

from ...errors import StorageError
from ...files import refuse_url
from ...files.pieces import Paths, WhatTheyHold
from ...quantizers.lowbit import Rows
from ...words import as_path, as_real, shows_progress
from ..arguments import check_alike, check_better, finite_rows
from ..files import write_index
from ..rows import Part, Snapshot
from .changes import append, compact, remove
from .failing import reporting
from .folder import Folder
from .ingest import ingested
from .journal import write_manifest
from .lock import NAME as LOCK
from .lock import writing
from .manifest import LIKE, Manifest
from .texts import TextIds, texts_among
from .view import View

SHARD_BYTES = 1 << 28
"""How large the files are that :meth:`Collection.compact` makes."""


class Collection(View):
    """Rows in a folder: appended without writing the others again, searched from mapped files in bounded memory.

    One process writes at a time, any number read: a search sees the collection as it was when it was opened, last
    changed through this object, or refreshed. A crash at any moment leaves it as it was before the change under way, or
    after it; what :meth:`append` returned for stays. So does an exception that comes from outside, as Ctrl-C raises it:
    where the change has happened nevertheless, a note of the exception says so, unless it came as the call returned;
    :meth:`refresh` shows it. The folder's format is described in the documentation.

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
        self._folder = Folder(_here(path), _as_seconds(lock_timeout))
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
            Likewise, where better rows, of no fewer bits, are to be kept beside the codes.
        lock_timeout : float
            Seconds for which a change waits for another writer.

        Raises
        ------
        StorageError
            Where the folder holds something.
        CodeMismatchError
            Where rows of fewer bits than the codes are to rescore them.
        """
        folder = _here(path)
        codes = finite_rows(like, "like")[:0]
        better = None if rescore_with is None else finite_rows(rescore_with, "rescore_with")[:0]
        check_alike(codes, better)
        check_better(codes, better)
        timeout = _as_seconds(lock_timeout)
        if folder.exists() and not folder.is_dir():
            raise StorageError(f"{folder} is a file, not the folder of a collection")
        with reporting(folder, "no collection was made"):
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

    def __getstate__(self) -> tuple[str, float]:
        return os.fspath(self._folder.path.resolve()), self._folder.timeout

    def __setstate__(self, state: tuple[str, float]) -> None:
        self.__init__(state[0], lock_timeout=state[1])  # type: ignore[misc]

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
        return append(self._folder, self._texts, rows, rescore_with, ids, texts_among(ids))

    def remove(self, ids: ArrayLike) -> None:
        """Remove the rows of these ids; their space is freed by :meth:`compact`.

        Raises
        ------
        KeyError
            Where an id is not in the collection, which is then as it was.
        """
        remove(self._folder, ids)

    def compact(self, *, shard_bytes: int = SHARD_BYTES) -> None:
        """Join small files, and drop rows that were removed.

        Searches meanwhile, here and in other processes, are not disturbed. Memory is bounded by about three times
        `shard_bytes`, and by the largest file.
        """
        compact(self._folder, self._texts, shard_bytes)

    @shows_progress("ingesting")
    def ingest(
        self,
        paths: Paths,
        *,
        column: str | None = None,
        id_column: str | None = None,
        batch_rows: int | None = None,
        progress: Callable[[int, int], object] | bool | None = None,
        scheduler: Any = None,
        **reading: Unpack[WhatTheyHold],
    ) -> int:
        """Append the rows of files, each once: called again, also after a crash, it goes on where it was.

        The collection records, together with the rows, which files they are from, by path or URL. A file that was taken
        whole is passed over from then on, so that the same call takes what has been added to a folder.

        Parameters
        ----------
        paths, column, batch_rows, **reading
            As for :func:`iter_load`; open files have no name by which they would be known again, and another `column`
            of a file than the one that was taken is an error. Small files are
            appended together, `batch_rows` at a time: by default as many as 64 MiB of float32 hold, 65,536 at most.
            Memory is bounded by a few times as much. ``on_error="skip"`` also skips rows with NaN or infinity, and
            those whose id is taken. Files that were skipped, or what is left of them, the next call tries again; rows
            that were skipped it does not: ingest mended ones alone, as a file of another name.
        id_column : str, optional
            The column of tables, or array, that names the rows: whole numbers, or texts (see :meth:`text_ids`). A file
            that was taken by another one, or none, is an error; files that have none, as ``.npy``, take a call of
            their own. The rows of batch files are called by their custom_ids in any case; those of a line of several
            inputs are ``id/0``, ``id/1`` ...
        progress : callable or True, optional
            Called with the number of rows appended, and 0, since nobody knows of how many. True: a bar.

        scheduler : dask.distributed.Client, optional
            Have the workers of its cluster read the files and code their rows, which this process appends: the result
            is the same, also where workers are lost. They see the files, and the folder, under the same path.
            Files in several groups of rows (``.parquet``), and matrices without a checksum (``.npy``, ``.fbin`` ...),
            are read by several at once. One of another kind goes to one of them, or, of more than 1 GiB, is read here.
            RuntimeError where the cluster does not read a file, which is then not skipped either.

        Returns
        -------
        int
            How many rows were appended.

        Raises
        ------
        StorageError, DecodeError, CodeMismatchError, ValueError, OSError
            As :func:`iter_load` and :meth:`append`, and it names the file; also where a file has changed since it was
            taken (its size, on this machine a checksum of pieces of it, of a URL its ETag or time; but the rest of a
            batch file that was cut is taken once it is there), or another process ingests at the same time. Rows of the
            files before it, and of a batch file those before the damage, are appended, and not taken again.

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
        return ingested(self._folder, self._texts, paths, progress, scheduler, {**named, **reading})


def _as_seconds(lock_timeout: float) -> float:
    seconds = as_real(lock_timeout, "lock_timeout")
    if not seconds >= 0:
        raise ValueError(f"lock_timeout is a number of seconds of at least 0, not {seconds}")
    return seconds


def _here(path: str | os.PathLike[str]) -> Path:
    refuse_url(path, "a collection is a folder of this machine, into which ingest(url) takes files from elsewhere")
    return Path(as_path(path))
