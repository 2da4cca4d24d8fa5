"""The store of texts' rows: shared by processes, whole after a crash, read by what reads batch files."""

from __future__ import annotations

import asyncio
import json
import os
import signal
import subprocess
import sys
import threading
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from embcodec import (
    AsyncClient,
    Client,
    EmbeddingResponse,
    Embeddings,
    OutputDtype,
    ServiceError,
    StorageError,
    decode_batch,
    encode_base64,
    truncate,
)
from embcodec.adapters import AsyncCachedEmbedder, CachedEmbedder, TextStore
from embcodec.adapters import store as store_module
from embcodec.client import Partial
from embcodec.server import running_server
from embcodec.server.model import HashModel

RNG = np.random.default_rng(2)
TEXTS = ["a text", "", "Ünïcode 漢字 🦆", 'quotes " and \\', "line\nbreak", "\x00", "half \ud800"]


def rows_of(dtype: str, count: int, dimension: int = 24) -> Embeddings:
    return Embeddings(truncate(RNG.standard_normal((count, dimension)), dimension)).to(dtype)


@pytest.mark.parametrize("dtype", list(OutputDtype))
def test_rows_come_back_for_their_texts(dtype: OutputDtype, tmp_path: Path) -> None:
    rows = rows_of(dtype, len(TEXTS)).values
    store = TextStore(tmp_path / "rows.jsonl", dtype, 'a "model"\n')
    assert store.find(["a text"]) == [None]
    assert len(store) == 0
    assert list(tmp_path.iterdir()) == []
    store.add(TEXTS, rows)
    for each in (store, TextStore(tmp_path / "rows.jsonl", dtype, "x")):
        found = each.find(["none", *TEXTS[::-1]])
        assert found[0] is None
        np.testing.assert_array_equal(np.stack(found[1:]), rows[::-1])
        assert found[1].dtype == dtype.numpy_dtype
    result = decode_batch(tmp_path / "rows.jsonl", output_dtype=dtype)
    np.testing.assert_array_equal(result.embeddings.values, rows)
    assert len(set(result.custom_ids)) == len(TEXTS)


@pytest.mark.parametrize("cut", [1, 2, 20, 60, 150])
def test_what_a_killed_writer_left_is_no_row(cut: int, tmp_path: Path) -> None:
    path = tmp_path / "rows.jsonl"
    rows = rows_of("int8", 3).values
    TextStore(path, OutputDtype.INT8, "m").add(["a", "b"], rows[:2])
    path.write_bytes(path.read_bytes()[:-cut])
    store = TextStore(path, OutputDtype.INT8, "m")
    found = store.find(["a", "b"])
    assert found[1] is None
    np.testing.assert_array_equal(found[0], rows[0])
    store.add(["c", "b"], rows[[2, 1]])
    np.testing.assert_array_equal(np.stack(TextStore(path, OutputDtype.INT8, "m").find(["a", "b", "c"])), rows)


@pytest.mark.parametrize("junk", [b"\x00" * 50, b"{}\n", b"not json", b'{"custom_id":"zz"}\n\n\n', b"\xff\xfe\n"])
def test_what_is_no_line_of_its_own_is_passed_over(junk: bytes, tmp_path: Path) -> None:
    path = tmp_path / "rows.jsonl"
    path.write_bytes(junk)
    store = TextStore(path, OutputDtype.FLOAT, "m")
    rows = rows_of("float", 1).values
    assert store.find(["a"]) == [None]
    store.add(["a"], rows)
    np.testing.assert_array_equal(store.find(["a"])[0], rows[0])


def test_a_row_whose_bytes_are_wrong_is_asked_for_anew(tmp_path: Path) -> None:
    path = tmp_path / "rows.jsonl"
    store = TextStore(path, OutputDtype.FLOAT, "m")
    rows = rows_of("float", 1).values
    store.add(["a"], rows)
    payload = encode_base64(rows)[0].encode()
    for wrong in (payload[:-4] + b"====", payload.replace(payload[:8], b"\x00" * 8)):
        path.write_bytes(path.read_bytes().replace(payload, wrong))
        assert store.find(["a"]) == [None]
        path.write_bytes(path.read_bytes().replace(wrong, payload))
        np.testing.assert_array_equal(store.find(["a"])[0], rows[0])


