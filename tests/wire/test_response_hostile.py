"""Bodies that nobody wrote by hand: random, mutated, truncated; compared with the standard library on every tier."""

from __future__ import annotations

import base64
import json
from collections.abc import Iterator
from typing import Any

import numpy as np
import pytest
from guard import guarded
from hypothesis import given
from hypothesis import strategies as st

from embcodec import DecodeError, Embeddings, ServiceError, decode_response, encode_response
from embcodec._native import core
from embcodec._native.core import ffi, lib
from embcodec._native.response.lines import ids_of_lines
from embcodec.wire.envelopes import USUAL_ROW

text = st.text(max_size=12)
numbers = st.integers(-(2**70), 2**70) | st.floats(allow_nan=False, allow_infinity=False)
scalars = st.none() | st.booleans() | numbers | text
values = st.recursive(
    scalars,
    lambda inner: st.lists(inner, max_size=4) | st.dictionaries(text, inner, max_size=4),
    max_leaves=12,
)
KNOWN = ("embedding", "index", "data", "error")
extras = st.dictionaries(text.filter(lambda key: key not in KNOWN), values, max_size=3)


def outcome(body: bytes, **options: Any) -> tuple[Any, ...]:
    """Return what decoding gives, in a form that compares; anything but the two errors escapes."""
    try:
        answer = decode_response(body, **options)
    except DecodeError as error:
        return "refused", error.reason, error.offset, error.row
    except ServiceError as error:
        return "service", str(error)
    return "decoded", answer.embeddings.values.tobytes(), answer.embeddings.values.shape, answer.model, answer.usage


def on_every_tier(body: bytes, **options: Any) -> tuple[Any, ...]:
    """Return the outcome, after asserting that no tier and no number of threads has another."""
    found = []
    for name in core.available_isas():
        with core.forced_isa(name):
            found += [outcome(body, threads=threads, **options) for threads in (1, 2)]
    assert all(each == found[0] for each in found)
    return found[0]


def python_rows(body: bytes, dtype: str) -> Any:
    """Return the rows as the standard library and NumPy find them, or None where they do not find any."""
    numpy_dtype = np.dtype(np.float32 if dtype == "float" else np.int8)
    try:
        items = json.loads(body)["data"]
        rows = []
        for item in items:
            vector = item["embedding"]
            if isinstance(vector, str):
                rows.append(np.frombuffer(base64.b64decode(vector, validate=True), numpy_dtype))
            else:
                rows.append(np.array(vector, np.float64))
        order = [item.get("index") for item in items]
        if any(index is not None for index in order):
            assert sorted(order) == list(range(len(order)))
            rows = [row for _, row in sorted(zip(order, rows, strict=True), key=lambda pair: pair[0])]
        return np.stack(rows)
    except (ValueError, KeyError, TypeError, AssertionError, RecursionError):
        return None


def check_against_python(body: bytes, dtype: str) -> tuple[Any, ...]:
    """Assert that a body is refused, or gives what Python gives."""
    found = on_every_tier(body, output_dtype=dtype)
    if found[0] == "decoded":
        want = python_rows(body, dtype)
        assert want is not None
        values = np.frombuffer(found[1], np.float32 if dtype == "float" else np.int8).reshape(found[2])
        if dtype == "float":
            np.testing.assert_allclose(values, want, rtol=2e-7, atol=1e-45)
        else:
            np.testing.assert_array_equal(values, want)
    elif found[0] == "refused" and found[2] is not None:
        assert 0 <= found[2] <= len(body)
    return found


def shuffled(rng: np.random.Generator, things: list[Any]) -> list[Any]:
    return [things[i] for i in rng.permutation(len(things))]


@st.composite
def bodies(draw: st.DrawFn) -> tuple[bytes, np.ndarray, str]:
    """Draw a valid body as any writer of JSON may put it, its rows and its dtype.

    What is drawn is what is odd in itself; which of it an item has, and the order, come from the seed.
    """
    dtype = draw(st.sampled_from(["float", "int8"]))
    count, width = draw(st.integers(1, 6)), draw(st.integers(1, 40))
    seed = draw(st.integers(0, 2**32 - 1))
    rng = np.random.default_rng(seed)
    if dtype == "float":
        rows = (rng.standard_normal((count, width)) * 10.0 ** rng.integers(-20, 20, (count, width))).astype(np.float32)
    else:
        rows = rng.integers(-128, 128, (count, width)).astype(np.int8)
    encoded = draw(st.booleans())
    more = [*draw(extras).items(), *draw(extras).items()]
    items = []
    for index, row in enumerate(rows):
        vector = base64.b64encode(row.tobytes()).decode() if encoded else row.tolist()
        fields = [("embedding", vector), ("index", index), *(field for field in more if rng.integers(2))]
        items.append(dict(shuffled(rng, fields)))
    document = dict(shuffled(rng, [("data", shuffled(rng, items)), *draw(extras).items()]))
    written = json.dumps(
        document,
        ensure_ascii=draw(st.booleans()),
        indent=draw(st.sampled_from([None, None, 1, "\t"])),
        separators=draw(st.sampled_from([(",", ":"), (" ,\r\n", " : ")])),
    )
    return written.encode("utf-8", "surrogatepass" if "\ud800" <= max(written) < "\ue000" else "strict"), rows, dtype


