"""The file of a manifest: what a collection held when it was written, and a line for each file of rows since then.

::

    | the manifest as JSON | newline | an addition as JSON | newline | ... | newlines up to its size, which it says |
                                                                       ^ where the next one is written

Blanks are on the disk before they are needed, so that an addition is one small write, and flushing it touches neither
the folder nor the file's size. A line that a crash has cut short has newlines within it, or lacks its end, which is its
checksum: it is not there. When no room is left, and by every other change, the file is replaced.

Lines of small files of rows are flushed now and then only: after a crash they may be lost, also some between others,
and such files say themselves what they add (see :mod:`.unlisted`).
"""

from __future__ import annotations

import json
import os
import re
import zlib
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager, suppress
from dataclasses import asdict
from pathlib import Path
from typing import IO, NamedTuple

from ...containers import overwrite, overwriting, put, replacing
from ...errors import StorageError
from ...files import COLLECTION
from ...words import without_twins
from ..files import holds_index
from .failing import UnlockedError, UnreadableError, reading
from .manifest import Addition, Manifest, addition_of, manifest_of
from .unlisted import Followed, Unlisted

_FORMAT = "embcodec collection 3"
_LISTS_ALL, _WITHOUT_LINES = "embcodec collection 2", "embcodec collection 1"  # of former versions
_MOST_BYTES = 1 << 28
_BLOCK = 1 << 12  # files are of a multiple of this many bytes
_BLANK = b"\n"
_WHOLE = re.compile(rb'\{"generation": .*"checksum": "[0-9a-f]{8}"\}')
_SEAL = len(', "checksum": "00000000"}')


class Seen(NamedTuple):
    """A manifest as it was read or written, and where in its file.

    Attributes
    ----------
    manifest : Manifest
    head : bytes
        How the file begins: with a checksum of the manifest, and its generation.
    last : bytes
        The last addition, with its newline, if there is any.
    end : int
        Where the next addition goes.
    size : int
        Of the file.
    has_room : bool
        Whether all from `end` on is blank: nothing is written behind what a crash has left.
    unlisted : tuple of str
        Files of rows that count, and that no line names: before any change they are to be settled, and named.
    is_former : bool
        Whether the file is of a former format, in which no other files count than those that it names.
    unreadable : UnreadableError or None
        Of the file of rows that would be next.
    said : Said or None
        What the file said by itself, where nothing may be written behind it: the same is not parsed again.
    """

    manifest: Manifest
    head: bytes
    last: bytes
    end: int
    size: int
    has_room: bool
    unlisted: tuple[str, ...] = ()
    is_former: bool = False
    unreadable: UnreadableError | None = None
    said: Said | None = None


class Said(NamedTuple):
    """The content of a manifest's file, what it says up to a line that is not there, and the lines behind."""

    text: bytes
    seen: Seen
    behind: list[bytes]


def write_manifest(folder: Path, manifest: Manifest, former: Seen | None = None) -> Seen:
    """Replace the manifest of a collection; what it names must be on the disk already.

    Where that fails the former one counts, or none. It is written anew only if the new one is in its place but may not
    stay there, because the folder cannot be flushed.
    """
    try:
        return _write(folder, manifest)
    except OSError:
        with suppress(OSError, StorageError):
            if former is None:
                os.unlink(folder / COLLECTION)
            elif read_manifest(folder).manifest != former.manifest:
                _write(folder, former.manifest)
        raise


def with_room(folder: Path, seen: Seen, addition: Addition) -> Seen:
    """Return a manifest that has room for the line of an addition; where it has none, it is written anew."""
    has_room = seen.has_room and not seen.is_former and seen.end + len(_line_of(addition)) <= seen.size
    return seen if has_room else write_manifest(folder, seen.manifest, seen)


@contextmanager
def adding(folder: Path, seen: Seen, addition: Addition, *, says_itself: bool) -> Iterator[Callable[[bool], Seen]]:
    """Get ready to write the line of an addition, for which there is room, and yield what writes it, and may flush it.

    It is called once what the addition names is on the disk. Where the file of rows does not say itself what it adds,
    the line is what counts: it is flushed, and where that fails the manifest is what it was. Where the file does, a
    line that cannot be written is left to the next change. All else is done before: a processor that has waited for a
    disk does everything slowly.
    """
    manifest, line = seen.manifest.extended([addition]), _line_of(addition)
    after = Seen(manifest, seen.head, line, seen.end + len(line), seen.size, True)
    path = os.path.join(folder, COLLECTION)
    with overwriting(path) as file:

        def write_line(flush: bool) -> Seen:
            try:
                if not os.path.samestat(os.fstat(file.fileno()), os.stat(path)) or _is_longer(file, seen):
                    raise UnlockedError(folder)
                if flush or not says_itself:
                    overwrite(file, seen.end, line)
                else:
                    put(file, seen.end, [line])
            except OSError:
                if says_itself:
                    return seen._replace(manifest=manifest, has_room=False, unlisted=(addition.shard.file,))
                file.close()  # no open file is replaced on Windows
                with suppress(OSError):
                    _take_back(folder, seen, len(line))
                raise
            return after

        yield write_line


