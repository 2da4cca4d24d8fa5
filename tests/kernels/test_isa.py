"""Tier choice: by the machine, by EMBCODEC_ISA, by tests."""

from __future__ import annotations

import os
import subprocess
import sys

import pytest

from embcodec._native import core


def run(isa: str) -> subprocess.CompletedProcess[str]:
    code = "from embcodec._native import core; print(core.active_isa())"
    return subprocess.run(
        [sys.executable, "-c", code], env={**os.environ, "EMBCODEC_ISA": isa}, capture_output=True, text=True
    )


def test_fixture_forces_the_tier(isa: str) -> None:
    assert core.active_isa() == isa


@pytest.mark.parametrize("name", core.available_isas())
def test_environment_forces_the_tier(name: str) -> None:
    assert run(name).stdout.strip() == name


@pytest.mark.parametrize("name", ["sse9", "neon" if "avx2" in core.available_isas() else "avx2"])
def test_unknown_or_unsupported_tier_is_an_error(name: str) -> None:
    done = run(name)
    assert done.returncode != 0
    assert "EMBCODEC_ISA" in done.stderr
    with pytest.raises(ValueError, match=name):
        core.select_isa(name)


@pytest.mark.parametrize(("name", "near"), [("AVX2", "avx2"), ("avx-512", "avx512"), ("Neon", "neon")])
def test_a_tier_written_in_another_way_is_named(name: str, near: str) -> None:
    done = run(name)
    assert done.returncode != 0
    assert f"unknown instruction set {name!r}; known are scalar, " in done.stderr
    assert f"did you mean {near!r}?" in done.stderr


def test_forced_tier_is_restored() -> None:
    before = core.active_isa()
    with core.forced_isa("scalar"):
        assert core.active_isa() == "scalar"
    assert core.active_isa() == before


def test_the_last_known_tier_that_the_machine_has_is_taken() -> None:
    with pytest.raises(ValueError, match="known are scalar, avx2, avxvnni, avx512, amx, neon, dotprod"):
        core.select_isa("sse9")
    assert run("").stdout.strip() == core.available_isas()[-1]
