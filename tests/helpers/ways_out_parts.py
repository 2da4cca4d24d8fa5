"""Ways out that errors of prepared queries, merged results, collections and exact searches name: see test_ways_out."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np

import embcodec as ec
from embcodec import quantize

X = np.eye(6, dtype=np.float32)
CODES = quantize(X, "int8")


def collection(folder: Path, name: str = "vectors", **options: Any) -> ec.Collection:
    """Return a new collection with the rows of X."""
    made = ec.Collection.create(folder / name, like=X, **options)
    made.append(X)
    return made


def beside_another_writer(folder: Path, timeout: float) -> None:
    """Append to a collection that another writer lets go of, or does not."""
    held = collection(folder, f"held{timeout}")
    with held._folder.changing():
        ec.Collection.open(folder / f"held{timeout}", lock_timeout=timeout).append(X)


def named(folder: Path) -> ec.Collection:
    """Return a new collection whose rows are called by letters."""
    made = ec.Collection.create(folder / "named", like=X)
    made.append(X, ids=list("abcdef"))
    return made


CASES: dict[str, tuple[Callable[[Path], object], str, tuple[Callable[[Path], object], ...]]] = {
    "an id of a mask twice": (
        lambda p: collection(p).search(X, 1, mask=[1, 1]),
        "name each once",
        (lambda p: collection(p).search(X, 1, mask=[1, 2]),),
    ),
    **{
        f"texts for numbers, to {name}": (
            lambda p, ask=ask: ask(named(p), ["b"]),
            r"are whole numbers, not texts: vectors\.ids_of\(texts\) has those of texts",
            (lambda p, ask=ask: (lambda vectors: ask(vectors, vectors.ids_of(["b"])))(named(p)),),
        )
        for name, ask in (
            ("remove", lambda vectors, ids: vectors.remove(ids)),
            ("search among", lambda vectors, ids: vectors.search(X, 1, mask=ids)),
        )
    },
    "a mask of booleans for a collection": (
        lambda p: collection(p).search(X, 1, mask=[True] * 6),
        r"a list of the ids that count: numbers, as vectors\.ids_of\(texts\) has them of texts; not a boolean a row",
        (lambda p: collection(p).search(X, 1, mask=range(6)),),
    ),
    "a collection made twice": (
        lambda p: [collection(p), collection(p)],
        r"Collection.open\(path\)",
        (lambda p: [collection(p), ec.Collection.open(p / "vectors")],),
    ),
    "another writer": (
        lambda p: beside_another_writer(p, 0.0),
        "try again, or wait longer with lock_timeout=",
        (
            lambda p: collection(p).append(X),
            lambda p: ec.Collection.open(collection(p, "again")._folder.path, lock_timeout=5).append(X),
        ),
    ),
    "prepared for another metric": (
        lambda p: ec.search(ec.prepare(X, CODES), CODES, 1, metric="dot"),
        "metric='dot'",
        (lambda p: ec.search(ec.prepare(X, CODES, metric="dot"), CODES, 1, metric="dot"),),
    ),
    "prepared for other rows": (
        lambda p: ec.search(ec.prepare(X, CODES), quantize(X, "uint8"), 1),
        r"prepare\(queries, rows\)",
        (lambda p: ec.search(ec.prepare(X, quantize(X, "uint8")), quantize(X, "uint8"), 1),),
    ),
    "an exact search without floats": (
        lambda p: ec.FlatIndex(CODES).search(X, 1, exact=True),
        r"exact=True is about floats, .*: use FlatIndex\(codes, rescore_with=floats\)",
        (lambda p: ec.FlatIndex(CODES, rescore_with=X).search(X, 1, exact=True),),
    ),
    "an exact search with candidates": (
        lambda p: ec.FlatIndex(CODES, rescore_with=X).search(X, 1, exact=True, rescore_multiplier=9),
        "leave out rescore_multiplier, three_stage and confidence",
        (lambda p: ec.FlatIndex(CODES, rescore_with=X).search(X, 1, exact=True),),
    ),
    "an exact search of a collection without floats": (
        lambda p: ec.Collection.create(p / "codes", like=CODES).search(X, 1, exact=True),
        r"exact=True is about floats, .*: use Collection\.create\(path, like=codes, rescore_with=floats\)",
        (lambda p: ec.Collection.create(p / "better", like=CODES, rescore_with=X).search(X, 1, exact=True),),
    ),
    "an exact search of a collection with candidates": (
        lambda p: collection(p).search(X, 1, exact=True, rescore_multiplier=9),
        "exact=True finds its own candidates, in this process: leave out rescore_multiplier and scheduler",
        (lambda p: ec.Collection.create(p / "more", like=CODES, rescore_with=X).search(X, 1, exact=True),),
    ),
    "a collection in three stages": (
        lambda p: collection(p).search(X, 1, three_stage=True),
        "a collection has two stages, without bounds: leave out three_stage and confidence",
        (lambda p: collection(p).search(X, 1),),
    ),
}
