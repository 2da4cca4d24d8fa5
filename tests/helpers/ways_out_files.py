"""Ways out that errors of many files, of files elsewhere and of collections made of files name: see test_ways_out."""

from __future__ import annotations

import io
import json
from collections.abc import Callable
from pathlib import Path
from typing import Any

import fsspec
import numpy as np
import pyarrow
import pyarrow.parquet

import embcodec as ec

X = np.eye(6, dtype=np.float32)


class Forward(io.BytesIO):
    """A file that goes forward only."""

    def seekable(self) -> bool:
        return False


def batch(folder: Path, error: str | None = None) -> Path:
    """Write a batch job's output of one answer, and of a line that failed."""
    body = {"model": "m", "data": [{"index": 0, "embedding": X[0].tolist()}]}
    lines = [{"custom_id": "a", "response": {"status_code": 200, "body": body}}]
    lines += [{"custom_id": "b", "error": error}] if error else []
    (folder / "out.jsonl").write_text("\n".join(map(json.dumps, lines)))
    return folder / "out.jsonl"


def body(folder: Path) -> Path:
    (folder / "body.json").write_bytes(ec.encode_response(X, model="m"))
    return folder / "body.json"


def rows(folder: Path, name: str = "rows.npy") -> Path:
    ec.save(folder / name, X)
    return folder / name


def elsewhere(folder: Path) -> str:
    """Put two files into a store."""
    store = fsspec.filesystem("memory")
    for name in ("a", "b"):
        store.pipe(f"/ways/{name}.npy", rows(folder).read_bytes())
    return "memory://ways"


def table(folder: Path) -> Path:
    """Write a table whose ids are texts."""
    columns = {"key": [f"row {i}" for i in range(6)], "v": X.tolist()}
    pyarrow.parquet.write_table(pyarrow.table(columns), folder / "rows.parquet")
    return folder / "rows.parquet"


def two(folder: Path) -> Path:
    np.savez(folder / "two.npz", a=X, b=X)
    return folder / "two.npz"


def collection_of_one(folder: Path) -> ec.Collection:
    """Return a collection that has taken one of two columns of a file."""
    made = collection(folder)
    made.ingest(two(folder), column="a")
    return made


def every(paths: Any, **options: Any) -> list[Any]:
    return list(ec.iter_load(paths, **options))


def collection(folder: Path) -> ec.Collection:
    name = f"vectors{len(list(folder.iterdir()))}"
    return ec.Collection.create(folder / name, like=X)


def changed(folder: Path, name: str) -> int:
    """Ingest a file, let it grow, and ingest it again."""
    made = collection(folder)
    made.ingest(rows(folder))
    ec.save(folder / name, np.concatenate([X, X]))
    return made.ingest(folder / name)


def replaced(folder: Path, name: str) -> int:
    """Ingest a file, put another of its size in its place, and ingest that."""
    made = collection(folder)
    made.ingest(rows(folder))
    ec.save(folder / name, -X)
    return made.ingest(folder / name)


def codes(folder: Path) -> Path:
    ec.save(folder / "codes.npz", ec.quantize(X, "ubinary"))
    return folder / "codes.npz"


def rescoring(folder: Path) -> ec.Collection:
    name = f"vectors{len(list(folder.iterdir()))}"
    return ec.Collection.create(folder / name, like=ec.quantize(X, "ubinary"), rescore_with=X)


def with_ranges(folder: Path) -> ec.Collection:
    name = f"vectors{len(list(folder.iterdir()))}"
    return ec.Collection.create(folder / name, like=ec.quantize(X, "int8", scale=np.stack([X.min(0), X.max(0) + 1])))


def at_once(folder: Path, again: bool) -> int:
    """Ingest while another process does."""
    made, path = collection(folder), rows(folder)
    other = ec.Collection.open(made._folder.path)
    ec.save(folder / "second.npy", X)
    try:
        return made.ingest(
            [path, folder / "second.npy"], batch_rows=6, progress=lambda *_: other.ingest(folder / "second.npy")
        )
    except ec.StorageError:
        if not again:
            raise
        return made.ingest([path, folder / "second.npy"])


def removed(folder: Path, ids: Any) -> Any:
    """Append rows with ids after one with a text is gone."""
    made = collection(folder)
    made.append(X[:2], ids=["a", "b"])
    made.remove(made.ids_of(["a"]))
    return made.append(X[:1], ids=ids)


