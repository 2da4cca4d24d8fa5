"""Every service's body in every dtype, with one thing wrong: what was sent comes out, or an error of the package's."""

from __future__ import annotations

import copy
import gzip
import json
import zlib
from collections.abc import Callable, Iterator
from contextlib import suppress
from typing import Any

import numpy as np
import pytest
from each import each

from embcodec import PROFILES, EmbcodecError, Embeddings, Profile, decode_response, quantize

X = np.random.default_rng(0).standard_normal((4, 64)).astype(np.float32)
X /= np.linalg.norm(X, axis=1, keepdims=True)
DTYPES = ("float", "int8", "uint8", "binary", "ubinary")
Row = list[Any]


def sent(profile: Profile, dtype: str) -> tuple[list[Row], Embeddings]:
    """Return rows as a service sends them in lists, and what they are."""
    if dtype == "float":
        return X.astype(float).tolist(), Embeddings(X)
    if dtype in ("int8", "uint8"):
        codes = quantize(X, dtype)  # type: ignore[arg-type]
        return codes.values.tolist(), codes
    codes = quantize(X, dtype, signed_bytes=profile.signed_bytes, bit_order=profile.bit_order)  # type: ignore[arg-type]
    return (X > 0).astype(int).tolist() if profile.bits_as_numbers else codes.values.tolist(), codes


def nested(path: str, value: Any) -> Any:
    for key in reversed(path.split(".") if path else []):
        value = {key: value}
    return value


def body(profile: Profile, dtype: str, rows: list[Row], change: Callable[[list[Any]], object] | None = None) -> Any:
    """Return the body with those rows in it, after a change of its items."""
    name = profile.dtype_name(dtype)  # type: ignore[arg-type]
    items: list[Any] = copy.deepcopy(rows)
    if profile.item is not None:
        path = profile.item.replace("{dtype}", name)
        items = [{"index": number, **nested(path, row)} for number, row in enumerate(items)]
    if change is not None:
        change(items)
    return nested(profile.rows.replace("{dtype}", name), items)


BAD_ELEMENTS = (None, float("nan"), float("inf"), "0.5", "nan", [0.5], {}, True, 10**400)
BAD_CODES = (0.5, 300, -300)
BAD_ROWS = (None, [], True, 5, "!!!!", {"a": 1})
BAD_ITEMS = (None, {}, 5, "x", [])
BAD_INDEXES = (0, 9, -1, "1", 1.5, True, 2**70, [1])
ALONE = (b"", b" ", b"null", b"true", b"5", b'"x"', b"{}", b"<!DOCTYPE html><html>502</html>", b'{"error": "no"}',
         b'{"message": "no"}', b'{"object": "error", "message": "no"}', b'[{"error": {"message": "no"}}]',
         b'{"errors": [{"message": "no"}]}', b'{"data": null}', b"[" * 20_000, b'{"a":' * 5000)  # fmt: skip


def refused(profile: Profile, dtype: str, rows: list[Row]) -> Iterator[tuple[str, bytes]]:
    """Yield bodies that hold no such rows."""
    for value in (*BAD_ELEMENTS, *(() if dtype == "float" else BAD_CODES)):
        yield (
            f"an element {value!r:.20}",
            json.dumps(body(profile, dtype, [rows[0], [*rows[1][:2], value, *rows[1][3:]], *rows[2:]])).encode(),
        )
    for value in (*BAD_ROWS, rows[1][:-1], rows[1] + rows[1][:1], [rows[1], rows[1]]):
        yield f"a row {value!r:.20}", json.dumps(body(profile, dtype, [rows[0], value, *rows[2:]])).encode()
    if profile.item is not None:
        for value in BAD_ITEMS:
            changed = body(profile, dtype, rows, lambda items, value=value: items.__setitem__(2, value))  # type: ignore[misc]
            yield f"an item {value!r}", json.dumps(changed).encode()
    text = json.dumps(body(profile, dtype, rows)).encode()
    yield "a comma too many", text[:-1] + b"," + text[-1:]
    for behind in (b"x", b"\0", text):
        yield f"{behind[:1]!r} behind it", text + behind
    yield "a comment", b"/* x */" + text
    for end in range(0, len(text), max(len(text) // 12, 1)):
        yield f"cut at {end}", text[:end]
    for alone in ALONE:
        yield f"{alone[:20]!r} alone", alone


def taken_or_refused(profile: Profile, dtype: str, rows: list[Row]) -> Iterator[tuple[str, bytes]]:
    """Yield bodies that hold the rows, in a way that may not be read."""
    text = json.dumps(body(profile, dtype, rows)).encode()
    for zipped in (gzip.compress(text), zlib.compress(text), text.decode().encode("utf-32")):
        yield f"{zipped[:2]!r}", zipped
    for value in BAD_INDEXES if profile.item is not None else ():
        changed = body(profile, dtype, rows, lambda items, value=value: items[1].__setitem__("index", value))  # type: ignore[misc]
        yield f"index {value!r:.20}", json.dumps(changed).encode()
    yield "rows in lists", json.dumps(body(profile, dtype, [[row] for row in rows])).encode()
    yield "texts", json.dumps(body(profile, dtype, [[str(value) for value in row] for row in rows])).encode()
    if text.startswith(b"{"):
        yield "a key twice", b'{"data": [], ' + text[1:]


def taken(profile: Profile, dtype: str, rows: list[Row]) -> Iterator[tuple[str, bytes]]:
    """Yield bodies that hold the rows."""
    whole = body(profile, dtype, rows)
    text = json.dumps(whole)
    for encoding in ("utf-8", "utf-8-sig", "utf-16", "utf-16-le", "utf-16-be"):
        yield encoding, text.encode(encoding)
    yield "blanks", json.dumps(whole, indent=3).encode() + b"\n \r\n"
    if profile.item is not None:
        more = body(profile, dtype, rows, lambda items: [item.update(extra=[1, 2]) for item in items])
        yield "more in each", json.dumps(more).encode()
        bare = body(profile, dtype, rows, lambda items: [item.pop("index") for item in items])
        yield "no index", json.dumps(bare).encode()
    if profile.item is not None and not profile.ignore_index:
        yield "turned round", json.dumps(body(profile, dtype, rows, list.reverse)).encode()


@each("dtype", DTYPES)
@each("name", PROFILES)
def test_one_thing_wrong(name: str, dtype: Any) -> None:
    profile = PROFILES[name]
    rows, whole = sent(profile, dtype)

    def read(text: bytes) -> Embeddings:
        return decode_response(text, output_dtype=dtype, profile=profile, dimension=64).embeddings

    for what, text in taken(profile, dtype, rows):
        assert read(text) == whole, what
    for what, text in taken_or_refused(profile, dtype, rows):
        with suppress(EmbcodecError):
            assert read(text) == whole, what
    for what, text in refused(profile, dtype, rows):
        with pytest.raises(EmbcodecError):
            raise AssertionError(f"{what}: {read(text)!r}")
