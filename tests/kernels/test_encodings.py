"""Instructions that few machines have stand in their tiers alone, in the form that those machines run."""

from __future__ import annotations

import re
import shutil
import subprocess
from collections import Counter

import pytest

from embcodec import _kernels

OBJDUMP = shutil.which("objdump")
TILES = re.compile(r"\t(ldtilecfg|tilerelease|tilezero|tileloadd\w*|tilestored|tdp\w+)\b")


@pytest.fixture(scope="module")
def functions() -> dict[str, Counter[str]]:
    """Return, for each function of the built module, how often it has each of those instructions."""
    if OBJDUMP is None:
        pytest.skip("no objdump")
    dump = subprocess.run([OBJDUMP, "-d", _kernels.__file__], check=True, capture_output=True, text=True).stdout
    found: dict[str, Counter[str]] = {}
    name = ""
    for line in dump.splitlines():
        if line.endswith(">:"):
            name = line.split("<")[1][:-2]
        elif "vpdpbusd" in line:
            form = "vex" if "{vex}" in line else "evex"
            width = "zmm" if "%zmm" in line else "ymm"
            found.setdefault(name, Counter())[f"{form} {width}"] += 1
        elif (tile := TILES.search(line)) is not None:
            found.setdefault(name, Counter())[tile[1]] += 1
    if not any(count["evex zmm"] for count in found.values()):
        pytest.skip("no module for x86-64, or one without its symbols")
    return found


def having(functions: dict[str, Counter[str]], word: str) -> set[str]:
    return {name for name, count in functions.items() if count[word]}


def test_byte_products_of_256_bits_are_in_both_forms(functions: dict[str, Counter[str]]) -> None:
    with_vex = having(functions, "vex ymm")
    if not with_vex:
        pytest.skip("a compiler without AVX-VNNI")
    assert {"block_6", "dot_i8_rows"} <= with_vex
    assert with_vex == having(functions, "evex ymm")  # one source; each name stands for both copies


def test_tiles_are_released_where_they_are_configured(functions: dict[str, Counter[str]]) -> None:
    if not having(functions, "tdpbssd"):
        pytest.skip("a compiler or a system without AMX, or its stand-in")
    assert having(functions, "tdpbssd") == having(functions, "tileloadd") == {"ec_amx_sums"}
    assert having(functions, "ldtilecfg") == having(functions, "tilerelease") == {"dot_i8_tile", "ec_amx_near"}
    for name, count in functions.items():
        assert count["ldtilecfg"] == count["tilerelease"], name
