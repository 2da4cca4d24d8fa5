"""Bodies of bare bytes, with the header that says what they are, or by what is asked for."""

from __future__ import annotations

import itertools
import json
import tracemalloc
from typing import Any

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from numpy.typing import NDArray

from embcodec import DecodeError, Profile, ServiceError, decode_octets
from embcodec._native import floats as native
from embcodec._native.floats import PAYLOADS

FORMS = ("float32", "float16", "bfloat16", "fp8_e4m3", "fp8_e5m2")


def octets(x: NDArray[np.float32], form: str, order: str, **changes: Any) -> tuple[bytes, str]:
    """A body as vLLM sends it, and its header."""
    payload = native.narrow(x, PAYLOADS[form, "big" if order == "big" else "little"])
    size = payload.shape[1]
    items = [
        {"index": i, "embed_dtype": form, "endianness": order, "start": i * size, "end": (i + 1) * size}
        | {"shape": [x.shape[1]]}
        for i in range(len(x))
    ]
    items[-1] |= changes
    usage = {"prompt_tokens": 7, "total_tokens": 7}
    return payload.tobytes(), json.dumps({"id": "i", "created": 1, "model": "m", "data": items, "usage": usage})


@pytest.mark.parametrize("order", ["native", "little", "big"])
@pytest.mark.parametrize("form", FORMS)
def test_octets(isa: str, form: str, order: str) -> None:
    x = np.round(np.random.default_rng(1).standard_normal((9, 33)) * 4).astype(np.float32) / 4
    body, header = octets(x, form, order)
    want = decode_octets(body, header)
    if form != "fp8_e5m2":
        assert np.array_equal(want.embeddings.values, x)
    assert (want.model, want.id, want.usage.total_tokens, want.encoding_format) == ("m", "i", 7, None)
    assert want.embeddings.values.flags.writeable
    shuffled = json.loads(header)
    shuffled["data"].reverse()
    again = decode_octets(memoryview(body), shuffled, dimension=33, expected_count=9)
    assert again.embeddings == want.embeddings
    profile = Profile("bare", base64_dtype=form, byte_order="big" if order == "big" else "little")  # type: ignore[arg-type]
    for told in ({"dimension": 33}, {"expected_count": 9}, {"dimension": 33, "expected_count": 9}):
        assert decode_octets(bytearray(body), profile=profile, **told).embeddings == want.embeddings


def test_octets_in_another_order_than_their_indices(isa: str) -> None:
    body = np.array([1, 2, 3, 4, 5, 6], "<f4").tobytes()
    item = {"embed_dtype": "float32", "endianness": "little", "shape": [1, 2]}
    places = [(0, 16, 24), (1, 0, 8), (2, 8, 16)]
    header = {"data": [item | {"index": i, "start": start, "end": end} for i, start, end in places]}
    assert decode_octets(body, header).embeddings.values.tolist() == [[5, 6], [1, 2], [3, 4]]


@pytest.mark.parametrize(
    ("changes", "words"),
    [
        ({"index": 0}, "twice"),
        ({"index": 3}, "among 3"),
        ({"index": -1}, "among 3"),
        ({"index": True}, "among 3"),
        ({"index": None}, "among 3"),
        ({"start": 17}, "15 bytes where 4 float32 take 16"),
        ({"end": 49}, "of a body of 48"),
        ({"start": -4}, "of a body of 48"),
        ({"start": 1e1}, "of a body of 48"),
        ({"end": 32}, "0 bytes"),
        ({"shape": []}, "no shape"),
        ({"shape": None}, "no shape"),
        ({"shape": [2, 2]}, "not one vector"),
        ({"shape": [2, 1, 4]}, "not one vector"),
        ({"shape": [1, 0]}, "not one vector"),
        ({"shape": [-1, 4]}, "no shape"),
        ({"shape": [True, 4]}, "no shape"),
        ({"shape": [0]}, "not one vector"),
        ({"shape": [2], "end": 40}, "2 dimensions where 4 are wanted"),
        ({"embed_dtype": "float80"}, "unknown embed_dtype"),
        ({"endianness": ["big"]}, "unknown embed_dtype"),
    ],
)
def test_octets_that_contradict_their_header(changes: dict[str, Any], words: str) -> None:
    body, header = octets(np.ones((3, 4), np.float32), "float32", "little", **changes)
    changed = json.loads(header)
    if changes.get("start") == 17:
        changed["data"][-1]["end"] = 32
    with pytest.raises(DecodeError, match=words):
        decode_octets(body, changed)