def read_manifest(folder: Path, known: Seen | None = None, unlisted: Unlisted | None = None) -> Seen:
    """Read the manifest of a collection, and return `known` where that is it.

    Parameters
    ----------
    folder : Path
    known : Seen, optional
        What was seen before.
    unlisted : Unlisted, optional
        What is known of the files that no line names.

    Raises
    ------
    StorageError
        Where there is none, or it is damaged or cannot be read.
    """
    unlisted = Unlisted(folder) if unlisted is None else unlisted
    path = os.path.join(folder, COLLECTION)
    try:
        with reading(path), open(path, "rb", buffering=0) as file:
            if known is not None and _is_still(file, known):
                return _with_unlisted(unlisted, known)
            file.seek(0)
            size = os.fstat(file.fileno()).st_size  # memory is taken for as many bytes as are asked for
            text = _read(file, min(size, _MOST_BYTES) + 1)
    except NotADirectoryError:
        way = ": FlatIndex.load(path) reads it" if holds_index(folder) else ""
        raise StorageError(f"{folder} is a file, not the folder of a collection{way}") from None
    except FileNotFoundError:
        made = "there is no such folder; Collection.create(path, like=rows) makes one"
        raise StorageError(
            f"{folder} is no collection: {f'it has no {COLLECTION}' if os.path.isdir(folder) else made}"
        ) from None
    try:
        if len(text) > _MOST_BYTES:
            raise ValueError("too long")
        if known is not None and _continues(text, known):
            return _with_unlisted(unlisted, *_with_lines(text, known))
        if known is None or known.said is None or known.said.text != text:
            said = Said(text, *_parsed(text))
        else:
            said = known.said
        seen = _with_unlisted(unlisted, said.seen, said.behind)
        if not seen.has_room:
            seen = seen._replace(said=said)
        return seen._replace(manifest=known.manifest) if known and seen.manifest == known.manifest else seen
    except KeyError as error:
        raise StorageError(f"{folder / COLLECTION} is damaged: it lacks {error}") from None
    except (ValueError, TypeError, AttributeError, RecursionError) as error:
        raise StorageError(f"{folder / COLLECTION} is damaged: {error}") from None


def holds_collection(path: str | os.PathLike[str]) -> bool:
    """Whether a folder is that of a collection."""
    return (Path(path) / COLLECTION).is_file()


def _write(folder: Path, manifest: Manifest) -> Seen:
    text, head = _document_of(manifest)
    with replacing(folder / COLLECTION, sure=True) as file:
        file.write(text)
    return Seen(manifest, head, b"", len(text.rstrip(_BLANK)) + 1, len(text), True)


