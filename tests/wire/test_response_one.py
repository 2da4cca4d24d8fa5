"""Documents of one row take a pass of their own: it must answer, and refuse, just as the general passes do."""

from __future__ import annotations

import threading
from typing import Any

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from embcodec import DecodeError, Embeddings, ServiceError, decode_response, encode_response
from embcodec.wire.decoder import Decoder

WIDTH = 12


def body(seed: int = 0, width: int = WIDTH, count: int = 1, **options: Any) -> bytes:
    x = np.random.default_rng(seed).standard_normal((count, width)).astype(np.float32)
    return encode_response(Embeddings(x), model="m", id="é", usage={"prompt_tokens": 3, "total_tokens": 4}, **options)


def outcome(decoder: Decoder, text: Any) -> Any:
    """Return all that a body gives, or all that is said against it."""
    try:
        found = decoder.decode(text)
    except (DecodeError, ServiceError) as error:
        return type(error), str(error), getattr(error, "offset", None)
    rows = found.embeddings
    around = found.model, found.usage, found.id, found.encoding_format, found.raw_usage
    return rows.values.tobytes(), rows.values.shape, rows.meaning, around


def primed(*arguments: Any, text: bytes | None = None) -> Decoder:
    """Return a decoder that expects one row."""
    decoder = Decoder(*arguments)
    decoder.decode(body() if text is None else text)
    return decoder


@pytest.mark.parametrize("wrap", [bytes, bytearray, memoryview, bytes.decode])
@pytest.mark.parametrize("encoding", ["float", "base64"])
def test_the_second_body_is_read_by_the_quick_pass(
    encoding: str, wrap: Any, isa: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    decoder, text = primed(), body(1, encoding_format=encoding)
    wanted = outcome(Decoder(), text)
    monkeypatch.delattr(Decoder, "_read_any")
    assert outcome(decoder, wrap(text)) == wanted


@pytest.mark.parametrize(
    "text",
    [
        body(1, WIDTH + 1),
        body(1, WIDTH, 2),
        body(1, WIDTH, 70),
        b"\xef\xbb\xbf" + body(1),
        b" \n" + body(1) + b"\r\n",
        body(1).replace(b'"index":0', b'"index":1'),
        body(1).replace(b',"index":0', b""),
        body(1).replace(b'"data"', b'"data":[],"data"'),
        body(1)[:-1] + b',"data":null}',
        body(1)[:-1] + b',"data":[[1]]}',
        body(1)[:-1] + b',"error":"no"}',
        body(1)[:-1] + b',"usage":null}',
        body(1)[:-1] + b',"meta":1}x',
        b'{"data":[]}',
        b"[]",
        b"",
    ],
)
def test_other_bodies_are_left_to_the_general_passes(text: bytes, isa: str) -> None:
    decoder = primed()
    assert outcome(decoder, text) == outcome(Decoder(), text)
    assert outcome(decoder, body(2)) == outcome(Decoder(), body(2))


CODES = [
    ("float", None, 'nan', "[1,null,NaN]"),
    ("int8", None, 'error', "[1,-128,127]"),
    ("int8", 3, 'error', '"AQID"'),
    ("binary", None, 'error', "[1,-128,127]"),
    ("ubinary", 24, 'error', "[1,128,255]"),
    ("ubinary", 18, 'error', "[1,128,192]"),
    ("ubinary", 18, 'error', "[1,128,193]"),
]  # fmt: skip


@pytest.mark.parametrize(("dtype", "dimension", "nulls", "vector"), CODES)
def test_codes(dtype: str, dimension: int | None, nulls: str, vector: str) -> None:
    text = f'{{"data":[{{"embedding":{vector}}}]}}'.encode()
    decoder = Decoder(dtype, dimension, "mistral", nulls)
    first = outcome(decoder, text)
    assert [outcome(decoder, text) for _ in range(3)] == [first] * 3
    if isinstance(first[0], bytes):
        made = decode_response(text, output_dtype=dtype, dimension=dimension, nulls=nulls).embeddings  # type: ignore[arg-type]
        assert made.meaning == Embeddings(made.values, dtype, dimension).meaning


@settings(max_examples=300, deadline=None)
@given(st.data())
def test_mutated_bodies(data: st.DataObject) -> None:
    text = bytearray(body(1, 3, encoding_format=data.draw(st.sampled_from(["float", "base64"]))))
    for _ in range(data.draw(st.integers(0, 3))):
        at = data.draw(st.integers(0, len(text)))
        text[at : at + data.draw(st.integers(0, 3))] = data.draw(
            st.sampled_from([b"", b'"', b",", b"[", b"]", b"{", b"}", b"0", b"\\", b"\xe9", b"error", b" ", b"null"])
        )
    decoder = primed(text=body(0, 3))
    assert outcome(decoder, bytes(text)) == outcome(Decoder(), bytes(text))


def test_bodies_at_once() -> None:
    decoder, texts = primed(), [body(seed) for seed in range(8)]
    wanted = [outcome(Decoder(), text) for text in texts]
    found: list[list[Any]] = [[] for _ in texts]

    def read(which: int) -> None:
        found[which] = [outcome(decoder, texts[which]) for _ in range(200)]

    threads = [threading.Thread(target=read, args=(which,)) for which in range(len(texts))]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert found == [[each] * 200 for each in wanted]


def test_arrays_are_new_and_owned() -> None:
    first, second = decode_response(body()).embeddings.values, decode_response(body()).embeddings.values
    assert not np.shares_memory(first, second)
    assert second.flags.owndata
    assert second.flags.writeable


def test_no_expectation_without_a_row() -> None:
    decoder = primed()
    assert len(decoder.decode(b'{"data":[]}', expected_count=0)) == 0
    assert outcome(decoder, body(3)) == outcome(Decoder(), body(3))