CASES: dict[str, tuple[Callable[[Path], object], str, tuple[Callable[[Path], object], ...]]] = {
    "ids of a file without": (
        lambda p: every(rows(p), id_column="id"),
        r"without ids: leave out id_column='id', or name a file that has them",
        (lambda p: every(rows(p)),),
    ),
    "another name for custom_ids": (
        lambda p: every(batch(p), id_column="id"),
        "id_column='custom_id'",
        (lambda p: every(batch(p), id_column="custom_id"),),
    ),
    "ids of a body": (
        lambda p: every(body(p), id_column="id"),
        "leave out id_column='id'",
        (lambda p: every(body(p)),),
    ),
    "a column of a body": (
        lambda p: every(body(p), column="v"),
        "leave out column='v'",
        (lambda p: every(body(p)),),
    ),
    "what a body's elements are": (
        lambda p: every(body(p), float_dtype="bfloat16"),
        "leave out float_dtype='bfloat16'",
        (lambda p: every(body(p)),),
    ),
    "a failed line": (
        lambda p: every(batch(p, "too long")),
        "pass failed= to hear of such lines and go on",
        (lambda p: every(batch(p, "too long"), failed=print),),
    ),
    "a matrix that goes forward only": (
        lambda p: every(Forward(rows(p).read_bytes())),
        "unknown kind of file",
        (lambda p: every(rows(p)),),
    ),
    **{
        f"a {suffix} file that goes forward only": (
            lambda p, suffix=suffix: every(named(Forward(rows(p, f"x{suffix}").read_bytes()), f"x{suffix}")),  # type: ignore[misc]
            "goes forward only: save it first",
            (lambda p, suffix=suffix: every(rows(p, f"x{suffix}")),),  # type: ignore[misc]
        )
        for suffix in (".npy", ".parquet")
    },
    "texts as ids of a search": (
        lambda p: ec.search_files(X, table(p), 2, id_column="key"),
        "leave out id_column, and look .* or put the rows into a Collection, which keeps texts",
        (
            lambda p: ec.search_files(X, table(p), 2),
            lambda p: collection(p).ingest(table(p), id_column="key"),
        ),
    ),
    "several files for one": (
        lambda p: ec.load(elsewhere(p)),
        r"iter_load\(paths\) reads several",
        (lambda p: every(elsewhere(p)),),
    ),
    "a file open for text": (
        lambda p: every(io.StringIO("text")),
        r"open\(path, 'rb'\)",
        (lambda p: every(io.BytesIO(rows(p).read_bytes())),),
    ),
    "the folder of a collection": (
        lambda p: every(collection(p)._folder.path),
        r"Collection.open\(path\)",
        (lambda p: ec.Collection.open(collection(p)._folder.path),),
    ),
    "mapping what is elsewhere": (
        lambda p: ec.load(elsewhere(p) + "/a.npy", mmap=True),
        "leave out mmap=True",
        (lambda p: ec.load(elsewhere(p) + "/a.npy"),),
    ),
    "another column of a file": (
        lambda p: collection_of_one(p).ingest(two(p), column="b"),
        "its column 'a' was taken, .*: column='a', and another one into a collection of its own",
        (
            lambda p: collection_of_one(p).ingest(two(p), column="a"),
            lambda p: collection(p).ingest(two(p), column="b"),
        ),
    ),
    "a file that has grown": (
        lambda p: changed(p, "rows.npy"),
        "as a file of another name",
        (lambda p: changed(p, "more.npy"),),
    ),
    "a file of another content": (
        lambda p: replaced(p, "rows.npy"),
        "had another content of as many bytes .* as a file of another name",
        (lambda p: replaced(p, "more.npy"),),
    ),
    "codes into a collection that rescores": (
        lambda p: rescoring(p).ingest(codes(p)),
        "ingest files of floats",
        (lambda p: rescoring(p).ingest(rows(p)),),
    ),
    "rows to rescore with that are worse": (
        lambda p: ec.FlatIndex(X, rescore_with=ec.quantize(X, "int8")),
        "swap them, or leave out rescore_with=",
        (lambda p: ec.FlatIndex(ec.quantize(X, "int8"), rescore_with=X), lambda p: ec.FlatIndex(X)),
    ),
    "int8 rows into a collection with ranges": (
        lambda p: with_ranges(p).append(ec.quantize(X, "int8")),
        "use add floats|: add floats",
        (lambda p: with_ranges(p).append(X),),
    ),
    "ingested by another process": (
        lambda p: at_once(p, again=False),
        "try again, which goes on",
        (lambda p: at_once(p, again=True),),
    ),
    "the id of a text that is gone": (
        lambda p: removed(p, [0]),
        "leave ids out, or give texts",
        (lambda p: removed(p, None), lambda p: removed(p, ["a"])),
    ),
}


def named(file: Any, name: str) -> Any:
    file.name = name
    return file
