"""What codes keep at equal bytes: overlap@10 with float32 search, on rows that nothing was fitted to.

    python benchmarks/quality.py [VECTORS.npy ...] [--queries QUERIES.npy ...] [--bytes 32 64 128] [--limit 120]

Without a file the committed vectors are measured: 1,000 documents are fitted to and the other 1,000 searched with the
questions of people who ask. Of a file 2,000 rows are fitted to, others searched; queries are further rows where no file
of queries is given. All are brought to unit length; bytes are those a row takes with its scale, if it has one.

Peers are used where they can be imported, fitted to the same rows, and asked with floats::

    pip install faiss-cpu usearch rabitqlib turbovec scann

Each code is measured in a process of its own, on one thread, that is ended after ``--limit`` seconds of the processor,
or four times as many of the clock; the table says of which, and larger ones of that kind are not tried. Times are of
the processor. In the end each peer is held against the best of ours that takes no more bytes.
``--results FILE`` keeps what was measured, a line each, and takes peers' figures from there on the next run;
``--page FILE`` writes a page of the documentation.
"""

from __future__ import annotations

import argparse
import datetime
import json
import os
import signal
import subprocess
import sys
import tempfile
import zlib
from collections.abc import Iterator, Sequence
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from history import processor
from quality_codes import Code, Floats, K, Kept, Vectors
from quality_one import codes
from quality_page import HEAD, Measured, described, page, row, verdict

COMMITTED = Path(__file__).resolve().parent.parent / "tests" / "data"
BYTES = (32, 48, 64, 96, 128, 192, 256)
SEED = 0
ONE_THREAD = dict.fromkeys(("OMP_NUM_THREADS", "OPENBLAS_NUM_THREADS", "MKL_NUM_THREADS", "RAYON_NUM_THREADS"), "1")


def unit(x: NDArray[np.generic]) -> Floats:
    values = x.astype(np.float32)
    lengths = np.linalg.norm(values, axis=1)
    return np.ascontiguousarray(values[lengths > 0] / lengths[lengths > 0, None])


def committed() -> Vectors:
    documents, queries = (unit(np.load(COMMITTED / f"{name}.npy")) for name in ("documents", "queries"))
    order = np.random.default_rng(SEED).permutation(len(documents))
    return Vectors(documents[order[:1000]], documents[order[1000:]], queries)


def of_file(path: Path, asked: Path | None, fit: int, rows: int, queries: int = 400) -> Vectors:
    x = np.load(path, mmap_mode="r")
    order = np.random.default_rng(SEED).permutation(len(x))
    count = min(rows, len(x) - fit - (0 if asked else queries))
    if count < 10 * K:
        raise SystemExit(f"{path} has {len(x)} rows, too few to fit to {fit} and to search others")
    parts = np.split(order[: fit + count + queries], [fit, fit + count])
    given = np.load(asked) if asked else x[np.sort(parts[2])]
    return Vectors(*(unit(x[np.sort(part)]) for part in parts[:2]), unit(given[:queries]))


def in_a_process(folder: str, place: int, sizes: Sequence[int], limit: float) -> tuple[Kept | None, str]:
    """Measure the code at a place among `codes`, and return what it keeps, or why that is not known."""
    command = [sys.executable, str(Path(__file__).with_name("quality_one.py")), folder, str(place), str(limit)]
    command += map(str, sizes)
    late = f"not within {limit:g} s"
    try:  # others may have the processor for most of the time
        done = subprocess.run(command, capture_output=True, text=True, timeout=4 * limit, env=os.environ | ONE_THREAD)
    except subprocess.TimeoutExpired:
        return None, late
    if done.returncode == -getattr(signal, "SIGXCPU", 0) != 0:
        return None, late
    if done.returncode:
        return None, (done.stderr.strip() or f"ended with status {done.returncode}").splitlines()[-1][:100]
    return Kept(**json.loads(done.stdout.splitlines()[-1])), ""


