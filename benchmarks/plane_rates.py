"""How fast codes of a byte budget are searched, against plain sign bits and 1-bit codes of as many bytes.

    python benchmarks/plane_rates.py [--rows 100000] [--dimension 512] [--rounds 40]

Float queries, one and sixteen, one thread. All take turns in one process and each keeps its best, so that what else the
machine does touches all alike. A budget's planes have more bits for some directions than for others; the others of as
many bytes have a bit for each of about eight times as many dimensions. 1-bit codes have a scale a row, as those of a
budget have, which a search reads and multiplies by; plain bits have none. Turning the query is within the time.
"""

from __future__ import annotations

import argparse
import time
from collections.abc import Callable, Iterator
from typing import Any

import numpy as np
from numpy.typing import NDArray

from embcodec import Embeddings, LowBitQuantizer, quantize, search
from history import processor

Floats = NDArray[np.float32]

BYTES = (32, 48, 64, 96, 128, 192, 256)
K = 10


def best_times(calls: list[Callable[[], Any]], rounds: int) -> list[float]:
    """Return the least seconds of each call, which take turns."""
    best = [float("inf")] * len(calls)
    for _ in range(rounds):
        for place, call in enumerate(calls):
            began = time.perf_counter()
            call()
            best[place] = min(best[place], time.perf_counter() - began)
    return best


def of_size(size: int, x: Floats, wide: Floats) -> Iterator[tuple[Any, Floats]]:
    """Yield codes of a budget, plain bits and 1-bit codes of so many bytes, each with rows to ask with."""
    yield LowBitQuantizer(bytes_per_vector=size).fit(x[:2000]).encode(x), x
    bits = np.ascontiguousarray(wide[:, : 8 * size])
    yield quantize(bits, "ubinary"), bits
    scaled = np.ascontiguousarray(wide[:, : 8 * (size - 4)])
    plain = LowBitQuantizer(1, rotation="none", center="none", shaping="none")
    yield plain.fit(scaled[:2000]).encode(scaled), scaled


def rates(rows: int, dimension: int, sizes: list[int], rounds: int) -> Iterator[str]:
    rng = np.random.default_rng(0)
    deviations = np.arange(1, dimension + 1) ** -0.4  # about as those of sentence models fall
    x = rng.standard_normal((rows, dimension), dtype=np.float32) * deviations.astype(np.float32)
    x /= np.linalg.norm(x, axis=1, keepdims=True)
    wide = rng.standard_normal((rows, 8 * max(sizes)), dtype=np.float32)
    yield "| bytes | queries | a budget's, M rows/s | GB/s | plain bits | 1 bit and a scale |\n" + "|---" * 6 + "|"
    for size in sizes:
        contenders = list(of_size(size, x, wide))
        for count in (1, 16):
            asked = [(Embeddings(given[:count].copy()), codes) for codes, given in contenders]
            calls = [lambda q=q, c=c: search(q, c, K, metric="dot", threads=1) for q, c in asked]
            ours, *others = (rows * count / seconds for seconds in best_times(calls, rounds))
            shown = " | ".join(f"{rate / 1e6:,.0f}, {ours / rate:.2f} of it" for rate in others)
            yield f"| {size} | {count} | {ours / 1e6:,.0f} | {ours * size / 1e9:.1f} | {shown} |"


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__.partition("\n")[0])
    parser.add_argument("--rows", type=int, default=100_000)
    parser.add_argument("--dimension", type=int, default=512)
    parser.add_argument("--bytes", nargs="*", type=int, default=BYTES)
    parser.add_argument("--rounds", type=int, default=40)
    given = parser.parse_args()
    print(f"{given.rows:,} rows of {given.dimension} dimensions, {processor()}")
    for line in rates(given.rows, given.dimension, list(given.bytes), given.rounds):
        print(line, flush=True)


if __name__ == "__main__":
    main()
