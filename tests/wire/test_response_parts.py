"""Bodies read in parts by several threads: guesses at where rows start change nothing, right or wrong."""

from __future__ import annotations

from typing import Any

import numpy as np
import pytest
from each import each
from guard import guarded
from hypothesis import given, settings
from hypothesis import strategies as st

from embcodec import Profile, ServiceError, decode_response
from embcodec._native import core
from embcodec._native.response import fast
from embcodec.errors import DecodeError

BARE = Profile("bare", rows="", item=None)


@pytest.fixture(autouse=True)
def small_parts(monkeypatch: pytest.MonkeyPatch) -> None:
    """Let a few hundred bytes be worth several threads."""
    monkeypatch.setattr(fast, "_LIST_PART", 40)
    monkeypatch.setattr(fast, "_STRING_PART", 40)


def outcome(body: bytes, threads: int, **options: Any) -> Any:
    """Return what decoding gives, or how it fails."""
    try:
        answer = decode_response(body, threads=threads, **options)
    except DecodeError as error:
        return str(error), error.offset, error.row
    except ServiceError as error:
        return str(error)
    return answer.embeddings.values.tolist(), answer.encoding_format, answer.model


def same_in_all(body: bytes, **options: Any) -> Any:
    """Check that any number of threads gives the same, and return it."""
    want = outcome(body, 1, **options)
    for threads in (2, 3, 5):
        assert outcome(body, threads, **options) == want
    return want


def items(count: int, write: Any) -> bytes:
    return f'{{"data":[{",".join(map(write, range(count)))}],"model":"m"}}'.encode()


WAYS = {
    "index behind": lambda i: f'{{"object":"embedding","embedding":[{i},{i}.5,-3],"index":{i}}}',
    "index before": lambda i: f'{{"index":{i},"embedding":[{i},{i}.5,-3]}}',
    "no index": lambda i: f'{{"embedding":[{i},{i}.5,-3]}}',
    "no index, base64": lambda i: '{"embedding":"AACAPwAAAEAAAEBA"}',
    "space": lambda i: f' \n{{ "embedding" : [ {i}, {i}.5, -3 ] ,\n"index":{i} }} \t',
    "backwards": lambda i: f'{{"embedding":[{i},{i}.5,-3],"index":{299 - i}}}',
    "pairs swapped": lambda i: f'{{"embedding":[{i},{i}.5,-3],"index":{i ^ 1}}}',
    "longer and longer": lambda i: f'{{"embedding":[{i},{i}.5,{"9" * (i // 9 + 1)}e-{i // 9}]}}',
    "shorter and shorter": lambda i: f'{{"embedding":[{i},{i}.5,{"9" * (34 - i // 9)}e-{33 - i // 9}]}}',
    "a row in a string": lambda i: f'{{"embedding":[{i},1,2],"index":{i},"note":",{{\\"embedding\\":[7,8,9]}},"}}',
    "rows in a row": lambda i: f'{{"embedding":[{i},1,2],"more":[0,{{"embedding":[7,8,9],"index":5}},4],"index":{i}}}',
    "rows in one row": lambda i: (
        f'{{"embedding":[{i},1,2],"index":{i},'
        + ('"more":[0' + ',{"embedding":[7,8,9],"index":7}' * 200 + "]}" if i == 150 else '"x":1}')
    ),
    "rows before one vector": lambda i: (
        "{" + ('"more":[0' + ',{"embedding":[7,8,9],"index":7}' * 200 + "]," if i == 9 else "") + f'"embedding":[{i}]}}'
    ),
}


@pytest.mark.parametrize("way", WAYS)
def test_any_way_of_writing_rows(isa: str, way: str) -> None:
    rows = 300
    values, _, model = same_in_all(items(rows, WAYS[way]))
    assert len(values) == rows
    assert model == "m"
    if "base64" not in way:
        wanted: list[float] = np.arange(rows).tolist()
        if way == "backwards":
            wanted.reverse()
        if way == "pairs swapped":
            wanted = [i ^ 1 for i in range(rows)]
        assert [row[0] for row in values] == wanted


@pytest.mark.parametrize("text", ['"AACAPwAAAEA="', "[1,2]", " [ 1 , 2.0 ] \n"])
def test_rows_that_are_no_objects(isa: str, text: str) -> None:
    values = same_in_all(f"[{','.join([text] * 500)}]".encode(), profile=BARE)[0]
    assert values == [[1, 2]] * 500


def test_what_follows_the_rows_looks_like_rows(isa: str) -> None:
    rows = ",".join(WAYS["index behind"](i) for i in range(60))
    more = rows.replace('"embedding":[', '"embedding":[9,')
    values = same_in_all(f'{{"data":[{rows}],"other":[{more}]}}'.encode())[0]
    assert [row[0] for row in values] == list(range(60))
    values = same_in_all(f'{{"data":[{rows}],"data":[{more}]}}'.encode())[0]  # of twins the last one counts
    assert {len(row) for row in values} == {4}
    assert "no list" in same_in_all(f'{{"data":[{rows}],"data":4}}'.encode())[0]


