"""The manifest of a collection: which files are its rows at this moment."""

from __future__ import annotations

import json
import re
from collections.abc import Sequence
from dataclasses import asdict, dataclass, field, replace
from functools import cached_property
from typing import Any

import numpy as np
from numpy.typing import NDArray

from ...errors import StorageError
from .grown import Grown

LIKE = "like.safetensors"

_SHARD = re.compile(r"rows-[0-9]{8}\.safetensors")
_REMOVED = re.compile(r"removed-[0-9]{8}-[0-9]{8}\.npy")
_TEXTS = re.compile(r"texts-[0-9]{8}\.parquet")
_LARGEST = (1 << 63) - 1
_LAST_NUMBER = 10**8 - 1  # of a file of rows


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

    @classmethod
    def of(cls, number: int, ids: NDArray[np.int64]) -> Shard:
        """Return the file of that number, of rows whose ids ascend."""
        return cls(file_of_rows(number), len(ids), int(ids[0]), int(ids[-1]))

    @property
    def live(self) -> int:
        """How many rows count."""
        return self.rows - self.removed_rows

    @property
    def number(self) -> int:
        """Which file of rows it is."""
        return int(self.file[5:-12])

    @cached_property
    def text(self) -> str:
        """Its entry in the manifest: JSON with sorted keys, as :mod:`json` writes it."""
        removed = "null" if self.removed is None else f'"{self.removed}"'  # names have nothing to escape
        return (
            f'{{"file": "{self.file}", "greatest": {self.greatest}, "least": {self.least}, "removed": {removed}, '
            f'"removed_rows": {self.removed_rows}, "rows": {self.rows}}}'
        )

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
class Addition:
    """A change that adds a file of rows: what of the manifest is another with it.

    Attributes
    ----------
    shard : Shard
    generation, next_id, next_file : int
    texts : Texts or None
        A file of what its rows are called.
    ingested : Ingested
    """

    shard: Shard
    generation: int
    next_id: int
    next_file: int
    texts: Texts | None = None
    ingested: Ingested = Ingested()

    @cached_property
    def text(self) -> str:
        """What it says, in JSON with sorted keys, as :mod:`json` writes it."""
        texts = "null" if self.texts is None else json.dumps(asdict(self.texts), sort_keys=True)
        return (
            f'{{"generation": {self.generation}, '
            f'"ingested": {{"crc32": {self.ingested.crc32}, "nbytes": {self.ingested.nbytes}}}, '
            f'"next_file": {self.next_file}, "next_id": {self.next_id}, '
            f'"shard": {self.shard.text}, "texts": {texts}}}'
        )


@dataclass(frozen=True)
class Manifest:
    """What a collection holds at one moment.

    Attributes
    ----------
    shards : sequence of Shard
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

    shards: Grown[Shard] = field(default_factory=Grown)
    next_id: int = 0
    next_file: int = 1
    generation: int = 0
    texts: tuple[Texts, ...] = ()
    ingested: Ingested = Ingested()

    def __len__(self) -> int:
        return self._rows

    @cached_property
    def _rows(self) -> int:
        return sum(shard.live for shard in self.shards)

    def changed(self, **changes: Any) -> Manifest:
        """Return the manifest of the next generation."""
        return replace(self, generation=self.generation + 1, **changes)

    def extends(self, former: Manifest) -> bool:
        """Whether all files of a former manifest count as they did."""
        return self.shards.begins_with(former.shards) and self.texts[: len(former.texts)] == former.texts

    def extended(self, additions: Sequence[Addition]) -> Manifest:
        """Return the manifest after some additions, one after the other; ValueError for one that does not follow."""
        if not additions:
            return self
        former: Manifest | Addition = self
        for addition in additions:
            follows = addition.generation == former.generation + 1 and addition.next_id >= former.next_id
            if not follows or not former.next_file <= addition.shard.number < addition.next_file:
                raise ValueError(f"an addition of {addition.shard.file} does not follow the one before it")
            if addition.shard.greatest >= addition.next_id:
                raise ValueError("the next id is taken")
            former = addition
        texts = [addition.texts for addition in additions if addition.texts is not None]
        return Manifest(
            self.shards.with_more([addition.shard for addition in additions]),
            former.next_id,
            former.next_file,
            former.generation,
            (*self.texts, *texts),
            former.ingested,
        )

    @property
    def files(self) -> set[str]:
        """The names of all files of rows, removals and texts that count."""
        names = {name for shard in self.shards for name in (shard.file, shard.removed) if name is not None}
        return names | {texts.file for texts in self.texts}


def file_of_rows(number: int) -> str:
    """Return the name of a file of rows; StorageError where names have no room for its number."""
    if number > _LAST_NUMBER:
        raise StorageError(f"no file of rows has a number above {_LAST_NUMBER:,}: append to a new collection")
    return f"rows-{number:08d}.safetensors"


def number_of_rows(name: str) -> int | None:
    """Return the number in the name of a file of rows; None of any other name."""
    return int(name[5:-12]) if _SHARD.fullmatch(name) else None


def is_file_of_rows(name: str) -> bool:
    """Whether a name is that of a file of rows, of removals or of texts."""
    return any(pattern.fullmatch(name) for pattern in (_SHARD, _REMOVED, _TEXTS))


def manifest_of(body: dict[str, Any]) -> Manifest:
    """Return what the JSON of a manifest says (KeyError, TypeError, ValueError where it contradicts itself)."""
    shards = Grown(_shard(entry) for entry in body["shards"])
    numbers = {name: _number(body, name) for name in ("next_id", "next_file", "generation")}
    if len({shard.file for shard in shards}) < len(shards):
        raise ValueError("a file is named twice")
    if any(shard.greatest >= numbers["next_id"] for shard in shards):
        raise ValueError("the next id is taken")
    texts = tuple(_texts(entry) for entry in body.get("texts", []))
    return Manifest(shards, **numbers, texts=texts, ingested=_ingested(body.get("ingested", asdict(Ingested()))))


def addition_of(body: dict[str, Any]) -> Addition:
    """Return what the JSON of an addition says (KeyError, TypeError, ValueError where it contradicts itself)."""
    numbers = {name: _number(body, name) for name in ("generation", "next_file", "next_id")}
    texts = None if body["texts"] is None else _texts(body["texts"])
    return Addition(_shard(body["shard"]), **numbers, texts=texts, ingested=_ingested(body["ingested"]))


def _ingested(entry: dict[str, Any]) -> Ingested:
    return Ingested(_number(entry, "nbytes"), _number(entry, "crc32"))


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