@given(bodies())
def test_any_valid_body_decodes(drawn: tuple[bytes, np.ndarray, str]) -> None:
    body, rows, dtype = drawn
    found = on_every_tier(body, output_dtype=dtype)
    assert found[0] == "decoded"
    assert found[1] == rows.tobytes()


STRUCTURE = b'[]{}",:0123456789.eE+-\\/nulltrueNIAZaz= \t\n\x00\x1f\x7f\x80\xc3\xff'


@given(bodies(), st.data())
def test_mutated_bodies_are_refused_or_read_as_python_reads_them(drawn: Any, data: st.DataObject) -> None:
    body, _, dtype = drawn
    changed = bytearray(body)
    for _ in range(data.draw(st.integers(1, 4))):
        at = data.draw(st.integers(0, len(changed) - 1))
        how = data.draw(st.integers(0, 3))
        if how == 0:
            changed[at] = data.draw(st.sampled_from(STRUCTURE))
        elif how == 1:
            del changed[at : at + data.draw(st.integers(1, 9))]
        elif how == 2:
            end = data.draw(st.integers(at, min(len(changed), at + 60)))
            changed[at:at] = changed[at:end]
        else:
            changed[at] ^= 1 << data.draw(st.integers(0, 7))
        if not changed:
            break
    check_against_python(bytes(changed), dtype)


@given(st.binary(max_size=200))
def test_any_bytes_are_survived(body: bytes) -> None:
    check_against_python(body, "float")


TOKENS = (
    "[", "]", "{", "}", ",", ":", '"data"', '"embedding"', '"index"', "0", "1", "-1.5", "1e39", "null", "true",
    '"AAAA"', '"AAAAAA=="', '"\\u0041AAA"', " ", '"x"',
    '{"data":[{"embedding":[1,2],"index":0}', "]}", '{"embedding":[', "}]}",
)  # fmt: skip


@given(st.lists(st.sampled_from(TOKENS), max_size=25))
def test_any_tokens_are_survived(tokens: list[str]) -> None:
    for dtype in ("float", "int8"):
        check_against_python("".join(tokens).encode(), dtype)


def small_bodies() -> Iterator[tuple[bytes, str]]:
    rng = np.random.default_rng(3)
    x = rng.standard_normal((3, 21)).astype(np.float32)
    for encoding in ("float", "base64"):
        yield encode_response(Embeddings(x), model='é"\n', encoding_format=encoding), "float"
    codes = rng.integers(-128, 128, (3, 33)).astype(np.int8)
    yield encode_response(Embeddings(codes, "int8"), model="m").replace(b",", b" , "), "int8"


def test_every_truncation_is_refused(isa: str) -> None:
    """Cut at every byte, flush against memory that cannot be read."""
    for body, dtype in small_bodies():
        with guarded(len(body)) as memory:
            memory[:] = np.frombuffer(body, np.uint8)
            assert len(decode_response(memory, output_dtype=dtype)) == 3
        for n in range(len(body)):
            with guarded(n) as memory:
                memory[:] = np.frombuffer(body[:n], np.uint8)
                with pytest.raises(DecodeError) as caught:
                    decode_response(memory, output_dtype=dtype)
                assert caught.value.offset is not None
                assert caught.value.offset <= n
                del caught


