"""What an index says of what it cannot hold or do: whole sentences, with the way out."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import pytest
from each import each
from few_rows import BITS, INT8, LOW, ONE_BIT, QUANTIZER, RANGED, SCALED, SHORT, X

from embcodec import (
    CodeMismatchError,
    FlatIndex,
    LowBitQuantizer,
    StorageError,
)

REFUSED: dict[str, tuple[Callable[[], Any], type[Exception], str]] = {
    "fewer rows to rescore with": (
        lambda: FlatIndex(INT8, rescore_with=X[:2]),
        ValueError,
        "4 rows of codes, but 2 to rescore with",
    ),
    "shorter rows to rescore with": (
        lambda: FlatIndex(INT8, rescore_with=X[:, :4]),
        CodeMismatchError,
        "codes have 8 dimensions, rescoring rows 4",
    ),
    "a word for a quantizer": (
        lambda: FlatIndex(X, quantizer="auto"),
        TypeError,
        "quantizer is a fitted LowBitQuantizer, not 'auto'",
    ),
    "a class for a quantizer": (
        lambda: FlatIndex(X, quantizer=LowBitQuantizer),
        TypeError,
        "quantizer is a fitted LowBitQuantizer, not a type",
    ),
    "codes for a quantizer": (
        lambda: FlatIndex(INT8, quantizer=QUANTIZER),
        CodeMismatchError,
        "a quantizer codes floats, not Embeddings(4 x 8 int8, 32 bytes)",
    ),
    "a number for a quantizer": (
        lambda: FlatIndex(X, quantizer=3),
        TypeError,
        "quantizer is a fitted LowBitQuantizer, not 3",
    ),
    "bits to integers": (
        lambda: FlatIndex(INT8).add(BITS),
        CodeMismatchError,
        "Embeddings(4 x 8 ubinary, 4 bytes) does not join Embeddings(4 x 8 int8, 32 bytes): add "
        'quantize(codes, "int8"), or floats',
    ),
    "scales to none": (
        lambda: FlatIndex(INT8).add(SCALED),
        CodeMismatchError,
        "Embeddings(4 x 8 int8, per-vector, 48 bytes) does not join Embeddings(4 x 8 int8, 32 "
        'bytes): add quantize(codes, "int8"), or floats',
    ),
    "no ranges to ranges": (
        lambda: FlatIndex(RANGED).add(INT8),
        CodeMismatchError,
        "Embeddings(4 x 8 int8, 32 bytes) does not join Embeddings(4 x 8 int8, "
        f'{RANGED.meaning[2]}, 32 bytes): add quantize(codes, "int8", scale=index.codes.scale), or'
        " floats",
    ),
    "integers to low-bit codes": (
        lambda: FlatIndex(LOW).add(INT8),
        CodeMismatchError,
        "Embeddings(4 x 8 int8, 32 bytes) does not join LowBitCodes(4 x 8 at 2 bits, 40 bytes): add floats",
    ),
    "low-bit codes to integers": (
        lambda: FlatIndex(INT8).add(LOW),
        CodeMismatchError,
        "LowBitCodes(4 x 8 at 2 bits, 40 bytes) does not join Embeddings(4 x 8 int8, 32 bytes): add floats",
    ),
    "low-bit codes of another quantizer": (
        lambda: FlatIndex(LOW).add(ONE_BIT),
        CodeMismatchError,
        f"LowBitCodes(4 x 8 at 1 bit, 20 bytes) were made by {ONE_BIT.scheme.identity}, the "
        f"index's by {LOW.scheme.identity}: encode with one quantizer, or add floats",
    ),
    "longer rows to unit rows": (
        lambda: FlatIndex(LOW).add(QUANTIZER.encode(2 * X)),
        CodeMismatchError,
        "the index holds rows of unit length, which cosine and l2 need; these are not: normalize them",
    ),
    "shorter codes": (
        lambda: FlatIndex(INT8).add(SHORT),
        CodeMismatchError,
        "Embeddings(4 x 4 int8, 16 bytes) does not join Embeddings(4 x 8 int8, 32 bytes): the "
        "index has 8 dimensions, all of which a row needs",
    ),
    "longer codes": (
        lambda: FlatIndex(SHORT).add(INT8),
        CodeMismatchError,
        "Embeddings(4 x 8 int8, 32 bytes) does not join Embeddings(4 x 4 int8, 16 bytes): the "
        "index has 4 dimensions: add truncate(rows, 4)",
    ),
    "shorter floats to codes": (
        lambda: FlatIndex(INT8).add(X[:, :4]),
        CodeMismatchError,
        "Embeddings(4 x 4 float, 64 bytes) does not join Embeddings(4 x 8 int8, 32 bytes): the "
        "index has 8 dimensions, all of which a row needs",
    ),
    "longer floats to codes": (
        lambda: FlatIndex(SHORT).add(X),
        CodeMismatchError,
        "Embeddings(4 x 8 float, 128 bytes) does not join Embeddings(4 x 4 int8, 16 bytes): the "
        "index has 4 dimensions: add truncate(rows, 4)",
    ),
    "shorter floats to low-bit codes": (
        lambda: FlatIndex(LOW).add(X[:, :4]),
        CodeMismatchError,
        "Embeddings(4 x 4 float, 64 bytes) does not join LowBitCodes(4 x 8 at 2 bits, 40 bytes): "
        "the index has 8 dimensions, all of which a row needs",
    ),
    "shorter floats to floats": (
        lambda: FlatIndex(X).add(X[:, :4]),
        CodeMismatchError,
        "Embeddings(4 x 4 float, 64 bytes) does not join Embeddings(4 x 8 float, 128 bytes): the "
        "index has 8 dimensions, all of which a row needs",
    ),
    "integers to floats": (
        lambda: FlatIndex(X).add(INT8),
        CodeMismatchError,
        "Embeddings(4 x 8 int8, 32 bytes) does not join Embeddings(4 x 8 float, 128 bytes): add "
        "codes.to_float(), or floats",
    ),
    "a mask of ids that are not there": (
        lambda: FlatIndex(X, ids=[1, 2, 3, 4]).search(X, 1, mask=[1, 9, 8]),
        ValueError,
        "mask names id 9, which is not in the index",
    ),
    "a mask of rows that are not there": (
        lambda: FlatIndex(X).search(X, 1, mask=[4]),
        ValueError,
        "mask names row 4 of 4",
    ),
    "bits rescored with floats": (
        lambda: FlatIndex(BITS, rescore_with=X).search(BITS, 1),
        CodeMismatchError,
        "ubinary queries cannot be rescored with float rows: pass floats, or "
        "rescore_multiplier=None to search the codes alone",
    ),
    "bits rescored with integers": (
        lambda: FlatIndex(BITS, rescore_with=INT8).search(BITS, 1),
        CodeMismatchError,
        "ubinary queries cannot be rescored with int8 rows: pass floats, or "
        "rescore_multiplier=None to search the codes alone",
    ),
    "integers rescored with low-bit codes": (
        lambda: FlatIndex(ONE_BIT, rescore_with=LOW).search(INT8, 1),
        CodeMismatchError,
        "int8 queries cannot be rescored with 2-bit rows: pass floats, or rescore_multiplier=None"
        " to search the codes alone",
    ),
    "fewer ids": (
        lambda: FlatIndex(X, ids=[1, 2]),
        ValueError,
        "ids have shape (4,), not (2,)",
    ),
    "an id below 0": (
        lambda: FlatIndex(X, ids=[-1, 2, 3, 4]),
        ValueError,
        "ids must be 0 .. 2**63 - 2",
    ),
    "an id above all": (
        lambda: FlatIndex(X, ids=[2**63 - 1, 1, 2, 3]),
        ValueError,
        "ids must be 0 .. 2**63 - 2",
    ),
    "an id twice": (
        lambda: FlatIndex(X, ids=[1, 2, 2, 1]),
        ValueError,
        "an id is given twice: 1",
    ),
    "names for ids": (
        lambda: FlatIndex(X, ids=list("abcd")),
        TypeError,
        "id 0 is 'a', not a whole number: leave ids out, and look the result's indices up in the names",
    ),
    "parts of ids": (
        lambda: FlatIndex(X, ids=[1.5, 2, 3, 4]),
        TypeError,
        "id 0 is 1.5, not a whole number",
    ),
    "confidence without rescoring": (
        lambda: FlatIndex(X).search(X, 1, confidence=0.9),
        ValueError,
        "confidence is for rescoring, which this search does not do: give the index rescore_with=, and the "
        "search a rescore_multiplier and a metric of floats",
    ),
    "confidence in integers": (
        lambda: FlatIndex(INT8, rescore_with=X).search(X, 1, confidence=0.9),
        CodeMismatchError,
        "confidence needs low-bit codes, whose errors are bounded, and no three_stage; these are "
        "Embeddings(4 x 8 int8, 32 bytes)",
    ),
    "confidence in three stages": (
        lambda: FlatIndex(ONE_BIT, rescore_with=X).search(X, 1, confidence=0.9, three_stage=True),
        CodeMismatchError,
        "confidence needs low-bit codes, whose errors are bounded, and no three_stage; these are "
        "LowBitCodes(4 x 8 at 1 bit, 20 bytes)",
    ),
    "confidence without a multiplier": (
        lambda: FlatIndex(LOW, rescore_with=X).search(X, 1, confidence=0.9, rescore_multiplier=None),
        ValueError,
        "confidence is for rescoring, which this search does not do: give the index rescore_with=, and the "
        "search a rescore_multiplier and a metric of floats",
    ),
    "a multiplier below 1": (
        lambda: FlatIndex(INT8, rescore_with=X).search(X, 1, rescore_multiplier=0.5),
        ValueError,
        "rescore_multiplier must be a number of at least 1, not 0.5",
    ),
    "an infinite multiplier": (
        lambda: FlatIndex(INT8, rescore_with=X).search(X, 1, rescore_multiplier=float("inf")),
        ValueError,
        "rescore_multiplier must be a number of at least 1, not inf",
    ),
    "no number for a multiplier": (
        lambda: FlatIndex(INT8, rescore_with=X).search(X, 1, rescore_multiplier=float("nan")),
        ValueError,
        "rescore_multiplier must be a number of at least 1, not nan",
    ),
    "three stages of integers": (
        lambda: FlatIndex(INT8).search(X, 1, three_stage=True),
        CodeMismatchError,
        "three stages need float queries and one bit a dimension, not Embeddings(4 x 8 float, 128"
        " bytes) and Embeddings(4 x 8 int8, 32 bytes)",
    ),
    "three stages of bits against bits": (
        lambda: FlatIndex(BITS).search(BITS, 1, three_stage=True),
        CodeMismatchError,
        "three stages need float queries and one bit a dimension, not Embeddings(4 x 8 ubinary, 4"
        " bytes) and Embeddings(4 x 8 ubinary, 4 bytes)",
    ),
    "three stages of two bits": (
        lambda: FlatIndex(LOW).search(X, 1, three_stage=True),
        CodeMismatchError,
        "three stages need float queries and one bit a dimension, not Embeddings(4 x 8 float, 128"
        " bytes) and LowBitCodes(4 x 8 at 2 bits, 40 bytes)",
    ),
    "a file of another kind": (
        lambda: FlatIndex(X).save("/a.npy"),
        StorageError,
        "an index is stored in a .safetensors file, not '/a.npy'",
    ),
    "a file without suffix": (
        lambda: FlatIndex.load("/a"),
        StorageError,
        "an index is stored in a .safetensors file, not '/a'",
    ),
    "removing a row that is not there": (
        lambda: FlatIndex(X).remove([4]),
        KeyError,
        "'id 4 is not in the index'",
    ),
    "removing ids that are not there": (
        lambda: FlatIndex(X, ids=[1, 2, 3, 4]).remove([5, 6]),
        KeyError,
        "'id 5 is not in the index'",
    ),
    "codes where rows rescore": (
        lambda: FlatIndex(INT8, rescore_with=X).add(INT8),
        ValueError,
        "this index rescores: give rescore_with too, or floats as codes",
    ),
    "rescoring rows where none do": (
        lambda: FlatIndex(INT8).add(INT8, rescore_with=X),
        ValueError,
        "this index has no rows to rescore with",
    ),
    "an id that is there": (
        lambda: FlatIndex(X, ids=[1, 2, 3, 4]).add(X, ids=[4, 5, 6, 7]),
        ValueError,
        "id 4 is in the index already",
    ),
    "rows behind the last id": (
        lambda: FlatIndex(X, ids=[1, 2, 3, 2**63 - 2]).add(X),
        ValueError,
        "no whole numbers are left after id 9223372036854775806: give the new rows numbers as ids",
    ),
}


@each("name", REFUSED)
def test_what_an_index_refuses(name: str) -> None:
    call, kind, words = REFUSED[name]
    with pytest.raises(kind) as caught:
        call()
    assert type(caught.value) is kind
    assert str(caught.value) == words
