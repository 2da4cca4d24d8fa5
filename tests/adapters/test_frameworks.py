"""LangChain, LlamaIndex and Haystack over embcodec's client, on the packages themselves."""

from __future__ import annotations

import asyncio
import json
import pickle
import traceback
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import numpy as np
import pytest

import embcodec
from embcodec import Client, quantize
from embcodec.server import RunningServer, running_server
from embcodec.server.model import HashModel

KEY = "sk-secret-of-the-house"
MODEL = "hash-64"
TEXTS = ["a cat sat", "on a mat", "Ünïcode 漢字", "a cat sat"]
pytestmark = pytest.mark.filterwarnings("ignore:::(?!embcodec)")  # what others warn of is theirs


@pytest.fixture(scope="module")
def server() -> Iterator[RunningServer]:
    with running_server([MODEL], api_key=KEY, lenient=True) as running:
        yield running


def want(dtype: str = "float", texts: list[str] = TEXTS) -> Any:
    return quantize(HashModel(64).encode(texts), dtype).to_float()


DTYPES = ("float", "int8", "ubinary")


def assert_in_no_frame(make: Callable[..., object], **arguments: Any) -> None:
    """The key is in the variables of no frame of the package, whatever is wrong beside it."""
    with pytest.raises((TypeError, ValueError)) as told:
        make(MODEL, api_key=KEY, **arguments)
    report = traceback.TracebackException.from_exception(told.value, capture_locals=True)
    frames = [frame for frame in report.stack if Path(frame.filename).is_relative_to(Path(embcodec.__file__).parent)]
    assert frames
    for frame in frames:
        assert not [name for name, text in (frame.locals or {}).items() if KEY in text], frame.name
    assert KEY not in str(told.value)


class TestLangChain:
    @pytest.fixture(autouse=True)
    def needs(self) -> None:
        pytest.importorskip("langchain_core")

    def make(self, server: RunningServer, **more: Any) -> Any:
        from embcodec.adapters import LangChainEmbeddings

        return LangChainEmbeddings(MODEL, base_url=server.base_url, api_key=KEY, **more)

    @pytest.mark.parametrize("dtype", DTYPES)
    def test_documents_and_queries(self, server: RunningServer, dtype: str, tmp_path: Path) -> None:
        from langchain_core.embeddings import Embeddings

        made = self.make(server, output_dtype=dtype, store=tmp_path)
        assert isinstance(made, Embeddings)
        for _ in range(2):
            rows = made.embed_documents(TEXTS)
            np.testing.assert_array_equal(np.float32(rows), want(dtype))
            np.testing.assert_array_equal(np.float32(made.embed_query(TEXTS[2])), want(dtype)[2])
        assert type(rows) is list
        assert type(rows[0][0]) is float
        assert made.embed_documents([]) == []

    def test_async(self, server: RunningServer) -> None:
        made = self.make(server)

        async def main() -> Any:
            return await asyncio.gather(made.aembed_documents(TEXTS), made.aembed_query(TEXTS[0]))

        rows, row = asyncio.run(main())
        np.testing.assert_array_equal(np.float32(rows), want())
        np.testing.assert_array_equal(np.float32(row), want()[0])

    def test_in_a_vector_store(self, server: RunningServer) -> None:
        from langchain_core.vectorstores import InMemoryVectorStore

        store = InMemoryVectorStore.from_texts(TEXTS[:3], self.make(server, output_dtype="int8"))
        assert [found.page_content for found in store.similarity_search("a mat", k=1)] == ["on a mat"]

    def test_queries_ask_with_fields_of_their_own(self, server: RunningServer, tmp_path: Path) -> None:
        more = {"document_extra": {"metadata": {"of": "documents"}}, "query_extra": {"metadata": {"of": "queries"}}}
        made = self.make(server, store=tmp_path, **more)
        made.embed_documents(["a"])
        made.embed_query("a")
        assert len(list(tmp_path.iterdir())) == 2
        assert (made.documents.extra, made.queries.extra) == (more["document_extra"], more["query_extra"])

    def test_the_key_travels_in_no_pickle(self, server: RunningServer) -> None:
        from embcodec.adapters import LangChainEmbeddings

        client = Client(base_url=server.base_url, api_key=KEY)
        made = LangChainEmbeddings(MODEL, client=client)
        assert len(made.embed_query("a")) == 64
        assert KEY.encode() not in pickle.dumps(made)

    def test_the_key_shows_in_no_traceback(self) -> None:
        from embcodec.adapters import LangChainEmbeddings

        assert_in_no_frame(LangChainEmbeddings, profile="nobody")
        assert_in_no_frame(LangChainEmbeddings, output_dtype="int7")