def test_another_file_under_the_same_name_is_read_anew(tmp_path: Path) -> None:
    """Also one of the same size, where each row lies where another one's lay."""
    path, other = tmp_path / "rows.jsonl", tmp_path / "other.jsonl"
    rows = rows_of("int8", 2).values
    store = TextStore(path, OutputDtype.INT8, "m")
    store.add(["a", "b"], rows)
    np.testing.assert_array_equal(np.stack(store.find(["a", "b"])), rows)
    TextStore(other, OutputDtype.INT8, "m").add(["c", "a"], rows)
    assert path.stat().st_size == other.stat().st_size
    path.write_bytes(other.read_bytes())  # the same file to the system, with other lines
    assert store.find(["b"]) == [None]
    assert store.find(["a"]) == [None]
    os.replace(other, path)
    np.testing.assert_array_equal(np.stack(store.find(["c", "a"])), rows)
    path.unlink()
    assert store.find(["c"]) == [None]
    store.add(["c"], rows[:1])
    np.testing.assert_array_equal(store.find(["c"])[0], rows[0])


def test_rows_of_another_width_are_refused(tmp_path: Path) -> None:
    store = TextStore(tmp_path / "rows.jsonl", OutputDtype.INT8, "m")
    store.add(["a"], rows_of("int8", 1).values)
    before = (tmp_path / "rows.jsonl").read_bytes()
    with pytest.raises(StorageError, match="holds rows of 24 elements, not of 8"):
        TextStore(tmp_path / "rows.jsonl", OutputDtype.INT8, "m").add(["b"], rows_of("int8", 1, 8).values)
    with pytest.raises(ValueError, match="2 texts and rows of shape"):
        store.add(["b", "c"], rows_of("int8", 1).values)
    assert (tmp_path / "rows.jsonl").read_bytes() == before