def _document_of(manifest: Manifest) -> tuple[bytes, bytes]:
    """Return the content of the file, an entry of `shards` a line, with room for additions, and how it begins."""
    shards = [shard.text for shard in manifest.shards]
    one_line = ", ".join(shards)
    texts = json.dumps([asdict(texts) for texts in manifest.texts], sort_keys=True)
    length = len(one_line) + len(texts)
    size = _BLOCK * (2 + (length + length // 2) // _BLOCK)  # so that writing it anew costs a part of what was added
    numbers = {
        "format": _FORMAT,
        "generation": manifest.generation,
        "ingested": asdict(manifest.ingested),
        "nbytes": size,
        "next_file": manifest.next_file,
        "next_id": manifest.next_id,
    }
    words, tail = json.dumps(numbers, sort_keys=True)[1:-1], f'"texts": {texts}}}'
    checksum = _checksum_of(f'{{{words}, "shards": [{one_line}], {tail}')  # of what the parsed file is in JSON again
    lines, head = ",\n".join(shards), f'{{"checksum": "{checksum}", {words}, "shards": [\n'
    return f"{head}{lines}\n], {tail}\n".encode().ljust(size, _BLANK), head.encode()


def _parsed(text: bytes) -> tuple[Seen, list[bytes]]:
    decoded = text.decode("ascii")
    body, stop = json.JSONDecoder(object_pairs_hook=without_twins).raw_decode(decoded)
    if body["format"] not in (_FORMAT, _LISTS_ALL, _WITHOUT_LINES):
        raise ValueError(f"format {body['format']!r}; this version reads {_FORMAT!r}")
    if body.pop("checksum") != _checksum_of(json.dumps(body, sort_keys=True)):
        raise ValueError("its checksum is another")
    head = text[: text.index(b"[") + 2]
    if b'"checksum"' not in head:  # written by others
        head = text[:stop]
    seen = Seen(manifest_of(body), head, b"", stop, len(text), False, is_former=body["format"] != _FORMAT)
    if body["format"] == _WITHOUT_LINES:
        if decoded[stop:].strip():
            raise ValueError("something is behind it")
        return seen, []
    if len(text) != body["nbytes"] or text[stop : stop + 1] != _BLANK:
        raise ValueError(f"it has {len(text):,} bytes, not {body['nbytes']:,}")
    return _with_lines(text, seen._replace(end=stop + 1))


def _with_lines(text: bytes, seen: Seen) -> tuple[Seen, list[bytes]]:
    """Return what a file says from `seen.end` on, and the lines behind one that is not there."""
    additions, last, end = [], seen.last, seen.end
    while end < len(text):
        stop = text.find(_BLANK, end) + 1 or len(text)
        addition = _addition_of(text[end:stop])
        if addition is None:
            break
        additions.append(addition)
        last, end = text[end:stop], stop
    rest = text[end:].strip(b"\n\0")
    behind = [line + _BLANK for line in rest.split(_BLANK) if _WHOLE.fullmatch(line)]
    return seen._replace(manifest=seen.manifest.extended(additions), last=last, end=end, has_room=not rest), behind


def _with_unlisted(unlisted: Unlisted, seen: Seen, behind: Sequence[bytes] = ()) -> Seen:
    """Return a manifest with the files of rows that count though their lines are lost, and with lines behind those."""
    whole = [addition for line in behind if (addition := _addition_of(line)) is not None]
    found = Followed(seen.manifest, ()) if seen.is_former else unlisted.followed(seen.manifest, whole)
    if len(behind) > len(found.files) + (0 if seen.is_former else len(whole)):  # no crash leaves it so
        raise ValueError("a line of it has another checksum")
    if found.manifest is not seen.manifest:
        seen = seen._replace(manifest=found.manifest, has_room=False, unlisted=found.files)
    return seen if found.unreadable is seen.unreadable else seen._replace(unreadable=found.unreadable)


def _is_still(file: IO[bytes], known: Seen) -> bool:
    """Whether a file is what is known of it: it was not replaced, and nothing was added or taken back."""
    if not known.has_room or file.read(len(known.head)) != known.head:
        return False
    file.seek(known.end - len(known.last))
    return file.read(len(known.last) + 1) == known.last + _BLANK * (known.end < known.size)


def _is_longer(file: IO[bytes], known: Seen) -> bool:
    """Whether a file that was not replaced has more lines than those that are known, or others."""
    file.seek(known.end - len(known.last))
    found = file.read(len(known.last) + 1)
    return found[: len(known.last)] != known.last or found[len(known.last) :] == b"{"


def _continues(text: bytes, known: Seen) -> bool:
    """Whether a file is the known one, with more lines perhaps."""
    if not known.has_room or len(text) != known.size or not text.startswith(known.head):
        return False
    return text[known.end - len(known.last) : known.end] == known.last


def _read(file: IO[bytes], most: int) -> bytes:
    pieces = []
    while most and (piece := file.read(most)):
        pieces.append(piece)
        most -= len(piece)
    return b"".join(pieces)


def _take_back(folder: Path, seen: Seen, length: int) -> None:
    """Blank what may have been written of an addition; where that fails, too, replace the file."""
    try:
        with overwriting(folder / COLLECTION) as file:
            overwrite(file, seen.end, _BLANK * length)
    except OSError:
        _write(folder, seen.manifest)


def _line_of(addition: Addition) -> bytes:
    return f'{addition.text[:-1]}, "checksum": "{_checksum_of(addition.text)}"}}\n'.encode()


def _addition_of(line: bytes) -> Addition | None:
    """Return what a line adds; None where it is none, or was not written to its end."""
    if not _WHOLE.fullmatch(line, 0, len(line) - 1):
        return None
    body = json.loads(line, object_pairs_hook=without_twins)
    if body.pop("checksum") != _checksum_of(line[: -_SEAL - 1].decode("ascii") + "}"):
        return None
    return addition_of(body)


def _checksum_of(text: str) -> str:
    return f"{zlib.crc32(text.encode()):08x}"
