"""Where files are: on this machine by path, glob or folder, elsewhere by URL, or open already; each can be opened."""

from __future__ import annotations

import errno
import glob
import os
import re
import shutil
from collections.abc import Callable, Iterable, Iterator, Mapping
from contextlib import AbstractContextManager, contextmanager, nullcontext
from dataclasses import dataclass, replace
from functools import partial
from importlib import import_module
from tempfile import TemporaryDirectory
from typing import IO, Any

from ...errors import StorageError
from ...words import as_path, has_elements, needs_package, shown
from ..kinds import BODY, COLLECTION, LINES, check_suffix, is_url, kind_of_head, kind_of_name, shown_url
from .skipping import Skips

Path = str | os.PathLike[str] | IO[bytes]
Paths = Path | Iterable[Path]
"""One or several paths, globs, folders, URLs or files that are open in binary mode."""

_HEAD = 1 << 12
_VERSIONS = (
    *("etag", "e_tag", "md5hash", "content-md5", "content_md5", "crc32c", "digest", "generation", "checksum"),
    *("last-modified", "lastmodified", "last_modified", "mtime", "updated", "modified", "created"),
)
_PAGES = ("http://", "https://")  # which the extra "remote" reads
_COPIED = 1 << 22  # bytes that are copied at once
# Packages whose errors are about what a file holds, not about reaching it.
_OURS = ("builtins", "embcodec", "pyarrow", "zlib")


@dataclass(frozen=True)
class Place:
    """A file, wherever it is.

    Attributes
    ----------
    name : str
        What errors call it: a URL without what may be secret in it.
    path : str or None
        On this machine; None where it is elsewhere.
    opener : callable
        Opens it in binary mode, as a context manager.
    url : str or None
        With what may be secret in it.
    facts : callable or None
        Of a URL: returns what its store says of the file.
    """

    name: str
    path: str | None
    opener: Callable[[], AbstractContextManager[IO[bytes]]]
    url: str | None = None
    facts: Callable[[], Mapping[str, Any]] | None = None

    @contextmanager
    def open(self) -> Iterator[IO[bytes]]:
        """Open the file in binary mode; it is at its beginning. Errors do not say what is secret in a URL."""
        try:
            with _reached(self.url), self.opener() as file:
                yield file
        except Exception as error:
            if self.url in (None, self.name) or str(self.url) not in str(error):
                if self.url is not None and isinstance(error, FileNotFoundError) and self.name not in str(error):
                    raise FileNotFoundError(errno.ENOENT, "no such file", self.name) from None
                raise
            kind = type(error) if isinstance(error, FileNotFoundError | PermissionError) else OSError
            raise kind(str(error).replace(str(self.url), self.name)) from None

    def kind(self) -> str:
        """Return what kind of file it is, as the end of a name: by its own, or by how it begins.

        Raises
        ------
        StorageError
            Where neither tells.
        """
        found = kind_of_name(self.name)
        if found is None:
            with self.open() as file:
                found = kind_of_head(file.read(_HEAD)) if _can_seek(file) else None
        return found or check_suffix(self.name, reading=True, lines=True)

    def absolute(self) -> Place:
        """Return it as processes find it that stand in other folders; its name stays."""
        if self.path is None:
            return self
        path = os.path.abspath(self.path)
        return replace(self, path=path, opener=partial(_opened, path))

    def size(self) -> int:
        """Return how many bytes the file has; -1 where that cannot be told."""
        if self.path is not None:
            return os.stat(self.path).st_size
        with self.open() as file:
            return file.seek(0, os.SEEK_END) if _can_seek(file) else -1

    def version(self) -> str | None:
        """Return what the store of a URL says that changes with the file: its checksum or version, else its time.

        The first word is what that is called; None where the store says nothing of the kind.
        """
        with _reached(self.url):
            said = {} if self.facts is None else {key.lower(): value for key, value in self.facts().items()}
        for name in _VERSIONS:
            if said.get(name) not in (None, ""):
                return f"{name} {said[name]}"
        return None