@pytest.mark.parametrize(
    ("places", "gap"),
    [([(0, 8)], (8, 24)), ([(0, 8), (16, 24)], (8, 16)), ([(8, 16), (16, 24)], (0, 8)), ([], (0, 24))],
)
def test_octets_that_no_embedding_has(places: list[tuple[int, int]], gap: tuple[int, int]) -> None:
    item = {"embed_dtype": "float32", "endianness": "little", "shape": [2]}
    data = [item | {"index": i, "start": start, "end": end} for i, (start, end) in enumerate(places)]
    words = f"bytes {gap[0]} to {gap[1]} of a body of 24 are in no embedding"
    with pytest.raises(DecodeError, match=words) as caught:
        decode_octets(bytes(24), {"data": data}, expected_count=len(data))
    assert caught.value.offset == gap[0]


def test_octets_are_checked() -> None:
    body, header = octets(np.ones((3, 4), np.float32), "float32", "little")
    for bad, words in (
        ({"expected_count": 2}, "3 embeddings came where 2"),
        ({"dimension": 5}, "4 dimensions where 5"),
    ):
        with pytest.raises(DecodeError, match=words):
            decode_octets(body, header, **bad)
    with pytest.raises(DecodeError, match="no rows of 5"):
        decode_octets(body, dimension=5)
    with pytest.raises(ValueError, match="must be given"):
        decode_octets(body)
    with pytest.raises(DecodeError, match="no embeddings"):
        decode_octets(b"", dimension=4)
    assert decode_octets(b"", dimension=4, expected_count=0).embeddings.values.shape == (0, 4)
    for text in ("", "[]", "{", "[" * 100_000, '{"data": 1}', '{"data": [1]}'):
        with pytest.raises(DecodeError):
            decode_octets(body, text)
    nan = np.array([1, np.nan, 3, np.inf], "<f4").tobytes()
    with pytest.raises(DecodeError) as caught:
        decode_octets(nan, dimension=2)
    assert (caught.value.row, caught.value.offset) == (0, 4)
    np.testing.assert_array_equal(
        decode_octets(nan, dimension=2, nulls="nan").embeddings.values, [[1, np.nan], [3, np.nan]]
    )


@given(st.binary(max_size=200), st.recursive(st.none() | st.integers() | st.text(max_size=9), st.lists, max_leaves=9))
def test_any_octets_and_header_end_in_a_typed_error(body: bytes, thing: Any) -> None:
    item = {"index": 0, "embed_dtype": "float16", "endianness": "little", "start": 0, "end": len(body)}
    for header in (thing, {"data": thing}, {"data": [thing]}, {"data": [item | {"shape": thing}]}):
        try:
            decode_octets(body, json.dumps(header))
        except DecodeError:
            continue
        assert isinstance(header, dict)


def test_octets_that_share_bytes() -> None:
    """A small body whose header says the same place again and again would become a thousand times as large."""
    place = {"embed_dtype": "float32", "endianness": "little", "start": 0, "end": 40_000, "shape": [10_000]}
    metadata = {"data": [{**place, "index": index} for index in range(3_000)]}
    tracemalloc.start()
    with pytest.raises(DecodeError, match="bytes that two embeddings share") as caught:
        decode_octets(bytes(40_000), metadata)
    peak = tracemalloc.get_traced_memory()[1]
    tracemalloc.stop()
    assert caught.value.row == 1
    assert peak < 5e6
    apart = [{**place, "index": i, "start": 8 * (1 - i), "end": 8 * (2 - i), "shape": [2]} for i in range(2)]
    values = np.arange(4, dtype=np.float32)
    found = decode_octets(values.tobytes(), {"data": apart}).embeddings.values
    np.testing.assert_array_equal(found, [[2, 3], [0, 1]])


