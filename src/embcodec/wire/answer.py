"""What a body says once it is read: the vectors, and the members around them."""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import Any

from ..dtypes import EncodingFormat
from ..embeddings import Embeddings
from .service import USAGE, Usage


@dataclass(frozen=True, slots=True)
class EmbeddingResponse:
    """A service's answer.

    Attributes
    ----------
    embeddings : Embeddings
        The vectors, in the order of their indices.
    model : str or None
        The model's name, as the service says it.
    usage : Usage
        Tokens; 0 where the service does not say. `raw_usage` tells a 0 that a body's ``usage`` says from one that it
        does not: it is None where there is no ``usage``, and else has the counts that were there.
    id : str or None
    encoding_format : {"float", "base64"} or None
        As the vectors *arrived*, which need not be what was asked; of a mixture as the first one did. None for bare
        bytes.
    raw_usage : dict or None
        The body's own ``usage``; None where it has none.
    """

    embeddings: Embeddings
    model: str | None = None
    usage: Usage = field(default_factory=Usage)
    id: str | None = None
    encoding_format: EncodingFormat | None = EncodingFormat.FLOAT
    raw_usage: dict[str, Any] | None = None

    def __len__(self) -> int:
        return len(self.embeddings)


# A class whose instances cannot be changed sets its fields one by one, by name. For the answer to one input that takes
# as long as reading it; these set them by their places.
_new = object.__new__
_embeddings, _model, _usage, _id, _encoding_format, _raw_usage = (
    EmbeddingResponse.__dict__[name].__set__ for name in EmbeddingResponse.__slots__
)


def make_answer(
    embeddings: Embeddings,
    model: str | None,
    usage: Usage,
    id: str | None,
    encoding_format: EncodingFormat | None,
    raw_usage: dict[str, Any] | None,
) -> EmbeddingResponse:
    """Return ``EmbeddingResponse(...)``, in half the time."""
    made = _new(EmbeddingResponse)
    _embeddings(made, embeddings)
    _model(made, model)
    _usage(made, usage)
    _id(made, id)
    _encoding_format(made, encoding_format)
    _raw_usage(made, raw_usage)
    return made


def answer_of(
    embeddings: Embeddings, body: dict[str, Any], encoding_format: EncodingFormat | None, tokens: int = 0
) -> EmbeddingResponse:
    """Put an answer together from decoded vectors, the members around them, and the tokens counted row by row."""
    said = body.get
    usage, model, name = said(USAGE), said("model"), said("id")
    return make_answer(
        embeddings,
        model if isinstance(model, str) else None,
        Usage.from_envelope(body) if not tokens else Usage(tokens, 0, tokens),
        name if isinstance(name, str) else None,
        encoding_format,
        usage if isinstance(usage, dict) else None,
    )
