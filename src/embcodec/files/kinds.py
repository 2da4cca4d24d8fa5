"""Kinds of files of embeddings, by their names' ends."""

from __future__ import annotations

import os
import re
from pathlib import Path
from typing import Any

from ..errors import StorageError
from ..words import as_path, meant

TYPED = (".safetensors", ".npz", ".parquet")
LOW_BIT = (".safetensors", ".npz")
MATRIX = (".fbin", ".u8bin", ".i8bin")
ROWS = (".fvecs", ".bvecs")
HDF5 = (".hdf5", ".h5")
SUFFIXES = (*TYPED, ".npy", *MATRIX, *ROWS)
"""The kinds of files that are written, by their names' ends; all are read."""
READ = (*SUFFIXES, *HDF5)
UNSEALED = (".npy", *MATRIX, *ROWS)
"""Those without a checksum: any of their rows are read without the others."""
WITH_IDS = (*TYPED, *HDF5)
"""Those that have room for ids beside their rows."""
LINES, BODY = ".jsonl", ".json"
"""What batch files and response bodies are called; lines may be zipped, which their reader sees by itself."""
COLLECTION = "collection.json"
"""The manifest in the folder of a collection, whose files are read together only."""
IDS = (".ibin", ".ivecs")
"""Files of the numbers of rows."""

_URL = re.compile(r"[A-Za-z][A-Za-z0-9+.-]+(?:://|::)")
_SECRETS, _QUERY = re.compile(r"(?<=://)[^/@]*@"), re.compile(r"[?#].*", re.DOTALL)
_LINES = tuple(f"{kind}{coding}" for kind in (LINES, ".ndjson") for coding in ("", ".gz", ".zst"))
_MAGIC = {
    b"PAR1": ".parquet",
    b"\x93NUMPY": ".npy",
    b"PK\x03\x04": ".npz",
    b"\x89HDF": ".hdf5",
    b"\x1f\x8b": LINES,
    b"\x28\xb5\x2f\xfd": LINES,
}
_READERS = {
    ".json": "; decode_response(Path(path).read_bytes()) reads a response body",
    ".jsonl": "; decode_batch(path) reads a batch job's output",
    ".jsonl.gz": "; decode_batch(path) reads a batch job's output",
    ".jsonl.zst": "; decode_batch(path) reads a batch job's output",
    **dict.fromkeys(IDS, "; load_ids(path) reads the numbers of rows"),
    **dict.fromkeys((".feather", ".arrow", ".ipc"), "; from_arrow(pyarrow.feather.read_table(path)) reads a table"),
    **dict.fromkeys((".pt", ".pth", ".bin"), "; Embeddings(torch.load(path)) takes a tensor"),
    **dict.fromkeys((".pkl", ".pickle"), "; Embeddings(pandas.read_pickle(path)) takes a frame, or a column of rows"),
    # Without header= the first row of numbers would become the names of columns, in silence.
    ".csv": "; Embeddings(pandas.read_csv(path, header=None)) takes rows of numbers alone",
    ".tsv": "; Embeddings(pandas.read_table(path, header=None)) takes rows of numbers alone",
    **dict.fromkeys((".faiss", ".index"), "; from_faiss(faiss.read_index(path)) reads an index"),
    **dict.fromkeys((".gz", ".zst", ".zip", ".bz2", ".xz"), "; decompress it first"),
    ".txt": "; Client.embed asks a service for the embeddings of texts",
}
_WRITERS = {BODY: "; encode_response(embeddings) returns a response body"}
_HEADS = (
    (b"version https://git-lfs", "a pointer of Git LFS, not the file itself: git lfs pull fetches it"),
    *((head, kind) for head, kind in _MAGIC.items() if kind in READ),
    (b"ARROW1", "a .arrow file: from_arrow(pyarrow.feather.read_table(path)) reads it"),
    (b"\x1f\x8b", "a gzip file: decompress it first"),
    (b"\x28\xb5\x2f\xfd", "a zstd file: decompress it first"),
    (b"<", "a page of HTML or XML, not the file that was meant"),
)


def begins_like(path: str | os.PathLike[str], suffix: str) -> str:
    """Return what a file begins like that is not of the kind its name says; nothing where that cannot be told."""
    try:
        with open(path, "rb") as file:
            start = file.read(32)
    except OSError:
        return ""
    kind = next((kind for head, kind in _HEADS if start.startswith(head)), suffix)
    if kind == suffix or (kind == ".hdf5" and suffix in HDF5):
        return ""
    return f"; it begins like {f'a {kind} file: rename it, or look where it is from' if kind.startswith('.') else kind}"


def check_suffix(path: str | os.PathLike[str], *, reading: bool = False, lines: bool = False) -> str:
    """Return the suffix of a path, in lower case; StorageError if no file of embeddings has it that is written.

    With `reading` those that are read only will do; with `lines` errors name batch files and bodies, too.
    """
    if not reading:
        refuse_url(path, "files are written on this machine, and can be copied from there")
    name = Path(as_path(path)).name
    suffix, known = Path(name).suffix.lower(), READ if reading else SUFFIXES
    if suffix not in known:
        if reading and os.path.isdir(path):
            raise StorageError(
                f"{name or os.fspath(path)!r} is a folder: Collection.open(path) opens one that holds a collection"
            )
        if suffix in HDF5:
            raise StorageError(f"{name!r}: a {suffix} file is read, not written; known are {', '.join(SUFFIXES)}")
        shown = (*known, LINES, BODY) if lines else known
        ways = _READERS if reading else _WRITERS
        way = next((way for end, way in ways.items() if name.lower().endswith(end)), "") or meant(suffix, known)
        raise StorageError(f"{name!r}: unknown kind of file; known are {', '.join(shown)}{way}")
    return suffix


def is_url(path: Any) -> bool:
    """Whether a path is a URL, as fsspec takes them."""
    return isinstance(path, str) and _URL.match(path) is not None


def shown_url(url: str) -> str:
    """Return a URL without a user's name and password, and without the query, which may be signed."""
    if not url.startswith(("http://", "https://")):
        return _SECRETS.sub("", url)
    return _QUERY.sub("", _SECRETS.sub("", url))


def refuse_url(path: Any, reason: str) -> None:
    """Refuse a URL where a path of this machine is wanted (StorageError)."""
    if is_url(path):
        raise StorageError(f"{shown_url(path)} is a URL: {reason}")


def kind_of_name(name: str) -> str | None:
    """Return the kind of file of rows that a name's end says, lines and bodies among them; None where it says none."""
    lower = name.lower()
    if lower.endswith(_LINES):
        return LINES
    return next((suffix for suffix in (*READ, BODY) if lower.endswith(suffix)), None)


def kind_of_head(head: bytes) -> str | None:
    """Return the kind of file that begins so; None where that does not tell."""
    found = next((kind for magic, kind in _MAGIC.items() if head.startswith(magic)), None)
    if found is None and head[8:10] == b'{"':
        return ".safetensors"
    if found is None and head.removeprefix(b"\xef\xbb\xbf").lstrip().startswith((b"{", b"[")):
        first, _, more = head.partition(b"\n")
        return BODY if more.strip() and not first.rstrip().endswith((b"}", b"]")) else LINES
    return found
