"""What a server answers in every dtype and encoding, and what bodies take: the first half of the demo."""

from __future__ import annotations

import time
from collections.abc import Callable
from typing import TYPE_CHECKING, NamedTuple

from ..dtypes import EncodingFormat, OutputDtype
from ..embeddings import Embeddings
from ..scan import search
from .bodies import check_same, measure_body, measure_codes
from .intervals import Estimate

if TYPE_CHECKING:
    from ..client import Client


class Answers(NamedTuple):
    """What a server answered.

    Attributes
    ----------
    floats, queries : Embeddings
        Of the documents and of the queries.
    model_seconds : float
        What the model took for them.
    sent : list
        Of each dtype, dimension and encoding: the documents' codes, the encoding, the bytes of a body a vector,
        microseconds to decode one, and what the codes keep, where that is not in the study.
    """

    floats: Embeddings
    queries: Embeddings
    model_seconds: float
    sent: list[tuple[Embeddings, EncodingFormat, float, float, tuple[Estimate, Estimate] | None]]


def ask_a_server(
    model: str, texts: list[str], asked: list[str], k: int, tell: Callable[[int, int, str], object]
) -> Answers:
    """Serve a model, and ask it for documents and queries in every dtype and encoding, at full and half dimension.

    Parameters
    ----------
    model : str
    texts, asked : list of str
        Documents, and queries, each of which the document of its place answers.
    k : int
        How many neighbours count in what codes keep.
    tell : callable
        Called with how much is done, of how much, and what is being done.
    """
    # Imported here: who asks for the texts alone, or for a study, needs no HTTP.
    from ..client import Client
    from ..server import running_server

    with running_server([model]) as server, Client(base_url=server.base_url, timeout=300) as client:
        fetch = _fetcher(client, model, texts, asked)
        began = time.perf_counter()
        count = len(texts) + len(asked)
        floats, queries = fetch(
            OutputDtype.FLOAT, EncodingFormat.BASE64, None, lambda done: tell(done, count, "running the model")
        )
        model_seconds = time.perf_counter() - began
        full = floats.dimension
        truth = search(queries, floats, k, metric="cosine").indices
        sent = []
        steps = [(dimension, dtype) for dimension in (full, full // 2) for dtype in OutputDtype]
        for number, (dimension, dtype) in enumerate(steps):
            tell(number, len(steps), f"embedding as {dtype}, {dimension} dimensions")
            found = {encoding: fetch(dtype, encoding, dimension) for encoding in EncodingFormat}
            codes, coded_queries = found[EncodingFormat.BASE64]
            check_same(codes, found[EncodingFormat.FLOAT][0])
            check_same(coded_queries, found[EncodingFormat.FLOAT][1])
            relevant = range(len(asked))
            quality = measure_codes(codes, coded_queries, truth, relevant, k) if dimension < full else None
            for encoding in EncodingFormat:
                size, decoded = measure_body(server.base_url, asked, model, dtype, encoding, dimension)
                sent.append((codes, encoding, size, decoded, quality))
    return Answers(floats, queries, model_seconds, sent)


def _fetcher(
    client: Client, model: str, texts: list[str], asked: list[str]
) -> Callable[..., tuple[Embeddings, Embeddings]]:
    def fetch(
        dtype: OutputDtype, encoding: EncodingFormat, dimension: int | None, told: Callable[[int], None] | None = None
    ) -> tuple[Embeddings, Embeddings]:
        answer = client.embed(
            [*texts, *asked],
            model=model,
            output_dtype=dtype,
            output_dimension=dimension,
            encoding_format=encoding,
            progress=(lambda done, total: told(done)) if told else None,
        )
        if answer.encoding_format != encoding:
            raise ValueError(f"the server answered {answer.encoding_format} where {encoding} was asked")
        return answer.embeddings[: len(texts)], answer.embeddings[len(texts) :]

    return fetch
