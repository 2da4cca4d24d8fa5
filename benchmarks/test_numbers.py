"""Number text alone, 1,000 x 1,024, one thread, against JSON libraries; answers checked."""

from __future__ import annotations

import json
from collections.abc import Callable
from typing import Any

import numpy as np
import pytest
from number_text import parse_row

from embcodec import format_floats, parse_floats
from embcodec._native import core, numbers

orjson = pytest.importorskip("orjson")
simdjson = pytest.importorskip("simdjson")

ROWS, DIMENSION = 1000, 1024


def matrix() -> np.ndarray:
    x = np.random.default_rng(7).standard_normal((ROWS, DIMENSION))
    return (x / np.linalg.norm(x, axis=1, keepdims=True)).astype(np.float32)


PRINTED = {
    "two decimals, zeros among them": ("%.2f", 1),
    "hundreds with a decimal": ("%.1f", 3200),
    "integers below a thousand": ("%.0f", 3200),
    "integers of seven digits": ("%.0f", 1e8),
    "exponents, eight decimals": ("%.8e", 1),
    "exponents, one digit": ("%.0e", 1e-3),
}


def float_text(kind: str) -> tuple[np.ndarray, bytes]:
    """Return a matrix and its JSON in one of the ways services write it."""
    x = matrix()
    if kind in PRINTED:
        pattern, factor = PRINTED[kind]
        text = f"[{','.join([pattern % value for value in (x.ravel() * np.float64(factor)).tolist()])}]"
        return np.array(json.loads(text), np.float32).reshape(x.shape), text.encode()
    if kind == "exact float16":
        x = x.astype(np.float16).astype(np.float32)
    if kind in ("exact float16", "float32 as doubles"):
        return x, orjson.dumps(x.astype(np.float64).tolist())
    compact = orjson.dumps(x, option=orjson.OPT_SERIALIZE_NUMPY)
    return x, compact if kind == "shortest float32" else json.dumps(json.loads(compact)).encode()


FLOATS = ("exact float16", "float32 as doubles", "shortest float32", "shortest, a space behind commas", *PRINTED)


@pytest.mark.parametrize("isa", core.available_isas())
@pytest.mark.parametrize("kind", FLOATS)
def test_read_floats(race: Callable[..., Any], kind: str, isa: str) -> None:
    wanted, text = float_text(kind)
    out = np.empty_like(wanted)
    parser = simdjson.Parser()

    def check(got: Any) -> None:
        assert np.allclose(np.asarray(got, np.float32).reshape(wanted.shape), wanted, rtol=1e-7, atol=0)

    def with_simdjson() -> np.ndarray:
        return np.frombuffer(parser.parse(text).as_buffer(of_type="d"))

    peers = {"pysimdjson": with_simdjson, "orjson + numpy": lambda: np.array(orjson.loads(text), np.float32)}
    with core.forced_isa(isa):
        ours = lambda: parse_floats(text, out=out)  # noqa: E731
        race(f"read {kind} ({isa})", ours, peers, work=out.size, unit="numbers", check=check)


@pytest.mark.parametrize("isa", core.available_isas())
@pytest.mark.parametrize("dtype", [np.int8, np.uint8])
def test_read_integers(race: Callable[..., Any], dtype: type, isa: str) -> None:
    wanted = np.rint(matrix().ravel() * 100 + (0 if dtype == np.int8 else 128)).astype(dtype)
    text = orjson.dumps(wanted.tolist())
    out = np.empty_like(wanted)
    parser = simdjson.Parser()

    def ours() -> np.ndarray:
        parse_row(text, out)
        return out

    def with_simdjson() -> np.ndarray:
        return np.frombuffer(parser.parse(text).as_buffer(of_type="i"), np.int64)

    peers = {"pysimdjson": with_simdjson, "orjson + numpy": lambda: np.array(orjson.loads(text), dtype)}
    name = f"read {np.dtype(dtype).name} ({isa})"
    with core.forced_isa(isa):
        race(name, ours, peers, work=out.size, unit="numbers", check=lambda got: np.testing.assert_equal(got, wanted))


@pytest.mark.parametrize("isa", core.available_isas())
def test_write_floats(race: Callable[..., Any], isa: str) -> None:
    x = matrix()

    def check(got: bytes) -> None:
        assert np.array_equal(np.array(orjson.loads(got), np.float32), x)

    peers = {"orjson": lambda: orjson.dumps(x, option=orjson.OPT_SERIALIZE_NUMPY)}
    with core.forced_isa(isa):
        name = f"write shortest float32 ({isa})"
        race(name, lambda: format_floats(x, threads=1), peers, work=x.size, unit="numbers", check=check)


@pytest.mark.parametrize("isa", core.available_isas())
@pytest.mark.parametrize("dtype", [np.int8, np.uint8])
def test_write_integers(race: Callable[..., Any], dtype: type, isa: str) -> None:
    x = np.rint(matrix().ravel() * 500 + (0 if dtype == np.int8 else 128)).astype(dtype)

    def check(got: bytes) -> None:
        assert np.array_equal(np.array(orjson.loads(got), dtype), x)

    peers = {"orjson": lambda: orjson.dumps(x, option=orjson.OPT_SERIALIZE_NUMPY)}
    with core.forced_isa(isa):
        name = f"write {np.dtype(dtype).name} ({isa})"
        race(name, lambda: numbers.format_row(x), peers, work=x.size, unit="numbers", check=check)
