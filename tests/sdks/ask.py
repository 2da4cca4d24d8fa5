"""Ask a server through every Python SDK, in every dtype and encoding; one JSON object a line on standard output.

Run by `run.py` in a virtual environment of its own. What an SDK has no argument for is not asked: `None`.
"""

from __future__ import annotations

import contextlib
import json
import os
import sys
from collections.abc import Callable, Iterator
from typing import Any

TEXTS = ["first text", "second, longer text", "Ünïcode: 漢字 🦆"]
DTYPES = ("float", "int8", "uint8", "binary", "ubinary")
ENCODINGS = (None, "float", "base64")  # None: whatever the SDK does by itself
Ask = Callable[[str, "str | None"], Any]


def wishes(dtype: str, encoding: str | None) -> dict[str, Any]:
    """Arguments of an OpenAI client, whose own have no `output_dtype`."""
    named = {} if encoding is None else {"encoding_format": encoding}
    return named if dtype == "float" else {**named, "extra_body": {"output_dtype": dtype}}


def words_of(error: Exception) -> str:
    """Return what a user sees of an error: of one of voyageai's, whose words are a list, no more than its traceback."""
    try:
        return f"{type(error).__name__}: {error}"
    except TypeError:
        return f"{type(error).__name__}: {vars(error)}"


def sdks(base_url: str, model: str, key: str) -> Iterator[tuple[str, Callable[[], Ask]]]:
    v1 = base_url + "/v1"

    def openai() -> Ask:
        from openai import OpenAI

        client = OpenAI(api_key=key, base_url=v1, max_retries=0)
        return lambda dtype, encoding: [
            item.embedding
            for item in client.embeddings.create(model=model, input=TEXTS, **wishes(dtype, encoding)).data
        ]

    def openai_async() -> Ask:
        import asyncio

        from openai import AsyncOpenAI

        async def ask(dtype: str, encoding: str | None) -> Any:
            async with AsyncOpenAI(api_key=key, base_url=v1, max_retries=0) as client:
                return (await client.embeddings.create(model=model, input=TEXTS, **wishes(dtype, encoding))).data

        return lambda dtype, encoding: [item.embedding for item in asyncio.run(ask(dtype, encoding))]

    def mistralai() -> Ask:
        from mistralai.client import Mistral

        client = Mistral(api_key=key, server_url=base_url)
        return lambda dtype, encoding: [
            item.embedding
            for item in client.embeddings.create(
                model=model,
                inputs=TEXTS,
                **({} if dtype == "float" else {"output_dtype": dtype}),
                **({} if encoding is None else {"encoding_format": encoding}),
            ).data
        ]

    def litellm(provider: str) -> Ask:
        import litellm

        litellm.suppress_debug_info = True
        return lambda dtype, encoding: [
            item["embedding"]
            for item in litellm.embedding(
                model=f"{provider}/{model}", input=TEXTS, api_base=v1, api_key=key, **wishes(dtype, encoding)
            ).data
        ]

    def langchain() -> Ask:
        from langchain_openai import OpenAIEmbeddings

        return lambda dtype, encoding: OpenAIEmbeddings(
            model=model,
            base_url=v1,
            api_key=key,
            max_retries=0,
            check_embedding_ctx_length=False,
            model_kwargs=wishes(dtype, encoding),
        ).embed_documents(TEXTS)

    def langchain_by_default() -> Ask:
        from langchain_openai import OpenAIEmbeddings  # which sends token ids by itself

        return lambda dtype, encoding: OpenAIEmbeddings(
            model=model, base_url=v1, api_key=key, max_retries=0, model_kwargs=wishes(dtype, encoding)
        ).embed_documents(TEXTS)

    def cohere() -> Ask:
        import cohere

        client = cohere.ClientV2(key, base_url=base_url, max_retries=0)

        def ask(dtype: str, encoding: str | None) -> Any:
            if encoding is not None:
                return None
            made = client.embed(model=model, texts=TEXTS, input_type="search_document", embedding_types=[dtype])
            return getattr(made.embeddings, f"{dtype}_" if dtype == "float" else dtype)

        return ask

    def llama_index() -> Ask:
        from llama_index.embeddings.openai import OpenAIEmbedding

        return lambda dtype, encoding: OpenAIEmbedding(
            model_name=model,
            api_base=v1,
            api_key=key,
            max_retries=0,
            additional_kwargs=wishes(dtype, encoding),
        ).get_text_embedding_batch(TEXTS)

    def haystack() -> Ask:
        from haystack.components.embedders import OpenAITextEmbedder
        from haystack.utils import Secret

        embedder = OpenAITextEmbedder(model=model, api_base_url=v1, api_key=Secret.from_token(key), max_retries=0)

        def ask(dtype: str, encoding: str | None) -> Any:
            if dtype != "float" or encoding is not None:
                return None
            return [embedder.run(text=text)["embedding"] for text in TEXTS]

        return ask

    def voyageai() -> Ask:
        import voyageai

        client = voyageai.Client(api_key=key, base_url=v1)

        def ask(dtype: str, encoding: str | None) -> Any:
            if encoding is None:
                return client.embed(TEXTS, model=model, output_dtype=dtype).embeddings
            if encoding == "float":
                return None
            made = voyageai.Embedding.create(
                input=TEXTS, model=model, output_dtype=dtype, encoding_format=encoding, api_key=key, base_url=v1
            )
            return [item["embedding"] for item in made.data]

        return ask

    yield from {
        "openai": openai,
        "openai, async": openai_async,
        "mistralai": mistralai,
        "litellm openai/": lambda: litellm("openai"),
        "litellm mistral/": lambda: litellm("mistral"),
        "litellm hosted_vllm/": lambda: litellm("hosted_vllm"),
        "langchain-openai": langchain_by_default,
        "langchain-openai, no tokens": langchain,
        "cohere, v2": cohere,
        "llama-index": llama_index,
        "haystack": haystack,
        "voyageai": voyageai,
    }.items()


def main(base_url: str, model: str, key: str) -> None:
    os.environ["LITELLM_LOCAL_MODEL_COST_MAP"] = "True"  # nothing is fetched
    out = os.fdopen(os.dup(1), "w", encoding="utf-8")
    with contextlib.redirect_stdout(sys.stderr):
        for name, make in sdks(base_url, model, key):
            ask = make()
            for dtype in DTYPES:
                for encoding in ENCODINGS:
                    said: dict[str, Any] = {"sdk": name, "dtype": dtype, "encoding": encoding}
                    try:
                        said["rows"] = ask(dtype, encoding)
                    except Exception as error:
                        said["error"] = words_of(error)
                    print(json.dumps(said), file=out, flush=True)
        for name, make in sdks(base_url, "no-such-model", key):
            try:
                said = {"rows": make()("float", None)}
            except Exception as error:
                said = {"error": words_of(error)}
            print(json.dumps({"sdk": name, "dtype": None, **said}), file=out, flush=True)


if __name__ == "__main__":
    main(*sys.argv[1:])