@pytest.mark.parametrize("shape", [[2], [1, 2], [1, 1, 2]])
def test_a_vector_may_have_outer_lengths_of_one(shape: list[int]) -> None:
    item = {"index": 0, "embed_dtype": "float32", "endianness": "little", "start": 0, "end": 8, "shape": shape}
    body = np.array([1, 2], "<f4").tobytes()
    assert decode_octets(body, {"data": [item]}).embeddings.values.tolist() == [[1, 2]]
    del item["endianness"]
    assert decode_octets(body, {"data": [item]}).embeddings.values.tolist() == [[1, 2]]


def test_octets_touch_without_sharing_and_leave_no_gaps() -> None:
    body = np.arange(8, dtype="<f4").tobytes()

    def items(*places: tuple[int, int, str]) -> list[dict[str, Any]]:
        return [
            {"index": i, "embed_dtype": form, "start": start, "end": end, "shape": [2]}
            for i, (start, end, form) in enumerate(places)
        ]

    def found(*places: tuple[int, int, str]) -> Any:
        whole = body[: max(end for _, end, _ in places)]
        return decode_octets(whole, {"data": items(*places)}).embeddings.values.tolist()

    assert found((0, 8, "float32"), (8, 16, "float32")) == [[0, 1], [2, 3]]
    assert found((8, 16, "float32"), (0, 8, "float32")) == [[2, 3], [0, 1]]
    assert found((0, 4, "float16"), (4, 12, "float32")) == [[0, 0], [1, 2]]
    assert found((4, 12, "float32"), (12, 16, "float16"), (0, 4, "float16")) == [[1, 2], [0, 2.125], [0, 0]]
    with pytest.raises(DecodeError, match="bytes 8 to 24 of a body of 32 are in no embedding"):
        found((0, 8, "float32"), (24, 32, "float32"))
    for places, row, offset in (
        (((0, 8, "float32"), (4, 12, "float32")), 1, 4),
        (((4, 12, "float32"), (0, 8, "float32")), 0, 4),
        (((4, 8, "float16"), (0, 8, "float32")), 0, 4),
    ):
        with pytest.raises(DecodeError, match="bytes that two embeddings share") as caught:
            found(*places)
        assert (caught.value.row, caught.value.offset) == (row, offset)


@pytest.mark.parametrize("order", list(itertools.permutations(range(4))))
def test_rows_are_read_where_they_stand(order: tuple[int, ...]) -> None:
    """Evenly apart or not: by their own starts, and not by that of the first row."""
    rows = np.arange(8, dtype=np.float32).reshape(4, 2)
    parts = [rows[0].astype("<f4"), rows[1].astype("<f2"), rows[2].astype("<f4"), rows[3].astype("<f4")]
    body = b"".join(parts[i].tobytes() for i in order)
    items, start = [], 0
    for i in order:
        form = {4: "float32", 2: "float16"}[parts[i].itemsize]
        place = {"start": start, "end": start + parts[i].nbytes, "embed_dtype": form}
        items.append({"index": i, "endianness": "native", "shape": [2], **place})
        start += parts[i].nbytes
    assert np.array_equal(decode_octets(body, {"data": items}).embeddings.values, rows)


