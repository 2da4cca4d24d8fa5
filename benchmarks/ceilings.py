"""What the machine at hand allows (ceilings.c), as limits of a search's rate."""

from __future__ import annotations

import json
import os
import shutil
import subprocess
from functools import cache
from pathlib import Path
from typing import Any

from embcodec._native import core

# Vector instructions that a comparison of 1,024 dimensions takes at least, by the kind that bounds it, for the widths
# of vectors that ceilings.c knows. "vpaddd" stands for all that any vector port can do.
INSTRUCTIONS: dict[str, dict[str, dict[str, float]]] = {
    "avx512": {
        "hamming": {"vpxorq": 48 / 8},  # xor, count and add of 16 words; eight rows a vector; any of the vector ports
        "bits": {"vpermb": 64 / 16, "vpdpbusd": 64 / 16},
        "int8": {"vpdpbusd": 16},
        "float": {"vfmadd": 64},
        "screened float": {"vpdpbusd": 16},  # the rows that pass are few
    },
    "avx2": {
        # for four queries with 256 rows: 32 trees that add up 32 planes each by 145 ANDs and XORs, and 820 more to add
        # up what these come to for each query and to compare it with a limit
        "hamming": {"vpaddd": (32 * 145 + 820) / (4 * 256)},
        "one hamming": {"vpshufb": 8, "vpaddd": 32},  # four vectors: both nibbles of all bytes; no table of a query
        "bits": {"vpshufb": 256 / 32, "vpaddd": 1024 / 32},  # a look-up, and sums in 16 bits of odd and even rows
        # of each byte of 32 rows: an insertion, four steps of a transpose, its nibbles, two look-ups and their sums;
        # shifts go to the two ports of vpshufb as well
        "one bits": {"vpshufb": 128 * 10 / 32, "vpaddd": 128 * 16 / 32},
        # rough dots: 32 products of bytes at once, added in 16 bits, and every other time in 32; rows that pass are few
        "int8": {"vpmaddwd": 32 + 16, "vpaddd": 32 + 16 + 16 + 16},
        "one int8": {"vpmaddwd": 64, "vpaddd": 192},  # 32 codes: shift and mask, two products, two additions
        "float": {"vfmadd": 128},
        "screened float": {"vpmaddwd": 32 + 16, "vpaddd": 32 + 16 + 16 + 16},  # by rough dots as well
    },
}


@cache
def ceilings(width: str) -> dict[str, Any]:
    """Compile and run ceilings.c for vectors of this width; empty where there is no compiler."""
    source = Path(__file__).with_name("ceilings.c")
    compiler = shutil.which("gcc")
    if compiler is None:
        return {}
    program = Path(os.environ.get("TMPDIR", "/tmp"), f"embcodec-ceilings-{os.getpid()}")
    subprocess.run([compiler, "-O2", "-std=gnu11", "-pthread", "-o", program, source], check=True)
    try:
        return json.loads(subprocess.run([program, width], check=True, capture_output=True).stdout)
    finally:
        program.unlink()


def limit(kind: str, rows: int, row_bytes: int, n_queries: int, threads: int = 1) -> tuple[str, float] | None:
    """Return what bounds the rate of a search, and the rate: a level's read bandwidth or the vector ports.

    Memory is that of ceilings.c, which like NumPy's large arrays lies in huge pages where the system gives them.
    """
    width = core.active_isa()
    known = ceilings(width) if width in INSTRUCTIONS else {}
    if not known:
        return None
    corpus = rows * row_bytes
    sizes = [(1 << 20, "512 KB"), (16 << 20, "12.8 MB"), (200 << 20, "102 MB")]
    level = next((name for most, name in sizes if corpus < most), "410 MB")
    read = known["read_GB_per_s" if threads == 1 else "read_GB_per_s_two_threads"][level] * 1e9
    whose = level if threads == 1 else f"{level}, two threads: {read / known['read_GB_per_s'][level] / 1e9:.2f}x one"
    bounds = [(f"read bandwidth ({whose})", read / row_bytes * n_queries)]
    counts = INSTRUCTIONS[width][kind]
    if n_queries == 1:
        counts = INSTRUCTIONS[width].get(f"one {kind}", counts)
    ports = known["instructions_G_per_s"]
    bounds += [(name, ports[name] * 1e9 / count * threads) for name, count in counts.items()]
    return min(bounds, key=lambda bound: bound[1])