@each(
    "fault",
    ['"index":3', '"index":1000000', '"index":-1', '"index":"4"', '"index":null', '"index":177,"embedding":[0]',
     '"index":177,"x":[}', '"index":177,"x":"\x01"', '"index":9223372036854775807', '"index":177}{'],
)  # fmt: skip
@each("row", [1, 60, 177, 299])
def test_a_fault_is_the_same_fault(isa: str, fault: str, row: int) -> None:
    indices = [f'"index":{i}' for i in range(300)]
    indices[row] = fault
    same_in_all(items(300, lambda i: f'{{"embedding":[{i},2],{indices[i]}}}'))


def test_indices_that_jump(isa: str) -> None:
    for step in (2, 7):
        body = items(300, lambda i: f'{{"embedding":[{i}],"index":{i * step}}}')  # noqa: B023
        assert "beyond" in same_in_all(body)[0]
    shifted = items(300, lambda i: f'{{"embedding":[{i}],"index":{(i + 150) % 300}}}')
    assert [row[0] for row in same_in_all(shifted)[0]] == [(i + 150) % 300 for i in range(300)]


PIECES = [b"", b"{", b"}", b"[", b"]", b",", b'"', b"0", b"\\", b" ", b'{"embedding":[1]},']


@settings(deadline=None, max_examples=150)
@given(data=st.data())
def test_mutated_bodies(data: st.DataObject) -> None:
    way = data.draw(st.sampled_from(list(WAYS)))
    body = bytearray(items(40, WAYS[way]))
    for _ in range(data.draw(st.integers(0, 3))):
        at = data.draw(st.integers(0, len(body) - 1))
        piece = data.draw(st.sampled_from(PIECES))
        body[at : at + data.draw(st.integers(0, 2))] = piece
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(fast, "_LIST_PART", 40)
        patch.setattr(fast, "_STRING_PART", 40)
        same_in_all(bytes(body))


@pytest.mark.parametrize("way", ["index behind", "index before", "no index", "no index, base64", "space"])
@pytest.mark.parametrize("threads", [2, 5])
def test_sound_bodies_leave_nothing_to_one_thread(monkeypatch: pytest.MonkeyPatch, way: str, threads: int) -> None:
    calls: list[int] = []

    class Noting:
        def __getattr__(self, name: str) -> Any:
            return getattr(core.lib, name)

        def ec_response_read_parts(self, *arguments: Any) -> Any:
            done = core.lib.ec_response_read_parts(*arguments)
            assert done.consumed > len(body) // 2
            calls.append(arguments[-1])
            return done

        def ec_response_read_rows(self, *arguments: Any) -> Any:
            assert arguments[3].rows > 290  # which the matrix had no room for
            return core.lib.ec_response_read_rows(*arguments)

    body = items(300, WAYS[way])
    want = decode_response(body, threads=1).embeddings
    monkeypatch.setattr(fast, "lib", Noting())
    assert decode_response(body, threads=threads).embeddings == want
    assert calls == [threads]


@pytest.mark.parametrize("way", ["index behind", "no index", "pairs swapped"])
@pytest.mark.parametrize("capacity", [1, 2, 40, 150, 299])
def test_no_part_writes_behind_the_matrix(monkeypatch: pytest.MonkeyPatch, way: str, capacity: int) -> None:
    """Where more rows come than the text seemed to hold; what is left is read by the strict pass."""
    plain = fast.FastReader.prepare

    def rest(reader: fast.FastReader) -> None:
        raise fast.Retry

    with guarded(capacity * 12) as room:

        def prepare(reader: fast.FastReader, first: Any) -> None:
            plain(reader, first)
            reader.capacity, reader.values = capacity, room.view(np.float32).reshape(capacity, 3)
            reader.base = core.ffi.from_buffer(reader.values)

        body = items(300, WAYS[way])
        wanted = decode_response(body).embeddings
        monkeypatch.setattr(fast.FastReader, "prepare", prepare)
        monkeypatch.setattr(fast.FastReader, "read_rest", rest)
        assert decode_response(body, threads=3).embeddings == wanted


def test_no_part_begins_before_the_body() -> None:
    """Where one row is longer than all parts, so that none but the first seems to begin anywhere."""
    long = f'{{"data":[{{"embedding":[1,2]}},{{"note":"{"x" * 2000}","embedding":[3,4]}}]}}'.encode()
    with guarded(len(long), side="start") as body:
        body[:] = np.frombuffer(long, np.uint8)
        for threads in (2, 5):
            assert decode_response(body, threads=threads).embeddings.values.tolist() == [[1, 2], [3, 4]]
