"""What `quality.py` shows of its measurements: a row a code, each peer held against ours, and a page of them."""

from __future__ import annotations

import importlib.metadata
from collections.abc import Iterable, Iterator, Sequence
from typing import NamedTuple

import numpy as np

from quality_codes import Code, K, Kept, Vectors

HEAD = "| bytes | code | overlap@10 | fitted in | rows/s |\n|---|---|---|---|---|"
AGAINST = "| bytes | best peer | keeps | ours, no more bytes | keeps | ours keeps more by |\n|---|---|---|---|---|---|"
PACKAGES = {"Faiss": "faiss-cpu", "ScaNN": "scann"}
"""Names on PyPI of whose is called otherwise."""


class Measured(NamedTuple):
    """A code, and what it keeps, or why that is not known."""

    code: Code
    kept: Kept | None
    failure: str = ""


class Against(NamedTuple):
    """A peer's code, the best of ours that takes no more bytes, and the mean difference with its 95 % interval."""

    peer: Measured
    best: Measured
    ahead: float
    error: float

    @property
    def loses(self) -> bool:
        """Whether ours is worse beyond doubt."""
        return self.ahead + self.error < 0


def described(vectors: Vectors) -> str:
    mean = float(np.linalg.norm(vectors.fit.mean(axis=0)))
    return (
        f"{len(vectors.rows):,} rows of {vectors.dimension} dimensions, fitted to {len(vectors.fit):,} others (the "
        f"mean's length {mean:.2f}), {len(vectors.queries):,} queries"
    )


def row(measured: Measured, count: int) -> str:
    """Return a row of the table, of a code that encoded so many rows."""
    code, kept, failure = measured
    name = f"{code.who} {code.label}"
    if kept is None:
        return f"| {code.row_bytes:g} | {name} | {failure} | | |"
    rate = float(f"{count / max(kept.encode_seconds, 1e-3):.2g}")
    return f"| {kept.row_bytes:g} | {name} | {kept.overlap:.3f} | {kept.fit_seconds:.1f} s | {rate:,.0f} |"


def against(found: Sequence[Measured]) -> Iterator[Against]:
    """Hold each peer against ours, the small ones first."""
    ours = [one for one in found if one.code.who == "embcodec" and one.kept]
    for peer in found:
        if peer.code.who == "embcodec" or peer.kept is None:
            continue
        small = [one for one in ours if one.kept and one.kept.row_bytes <= peer.kept.row_bytes]
        if not small:
            continue
        best = max(small, key=lambda one: one.kept.overlap if one.kept else 0.0)
        assert best.kept is not None
        difference = (np.array(best.kept.hits) - np.array(peer.kept.hits)) / K
        error = 1.96 * float(difference.std(ddof=1)) / len(difference) ** 0.5
        yield Against(peer, best, float(difference.mean()), error)


def best_peers(found: Sequence[Measured]) -> Iterator[str]:
    """Yield a row for each number of bytes that a peer takes: the best of peers, and ours."""
    best: dict[float, Against] = {}
    for pair in against(found):
        assert pair.peer.kept is not None
        size = pair.peer.kept.row_bytes
        if size not in best or pair.ahead < best[size].ahead:
            best[size] = pair
    for size, (peer, ours, ahead, error) in sorted(best.items()):
        assert peer.kept is not None
        assert ours.kept is not None
        yield (
            f"| {size:g} | {peer.code.who} {peer.code.label} | {peer.kept.overlap:.3f} | {ours.code.label} | "
            f"{ours.kept.overlap:.3f} | {ahead:+.3f} ± {error:.3f} |"
        )


def verdict(found: Sequence[Measured]) -> Iterator[str]:
    """Say which peers keep more than ours in as many bytes, beyond doubt and by the figures alone."""
    pairs = list(against(found))
    behind = [pair for pair in pairs if pair.ahead < 0]
    yield f"Of {len(pairs)} codes of peers {len(behind)} keep more than ours in as many bytes" + (
        ":" if behind else "."
    )
    for peer, ours, ahead, error in behind:
        assert peer.kept is not None
        doubt = "" if ahead + error < 0 else ", within the interval"
        yield (
            f"- {peer.code.who} {peer.code.label}, {peer.kept.row_bytes:g} bytes: {-ahead:.3f} ± {error:.3f} more than "
            f"{ours.code.label}{doubt}"
        )


def versions(found: Iterable[Measured]) -> str:
    """Return whose codes were measured, with their versions."""
    whose = dict.fromkeys(one.code.who for one in found if one.kept)
    return ", ".join(f"{who} {importlib.metadata.version(PACKAGES.get(who, who))}" for who in whose)


def page(sets: Sequence[tuple[str, Vectors, Sequence[Measured]]], when: str, machine: str) -> str:
    """Return the page of the documentation."""
    found = [one for _, _, part in sets for one in part]
    parts = [INTRODUCTION.format(when=when, machine=machine, versions=versions(found))]
    for name, vectors, part in sets:
        parts.append(f"## {name}\n\n{described(vectors)}.\n\n" + "\n".join([AGAINST, *best_peers(part)]))
        parts.append("\n".join(verdict(part)).replace(":\n", ":\n\n", 1))
        rows = "\n".join([HEAD, *(row(one, len(vectors.rows)) for one in part)])
        parts.append(f"<details><summary>All codes</summary>\n\n{rows}\n\n</details>")
    return "\n\n".join(parts) + "\n"


INTRODUCTION = """# Codes at equal bytes

What codes keep of float32 search, ours and others' side by side: overlap@10, of rows that nothing was fitted to, asked
with floats. `make quality` prints it for the committed vectors, `python benchmarks/quality.py VECTORS.npy` for your
own, and with `--page` writes this page. Measured on {when}, on {machine}:
{versions}.

Each code is fitted to the same rows, then encodes others. Bytes are those that a row takes, with its scale if it has
one, and without a number for it. A peer is held against the best of ours that takes no more bytes; the interval is that
of the difference, 95 %, over queries. The first table of a set has the best peer of each number of bytes, the folded
one all codes, with the processor time of one thread that fitting and encoding take, while other work ran beside.

Searches of ours round queries to 8 bits; "queries unrounded" is `query_precision="float32"`, which is slower, and where
a row has four bits a dimension or more it shows. Of the peers: PQ and OPQ have 8 bits a part, and where a dimension
does not divide into parts some have one dimension more; OPQ goes down to four dimensions a part, as Faiss' guide has
it. ScaNN's codes are of 4 bits, trained with its anisotropic loss. TurboQuant is calibrated on the rows to fit to."""
