"""What comes over the wire: the size of real bodies, the time to decode them, the quality of the codes in them."""

from __future__ import annotations

import json
import urllib.error
import urllib.request
from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from ..dtypes import EncodingFormat, OutputDtype
from ..embeddings import Embeddings
from ..errors import DecodeError, ServiceError
from ..wire import decode_response
from .intervals import Estimate, gain_interval, overlap_interval
from .measurement import Measurement
from .measures import ndcg, overlap
from .pipeline import Pipeline, timed
from .results import Study

_BODY_ROWS = 256
_STUDIED_AS = {
    OutputDtype.FLOAT: "float",
    OutputDtype.INT8: "int8 unit",
    OutputDtype.UINT8: "uint8 unit",
    OutputDtype.BINARY: "bits",
    OutputDtype.UBINARY: "bits",
}


@dataclass(frozen=True)
class WireMeasurement:
    """One output dtype in one encoding at one dimension.

    Attributes
    ----------
    output_dtype, encoding_format, dimension : str, str, int
    wire_bytes, memory_bytes : float
        A vector's: of the response body, and decoded.
    decode_microseconds : float
        A vector's, of decoding a body of 256 on one thread.
    overlap, ndcg : Estimate
        Overlap@k with exact float32 search at full dimension, and nDCG@k on the known answers, for queries and
        documents both in this dtype.
    one_per_second, batch_per_second : float
        Queries a second, the study's figures for such codes: measured once, whatever the encoding.
    """

    output_dtype: str
    encoding_format: str
    dimension: int
    wire_bytes: float
    memory_bytes: float
    decode_microseconds: float
    overlap: Estimate
    ndcg: Estimate
    one_per_second: float
    batch_per_second: float


def measure_body(
    base_url: str, texts: Sequence[str], model: str, dtype: OutputDtype, encoding: EncodingFormat, dimension: int
) -> tuple[float, float]:
    """Return bytes a vector of one response body and microseconds a vector of decoding it (the best of several).

    Raises
    ------
    ServiceError
        Where the server refuses; the texts must fit one request.
    OSError
        Where it does not answer.
    """
    texts = texts[:_BODY_ROWS]
    fields = {
        "model": model,
        "input": list(texts),
        "output_dtype": str(dtype),
        "encoding_format": str(encoding),
        "output_dimension": dimension,
    }
    request = urllib.request.Request(
        f"{base_url}/v1/embeddings", json.dumps(fields).encode(), {"Content-Type": "application/json"}
    )
    try:
        with urllib.request.urlopen(request, timeout=120) as answer:
            body = answer.read()
    except urllib.error.HTTPError as error:
        raise ServiceError(error.read(1000).decode(errors="replace"), status=error.code) from None
    _, seconds = timed(
        lambda: decode_response(body, output_dtype=dtype, dimension=dimension, expected_count=len(texts), threads=1),
        repeats=7,
    )
    return len(body) / len(texts), seconds / len(texts) * 1e6


def as_studied(codes: Embeddings, study: Study) -> Measurement:
    """Return what a study measured of codes such as a service's, compared with each other.

    At full dimension they are the same codes; what is cut a service leaves shorter than unit length, as a study does
    not, but scans no faster for it.
    """
    wanted = _STUDIED_AS[codes.output_dtype], codes.dimension
    return next(found for found in study.measurements if (found.label, found.dimension) == wanted)


def measure_codes(
    codes: Embeddings, queries: Embeddings, truth: NDArray[np.int64], relevant: Sequence[int], k: int
) -> tuple[Estimate, Estimate]:
    """Return overlap and nDCG of a service's codes compared as they came."""
    found = Pipeline(str(codes.output_dtype), codes, queries).run(k)
    return overlap_interval(overlap(found, truth), k), gain_interval(ndcg(found, relevant))


def check_same(one: Embeddings, other: Embeddings) -> None:
    """Make sure that both encodings carried the same values.

    Raises
    ------
    DecodeError
        Where they differ, naming the row.
    """
    if one != other:
        differs = (
            (one.values != other.values).any(axis=1) if one.values.shape == other.values.shape else np.array([True])
        )
        raise DecodeError(
            f"base64 and list of {one.output_dtype} decode to different values", row=int(differs.argmax())
        )
