"""Batch files as they lie about: zipped, in UTF-16, on standard input, in the forms of other services' jobs."""

from __future__ import annotations

import gzip
import io
import json
import random
import tracemalloc
from collections.abc import Callable
from functools import cache
from pathlib import Path
from typing import Any

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from embcodec import BatchResult, DecodeError, ServiceError, decode_batch, iter_batch
from embcodec.wire import decoder
from embcodec.wire.batch import forms as batch_forms
from embcodec.wire.codings import CODINGS, PIECE, CodingError

ROWS = [[0.5, -1.0], [2.0, 3.0], [4.0, 5.0]]


def usual(name: str, row: list[float]) -> str:
    body = {"data": [{"index": 0, "embedding": row}], "model": "m", "usage": {"prompt_tokens": 1, "total_tokens": 1}}
    return json.dumps({"custom_id": name, "response": {"status_code": 200, "body": body}, "error": None})


TEXT = "\n".join(usual(f"é{i}", row) for i, row in enumerate(ROWS)) + "\n"
PLAIN = TEXT.encode()


def zipped(coding: str, data: bytes) -> bytes:
    if coding == "gzip":
        return gzip.compress(data, mtime=0)
    if coding == "zstd":
        zstd = pytest.importorskip("backports.zstd" if __import__("sys").version_info < (3, 14) else "compression.zstd")
        return bytes(zstd.compress(data))
    return bytes(pytest.importorskip("brotli", minversion="1.2").compress(data))


def written(tmp_path: Path, data: bytes | str, name: str = "out.jsonl") -> Path:
    path = tmp_path / name
    path.write_bytes(data.encode() if isinstance(data, str) else data)
    return path


def both(path: Any, **options: Any) -> BatchResult:
    """Decode a file, having seen that its lines one by one are the same."""
    found = decode_batch(path, **options)
    if isinstance(path, io.IOBase):
        path.seek(0)
    lines = list(iter_batch(path, **options))
    good = [line for line in lines if line.response is not None]
    rows = [row for line in good for row in line.response.embeddings.values.tolist()]  # type: ignore[union-attr]
    assert rows == found.embeddings.values.tolist()
    bad = [(line.line, str(line.error)) for line in lines if line.error is not None]
    assert bad == [(line.line, str(line.error)) for line in found.errors]
    return found


def holds_all(found: BatchResult) -> None:
    assert (found.custom_ids, found.embeddings.values.tolist(), len(found.errors)) == (["é0", "é1", "é2"], ROWS, 0)


# where lines come from


@pytest.mark.parametrize("coding", ["gzip", "zstd"])
@pytest.mark.parametrize("encoding", ["utf-8", "utf-8-sig", "utf-16", "utf-16-le", "utf-16-be"])
def test_zipped_and_in_other_encodings(tmp_path: Path, coding: str, encoding: str) -> None:
    seen: list[tuple[int, int]] = []
    data = TEXT.encode(encoding)
    holds_all(both(written(tmp_path, data)))
    packed = zipped(coding, data)
    holds_all(both(written(tmp_path, packed, "no suffix tells"), progress=lambda *at: seen.append(at)))
    assert seen[-1] == (len(packed), len(packed))
    holds_all(both(io.BytesIO(packed)))
    holds_all(both(written(tmp_path, zipped(coding, data[:40]) + zipped(coding, data[40:]), "two members")))


@pytest.mark.parametrize("blank", ["", "\n", " \r\n", "\v\n"])
@pytest.mark.parametrize("encoding", ["utf-8-sig", "utf-16"])
def test_a_first_line_that_is_blank_but_for_a_byte_order_mark(tmp_path: Path, encoding: str, blank: str) -> None:
    found = both(written(tmp_path, blank.encode(encoding)))
    assert (len(found.embeddings), found.errors) == (0, [])
    holds_all(both(written(tmp_path, (blank + TEXT).encode(encoding))))


