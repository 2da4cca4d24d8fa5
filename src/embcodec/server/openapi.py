"""What the server takes and gives, as OpenAPI 3.1 has it: written from what it holds requests to."""

from __future__ import annotations

from typing import Any

from .._version import __version__
from ..dtypes import EncodingFormat, OutputDtype
from .cohere import FIELDS, TYPES
from .endpoint import Endpoint
from .request import LENIENT, STRICT

Schema = dict[str, Any]


def describe(endpoint: Endpoint, *, needs_key: bool) -> Schema:
    """Return the document.

    Examples
    --------
    >>> list(describe(Endpoint(["hash-256"]), needs_key=False)["paths"])
    ['/v1/embeddings', '/v2/embed', '/v1/models', '/v1/models/{model}', '/health']
    """
    guarded = {"401": _refusal("The key is missing or wrong")} if needs_key else {}
    document: Schema = {
        "openapi": "3.1.0",
        "info": {
            "title": "embcodec",
            "version": __version__,
            "summary": "Embeddings of texts, as Mistral's endpoint gives them.",
            "license": {"name": "Apache-2.0", "identifier": "Apache-2.0"},
        },
        "servers": [{"url": "/"}],
        "paths": {
            "/v1/embeddings": {"post": _embeddings(endpoint, guarded)},
            "/v2/embed": {"post": _cohere(endpoint, guarded)},
            "/v1/models": {"get": _get("listModels", "The models", "ModelList", guarded)},
            "/v1/models/{model}": {
                "parameters": [{"name": "model", "in": "path", "required": True, "schema": {"type": "string"}}],
                "get": _get("getModel", "One model", "Model", {"404": _refusal("No model of that name"), **guarded}),
            },
            "/health": {"get": {**_get("health", "Whether the server is up", "Health", {}), "security": []}},
        },
        "components": {"schemas": _schemas(endpoint)},
    }
    if needs_key:
        document["components"]["securitySchemes"] = {"key": {"type": "http", "scheme": "bearer"}}
        document["security"] = [{"key": []}]
    return document


def _embeddings(endpoint: Endpoint, guarded: Schema) -> Schema:
    example = {"model": next(iter(endpoint.models)), "input": ["a cat sat", "on a mat"], "output_dtype": "int8"}
    request = {"schema": _reference("EmbeddingRequest"), "example": example}
    return {
        "operationId": "createEmbeddings",
        "summary": "Embed texts",
        "requestBody": {"required": True, "content": {"application/json": request}},
        "responses": {
            "200": _answer("The embeddings, in the order of the inputs", "EmbeddingResponse"),
            "400": _refusal("An unknown model, or more inputs or tokens than are taken"),
            "413": _refusal("The body is too large"),
            "415": _refusal("The body is called something else than JSON"),
            "422": _refusal("A field is not what it should be"),
            "503": _refusal("Too much at once: try again in a second"),
            **guarded,
        },
    }


def _cohere(endpoint: Endpoint, guarded: Schema) -> Schema:
    texts = {"type": "array", "items": {"type": "string"}, "minItems": 1, "maxItems": STRICT.inputs}
    known: Schema = {"type": "array", "items": {"enum": list(TYPES)}}
    schema = {
        "type": "object",
        "required": ["model", "texts"],
        "properties": {
            **{name: {} for name in FIELDS},  # fields that are accepted and not looked at
            "model": {"type": "string"},
            "texts": texts,
            "embedding_types": known,
            "output_dimension": _request(endpoint)["properties"]["output_dimension"],
        },
    }
    return {
        **_embeddings(endpoint, guarded),
        "operationId": "embed",
        "summary": "The same, as Cohere has it",
        "requestBody": {"required": True, "content": {"application/json": {"schema": schema}}},
        "responses": {
            **_embeddings(endpoint, guarded)["responses"],
            "200": _answer("The embeddings by their type", "EmbeddingsByType"),
        },
    }


def _get(name: str, summary: str, schema: str, others: Schema) -> Schema:
    return {"operationId": name, "summary": summary, "responses": {"200": _answer(summary, schema), **others}}


def _answer(description: str, schema: str) -> Schema:
    return {"description": description, "content": {"application/json": {"schema": _reference(schema)}}}


def _refusal(description: str) -> Schema:
    return _answer(description, "Refusal")