def test_a_full_disk_leaves_the_file_as_it_was(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    store = TextStore(tmp_path / "rows.jsonl", OutputDtype.INT8, "m")
    rows = rows_of("int8", 2).values
    store.add(["a"], rows[:1])
    before = (tmp_path / "rows.jsonl").read_bytes()

    def full(descriptor: int, data: bytes) -> None:
        os.write(descriptor, data[:30])
        raise OSError(28, "No space left on device")

    monkeypatch.setattr(store_module, "_write", full)
    with pytest.raises(OSError, match="No space"):
        store.add(["b"], rows[1:])
    assert (tmp_path / "rows.jsonl").read_bytes() == before


WRITER = """
import sys, numpy as np
from embcodec import OutputDtype
from embcodec.adapters import TextStore
store = TextStore(sys.argv[1], OutputDtype.FLOAT, "m")
number, count = map(int, sys.argv[2:])
for step in range(count):
    rows = np.full((3, 64), number * 1000 + step, np.float32)
    store.add([f"{number}, {step}, {row}" for row in range(3)], rows)
    assert all(row is not None for row in store.find([f"{number}, 0, 0"]))
    print(step, flush=True)
"""


def write(path: Path, number: int, count: int) -> subprocess.Popen[str]:
    command = [sys.executable, "-c", WRITER, str(path), str(number), str(count)]
    return subprocess.Popen(command, stdout=subprocess.PIPE, text=True)


def test_many_processes_add_at_the_same_time_and_one_is_killed(tmp_path: Path) -> None:
    path = tmp_path / "rows.jsonl"
    writers = [write(path, number, 25) for number in range(2)]
    victim = write(path, 9, 10**6)
    assert victim.stdout is not None
    for _ in range(10):
        victim.stdout.readline()
    victim.send_signal(signal.SIGTERM if os.name == "nt" else signal.SIGKILL)
    assert [writer.wait() for writer in writers] == [0, 0]
    victim.wait()
    victim.stdout.close()
    for writer in writers:
        assert writer.stdout is not None
        writer.stdout.close()
    store = TextStore(path, OutputDtype.FLOAT, "m")
    for number, count in ((0, 25), (1, 25), (9, 10)):
        found = store.find([f"{number}, {step}, {row}" for step in range(count) for row in range(3)])
        np.testing.assert_array_equal(np.stack(found)[:, 5], np.repeat(number * 1000 + np.arange(count), 3))


class Counting(Client):
    """Keeps the texts that it was asked for."""

    def __init__(self, **settings: Any) -> None:
        super().__init__(**settings)
        self.asked: list[list[str]] = []

    def embed(self, texts: Any, **wishes: Any) -> Any:
        self.asked.append(list(texts))
        return super().embed(self.asked[-1], **wishes)


@pytest.mark.parametrize("dtype", list(OutputDtype))
def test_each_text_is_asked_for_once(dtype: OutputDtype, tmp_path: Path) -> None:
    texts = ["b", "a", "b", "c d"]
    with running_server(["hash-64"]) as server, Counting(base_url=server.base_url) as client:

        def make(**wishes: Any) -> CachedEmbedder:
            return CachedEmbedder("hash-64", client=client, output_dtype=dtype, store=tmp_path / "new", **wishes)

        want = Embeddings(HashModel(64).encode(texts)).to(dtype)
        assert make().embed(texts) == want
        assert make().embed([*texts[::-1], "e"])[:4] == want[::-1]
        assert client.asked == [["b", "a", "c d"], ["e"]]
        assert make(output_dimension=16).embed(["a"]).dimension == 16
        assert make(extra={"metadata": {"a": 1}}).embed(["a"]) == want[1]
        assert make().with_extra({"metadata": {"a": 1}}).embed(["a"]) == want[1]
        assert client.asked[2:] == [["a"], ["a"]]  # other wishes, other files
        assert len(list((tmp_path / "new").iterdir())) == 3
        assert len(make().embed([])) == 0
        assert make(output_dimension=16).embed([]).dimension == 16
        plain = CachedEmbedder("hash-64", client=client, output_dtype=dtype)
        assert plain.embed(texts) == want


def test_what_was_answered_before_a_failure_is_kept(tmp_path: Path) -> None:
    with running_server(["hash-64"]) as server, Counting(base_url=server.base_url, concurrency=1) as client:
        embedder = CachedEmbedder("hash-64", client=client, store=tmp_path)
        good = [f"text {number}" for number in range(512)]
        with pytest.raises(ServiceError):
            embedder.embed([*good, "x" * 40_000])  # the second request is refused
        client.asked.clear()
        assert embedder.embed(["new", *good]).values.shape == (513, 64)
        assert client.asked == [["new"]]


@pytest.mark.parametrize("kind", [CachedEmbedder, AsyncCachedEmbedder])
def test_progress_counts_all_texts(kind: Any, tmp_path: Path) -> None:
    old = [f"text {number}" for number in range(600)]

    def steps_of(texts: list[str], store: Path | None = tmp_path) -> list[tuple[int, int | None]]:
        steps: list[tuple[int, int | None]] = []

        def told(*step: Any) -> None:
            steps.append(step)

        if kind is CachedEmbedder:
            with Client(base_url=server.base_url, concurrency=1) as client:
                CachedEmbedder("hash-64", client=client, store=store).embed(texts, progress=told)
            return steps

        async def main() -> None:
            async with AsyncClient(base_url=server.base_url, concurrency=1) as client:
                await AsyncCachedEmbedder("hash-64", client=client, store=store).embed(texts, progress=told)

        asyncio.run(main())
        return steps

    with running_server(["hash-64"]) as server:
        assert steps_of(old) == [(0, 600), (512, 600), (600, 600)]
        assert steps_of([*old, "new"]) == [(600, 601), (601, 601)]
        assert steps_of(old) == [(600, 600)]
        assert steps_of(["a", "b", "a"], None) == [(1, 3), (3, 3)]
        assert steps_of([]) == []


@pytest.mark.parametrize("ask", ["embedder", "client", "by name"])
def test_a_bar_knows_its_total_from_the_start(ask: str, monkeypatch: pytest.MonkeyPatch) -> None:
    from rich.progress import Progress

    shown: list[tuple[int, int | None]] = []
    update = Progress.update

    def watched(bar: Progress, task: Any, **wishes: Any) -> None:
        shown.append((wishes["completed"], wishes["total"]))
        update(bar, task, **wishes)

    monkeypatch.setattr(Progress, "update", watched)
    monkeypatch.setattr(sys.stderr, "isatty", lambda: True)
    with running_server(["hash-64"]) as server:
        embedder = CachedEmbedder("hash-64", base_url=server.base_url)
        if ask == "embedder":
            embedder.embed(["a", "b"], progress=True)
        elif ask == "client":
            embedder.client.embed(["a", "b"], model="hash-64", progress=True)
        else:
            embedder.client.embed(texts=["a", "b"], model="hash-64", progress=True)
    assert shown == [(0, 2), (2, 2)]


@pytest.mark.parametrize("kind", [CachedEmbedder, AsyncCachedEmbedder])
def test_a_client_takes_the_place_of_what_one_is_made_of(kind: Any) -> None:
    client = (Client if kind is CachedEmbedder else AsyncClient)(api_key="key")
    for given in ({"base_url": "http://127.0.0.1:9"}, {"api_key": "sk-secret"}, {"profile": "mistral"}):
        with pytest.raises(TypeError, match=f"both client= and {next(iter(given))}= were given") as caught:
            kind("m", client=client, **given)
        assert "sk-secret" not in str(caught.value)
    with pytest.raises(TypeError, match=r"both client= and profile= and api_key= were given"):
        kind("m", client=client, api_key="k", profile="cohere")
    assert kind("m", client=client, profile=None, base_url=None, api_key=None).client is client


@pytest.mark.parametrize("kind", [CachedEmbedder, AsyncCachedEmbedder])
def test_settings_of_clients_are_sent_to_them(kind: Any) -> None:
    client = "Client" if kind is CachedEmbedder else "AsyncClient"
    with pytest.raises(TypeError, match=rf"client={client}\(max_retries=3, timeout=2\.5, \.\.\.\)"):
        kind("m", base_url="http://127.0.0.1:9", max_retries=3, timeout=2.5)
    with pytest.raises(TypeError, match=rf"^{kind.__name__} got an unexpected keyword argument 'stor'$"):
        kind("m", base_url="http://127.0.0.1:9", stor="folder")


class AsyncCounting(AsyncClient):
    """A client that says what it was asked for."""

    def __init__(self, **options: Any) -> None:
        super().__init__(**options)
        self.asked: list[list[str]] = []

    async def embed(self, texts: Any, **wishes: Any) -> Any:
        self.asked.append(list(texts))
        return await super().embed(self.asked[-1], **wishes)


@pytest.mark.parametrize("dtype", ["float", "ubinary"])
def test_async_clients_share_the_store(dtype: Any, tmp_path: Path) -> None:
    texts = ["b", "a", "b", "c d"]
    want = Embeddings(HashModel(64).encode(texts)).to(dtype)

    async def main(base_url: str) -> None:
        async with AsyncCounting(base_url=base_url, concurrency=1) as client:
            embedder = AsyncCachedEmbedder("hash-64", client=client, output_dtype=dtype, store=tmp_path / "new")
            assert await embedder.embed(texts) == want
            assert (await embedder.embed([*texts[::-1], "e"]))[:4] == want[::-1]
            assert (await embedder.with_extra({"metadata": {"a": 1}}).embed(["a"])) == want[1]
            assert (await embedder.embed([])).values.shape[0] == 0
            assert client.asked == [["b", "a", "c d"], ["e"], ["a"], []]
            client.asked.clear()
            with pytest.raises(ServiceError):
                await embedder.embed([*(f"text {number}" for number in range(512)), "x" * 40_000])
            assert len(await embedder.embed(["text 5", "a"])) == 2  # what was answered before the failure is kept
            assert len(client.asked) == 1

    with running_server(["hash-64"]) as server:
        asyncio.run(main(server.base_url))
        sync = CachedEmbedder("hash-64", base_url=server.base_url, output_dtype=dtype, store=tmp_path / "new")
    assert sync.embed(texts) == want  # the server is gone


def test_what_was_answered_before_a_cancellation_is_kept(tmp_path: Path) -> None:
    class Cut(AsyncClient):
        async def embed(self, texts: Any, **wishes: Any) -> Any:
            rows = Embeddings(np.ones((1, 4), np.float32))
            error = asyncio.CancelledError()
            error.partial = Partial((), ((range(1), EmbeddingResponse(rows)),), {})  # type: ignore[attr-defined]
            raise error

    async def main() -> None:
        embedder = AsyncCachedEmbedder("m", client=Cut(api_key="key"), store=tmp_path)
        with pytest.raises(asyncio.CancelledError):
            await embedder.embed(["a", "b"])
        assert (await embedder.embed(["a"])).values.tolist() == [[1, 1, 1, 1]]

    asyncio.run(main())


def test_threads_share_a_store(tmp_path: Path) -> None:
    store = TextStore(tmp_path / "rows.jsonl", OutputDtype.INT8, "m")
    wrong: list[str] = []

    def work(number: int) -> None:
        for step in range(20):
            name = f"{number}/{step}"
            store.add([name], np.full((1, 8), number, np.int8))
            found = store.find([name, f"{number}/0"])
            if any(row is None or row[0] != number for row in found):
                wrong.append(name)

    threads = [threading.Thread(target=work, args=(number,)) for number in range(4)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert wrong == []
    assert len(store) == 80


def test_the_key_is_in_no_file(tmp_path: Path) -> None:
    key = "sk-secret-of-the-house"
    with running_server(["hash-64"], api_key=key) as server:
        embedder = CachedEmbedder("hash-64", base_url=server.base_url, api_key=key, store=tmp_path)
        embedder.embed(["a"])
    (path,) = tmp_path.iterdir()
    assert key not in path.read_text() + path.name + repr(embedder)
    assert json.loads(path.read_text())["response"]["body"]["model"] == "hash-64"


@pytest.mark.parametrize("texts", [[1], None, b"text", {"a": 1}, ["a", "\ud800"]])
def test_what_is_no_text_is_refused_as_the_client_does(texts: Any, tmp_path: Path) -> None:
    said = set()
    with running_server(["hash-64"]) as server, Client(base_url=server.base_url) as client:
        asynchronous = AsyncCachedEmbedder("hash-64", base_url=server.base_url, store=tmp_path)
        for ask in (
            lambda: client.embed(texts, model="hash-64"),
            lambda: CachedEmbedder("hash-64", client=client).embed(texts),
            lambda: CachedEmbedder("hash-64", client=client, store=tmp_path).embed(texts),
            lambda: asyncio.run(asynchronous.embed(texts)),
        ):
            with pytest.raises((TypeError, ValueError)) as caught:
                ask()
            said.add((type(caught.value), str(caught.value)))
    assert len(said) == 1
    assert "text" in said.pop()[1]


def test_one_text_is_one_text(tmp_path: Path) -> None:
    with running_server(["hash-64"]) as server:
        embedder = CachedEmbedder("hash-64", base_url=server.base_url, store=tmp_path)
        assert embedder.embed("a text") == embedder.embed(["a text"])


def test_a_store_in_the_place_of_a_file_is_refused(tmp_path: Path) -> None:
    file = tmp_path / "file"
    file.write_bytes(b"")
    for store in (file, file / "below"):
        with pytest.raises(StorageError, match="a store is a folder"):
            CachedEmbedder("hash-64", base_url="http://127.0.0.1:1", store=store)