@pytest.mark.parametrize(
    "junk", [b"\0\r", b"\0", b"\0" * 4, b"\0" * 512, b"\0{", b"{\0", b"x\0y\0", b"\0x\0y", b"\0\0\0x", b"[\0\0\0\0"]
)
def test_a_first_line_with_zeros_costs_no_other(tmp_path: Path, junk: bytes) -> None:
    """What begins like no JSON in UTF-16 is a line of rubbish, as a disk that was cut off leaves it, among others."""
    found = both(written(tmp_path, junk + b"\n" + PLAIN))
    assert (found.custom_ids, found.embeddings.values.tolist()) == (["é0", "é1", "é2"], ROWS)
    assert [error.line for error in found.errors] == [1]
    assert found.broken_off is None
    before = both(written(tmp_path, junk[:2] + PLAIN))  # it costs the line that it stands in front of
    assert (before.custom_ids, [error.line for error in before.errors]) == (["é1", "é2"], [1])


def test_streams_that_give_little_at_a_time(tmp_path: Path) -> None:
    class Dribbling:
        def __init__(self, data: bytes) -> None:
            self.file = io.BytesIO(data)

        def read(self, size: int = -1) -> bytes:
            return self.file.read(min(size, 7))

    seen: list[tuple[int, int]] = []
    for data in (PLAIN, gzip.compress(PLAIN), TEXT.encode("utf-16")):
        holds_all(decode_batch(Dribbling(data), progress=lambda *at: seen.append(at)))  # type: ignore[arg-type]
    assert {total for _, total in seen} == {0}
    with pytest.raises(TypeError, match=r"open in binary mode, but reads '.*: open\(path, 'rb'\)"):
        decode_batch(io.StringIO("{}"))  # type: ignore[arg-type]
    with written(tmp_path, PLAIN).open("rb") as file:
        holds_all(decode_batch(file))
        assert not file.closed


