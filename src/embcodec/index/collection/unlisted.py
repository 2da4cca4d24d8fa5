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
from collections.abc import Iterable, Mapping
from pathlib import Path
from typing import Any, NamedTuple

from numpy.typing import NDArray

from ...containers import flush_folder, is_being_filled, overwrite, overwriting, read_tensors_from
from ...errors import StorageError
from ...words import without_twins
from .manifest import Addition, Manifest, addition_of, file_of_rows

_WORD = "addition"  # under which the addition is among the metadata of its file
_SMALL = 1 << 22  # bytes of rows up to which a file says what it adds: to read more takes longer than to flush a line


class Followed(NamedTuple):
    """A manifest with the additions that follow it.

    Attributes
    ----------
    manifest : Manifest
    files : tuple of str
        Those files of rows that no line names.
    """

    manifest: Manifest
    files: tuple[str, ...]


def says_itself(tensors: Mapping[str, NDArray[Any]]) -> bool:
    """Whether a file of these arrays is to say what it adds; none on Windows, whose locks keep readers out."""
    return os.name == "posix" and sum(array.nbytes for array in tensors.values()) <= _SMALL


def words_of(addition: Addition) -> dict[str, str]:
    """Return what the metadata of a file say that says what it adds."""
    return {_WORD: addition.text}


def followed(folder: Path, manifest: Manifest, lines: Iterable[Addition] = ()) -> Followed:
    """Return a manifest with what follows it by files that no line names, and by lines behind those that are lost.

    Raises
    ------
    ValueError
        Where a line does not follow: what was between is lost, or something else.
    """
    waiting, files = list(lines), []
    while True:
        if waiting and waiting[0].generation == manifest.generation + 1:
            manifest = manifest.extended([waiting.pop(0)])
            continue
        after = _with_next_file(folder, manifest)
        if after is None:
            break
        manifest = after
        files.append(manifest.shards[-1].file)
    if waiting:
        raise ValueError("lines of it are lost, and files that they named are not there")
    return Followed(manifest, tuple(files))


def settle(folder: Path, files: Iterable[str]) -> None:
    """Have files that no line names be on the disk, as a killed writer may have left them.

    They are written once more: a flush that failed before may have had the system forget what is not on the disk.
    """
    for name in files:
        with overwriting(folder / name) as file:
            overwrite(file, 0, (folder / name).read_bytes())
    flush_folder(folder)


def _with_next_file(folder: Path, manifest: Manifest) -> Manifest | None:
    """Return a manifest with the next file of rows, if it is there as a whole, and nobody is at work on it."""
    name = file_of_rows(manifest.next_file)
    path = os.path.join(folder, name)
    try:
        status = os.stat(path)
        if not stat.S_ISREG(status.st_mode) or not 0 < status.st_size <= 2 * _SMALL:
            return None
        with open(path, "rb") as file:
            # Who fills a file holds its lock before anything is in it: an empty one, which a writer has made since in
            # place of the other, is not to be locked in front of its writer.
            if os.fstat(file.fileno()).st_size == 0 or is_being_filled(file):
                return None
            tensors, words, _ = read_tensors_from(file)
    except (FileNotFoundError, StorageError):
        return None
    try:
        addition = addition_of(json.loads(words[_WORD], object_pairs_hook=without_twins))
        shard, ids = addition.shard, tensors["ids"]
        fits = (shard.file, shard.rows, shard.least, shard.greatest) == (name, len(ids), int(ids[0]), int(ids[-1]))
        return manifest.extended([addition]) if fits else None
    except (KeyError, IndexError, ValueError, TypeError, AttributeError, RecursionError):
        return None