def test_where_octets_are_wrong_is_said() -> None:
    """The number of the row, and the byte, as far as there is one."""
    body = np.array([[1, 2], [3, np.nan], [5, 6]], "<f4").tobytes()
    good: dict[str, Any] = {"embed_dtype": "float32", "endianness": "little", "shape": [2]}
    items = [good | {"index": i, "start": 8 * i, "end": 8 * i + 8} for i in range(3)]

    def refused(row: int, **changes: Any) -> DecodeError:
        changed = [item | (changes if i == row else {}) for i, item in enumerate(items)]
        with pytest.raises(DecodeError) as caught:
            decode_octets(body, {"data": changed})
        return caught.value

    def said(error: DecodeError) -> tuple[str, int | None, int | None]:
        return error.reason, error.row, error.offset

    assert said(refused(0)) == ("NaN or Infinity", 1, 12)
    assert said(refused(2, index=1)) == ("an index given twice", 1, None)
    assert said(refused(2, index=3)) == ("an index is 3 among 3 embeddings", None, None)
    assert said(refused(2, embed_dtype=1)) == ("unknown embed_dtype and endianness (1, 'little')", 2, None)
    assert said(refused(2, end=25)) == ("from byte 16 to 25 of a body of 24", 2, None)
    assert said(refused(2, shape=[])) == ("no shape: []", 2, None)
    assert said(refused(2, shape=[2, 1])) == ("an embedding of shape (2, 1) is not one vector", 2, None)
    assert said(refused(2, shape=[3])) == ("8 bytes where 3 float32 take 12", 2, 16)
    assert said(refused(2, shape=[1], end=20)) == ("1 dimensions where 2 are wanted", 2, 16)
    for arguments, reason, offset in (
        ({"dimension": 4}, "24 bytes are no rows of 4 float32", 24),
        ({"dimension": 2, "expected_count": 4}, "3 embeddings came where 4 were asked for", 0),
        ({"expected_count": 0}, "6 embeddings came where 0 were asked for", 0),
    ):
        with pytest.raises(DecodeError, match=reason) as caught:
            decode_octets(body, **arguments)
        assert caught.value.offset == offset
    with pytest.raises(DecodeError, match="no embeddings") as caught:
        decode_octets(b"", {"data": []})
    assert caught.value.offset == 0
    with pytest.raises(TypeError, match="metadata is the header's text, or a mapping, not int"):
        decode_octets(body, 7)  # type: ignore[arg-type]
    with pytest.raises(DecodeError, match="the metadata is not a JSON object"):
        decode_octets(body, "[]")


def test_no_rows_of_octets_where_none_are_asked_for() -> None:
    for metadata in ({"data": []}, None):
        found = decode_octets(b"", metadata, dimension=4, expected_count=0)
        assert found.embeddings.values.shape == (0, 4)
    assert decode_octets(b"", expected_count=0).embeddings.values.shape == (0, 0)


def test_what_the_header_says_of_the_answer() -> None:
    item = {"index": 0, "embed_dtype": "float32", "start": 0, "end": 4, "shape": [1]}
    usage = {"prompt_tokens": 3, "total_tokens": 5, "more": 1}
    found = decode_octets(bytes(4), {"data": [item], "model": "m", "id": "i", "usage": usage})
    assert (found.model, found.id, found.raw_usage, found.encoding_format) == ("m", "i", usage, None)
    assert (found.usage.prompt_tokens, found.usage.total_tokens) == (3, 5)
    found = decode_octets(bytes(4), {"data": [item], "model": 1, "usage": 7})
    assert (found.model, found.id, found.raw_usage, found.usage.total_tokens) == (None, None, None, 0)


def test_octets_of_another_dtype_name_the_row_that_gives_them_away() -> None:
    rows = np.random.default_rng(0).standard_normal((40, 96))
    body = (rows / np.linalg.norm(rows, axis=1, keepdims=True)).astype("<f8").tobytes()
    with pytest.raises(DecodeError) as caught:
        decode_octets(body, dimension=192)
    assert caught.value.row == 0
    assert caught.value.offset == 0


@pytest.mark.parametrize("size", [8, 32, 64, 256, 1024])
def test_an_error_in_json_is_no_row_of_floats(size: int) -> None:
    """Whatever its length: an error of so many bytes read as floats of 1e30."""
    head = b'{"error":"'
    for dimension in (1, size // 4):
        if size > 16:
            with pytest.raises(ServiceError, match=r"^x+$"):
                decode_octets(head + b"x" * (size - len(head) - 2) + b'"}', dimension=dimension)
        for text in (b'{"a":1}', b"[[1.5]]", b"<html></html>"):
            with pytest.raises(DecodeError, match=r"no bare floats: the body is (JSON, which|HTML)"):
                decode_octets(text.ljust(size if size > 13 else 16), dimension=dimension)
    floats = np.frombuffer(b"{...{...{...{...", np.float32)  # characters all of them, and no JSON
    assert decode_octets(floats.tobytes(), dimension=4).embeddings.values.tolist() == [floats.tolist()]
