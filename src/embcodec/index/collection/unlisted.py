"""Files of rows that count before a line of the manifest names them: they say themselves what is added with them.

A small file of rows that is on the disk as a whole, under its name, is all that an append needs: its line, which
follows, need not be flushed. What else the append brings is there before the file is whole, and a file that is not
whole has another checksum. So after a crash the files that follow the last line are looked at, one after the other. A
file whose writer is still at work, which its lock tells, is none of them: nobody sees an append that may yet fail.
"""

from __future__ import annotations

import json
import os
import stat
import time
from collections.abc import Iterable, Mapping
from pathlib import Path
from typing import Any, NamedTuple

from numpy.typing import NDArray

from ...containers import flush_folder, is_being_filled, overwrite, overwriting, read_tensors_from
from ...errors import StorageError
from ...words import without_twins
from .failing import UnreadableError, reading
from .manifest import Addition, Manifest, addition_of, file_of_rows

_WORD = "addition"  # under which the addition is among the metadata of its file
_SMALL = 1 << 22  # bytes of rows up to which a file says what it adds: to read more takes longer than to flush a line
_SETTLED = 2 * 10**9  # nanoseconds, after which a file that changes has another time: clocks of disks are coarse

_MAY_COUNT = "a file that may hold the rows which were appended last cannot be read (to go on without them, remove it)"


class Followed(NamedTuple):
    """A manifest with the additions that follow it.

    Attributes
    ----------
    manifest : Manifest
    files : tuple of str
        Those files of rows that no line names.
    unreadable : UnreadableError or None
        Of the file that would be next, and may count or not: who reads does without, and nobody writes in its place.
    """

    manifest: Manifest
    files: tuple[str, ...]
    unreadable: UnreadableError | None = None


def says_itself(tensors: Mapping[str, NDArray[Any]]) -> bool:
    """Whether a file of these arrays is to say what it adds; none on Windows, whose locks keep readers out."""
    return os.name == "posix" and sum(array.nbytes for array in tensors.values()) <= _SMALL


def words_of(addition: Addition) -> dict[str, str]:
    """Return what the metadata of a file say that says what it adds."""
    return {_WORD: addition.text}


def settle(folder: Path, files: Iterable[str]) -> None:
    """Have files that no line names be on the disk, as a killed writer may have left them.

    They are written once more: a flush that failed before may have had the system forget what is not on the disk.
    """
    for name in files:
        with overwriting(folder / name) as file:
            overwrite(file, 0, (folder / name).read_bytes())
    flush_folder(folder)


class Unlisted:
    """The files of a folder that no line names. What each says is kept, and read again once it is another file.

    Parameters
    ----------
    folder : path-like
    """

    def __init__(self, folder: str | os.PathLike[str]) -> None:
        self._folder = folder
        self._looked: dict[str, _Looked] = {}

    def followed(self, manifest: Manifest, lines: Iterable[Addition] = ()) -> Followed:
        """Return a manifest with what follows it by files that no line names, and by lines behind those that are lost.

        Raises
        ------
        ValueError
            Where a line does not follow: what was between is lost, or something else.
        """
        waiting, files, unreadable = list(lines), [], None
        looked: dict[str, _Looked] = {}
        while True:
            if waiting and waiting[0].generation == manifest.generation + 1:
                manifest = manifest.extended([waiting.pop(0)])
                continue
            try:
                after = self._with_next_file(manifest, looked)
            except UnreadableError as error:
                unreadable = error
                break
            if after is None:
                break
            manifest = after
            files.append(manifest.shards[-1].file)
        self._looked = looked
        if waiting:
            raise ValueError("lines of it are lost, and files that they named are not there") from unreadable
        return Followed(manifest, tuple(files), unreadable)

    def _with_next_file(self, manifest: Manifest, looked: dict[str, _Looked]) -> Manifest | None:
        """Return a manifest with the next file of rows, if it is there as a whole, and nobody is at work on it."""
        try:
            name = file_of_rows(manifest.next_file)
        except StorageError:  # there is no room for more
            return None
        path = os.path.join(self._folder, name)
        try:
            with reading(path, _MAY_COUNT):
                status = os.stat(path)
                if not stat.S_ISREG(status.st_mode) or not 0 < status.st_size <= 2 * _SMALL:
                    return None
                found = self._looked.get(name)
                if found is None or found.stamp != _stamp_of(status):
                    found = _look(path, name)
        except FileNotFoundError:
            return None
        if found is None:
            return None
        if found.stamp is not None:
            looked[name] = found
        try:
            return manifest.extended([found.addition]) if found.addition is not None else None
        except ValueError:
            return None


class _Looked(NamedTuple):
    """What a file adds, if it is whole and says so.

    Attributes
    ----------
    addition : Addition or None
    stamp : tuple of int, or None
        By which a file that has changed is known; None where it is so new that it may change without another one.
    """

    addition: Addition | None
    stamp: tuple[int, ...] | None


def _look(path: str, name: str) -> _Looked | None:
    """Return what a file says that it adds; None where somebody is at work on it, or it is new."""
    now = time.time_ns()
    with open(path, "rb") as file:
        # Who fills a file holds its lock before anything is in it: an empty one, which a writer has made since in
        # place of the other, is not to be locked in front of its writer.
        status = os.fstat(file.fileno())
        if status.st_size == 0 or is_being_filled(file):
            return None
        stamp = _stamp_of(status) if max(status.st_mtime_ns, status.st_ctime_ns) < now - _SETTLED else None
        try:
            tensors, words, _ = read_tensors_from(file)
        except StorageError:
            return _Looked(None, stamp)
    try:
        addition = addition_of(json.loads(words[_WORD], object_pairs_hook=without_twins))
        shard, ids = addition.shard, tensors["ids"]
        fits = (shard.file, shard.rows, shard.least, shard.greatest) == (name, len(ids), int(ids[0]), int(ids[-1]))
    except (KeyError, IndexError, ValueError, TypeError, AttributeError, RecursionError):
        return _Looked(None, stamp)
    return _Looked(addition if fits else None, stamp)


def _stamp_of(status: os.stat_result) -> tuple[int, ...]:
    return status.st_dev, status.st_ino, status.st_size, status.st_mtime_ns, status.st_ctime_ns