def _reference(name: str) -> Schema:
    return {"$ref": f"#/components/schemas/{name}"}


def _schemas(endpoint: Endpoint) -> Schema:
    text, number = {"type": "string"}, {"type": "integer"}
    return {
        "EmbeddingRequest": _request(endpoint),
        "EmbeddingResponse": _object(
            {
                "id": text,
                "object": {"const": "list"},
                "model": text,
                "data": {"type": "array", "items": _reference("Embedding")},
                "usage": _reference("Usage"),
            }
        ),
        "Embedding": _object(
            {
                "object": {"const": "embedding"},
                "index": {"type": "integer", "minimum": 0},
                "embedding": {
                    "description": "Numbers, or base64: of float32, little-endian, or of the codes' own bytes.",
                    "oneOf": [
                        {"type": "array", "items": {"type": "number"}},
                        {"type": "string", "contentEncoding": "base64"},
                    ],
                },
            }
        ),
        "EmbeddingsByType": {
            "type": "object",
            "required": ["id", "embeddings", "texts"],
            "properties": {
                "id": text,
                "embeddings": {"type": "object", "properties": {kind: {"type": "array"} for kind in TYPES}},
                "texts": {"type": "array", "items": text},
                "meta": {"type": "object"},
            },
        },
        "Usage": _object({"prompt_tokens": number, "completion_tokens": number, "total_tokens": number}),
        "Model": _object(
            {
                "id": {"type": "string", "enum": [card["id"] for card in endpoint.cards()]},
                "object": {"const": "model"},
                "created": number,
                "owned_by": text,
                "dimension": number,
                "output_dtypes": {"type": "array", "items": text},
            }
        ),
        "ModelList": _object({"object": {"const": "list"}, "data": {"type": "array", "items": _reference("Model")}}),
        "Health": _object({"status": {"const": "ok"}, "models": {"type": "array", "items": text}}),
        "Refusal": {
            "type": "object",
            "description": "`detail` of a field, or `message`; in OpenAI's form under `error` where it is looked for.",
            "properties": {
                "detail": {"oneOf": [text, {"type": "array", "items": {"type": "object"}}]},
                "message": text,
                "type": text,
                "code": {"type": ["string", "null"]},
                "error": {"type": "object", "properties": {"message": text}},
            },
        },
    }


def _object(properties: Schema) -> Schema:
    return {"type": "object", "required": list(properties), "properties": properties}


def _request(endpoint: Endpoint) -> Schema:
    allowed = LENIENT if endpoint.lenient else STRICT
    text = {"type": "string"}
    texts: list[Schema] = [text, {"type": "array", "items": text, "minItems": 1, "maxItems": allowed.inputs}]
    if endpoint.lenient:
        ids: Schema = {"type": "array", "items": {"type": "integer", "minimum": 0}, "minItems": 1}
        texts += [ids, {"type": "array", "items": ids, "minItems": 1, "maxItems": allowed.inputs}]
    dimension = {
        "type": ["integer", "null"],
        "minimum": 1,
        "maximum": max(model.dimension for model in endpoint.models.values()),
        "description": "So many first dimensions, of unit length where the model's rows are; by default all.",
    }
    fields: Schema = {
        "model": {"type": "string", "description": f"{endpoint.known_models[:1].upper()}{endpoint.known_models[1:]}."},
        "input": {
            "description": f"One text or up to {allowed.inputs:,}; {allowed.input_tokens:,} tokens each and "
            f"{allowed.tokens:,} together, a token for every four bytes.",
            "oneOf": texts,
        },
        "output_dtype": _choice(list(OutputDtype), "What an embedding's elements are; bits lie eight to a byte."),
        "output_dimension": dimension,
        "encoding_format": _choice(list(EncodingFormat), "How an embedding is written: numbers, or base64."),
        "metadata": {"type": ["object", "null"], "description": "Passed over."},
    }
    if endpoint.lenient:
        fields["dimensions"] = {**dimension, "description": "OpenAI's name of output_dimension."}
    return {
        "type": "object",
        "required": ["model", "input"],
        "properties": fields,
        "additionalProperties": endpoint.lenient,
    }


def _choice(known: list[Any], description: str) -> Schema:
    return {"enum": [*map(str, known), None], "default": "float", "description": description}