class TestLlamaIndex:
    @pytest.fixture(autouse=True)
    def needs(self) -> None:
        pytest.importorskip("llama_index.core")

    def make(self, server: RunningServer, **more: Any) -> Any:
        from embcodec.adapters import LlamaIndexEmbedding

        return LlamaIndexEmbedding(MODEL, base_url=server.base_url, api_key=KEY, **more)

    @pytest.mark.parametrize("dtype", DTYPES)
    def test_texts_and_queries(self, server: RunningServer, dtype: str, tmp_path: Path) -> None:
        from llama_index.core.base.embeddings.base import BaseEmbedding

        made = self.make(server, output_dtype=dtype, store=tmp_path)
        assert isinstance(made, BaseEmbedding)
        for _ in range(2):
            np.testing.assert_array_equal(np.float32(made.get_text_embedding_batch(TEXTS)), want(dtype))
            np.testing.assert_array_equal(np.float32(made.get_text_embedding(TEXTS[1])), want(dtype)[1])
            np.testing.assert_array_equal(np.float32(made.get_query_embedding(TEXTS[2])), want(dtype)[2])

    def test_async(self, server: RunningServer) -> None:
        made = self.make(server)

        async def main() -> Any:
            rows = await made.aget_text_embedding_batch(TEXTS)
            return rows, await made.aget_query_embedding(TEXTS[0]), await made.aget_text_embedding(TEXTS[1])

        rows, query, text = asyncio.run(main())
        np.testing.assert_array_equal(np.float32(rows), want())
        np.testing.assert_array_equal(np.float32([query, text]), want()[:2])

    def test_in_an_index(self, server: RunningServer) -> None:
        from llama_index.core import VectorStoreIndex
        from llama_index.core.schema import TextNode

        nodes = [TextNode(text=text, id_=str(number)) for number, text in enumerate(TEXTS[:3])]
        index = VectorStoreIndex(nodes, embed_model=self.make(server))
        (found,) = index.as_retriever(similarity_top_k=1).retrieve("on a mat")
        assert found.node.node_id == "1"

    def test_what_is_serialized_has_no_key(self, server: RunningServer) -> None:
        made = self.make(server)
        written = json.dumps(made.to_dict()) + json.dumps(made.to_payload()) + repr(made)
        assert KEY not in written
        assert made.to_dict()["model_name"] == MODEL

    def test_the_key_shows_in_no_traceback(self) -> None:
        from embcodec.adapters import LlamaIndexEmbedding

        assert_in_no_frame(LlamaIndexEmbedding, profile="nobody")
        assert_in_no_frame(LlamaIndexEmbedding, embed_batch_size=-1)