def test_no_byte_beyond_the_rows_is_written(isa: str) -> None:
    for body, dtype in small_bodies():
        want = decode_response(body, output_dtype=dtype).embeddings.values
        cursor, spans = ffi.new("ec_response_cursor *"), ffi.new("ec_row_span[3]")
        cursor.rows_keys = cursor.item_keys = 1
        path = b"data\0embedding\0"
        assert lib.ec_response_scan(body, len(body), path, cursor, spans, 3).produced == 3
        assert cursor.stage == lib.EC_SCAN_DONE
        form = ffi.new("ec_row_format *")
        form.width, form.type = want.shape[1], lib.EC_FLOAT32 if dtype == "float" else lib.EC_INT8
        for side in ("start", "end"):
            with guarded(want.nbytes, side) as memory:
                result = lib.ec_response_decode_rows(body, spans, 3, form, core.pointer(memory), want.size)
                assert (result.status, result.produced) == (lib.EC_OK, 3)
                assert memory.tobytes() == want.tobytes()
            with guarded(want.nbytes - want.itemsize, side) as memory:
                result = lib.ec_response_decode_rows(body, spans, 3, form, core.pointer(memory), want.size - 1)
                assert (result.status, result.produced) == (lib.EC_NO_CAPACITY, 0)
                assert np.all(memory == 0x55)
        kind = lib.EC_FLOAT32 if dtype == "float" else lib.EC_INT8
        for encoded in (0, 1):
            bound = lib.ec_response_rows_bound(3, want.shape[1], kind, encoded, USUAL_ROW.around)
            with guarded(bound) as memory:
                used = lib.ec_response_write_rows(
                    core.pointer(want), 3, want.shape[1], kind, encoded, USUAL_ROW.around, 0, core.pointer(memory)
                )
                assert used <= bound
                assert not encoded or used == bound
                assert len(json.loads(b"[" + memory[: used - 1].tobytes() + b"]")) == 3


def test_ids_are_joined_where_there_is_room_and_text() -> None:
    text = b'{"custom_id":"ab"}\n{"custom_id":"cde"}\n'
    lines = np.full((2, 12), -1, np.int64)
    lines[:, 2:4] = (13, 17), (32, 37)
    assert ids_of_lines(text, 0, lines) == ["ab", "cde"]
    with guarded(len(text)) as source, guarded(7) as ids:
        source[:] = np.frombuffer(text, np.uint8)

        def join(n: int, capacity: int) -> int:
            given = core.pointer(source), n, core.pointer(lines), 2, core.pointer(ids), capacity
            return int(lib.ec_batch_join_ids(*given))

        assert join(len(text), 7) == 7
        assert ids.tobytes() == b'ab"cde"'
        assert join(37, 7) == 7
        assert join(len(text), 6) == -1
        assert join(36, 7) == -1
        for start, end in ((-1, 37), (37, 37), (40, 37), (32, -1)):
            lines[1, 2:4] = start, end
            assert join(len(text), 7) == -1


@pytest.mark.parametrize("stop", ['"', "\\", "\x00", "\x1f", "\x80", "\xff"])
def test_strings_end_where_they_end(isa: str, stop: str) -> None:
    """The first stop counts, wherever it stands in a vector of any width, also on the last byte of memory."""
    status = {'"': lib.EC_OK, "\\": lib.EC_TRUNCATED, "\x00": lib.EC_BAD_STRING, "\x1f": lib.EC_BAD_STRING}
    for n in range(200):
        with guarded(n + 2) as memory:
            memory[0] = ord('"')
            memory[1:] = ord(" ") + np.arange(n + 1) % 2 * 0x5E  # ' ' and '~', next to what stops
            memory[n + 1] = ord(stop)
            result = lib.ec_json_validate(core.pointer(memory), n + 2, 0)
            assert result.status == status.get(stop, lib.EC_BAD_UTF8)
            assert result.consumed == n + 1 + (stop in '"\\')
        with guarded(n + 1) as memory:
            memory[0] = ord('"')
            memory[1:] = ord("a")
            result = lib.ec_json_validate(core.pointer(memory), n + 1, 0)
            assert (result.status, result.consumed) == (lib.EC_TRUNCATED, n + 1)


@given(values | st.text(alphabet='[]{}",:01.eE+-\\ntrufals \x00\x7f', max_size=30))
def test_the_validator_agrees_with_json(value: Any) -> None:
    written = value if isinstance(value, str) else json.dumps(value)
    data = written.encode("utf-8", "surrogatepass")
    results = []
    for name in core.available_isas():
        with core.forced_isa(name):
            result = lib.ec_json_validate(data, len(data), 0)
            results.append((result.status, result.consumed))
    assert len(set(results)) == 1

    def refuse(word: str) -> None:  # Infinity and NaN, which Python takes and JSON has not
        raise ValueError(word)

    try:
        json.loads(data.decode("utf-8", "surrogatepass"), parse_constant=refuse)  # of bytes it would guess the encoding
        valid = True
    except ValueError:
        valid = False
    assert (results[0][0] == lib.EC_OK) == valid


@pytest.mark.parametrize("word", ["NaN", "Infinity", "-Infinity", "Na", "-Inf", "+Infinity"])
def test_words_for_numbers_only_where_allowed(isa: str, word: str) -> None:
    data = f"[1,{word}]".encode()
    assert lib.ec_json_validate(data, len(data), 0).status != lib.EC_OK
    allowed = lib.ec_json_validate(data, len(data), lib.EC_ALLOW_NOT_FINITE).status == lib.EC_OK
    assert allowed == (word in ("NaN", "Infinity", "-Infinity"))