class Results:
    """What was measured before, in a file of a line each: peers' figures are taken from there."""

    def __init__(self, path: Path | None, vectors: Vectors) -> None:
        self.path = path
        self.set = zlib.crc32(vectors.queries, zlib.crc32(vectors.rows, zlib.crc32(vectors.fit)))
        lines = path.read_text().splitlines() if path is not None and path.exists() else []
        known = [line for line in map(json.loads, lines) if line["set"] == self.set]
        self.known = {(line["who"], line["label"], line["row_bytes"]): line for line in known}

    def of(self, code: Code) -> Measured | None:
        """Return a peer's figures, if they are known."""
        line = self.known.get((code.who, code.label, code.row_bytes))
        if code.who == "embcodec" or line is None:
            return None
        return Measured(code, Kept(**line["kept"]) if line["kept"] else None, line["failure"])

    def add(self, measured: Measured) -> None:
        """Write what was measured of a code."""
        if self.path is not None:
            code, kept, failure = measured
            line = {"set": self.set, "who": code.who, "label": code.label, "row_bytes": code.row_bytes}
            with self.path.open("a") as file:
                file.write(json.dumps(line | {"kept": kept and kept._asdict(), "failure": failure}) + "\n")


def measured(vectors: Vectors, sizes: Sequence[int], limit: float, results: Path | None) -> Iterator[Measured]:
    """Measure every code that is here, the small ones first."""
    known = Results(results, vectors)
    with tempfile.TemporaryDirectory() as folder:
        vectors.save(Path(folder))
        listed = codes(vectors.dimension, list(sizes))
        slow = set()
        for place, code in enumerate(listed):
            if not code.is_here:
                continue
            if (found := known.of(code)) is None and code.label in slow:
                found = Measured(code, None, "not tried: smaller ones took too long")
            if found is None:
                print(f"{place + 1} of {len(listed)}: {code.who} {code.label}", file=sys.stderr, flush=True)
                found = Measured(code, *in_a_process(folder, place, sizes, limit))
                known.add(found)
            if found.failure.startswith("not within"):
                slow.add(code.label)
            yield found


def absent(dimension: int, sizes: Sequence[int]) -> str:
    """Return which peers are not here, and how to have them; empty where all are."""
    missing = sorted({code.module for code in codes(dimension, list(sizes)) if not code.is_here})
    install = " ".join("faiss-cpu" if module == "faiss" else module for module in missing)
    return f"Not here: {', '.join(missing)}; pip install {install} brings them." if missing else ""


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__.partition("\n")[0])
    parser.add_argument("vectors", nargs="*", type=Path)
    parser.add_argument("--queries", nargs="*", type=Path, default=[], help="a file for each of vectors")
    parser.add_argument("--names", nargs="*", default=[], help="what the page calls each of vectors")
    parser.add_argument("--bytes", nargs="*", type=int, default=BYTES)
    parser.add_argument("--fit", type=int, default=2000)
    parser.add_argument("--rows", type=int, default=10_000)
    parser.add_argument("--limit", type=float, default=120, help="seconds of processor time for each code")
    parser.add_argument("--results", type=Path, help="a file that keeps what was measured; peers' figures come from it")
    parser.add_argument("--page", type=Path, help="the page to write, of the committed vectors and those given")
    given = parser.parse_args()
    for option in ("queries", "names"):
        if (parts := getattr(given, option)) and len(parts) != len(given.vectors):
            parser.error(f"--{option} wants one for each file of vectors")
    asked, names = given.queries or [None] * len(given.vectors), given.names or [path.stem for path in given.vectors]
    sets = (
        [("Committed vectors: docstrings, a 512-dimensional sentence model", committed())]
        if given.page or not given.vectors
        else []
    )
    for name, path, queries in zip(names, given.vectors, asked, strict=True):
        sets.append((name, of_file(path, queries, given.fit, given.rows)))
    tables = []
    for name, vectors in sets:
        print(f"{name}: {described(vectors)}\n\n{HEAD}", flush=True)
        found = []
        for one in measured(vectors, given.bytes, given.limit, given.results):
            print(row(one, len(vectors.rows)), flush=True)
            found.append(one)
        print("", *verdict(found), absent(vectors.dimension, given.bytes), "", sep="\n", flush=True)
        tables.append((name, vectors, found))
    if given.page:
        given.page.write_text(page(tables, f"{datetime.date.today():%Y-%m-%d}", processor()), encoding="utf-8")


if __name__ == "__main__":
    main()
