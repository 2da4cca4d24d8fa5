"""Models behind the endpoint, apart from HTTP: a body in, a body out."""

from __future__ import annotations

import time
import uuid
from collections.abc import Sequence
from dataclasses import replace
from typing import Any

from ..dtypes import OutputDtype
from ..quantizers import quantize
from ..wire import encode_response
from .model import DEFAULT_MODEL, CachedModel, EmbeddingModel, load_model
from .request import EmbeddingRequest, RefusalError, parse_request

_MOST_NAMED = 20  # models in an answer that lists them


class Endpoint:
    """Models behind the endpoint, apart from HTTP.

    Parameters
    ----------
    models : sequence of str or EmbeddingModel
        Names for :func:`load_model`, or objects with ``name``, ``dimension`` and ``encode``.
    lenient : bool
        Take OpenAI's ``dimensions``, pass over its ``user`` and every other unknown field.
    cache_size : int
        Most vectors kept for each model.
    """

    def __init__(
        self,
        models: Sequence[str | EmbeddingModel] = (DEFAULT_MODEL,),
        *,
        lenient: bool = False,
        cache_size: int = 65_536,
    ) -> None:
        if isinstance(models, str):
            models = (models,)
        loaded = [load_model(model) if isinstance(model, str) else model for model in models]
        if not loaded:
            raise ValueError("a server needs at least one model")
        self.models = {model.name: CachedModel(model, cache_size) for model in loaded}
        self.lenient = lenient
        self.created = int(time.time())

    def read(self, body: bytes) -> EmbeddingRequest:
        """Return what a body asks for, with the dimension that its answer will have.

        Raises
        ------
        RefusalError
            Where the request is not served.
        """
        request = parse_request(body, lenient=self.lenient)
        model = self.models.get(request.model)
        if model is None:
            message = f"Invalid model: {request.model[:200]}; {self.known_models}"
            raise RefusalError.error(message, "invalid_model", "1500")
        dimension = request.dimension or model.dimension
        if dimension > model.dimension:
            limit = model.dimension
            message = f"Input should be less than or equal to {limit}"
            raise RefusalError.invalid("less_than_equal", ("output_dimension",), message, dimension, le=limit)
        return replace(request, dimension=dimension)

    def answer(self, request: EmbeddingRequest) -> bytes:
        """Return the answer to a request that was read."""
        # The first dimensions are kept as they are: the service does not bring them back to unit length.
        rows = self.models[request.model].encode(request.texts)[:, : request.dimension]
        usage = {"prompt_tokens": request.tokens, "completion_tokens": 0, "total_tokens": request.tokens}
        return encode_response(
            quantize(rows, request.output_dtype),
            model=request.model,
            encoding_format=request.encoding_format,
            usage={**usage, "prompt_audio_seconds": None},
            id=uuid.uuid4().hex,
        )

    def embed(self, body: bytes) -> bytes:
        """Answer a request body.

        Raises
        ------
        RefusalError
            Where the request is not served.
        """
        return self.answer(self.read(body))

    @property
    def known_models(self) -> str:
        """The models by name, as a refusal of another says them."""
        names = list(self.models)
        more = f" and {len(names) - _MOST_NAMED} more" if len(names) > _MOST_NAMED else ""
        return f"this server has {', '.join(names[:_MOST_NAMED])}{more}"

    def describe(self, model: CachedModel) -> dict[str, Any]:
        """Return the card of `model` in the list of models."""
        return {
            "id": model.name,
            "object": "model",
            "type": "base",
            "created": self.created,
            "owned_by": "embcodec",
            "capabilities": {"embeddings": True},
            "dimension": model.dimension,
            "output_dtypes": [str(dtype) for dtype in OutputDtype],
        }
