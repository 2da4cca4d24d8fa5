"""Models behind the endpoint, apart from HTTP: a body in, a body out."""

from __future__ import annotations

import time
import uuid
from collections.abc import Mapping, Sequence
from dataclasses import replace
from typing import Any

import numpy as np
from numpy.typing import NDArray

from ..dtypes import OutputDtype
from ..quantizers import quantize, truncate
from ..wire import encode_response
from ..words import shown
from .cohere import CohereRequest, parse_cohere, write_cohere
from .model import DEFAULT_MODEL, CachedModel, EmbeddingModel, load_model
from .request import EmbeddingRequest, RefusalError, parse_request
from .tokens import Detokenize, OpenAITokens, texts_of

_MOST_NAMED = 20  # models in an answer that lists them
_UNIT_ERROR = 1e-3  # how far a row's length may be from 1: float16 and sums in float32 leave that much


class Endpoint:
    """Models behind the endpoint, apart from HTTP.

    Parameters
    ----------
    models : sequence of str or EmbeddingModel
        Names for :func:`load_model`, or objects with ``name``, ``dimension`` and ``encode``.
    lenient : bool
        Take what OpenAI's route takes: ``dimensions``, token ids, 2,048 inputs; pass over its ``user`` and every other
        unknown field; put refusals in its form too.
    cache_size : int
        Most vectors kept for each model.
    aliases : mapping of str to str
        Further names of models, as ``{"text-embedding-3-small": "universal-sentence-encoder"}``.
    detokenize : callable, optional
        Makes the text of a list of token ids; by default as OpenAI's embedding models have them, by tiktoken.

    Raises
    ------
    ValueError
        Where there is no model, a model is unknown, or an alias is one or leads to none.
    """

    def __init__(
        self,
        models: Sequence[str | EmbeddingModel] = (DEFAULT_MODEL,),
        *,
        lenient: bool = False,
        cache_size: int = 65_536,
        aliases: Mapping[str, str] | None = None,
        detokenize: Detokenize | None = None,
    ) -> None:
        if isinstance(models, str):
            models = (models,)
        loaded = [load_model(model) if isinstance(model, str) else model for model in models]
        if not loaded:
            raise ValueError("a server needs at least one model")
        self.models = {model.name: CachedModel(model, cache_size) for model in loaded}
        self.aliases = dict(aliases or {})
        for alias, name in self.aliases.items():
            if alias in self.models or name not in self.models:
                wrong = "is a model itself" if alias in self.models else f"stands for {shown(name)}, which is none"
                raise ValueError(f"the alias {shown(alias)} {wrong}: {self.known_models}")
        self.lenient = lenient
        self._detokenize: Detokenize = detokenize or OpenAITokens()
        self.created = int(time.time())

    def read(self, body: bytes) -> EmbeddingRequest:
        """Return what a body asks for, with the dimension that its answer will have.

        Raises
        ------
        RefusalError
            Where the request is not served.
        """
        return self._fitted(parse_request(body, lenient=self.lenient))

    def read_cohere(self, body: bytes) -> CohereRequest:
        """Return what a body of Cohere's route asks for; RefusalError as :meth:`read`."""
        asked = parse_cohere(body)
        return replace(asked, request=self._fitted(asked.request))

    def _fitted(self, request: EmbeddingRequest) -> EmbeddingRequest:
        """Return the request with the dimension that its answer will have."""
        model = self.find(request.model)
        if model is None:
            message = f"Invalid model: {request.model[:200]}; {self.known_models}"
            raise RefusalError.error(message, "invalid_model", "1500")
        dimension = request.dimension or model.dimension
        if dimension > model.dimension:
            limit = model.dimension
            message = f"Input should be less than or equal to {limit}"
            raise RefusalError.invalid("less_than_equal", (request.dimension_field,), message, dimension, le=limit)
        return replace(request, dimension=dimension)

    def answer(self, request: EmbeddingRequest) -> bytes:
        """Return the answer to a request that was read.

        Raises
        ------
        RefusalError
            Where its token ids cannot be read.
        """
        ids = request.token_ids
        rows = self._rows(request, request.texts if ids is None else texts_of(ids, self._detokenize))
        usage = {"prompt_tokens": request.tokens, "completion_tokens": 0, "total_tokens": request.tokens}
        return encode_response(
            quantize(rows, request.output_dtype),
            model=request.model,
            encoding_format=request.encoding_format,
            usage={**usage, "prompt_audio_seconds": None},
            id=uuid.uuid4().hex,
        )

    def answer_cohere(self, asked: CohereRequest) -> bytes:
        """Return the answer to a request of Cohere's route that was read."""
        texts = asked.request.texts
        return write_cohere(self._rows(asked.request, texts), texts, asked)

    def _rows(self, request: EmbeddingRequest, texts: list[str]) -> NDArray[np.float32]:
        model = self.find(request.model)
        assert model is not None
        return _cut(model.encode(texts), request.dimension or model.dimension)

    def embed(self, body: bytes) -> bytes:
        """Answer a request body.

        Raises
        ------
        RefusalError
            Where the request is not served.
        """
        return self.answer(self.read(body))

    def find(self, name: str) -> CachedModel | None:
        """Return the model of a name or an alias."""
        return self.models.get(self.aliases.get(name, name))

    @property
    def known_models(self) -> str:
        """The models by name, as a refusal of another says them."""
        names = [*self.models, *self.aliases]
        more = f" and {len(names) - _MOST_NAMED} more" if len(names) > _MOST_NAMED else ""
        return f"this server has {', '.join(names[:_MOST_NAMED])}{more}"

    def cards(self) -> list[dict[str, Any]]:
        """Return the cards of all models, and of their aliases."""
        names = [*self.models, *self.aliases]
        return [card for name in names if (card := self.card(name)) is not None]

    def card(self, name: str) -> dict[str, Any] | None:
        """Return the card of a model in the list of models; of an alias it names the model as its ``root``."""
        model = self.find(name)
        if model is None:
            return None
        return {
            "id": name,
            **({} if name == model.name else {"root": model.name}),
            "object": "model",
            "type": "base",
            "created": self.created,
            "owned_by": "embcodec",
            "capabilities": {"embeddings": True},
            "dimension": model.dimension,
            "output_dtypes": [str(dtype) for dtype in OutputDtype],
        }


def _cut(rows: NDArray[np.float32], dimension: int) -> NDArray[np.float32]:
    """Return the first dimensions of rows; those of unit length have it again, as the services' own answers do.

    Codes of the unit scale would else lose accuracy: what is left of a row after the cut may be half as long.
    """
    if dimension == rows.shape[1]:
        return rows
    kept = np.ascontiguousarray(rows[:, :dimension])
    is_unit = np.abs(np.linalg.norm(rows.astype(np.float64), axis=1) - 1) < _UNIT_ERROR
    kept[is_unit] = truncate(kept[is_unit], dimension)
    return kept