def _opened(path: str) -> IO[bytes]:
    return open(path, "rb")


def is_elsewhere(path: Any) -> bool:
    """Whether what is called a path is a URL, or an open file."""
    return _is_open(path) or is_url(path)


def shown_place(path: Path) -> str:
    """Return what errors call a file: a URL without what may be secret in it."""
    if _is_open(path):
        return _name_of(path)
    text = os.fsdecode(os.fspath(path))  # type: ignore[arg-type]
    return shown_url(text) if is_elsewhere(path) else text


@contextmanager
def fetched(path: Path) -> Iterator[tuple[str, str]]:
    """Give a path of this machine for a file, and the file's kind: one from elsewhere is copied for as long.

    Raises
    ------
    StorageError
        Where it is no file of embeddings, or several.
    """
    if not is_elsewhere(path):
        here = as_path(path)
        yield here, check_suffix(here, reading=True)
        return
    found = list(_places(path, {}))
    if len(found) != 1:
        raise StorageError(f"{len(found)} files: iter_load(paths) reads several")
    kind = found[0].kind()
    if kind in (LINES, BODY):
        check_suffix(found[0].name, reading=True)
    with TemporaryDirectory() as folder, found[0].open() as file:
        copy = os.path.join(folder, f"copy{kind}")
        with open(copy, "wb") as target:
            shutil.copyfileobj(file, target, _COPIED)
        yield copy, kind


def places_of(paths: Any, options: Mapping[str, Any] | None = None, skips: Skips | None = None) -> list[Place]:
    """Return the files of paths, in the order of these; those of a glob or folder by name.

    Where `skips` hears of what is passed over, that is also which of several paths is not there.

    Raises
    ------
    FileNotFoundError
        Where there is no such file, or none that a glob matches.
    StorageError
        For a folder without files of embeddings, and a URL that cannot be read.
    TypeError
        For what is no path.
    """
    if not (options is None or isinstance(options, Mapping)):
        raise TypeError(f"storage_options maps what a store takes to values, which {shown(options)} does not")
    if isinstance(paths, str | os.PathLike) or _is_open(paths):
        return list(_places(paths, options or {}))
    if not has_elements(paths):
        as_path(paths, "paths")  # a TypeError
    found: list[Place] = []
    empty = True
    for path in paths:
        empty = False
        try:
            found += _places(path, options or {})
        except (OSError, StorageError) as error:
            if skips is None:
                raise
            skips.add(shown_place(path), error)
    if empty:
        raise ValueError("there are no paths")
    return found


def _places(path: Path, options: Mapping[str, Any]) -> Iterator[Place]:
    if _is_open(path):
        yield _of_open(path)
    elif is_url(path):
        yield from _of_url(str(path), options)
    else:
        yield from _here(as_path(path, "paths"))


def _here(path: str) -> Iterator[Place]:
    if os.path.isdir(path):
        yield from _of_folder(path)
        return
    if os.path.lexists(path) or not glob.has_magic(path):
        if not os.path.exists(path):
            raise FileNotFoundError(errno.ENOENT, os.strerror(errno.ENOENT), path)
        yield _of_path(path)
        return
    names = sorted(name for name in glob.glob(path, recursive=True) if not _is_hidden(name))
    if not names:
        raise FileNotFoundError(errno.ENOENT, "no file matches", path)
    for name in names:
        if not os.path.isdir(name):
            yield _of_path(name)
        elif "**" not in path:  # which has the files of folders themselves
            yield from _of_folder(name)


