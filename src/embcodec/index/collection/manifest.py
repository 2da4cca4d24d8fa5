"""The manifest of a collection: which files are its rows at this moment. It is replaced as a whole."""

from __future__ import annotations

import json
import os
import re
import zlib
from dataclasses import asdict, dataclass, replace
from pathlib import Path
from typing import Any

from ...containers import replacing
from ...errors import StorageError
from ...files import COLLECTION
from ...words import without_twins

NAME = COLLECTION
LIKE = "like.safetensors"
FORMAT = "embcodec collection 1"

_MOST_BYTES = 1 << 28
_SHARD = re.compile(r"rows-[0-9]{8}\.safetensors")
_REMOVED = re.compile(r"removed-[0-9]{8}-[0-9]{8}\.npy")
_TEXTS = re.compile(r"texts-[0-9]{8}\.parquet")
_LARGEST = (1 << 63) - 1


@dataclass(frozen=True)
class Shard:
    """A file of rows, and which of them are removed.

    Attributes
    ----------
    file : str
        An index file: codes, rows to rescore with, ids in ascending order.
    rows : int
        How many the file has, removed ones included.
    least, greatest : int
        Among the ids.
    removed : str or None
        A file of one bit a row, set for rows that are gone; None where none is.
    removed_rows : int
        How many are gone.
    """

    file: str
    rows: int
    least: int
    greatest: int
    removed: str | None = None
    removed_rows: int = 0

    @property
    def live(self) -> int:
        """How many rows count."""
        return self.rows - self.removed_rows

    def without(self, removed: str, removed_rows: int) -> Shard:
        """Return the shard with a new file of removals."""
        return replace(self, removed=removed, removed_rows=removed_rows)


@dataclass(frozen=True)
class Texts:
    """A file of texts that name rows.

    Attributes
    ----------
    file : str
        A table of ids, ascending, and texts.
    rows : int
    least, greatest : int
        Among the ids.
    """

    file: str
    rows: int
    least: int
    greatest: int


@dataclass(frozen=True)
class Ingested:
    """How much of the record of ingested files counts.

    Attributes
    ----------
    nbytes : int
    crc32 : int
        Of these bytes.
    """

    nbytes: int = 0
    crc32: int = 0


@dataclass(frozen=True)
class Manifest:
    """What a collection holds at one moment.

    Attributes
    ----------
    shards : tuple of Shard
    next_id : int
        The least number that rows without an id get next.
    next_file : int
        The number of the next file of rows.
    generation : int
        How often the collection was changed.
    texts : tuple of Texts
        The texts of rows that have such, older files first.
    ingested : Ingested
    """

    shards: tuple[Shard, ...] = ()
    next_id: int = 0
    next_file: int = 1
    generation: int = 0
    texts: tuple[Texts, ...] = ()
    ingested: Ingested = Ingested()

    def __len__(self) -> int:
        return sum(shard.live for shard in self.shards)

    def changed(self, **changes: Any) -> Manifest:
        """Return the manifest of the next generation."""
        return replace(self, generation=self.generation + 1, **changes)

    @property
    def files(self) -> set[str]:
        """The names of all files of rows, removals and texts that count."""
        names = {name for shard in self.shards for name in (shard.file, shard.removed) if name is not None}
        return names | {texts.file for texts in self.texts}


def write_manifest(folder: Path, manifest: Manifest) -> None:
    """Replace the manifest of a collection; what it names must be on the disk already."""
    body = {"format": FORMAT, **asdict(manifest)}
    text = json.dumps({**body, "checksum": _checksum(body)}, indent=1) + "\n"
    with replacing(folder / NAME) as file:
        file.write(text.encode())


def read_manifest(folder: Path) -> Manifest:
    """Read the manifest of a collection.

    Raises
    ------
    StorageError
        Where there is none, or it is damaged.
    """
    try:
        with open(folder / NAME, "rb") as file:
            size = os.fstat(file.fileno()).st_size  # for which memory is taken, not for the most that is read
            text = file.read(min(size, _MOST_BYTES) + 1)
    except (FileNotFoundError, NotADirectoryError):
        raise StorageError(f"{folder} is no collection: it has no {NAME}") from None
    try:
        if len(text) > _MOST_BYTES:
            raise ValueError("too long")
        body = json.loads(text, object_pairs_hook=without_twins)
        if body["format"] != FORMAT:
            raise ValueError(f"format {body['format']!r}; this version reads {FORMAT!r}")
        if body.pop("checksum") != _checksum(body):
            raise ValueError("its checksum is another")
        return _parsed(body)
    except KeyError as error:
        raise StorageError(f"{folder / NAME} is damaged: it lacks {error}") from None
    except (ValueError, TypeError, AttributeError, RecursionError) as error:
        raise StorageError(f"{folder / NAME} is damaged: {error}") from None


def holds_collection(path: str | os.PathLike[str]) -> bool:
    """Whether a folder is that of a collection."""
    return (Path(path) / NAME).is_file()


def is_file_of_rows(name: str) -> bool:
    """Whether a name is that of a file of rows, of removals or of texts."""
    return any(pattern.fullmatch(name) for pattern in (_SHARD, _REMOVED, _TEXTS))


def _checksum(body: dict[str, Any]) -> str:
    return f"{zlib.crc32(json.dumps(body, sort_keys=True).encode()):08x}"


def _parsed(body: dict[str, Any]) -> Manifest:
    shards = tuple(_shard(entry) for entry in body["shards"])
    numbers = {name: _number(body, name) for name in ("next_id", "next_file", "generation")}
    if len({shard.file for shard in shards}) < len(shards):
        raise ValueError("a file is named twice")
    if any(shard.greatest >= numbers["next_id"] for shard in shards):
        raise ValueError("the next id is taken")
    texts = tuple(_texts(entry) for entry in body.get("texts", []))
    ingested = body.get("ingested", asdict(Ingested()))
    return Manifest(
        shards, **numbers, texts=texts, ingested=Ingested(_number(ingested, "nbytes"), _number(ingested, "crc32"))
    )


def _shard(entry: dict[str, Any]) -> Shard:
    file, removed = entry["file"], entry["removed"]
    if not (isinstance(file, str) and _SHARD.fullmatch(file)):
        raise ValueError("a file of rows has another name")
    if removed is not None and not (isinstance(removed, str) and _REMOVED.fullmatch(removed)):
        raise ValueError(f"the removals of {file} have another name")
    names = ("rows", "least", "greatest", "removed_rows")
    shard = Shard(file=file, removed=removed, **{name: _number(entry, name) for name in names})
    gone = shard.removed_rows if removed is not None else 0
    if not (1 <= shard.rows <= shard.greatest - shard.least + 1 and gone == shard.removed_rows < shard.rows):
        raise ValueError(f"what it says of {file} does not go together")
    return shard


def _texts(entry: dict[str, Any]) -> Texts:
    file = entry["file"]
    if not (isinstance(file, str) and _TEXTS.fullmatch(file)):
        raise ValueError("a file of texts has another name")
    texts = Texts(file, *(_number(entry, name) for name in ("rows", "least", "greatest")))
    if not 1 <= texts.rows <= texts.greatest - texts.least + 1:
        raise ValueError(f"what it says of {file} does not go together")
    return texts


def _number(body: dict[str, Any], name: str) -> int:
    number = body[name]
    if type(number) is not int or not 0 <= number <= _LARGEST:
        raise ValueError(f"{name} is no whole number in range")
    return number