@pytest.mark.parametrize("coding", ["gzip", "zstd"])
def test_zipped_files_that_are_cut_or_damaged(tmp_path: Path, coding: str) -> None:
    noise = random.Random(1)
    lines = [usual(str(i), [noise.random() for _ in range(64)]) for i in range(600)]
    packed = zipped(coding, "\n".join(lines).encode())
    for data, words in (
        (packed[: len(packed) // 2], f"the file broke off after {len(packed) // 2:,} bytes of {coding}"),
        (packed[:-1], f"the file broke off after {len(packed) - 1:,} bytes"),
        (packed + b"more", f"the file cannot be unzipped after its 1. {coding} member"),
        (packed[:3000] + bytes(64) + packed[3064:], "the file cannot be unzipped"),
    )[: 4 if coding == "gzip" else 3]:  # zstd has no checksum unless it is asked for
        found = both(written(tmp_path, data))
        rows = len(found.embeddings)
        assert found.custom_ids == [str(i) for i in range(rows)]  # those that came before are there
        (error,) = found.errors
        assert words in str(error.error)
        assert isinstance(error.error, DecodeError)
        assert error.line == rows + 1 or (data == packed + b"more" and error.line == 601)


def test_a_line_of_which_the_rest_is_no_text(tmp_path: Path) -> None:
    found = both(written(tmp_path, TEXT.encode("utf-16") + b"{"))
    assert found.custom_ids == ["é0", "é1", "é2"]
    assert "the file is not UTF-16 near byte" in str(found.errors[0].error)
    assert "line 4" in str(found.errors[0].error)


@pytest.mark.parametrize("coding", ["gzip", "zstd"])
def test_what_a_few_bytes_come_to_is_bounded(tmp_path: Path, coding: str) -> None:
    bomb = written(tmp_path, zipped(coding, PLAIN + b" " * (80 << 20) + b"\n" + PLAIN.replace(b"\\u00e9", b"x")))
    tracemalloc.start()
    found = decode_batch(bomb, max_line_bytes=1 << 20)
    peak = tracemalloc.get_traced_memory()[1]
    tracemalloc.stop()
    assert peak < 8 << 20
    assert found.custom_ids == ["é0", "é1", "é2"]
    assert "if you trust it, pass max_bytes=" in str(found.errors[-1].error)
    trusted = decode_batch(bomb, max_bytes=1 << 30)
    assert trusted.custom_ids == ["é0", "é1", "é2", "x0", "x1", "x2"]
    assert not trusted.errors


def test_long_lines_of_streams(tmp_path: Path) -> None:
    padded = TEXT.replace('"model": "m"', f'"model": "{"m" * (3 << 20)}"')
    holds_all(both(written(tmp_path, gzip.compress(padded.encode()))))
    holds_all(both(io.BytesIO(padded.encode())))
    found = both(io.BytesIO(padded.encode() + PLAIN.replace(b"\\u00e9", b"x")), max_line_bytes=1 << 20)
    assert found.custom_ids == ["x0", "x1", "x2"]
    assert [line.line for line in found.errors] == [1, 2, 3]


@cache
def large(name: str) -> tuple[bytes, bytes]:
    """Return a text of more than one piece, and what a coding makes of it."""
    text = bytes(5 << 18) + PLAIN
    return text, zipped(name, text)


@pytest.mark.parametrize("name", ["br", "gzip", "zstd"])
@settings(max_examples=40, suppress_health_check=[HealthCheck.too_slow, HealthCheck.data_too_large], deadline=None)
@given(data=st.data())
def test_codings_undo_in_bounded_pieces_or_refuse(name: str, data: Any) -> None:
    text, made = large(name)
    packed = bytearray(made)
    if data.draw(st.booleans()):
        packed[data.draw(st.integers(0, len(packed) - 1))] ^= data.draw(st.integers(1, 255))
    cut = data.draw(st.integers(1, len(packed)))
    inflater, out = CODINGS[name](), b""
    try:
        for part in (packed[:cut], packed[cut:]):
            for piece in inflater.pieces(bytes(part)) if part else ():
                assert len(piece) <= PIECE * (4 if name == "br" else 1)
                out += piece
    except CodingError:
        return
    if name == "gzip":  # the others have no checksum
        assert out == text or not inflater.is_whole


def test_a_coding_without_its_package(monkeypatch: pytest.MonkeyPatch) -> None:
    import embcodec.wire.codings as codings

    def missing(name: str) -> Any:
        raise ImportError(name)

    monkeypatch.setattr(codings, "import_module", missing)
    for name in ("zstd", "br"):
        with pytest.raises(CodingError, match=r"which is not installed: pip install 'embcodec\[compression\]'"):
            CODINGS[name]()
    (line,) = decode_batch(io.BytesIO(b"\x28\xb5\x2f\xfd")).errors
    said = str(line.error).replace("compression.zstd", "backports.zstd")
    assert "the file is in zstd: to undo it needs backports.zstd, which is not installed" in said


# forms of lines


def bedrock(name: str, row: list[float]) -> dict[str, Any]:
    answer = {"embedding": row, "inputTextTokenCount": 2, "embeddingsByType": {"float": row}}
    return {"recordId": name, "modelInput": {"inputText": "x"}, "modelOutput": answer}


def bedrock_cohere(name: str, row: list[float]) -> dict[str, Any]:
    answer = {"embeddings": [row], "id": "c", "response_type": "embeddings_floats"}
    return {"recordId": name, "modelInput": {"texts": ["x"]}, "modelOutput": answer}


def gemini(name: str, row: list[float]) -> dict[str, Any]:
    return {"key": name, "response": {"embedding": {"values": row}, "usageMetadata": {"promptTokenCount": 2}}}


def vertex(name: str, row: list[float]) -> dict[str, Any]:
    found = {"embeddings": {"statistics": {"token_count": 2, "truncated": False}, "values": row}}
    return {"instance": {"content": name}, "predictions": [found], "status": ""}


def bare(name: str, row: list[float]) -> dict[str, Any]:
    return {"object": "list", "data": [{"index": 0, "embedding": row}], "model": "m"}


def pair(name: str, row: list[float]) -> list[Any]:
    return [{"model": "m", "input": "größe"}, bare(name, row), {"row_id": name}]


@pytest.mark.parametrize(
    ("form", "named", "tokens"),
    [
        (bedrock, True, 6),
        (bedrock_cohere, True, 0),
        (gemini, True, 6),
        (vertex, False, 6),
        (bare, False, 0),
        (pair, True, 0),
    ],
)
def test_lines_of_every_form(tmp_path: Path, form: Callable[..., Any], named: bool, tokens: int) -> None:
    lines = [json.dumps(form(f"n{i}", row)) for i, row in enumerate(ROWS)]
    found = both(written(tmp_path, "\r\n".join(lines)))
    assert found.embeddings.values.tolist() == ROWS
    assert (found.custom_ids, len(found.errors)) == (["n0", "n1", "n2"] if named else [None] * 3, 0)
    assert found.usage.prompt_tokens == tokens
    if named:
        twice = decode_batch(written(tmp_path, "\n".join([*lines, lines[0]])))
        assert "custom_id 'n0' was answered on line 1 already" in str(twice.errors[0].error)


@pytest.mark.parametrize("form", [usual, bare, pair])  # the others hold one vector, or few
def test_long_lines_of_every_form(tmp_path: Path, form: Callable[..., Any], monkeypatch: pytest.MonkeyPatch) -> None:
    """What is around the rows is little, whatever the line before was like."""
    monkeypatch.setattr(batch_forms, "_LONG", 1000)
    monkeypatch.setattr(decoder, "MAX_AROUND", 700)
    row = [i / 7 for i in range(300)]
    line = form("n", row)
    text = usual("first", row) + "\n" + (line if isinstance(line, str) else json.dumps(line))
    found = both(written(tmp_path, text))
    assert not found.errors
    assert len(found.embeddings) == 2


@pytest.mark.parametrize(
    ("line", "name", "words", "kind"),
    [
        (
            {"recordId": "r", "modelInput": {}, "error": {"errorCode": 400, "errorMessage": "bad"}},
            "r",
            "bad [400",
            ServiceError,
        ),
        ({"key": "k", "error": {"code": 429, "message": "slow down"}}, "k", "slow down [429", ServiceError),
        ({"instance": {"content": "x"}, "predictions": [], "status": "too long"}, None, "too long", ServiceError),
        ({"object": "error", "message": "no", "code": 400}, None, "no [400", ServiceError),
        ([{"input": "x"}, ["timeout", "again"]], None, "timeout; again", ServiceError),
        ([{"input": "x"}, {"error": {"message": "limit"}}, {"row_id": 7}], "7", "limit", ServiceError),
        ([{"input": "x"}], None, "not an object", DecodeError),
        ({"recordId": "r", "modelOutput": {"embedding": [1, "x"]}}, "r", "text among the numbers", DecodeError),
        ({"recordId": "r", "modelOutput": {}}, "r", "neither a response nor an error", DecodeError),
        ({"key": "k", "response": {"embedding": {}}}, "k", "no list of embeddings at 'data'", DecodeError),
    ],
)
def test_failed_lines_of_every_form(tmp_path: Path, line: Any, name: str | None, words: str, kind: type) -> None:
    for before in ("", usual("u", ROWS[0]) + "\n"):
        found = both(written(tmp_path, before + json.dumps(line) + "\n" + usual("v", ROWS[1])))
        assert found.custom_ids == (["u", "v"] if before else ["v"])
        (error,) = found.errors
        assert (error.custom_id, type(error.error)) == (name, kind)
        assert words in str(error.error)


def test_the_profile_that_is_asked_for_comes_first(tmp_path: Path) -> None:
    both_there = {"recordId": "a", "modelOutput": {"embedding": ROWS[0], "data": [{"embedding": ROWS[1]}]}}
    path = written(tmp_path, json.dumps(both_there))
    assert both(path).embeddings.values.tolist() == [ROWS[1]]
    assert both(path, profile="bedrock-titan").embeddings.values.tolist() == [ROWS[0]]
    bits = {"recordId": "a", "modelOutput": {"embeddingsByType": {"binary": [1, 0, 1]}}}
    assert both(written(tmp_path, json.dumps(bits)), output_dtype="ubinary").embeddings.dimension == 3


def test_forms_may_be_mixed(tmp_path: Path) -> None:
    lines = [usual("u", ROWS[0]), json.dumps(bedrock("b", ROWS[1])), json.dumps(pair("p", ROWS[2])), "[0.5, -1]"]
    found = both(written(tmp_path, "\n".join([*lines, usual("w", ROWS[2])])), profile="mistral")
    assert found.custom_ids == ["u", "b", "p", "w"]
    assert "not an object" in str(found.errors[0].error)
    listed = both(written(tmp_path, "[0.5, -1]\n[[2, 3], [4, 5]]\n"), profile="huggingface")
    assert listed.embeddings.values.tolist() == ROWS


LINES = st.sampled_from([usual, bedrock, gemini, vertex, bare, pair])


@given(st.lists(st.tuples(LINES, st.booleans()), max_size=6), st.binary(max_size=6), st.integers(0, 400))
def test_any_file_is_read_or_refused(forms: list[Any], noise: bytes, at: int) -> None:
    lines = [form(f"n{i}", ROWS[i % 3]) for i, (form, _) in enumerate(forms)]
    text = "\n".join(line if isinstance(line, str) else json.dumps(line) for line in lines).encode()
    data = text[:at] + noise + text[at:]
    found = decode_batch(io.BytesIO(data))
    assert len(found.embeddings) + len(found.errors) <= len(forms) + noise.count(b"\n") + 1
    if not noise:
        assert len(found.embeddings) == len(forms)


def test_answers_that_no_body_is_around(tmp_path: Path) -> None:
    answer = {"object": "list", "data": [{"index": 0, "embedding": [1, 2]}], "usage": {"total_tokens": 2}}
    lines = [
        {"custom_id": "a", "response": answer},
        {"custom_id": "b", "response": {"status_code": 200, "body": answer}},
        {"metadata": {"key": "c"}, "response": {"embedding": {"values": [1, 2]}}},
        {"custom_id": "d", "response": {"error": {"message": "too long"}}},
        {"custom_id": "e", "response": answer},
    ]
    path = tmp_path / "out.jsonl"
    path.write_text("\n".join(map(json.dumps, lines)))
    found = decode_batch(path)
    assert found.custom_ids == ["a", "b", "c", "e"]
    assert [(line.custom_id, str(line.error)) for line in found.errors] == [("d", "too long")]
    assert found.usage.total_tokens == 6


def test_few_lines_of_an_open_file_are_read_one_by_one(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """Those that two pieces of it have in part, as with a path."""
    one_by_one: list[int] = []
    line = batch_forms.LineDecoder.line

    def counted(self: Any, number: int, text: Any) -> Any:
        one_by_one.append(number)
        return line(self, number, text)

    monkeypatch.setattr(batch_forms.LineDecoder, "line", counted)
    data = "".join(f"{usual(str(i), [0.25] * 1000)}\n" for i in range(400)).encode()  # 6 KB each
    counts = []
    for lines in (written(tmp_path, data), io.BytesIO(data)):
        one_by_one.clear()
        assert len(decode_batch(lines).embeddings) == 400
        counts.append(len(one_by_one))
    assert max(counts) <= len(data) // (1 << 19) + 2