class TestHaystack:
    @pytest.fixture(autouse=True)
    def needs(self, monkeypatch: pytest.MonkeyPatch) -> None:
        monkeypatch.setenv("HAYSTACK_TELEMETRY_ENABLED", "False")
        pytest.importorskip("haystack")
        monkeypatch.setenv("HOUSE_KEY", KEY)

    def settings(self, server: RunningServer) -> dict[str, Any]:
        from haystack.utils import Secret

        return {"base_url": server.base_url, "api_key": Secret.from_env_var("HOUSE_KEY")}

    @pytest.mark.parametrize("dtype", DTYPES)
    def test_texts_and_documents(self, server: RunningServer, dtype: str, tmp_path: Path) -> None:
        from haystack import Document

        from embcodec.adapters import HaystackDocumentEmbedder, HaystackTextEmbedder

        asked = {**self.settings(server), "output_dtype": dtype, "store": str(tmp_path)}
        for _ in range(2):
            found = HaystackTextEmbedder(MODEL, **asked).run(text=TEXTS[2])
            np.testing.assert_array_equal(np.float32(found["embedding"]), want(dtype)[2])
            documents = [Document(content=text, meta={"n": n}) for n, text in enumerate(TEXTS)]
            found = HaystackDocumentEmbedder(MODEL, **asked).run(documents=documents)
            rows = [document.embedding for document in found["documents"]]
            np.testing.assert_array_equal(np.float32(rows), want(dtype))
            assert [document.meta["n"] for document in found["documents"]] == [0, 1, 2, 3]
            assert all(document.embedding is None for document in documents)
        assert found["meta"] == {"model": MODEL}
        assert HaystackDocumentEmbedder(MODEL, **asked).run(documents=[])["documents"] == []

    def test_texts_are_what_haystack_makes_of_them(self, server: RunningServer) -> None:
        from haystack import Document

        from embcodec.adapters import HaystackDocumentEmbedder, HaystackTextEmbedder

        asked = {**self.settings(server), "prefix": "query: ", "suffix": " !"}
        found = HaystackTextEmbedder(MODEL, **asked).run(text="x")
        np.testing.assert_array_equal(np.float32(found["embedding"]), want(texts=["query: x !"])[0])
        made = HaystackDocumentEmbedder(
            MODEL, **asked, meta_fields_to_embed=["title", "none"], embedding_separator=" / "
        )
        found = made.run(documents=[Document(content="x", meta={"title": "t", "none": None}), Document(content=None)])
        rows = np.float32([document.embedding for document in found["documents"]])
        np.testing.assert_array_equal(rows, want(texts=["query: t / x !", "query:  !"]))

    def test_in_a_pipeline_that_is_written_and_read(self, server: RunningServer) -> None:
        from haystack import Document, Pipeline
        from haystack.components.retrievers import InMemoryEmbeddingRetriever
        from haystack.document_stores.in_memory import InMemoryDocumentStore

        from embcodec.adapters import HaystackDocumentEmbedder, HaystackTextEmbedder

        store = InMemoryDocumentStore(embedding_similarity_function="cosine")
        documents = [Document(content=text) for text in TEXTS[:3]]
        store.write_documents(HaystackDocumentEmbedder(MODEL, **self.settings(server)).run(documents)["documents"])
        pipeline = Pipeline()
        pipeline.add_component("text", HaystackTextEmbedder(MODEL, **self.settings(server), output_dtype="int8"))
        pipeline.add_component("find", InMemoryEmbeddingRetriever(store, top_k=1))
        pipeline.connect("text.embedding", "find.query_embedding")
        (found,) = pipeline.run({"text": {"text": "on a mat"}})["find"]["documents"]
        assert found.content == "on a mat"
        text = HaystackTextEmbedder(MODEL, **self.settings(server), output_dtype="int8", extra={"metadata": {}})
        written = text.to_dict()
        assert KEY not in json.dumps(written)
        assert written["type"] == "embcodec.adapters.haystack.HaystackTextEmbedder"
        again = HaystackTextEmbedder.from_dict(json.loads(json.dumps(written)))
        np.testing.assert_array_equal(np.float32(again.run(text="x")["embedding"]), want("int8", ["x"])[0])
        document = HaystackDocumentEmbedder(MODEL, **self.settings(server))
        assert HaystackDocumentEmbedder.from_dict(document.to_dict()).to_dict() == document.to_dict()

    def test_what_is_of_the_other_kind_is_refused(self, server: RunningServer) -> None:
        from embcodec.adapters import HaystackDocumentEmbedder, HaystackTextEmbedder

        with pytest.raises(TypeError, match="HaystackDocumentEmbedder"):
            HaystackTextEmbedder(MODEL, **self.settings(server)).run(text=["a"])
        with pytest.raises(TypeError, match="HaystackTextEmbedder"):
            HaystackDocumentEmbedder(MODEL, **self.settings(server)).run(documents="a")

    def test_a_key_that_is_text_is_refused_and_not_shown(self) -> None:
        from embcodec.adapters import HaystackDocumentEmbedder, HaystackTextEmbedder

        for made in (HaystackTextEmbedder, HaystackDocumentEmbedder):
            assert_in_no_frame(made)