def _of_folder(path: str) -> Iterator[Place]:
    if os.path.exists(os.path.join(path, COLLECTION)):
        raise StorageError(f"{path} is a collection: Collection.open(path) opens it")
    names = [os.path.join(folder, name) for folder, files in _walk(path) for name in files]
    known = [name for name in sorted(names) if _is_known(os.path.relpath(name, path))]
    if not known:
        raise StorageError(f"{path}: no files of embeddings in this folder")
    yield from map(_of_path, known)


def _walk(path: str) -> Iterator[tuple[str, list[str]]]:
    """Walk through a folder, and past the collections in it."""
    for folder, folders, files in os.walk(path):
        if COLLECTION in files:
            folders.clear()
        else:
            yield folder, files


def _of_path(path: str) -> Place:
    return Place(path, path, partial(_opened, path))


def _of_open(file: Any) -> Place:
    if not isinstance(file.read(0), bytes):
        raise TypeError(f"an open file is read in binary mode: open(path, 'rb'), not {shown(file)}")

    def opener() -> AbstractContextManager[IO[bytes]]:
        if _can_seek(file):
            file.seek(0)
        return nullcontext(file)

    return Place(_name_of(file), None, opener)


def _name_of(file: Any) -> str:
    name = getattr(file, "name", None)
    return name if isinstance(name, str) else "an open file"


def _of_url(url: str, options: Mapping[str, Any]) -> Iterator[Place]:
    try:
        fsspec = import_module("fsspec.core")
    except ImportError:
        raise StorageError(needs_package(f"{shown_url(url)}: a URL", "fsspec", "remote")) from None
    try:
        system, path = fsspec.url_to_fs(url, **options)
    except ImportError as error:  # of the package that speaks a protocol
        way = ": pip install 'embcodec[remote]'" if url.startswith(_PAGES) else ""
        raise StorageError(f"{shown_url(url)}: {error}{way}") from None
    except ValueError as error:  # a protocol that is not known
        raise StorageError(f"{shown_url(url)}: {error}") from None
    with _reached(url):
        names = _names_of(system, path, url)
        whole = [system.unstrip_protocol(name) for name in names]
    for name, full in zip(names, whole, strict=True):
        yield Place(shown_url(full), None, partial(system.open, name, "rb"), full, partial(system.info, name))


def _names_of(system: Any, path: str, url: str) -> list[str]:
    """Return the files of a store that a path, a glob or a folder names."""
    by_query = url.startswith(_PAGES)  # where "?" begins a query, and folders are pages
    if ("*" in path) if by_query else glob.has_magic(path):
        names = sorted(name for name in system.glob(path) if not _is_hidden(name))
        if not names:
            raise FileNotFoundError(errno.ENOENT, "no file matches", shown_url(url))
    elif not by_query and system.isdir(path):
        names = [name for name in sorted(system.find(path)) if _is_known(name.removeprefix(path))]
        if not names:
            raise StorageError(f"{shown_url(url)}: no files of embeddings in this folder")
    else:
        names = [path]
    return names


@contextmanager
def _reached(url: str | None) -> Iterator[None]:
    """Have errors of a store's own package, where it cannot be reached or refuses, be OSErrors that name the file."""
    try:
        yield
    except Exception as error:
        known = isinstance(error, OSError | ValueError) or type(error).__module__.partition(".")[0] in _OURS
        if url is None or known:
            raise
        said = str(error).replace(url, shown_url(url)) or type(error).__name__
        raise OSError(f"{shown_url(url)}: {said}") from None


def _is_open(path: Any) -> bool:
    return hasattr(path, "read") and not isinstance(path, str | os.PathLike)


def _can_seek(file: Any) -> bool:
    return hasattr(file, "seekable") and bool(file.seekable())


def _is_hidden(name: str) -> bool:
    """Whether a file is one that lists leave out, as those that Spark writes beside its own."""
    return os.path.basename(name).startswith((".", "_"))


def _is_known(name: str) -> bool:
    parts = re.split(r"[\\/]", name)
    return kind_of_name(name) is not None and not any(part.startswith((".", "_")) for part in parts)
