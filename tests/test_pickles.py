"""Everything public is pickled and copied, whole: one sample of every class that embcodec has a name for."""

from __future__ import annotations

import copy
import dataclasses
import inspect
import math
import pickle
import subprocess
import sys
from collections.abc import Callable, Iterator, Mapping
from functools import cache
from importlib import import_module
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from each import each

import embcodec
from embcodec import (
    PROFILES,
    AsyncClient,
    BatchLine,
    BatchResult,
    Client,
    CodeMismatchError,
    DecodeError,
    EmbcodecError,
    EmbeddingResponse,
    Embeddings,
    EncodingFormat,
    FlatIndex,
    LowBitCodes,
    LowBitQuantizer,
    NotFiniteError,
    OutputDtype,
    PrecisionWarning,
    Profile,
    Scale,
    SearchResult,
    ServiceError,
    Skipped,
    SkippedWarning,
    StorageError,
    TransportError,
    Usage,
    compile_metric,
    quantize,
    range_search,
    rescore,
    search,
)
from embcodec.client.job import Partial
from embcodec.scan.metric import as_metric
from embcodec.server.request import RefusalError

KEY = "sk-secret-of-the-house"
ROWS = np.random.default_rng(5).standard_normal((60, 24), dtype=np.float32)
UNIT = ROWS / np.linalg.norm(ROWS, axis=1, keepdims=True)


def noted(error: Any, **attributes: Any) -> Any:
    """Return an error with a note, and attributes that its constructor knows nothing of."""
    error.add_note("while embedding texts 0 to 3")
    vars(error).update(attributes)
    return error


def answer() -> EmbeddingResponse:
    usage = Usage(prompt_tokens=3, total_tokens=3)
    return EmbeddingResponse(Embeddings(ROWS[:2]), "m", usage, "id-1", EncodingFormat.BASE64, {"prompt_tokens": 3})


@cache
def fitted() -> list[LowBitQuantizer]:
    return [LowBitQuantizer(bits, rotation=turned, center="mean").fit(UNIT) for bits, turned in FITTED]


FITTED: list[Any] = [(1, "none"), (2, "random"), (4, "whitened")]


def index(tmp_path: Path) -> Iterator[FlatIndex]:
    low_bit = FlatIndex(UNIT, quantizer=fitted()[1], rescore_with=UNIT)
    plain = FlatIndex(quantize(ROWS, "int8", scale="per-vector"), rescore_with=ROWS, ids=np.arange(60)[::-1] + 7)
    plain.remove([7, 9])
    yield from (low_bit, plain, FlatIndex(np.empty((0, 5), np.float32)))
    plain.save(tmp_path / "index.safetensors")
    yield FlatIndex.load(tmp_path / "index.safetensors", mmap=True)


def quantizers() -> Iterator[LowBitQuantizer]:
    yield LowBitQuantizer(4, center="mean")
    yield from fitted()


def rows(tmp_path: Path) -> Iterator[Embeddings]:
    floats = Embeddings(ROWS)
    yield floats
    yield from (floats.to(dtype) for dtype in ("binary", "ubinary"))
    yield floats.to("binary", signed_bytes="twos-complement", bit_order="lsb")
    for scale in (Scale.unit(), "per-vector", np.stack([ROWS.min(axis=0), ROWS.max(axis=0)])):
        yield from (quantize(UNIT, dtype, scale=scale) for dtype in ("int8", "uint8"))
    embcodec.save(tmp_path / "rows.safetensors", floats)
    yield embcodec.load(tmp_path / "rows.safetensors", mmap=True)


@cache
def metrics() -> tuple[Any, ...]:
    return compile_metric(taxicab, lower_is_better=True), decorated


def taxicab(query: Any, row: Any) -> Any:
    return np.abs(query - row).sum()


@compile_metric(lower_is_better=False, output_dtype="int8")
def decorated(query: Any, row: Any) -> Any:
    return np.float32(query[0]) * np.float32(row[0])


SAMPLES: dict[type, Callable[[Path], Any]] = {
    AsyncClient: lambda _: [AsyncClient(api_key=KEY, profile="cohere", timeout=5, max_retries=1)],
    BatchLine: lambda _: [BatchLine(1, "a", answer()), BatchLine(2, None, error=ServiceError("no", status=500))],
    BatchResult: lambda _: [BatchResult(["a", None], Embeddings(ROWS[:2]), [BatchLine(3, "b")], Usage(1, 0, 1))],
    embcodec.BoundedResult: lambda _: [bounded()],
    Client: lambda _: [Client(api_key=KEY, base_url="http://127.0.0.1:9/v1", concurrency=2, retry_seconds=3)],
    embcodec.Collection: lambda folder: collections(folder),
    embcodec.CopiedRows: lambda _: [embcodec.CopiedRows(Embeddings(ROWS[:2]), {"id": np.arange(2), "t": ["a", None]})],
    CodeMismatchError: lambda _: [noted(CodeMismatchError("no", "that")), CodeMismatchError("no")],
    DecodeError: lambda _: [
        noted(DecodeError("torn\x1b", offset=7, row=1, line=3), partial=partial()),
        DecodeError("torn"),
    ],
    EmbcodecError: lambda _: [noted(EmbcodecError("no", 2))],
    EmbeddingResponse: lambda _: [answer()],
    Embeddings: rows,
    EncodingFormat: lambda _: list(EncodingFormat),
    FlatIndex: index,
    LowBitCodes: lambda _: [quantizer.encode(UNIT) for quantizer in fitted()],
    LowBitQuantizer: lambda _: quantizers(),
    NotFiniteError: lambda _: [noted(NotFiniteError(3, 4, math.inf)), NotFiniteError(0, 0, 1e300)],
    OutputDtype: lambda _: list(OutputDtype),
    PrecisionWarning: lambda _: [noted(PrecisionWarning("much is lost"))],
    embcodec.PreparedQueries: lambda folder: prepared(folder),
    Profile: lambda _: [*PROFILES.values(), dataclasses.replace(PROFILES["cohere"], name="mine", max_inputs=3)],
    embcodec.QueryCenter: lambda _: [embcodec.QueryCenter.of(ROWS)],
    embcodec.RangeResult: lambda _: [range_search(ROWS[:3], ROWS, 0.1)],
    Scale: lambda _: [Scale.unit(), Scale.per_vector(np.ones(3)), Scale.ranges([[-1.0, -2.0], [1.0, 2.0]])],
    SearchResult: lambda _: [search(ROWS[:3], ROWS, 4), search(ROWS[0], Embeddings(ROWS).to("ubinary"), 2)],
    ServiceError: lambda _: [
        noted(ServiceError("no\x07", status=429, type="t", code="c", retry_after=2.5), partial=partial()),
        ServiceError("no"),
    ],
    Skipped: lambda _: [Skipped("a.npy", 3, None, StorageError("no")), Skipped("b.jsonl", None, 2, ValueError("x"))],
    SkippedWarning: lambda _: [noted(SkippedWarning("skipped 1 file"))],
    StorageError: lambda _: [noted(StorageError("damaged"))],
    embcodec.Study: lambda _: [found_by_a_study()],
    embcodec.Summary: lambda _: [embcodec.Summary(rows=5, histograms=True).update(ROWS), embcodec.Summary()],
    TransportError: lambda _: [noted(TransportError("broke", transient=True), partial=partial())],
    Usage: lambda _: [Usage(1, 2, 3)],
    # what has no public name, and comes out of what has
    Partial: lambda _: [partial()],
    type(decorated): lambda _: metrics(),
    RefusalError: lambda _: [noted(RefusalError(422, {"detail": "no"}, {"a": "b"}))],
}


@cache
def found_by_a_study() -> embcodec.Study:
    return embcodec.study(ROWS, dimensions=[24], multipliers=[4], k=3, rotation="random")


def partial() -> Partial:
    return Partial((range(2, 4),), ((range(2), answer()),), {b"digest": answer()})


def collections(tmp_path: Path) -> Iterator[embcodec.Collection]:
    made = embcodec.Collection.create(tmp_path / "vectors", like=Embeddings(ROWS).to("ubinary"), rescore_with=ROWS)
    yield made
    made.append(ROWS[:40])
    made.remove([3])
    yield embcodec.Collection.open(tmp_path / "vectors")


def prepared(_: Path) -> Iterator[embcodec.PreparedQueries]:
    yield embcodec.prepare(ROWS[:3], ROWS)
    yield embcodec.prepare(UNIT[0], quantize(UNIT, "int8", scale=np.stack([ROWS.min(axis=0), ROWS.max(axis=0)])))
    yield from (embcodec.prepare(UNIT[:3], quantizer.encode(UNIT)) for quantizer in fitted())
    yield embcodec.prepare(ROWS[:3], ROWS, metric=metrics()[0])


def bounded() -> Any:
    codes = fitted()[1].encode(UNIT)
    found = search(UNIT[:4], codes, 20).indices
    return rescore(UNIT[:4], found, UNIT, 3, bounded_by=codes)


WAYS: dict[str, Callable[[Any], Any]] = {
    "pickle": lambda thing: pickle.loads(pickle.dumps(thing)),
    "pickle, the oldest protocol": lambda thing: pickle.loads(pickle.dumps(thing, 2)),
    "copy": copy.copy,
    "deepcopy": copy.deepcopy,
}


def facts(thing: Any) -> Any:
    """Return all that a thing holds, in what can be compared; what a process alone has is left out."""
    if isinstance(thing, np.ndarray):
        return ("array", thing.dtype.str, thing.shape, thing.tobytes())
    if isinstance(thing, FlatIndex):
        return facts([thing.codes, thing.rescore_with, thing.ids, repr(thing)])
    if isinstance(thing, embcodec.Collection):
        return facts([repr(thing), thing.ids, thing.search(ROWS[:3], 4)])
    if isinstance(thing, embcodec.PreparedQueries):
        return facts([repr(thing), thing.single, thing._scan.__getstate__()])
    if isinstance(thing, _BASE_CLIENT):
        return facts({**thing._settings.arguments(), "url": thing._settings.url})
    if type(thing) is type(decorated):
        return (thing.lower_is_better, thing.output_dtype, thing.source)
    if isinstance(thing, BaseException):
        return (type(thing), thing.args, str(thing), facts(vars(thing)))
    if isinstance(thing, LowBitQuantizer):
        return facts({**vars(thing), "_scheme": thing._scheme and thing._scheme.identity})
    if dataclasses.is_dataclass(thing) and not isinstance(thing, type):
        named = {field.name: getattr(thing, field.name) for field in dataclasses.fields(thing)}
        return (type(thing), facts(named))
    if isinstance(thing, Mapping):
        return {key: facts(value) for key, value in thing.items()}
    if isinstance(thing, list | tuple) and not isinstance(thing, range):
        return (type(thing).__name__, [facts(value) for value in thing])
    return (type(thing), thing)


_BASE_CLIENT = Client.__mro__[1]


def test_prepared_queries_find_the_same_once_they_are_back(tmp_path: Path) -> None:
    rows = quantize(UNIT, "int8", scale=np.stack([ROWS.min(axis=0), ROWS.max(axis=0)]))
    for made, corpus in zip(prepared(tmp_path), [ROWS, rows, *(q.encode(UNIT) for q in fitted()), ROWS], strict=True):
        back = pickle.loads(pickle.dumps(made))
        assert facts(search(back, corpus, 5)) == facts(search(made, corpus, 5))


def test_every_public_class_has_a_sample() -> None:
    """A new name is caught here: give it a sample."""
    classes = {name: getattr(embcodec, name) for name in embcodec.__all__}
    assert not {name for name, kind in classes.items() if inspect.isclass(kind) and kind not in SAMPLES}


@pytest.mark.parametrize("way", WAYS.values(), ids=WAYS)
@pytest.mark.parametrize("kind", SAMPLES, ids=lambda kind: kind.__name__)
def test_samples_come_back_as_they_were(kind: type, way: Callable[[Any], Any], tmp_path: Path) -> None:
    samples = list(SAMPLES[kind](tmp_path))
    assert samples
    for sample in samples:
        again = way(sample)
        assert type(again) is type(sample) is kind
        assert facts(again) == facts(sample)


@each("name", embcodec.__all__)
def test_names_are_pickled_by_name(name: str) -> None:
    thing = getattr(embcodec, name)
    assert all(way(thing) is thing for way in WAYS.values())


def test_an_unpickled_index_lives_on(tmp_path: Path) -> None:
    """A copy searches, grows and shrinks, and what it does the first one does not see."""
    for number, first in enumerate(index(tmp_path)):
        before = facts(first)
        width = first.codes.dimension
        for way in WAYS.values():
            again = way(first)
            if len(first):
                found, wanted = again.search(ROWS[:3], 4), first.search(ROWS[:3], 4)
                np.testing.assert_array_equal(found.indices, wanted.indices)
                np.testing.assert_array_equal(found.scores, wanted.scores)
            ahead = np.full((1, width), width**-0.5, np.float32)
            added = again.add(ahead)
            assert added.tolist() == [first._now.next_id]
            assert first.add(-ahead).tolist() == added.tolist()
            rows_of_both = [one.codes[-1:].to("float").values for one in (again, first)]
            assert rows_of_both[0].sum() > width**0.5 / 2, number
            assert rows_of_both[1].sum() < -(width**0.5) / 2, number
            first.remove(added)
            again.remove(added)
            first = way(first)
        assert facts(first)[1][:3] == before[1][:3]


def test_a_copied_index_shares_its_rows_until_it_grows() -> None:
    first = FlatIndex(ROWS)
    assert np.shares_memory(copy.copy(first).codes.values, first.codes.values)
    assert not np.shares_memory(copy.deepcopy(first).codes.values, first.codes.values)


def test_a_mapped_index_outlives_its_file(tmp_path: Path) -> None:
    (tmp_path / "a").mkdir()
    mapped = [*index(tmp_path / "a")][-1]
    data = pickle.dumps(mapped)
    del mapped
    (tmp_path / "a" / "index.safetensors").unlink()
    assert len(pickle.loads(data)) == 58


@pytest.mark.parametrize("kind", [Client, AsyncClient])
def test_a_pickled_client_looks_for_its_key_and_a_copied_one_keeps_it(
    kind: type[Client] | type[AsyncClient], monkeypatch: pytest.MonkeyPatch
) -> None:
    client = kind(api_key=KEY)
    data = pickle.dumps(client)
    assert KEY.encode() not in data
    assert repr(pickle.loads(data)).endswith("without a key)")
    monkeypatch.setenv("MISTRAL_API_KEY", "sk-another")
    found = pickle.loads(data)._settings.key
    assert found.reveal() == "sk-another"
    for way in (copy.copy, copy.deepcopy):
        assert way(client)._settings.key.reveal() == KEY


MODULE = """
import embcodec, numpy as np
class Own:
    @staticmethod
    def far(query, row):
        return np.abs(query - row).sum()
made = embcodec.compile_metric(Own.far, lower_is_better=True)
"""


def test_a_metric_is_compiled_anew_where_it_arrives(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """Its address is another process's: what travels is the name of its function, here one within a class."""
    (tmp_path / "house_metrics.py").write_text(MODULE)
    monkeypatch.syspath_prepend(str(tmp_path))
    data = pickle.dumps(import_module("house_metrics").made)
    code = "import sys, pickle, embcodec\nmetric = pickle.load(sys.stdin.buffer)\n"
    code += (
        "print(embcodec.search([1.0, 2.0], [[0.0, 0.0], [1.0, 1.0], [5.0, 0.0]], 2, metric=metric).indices.tolist())"
    )
    done = subprocess.run([sys.executable, "-c", code], input=data, cwd=tmp_path, capture_output=True, check=True)
    assert done.stdout.split() == b"[1, 0]".split()


def test_metrics_without_a_name_say_how_to_get_one() -> None:
    numba = pytest.importorskip("numba")
    types = numba.types
    signature = types.void(
        *(types.CPointer(types.float32), types.int64) * 2, types.int64, types.CPointer(types.float32), types.int64
    )
    by_hand = numba.cfunc(signature)(lambda q, nq, r, nr, w, s, stride: None)
    by_hand.lower_is_better = True
    local = compile_metric(lambda query, row: query[0] - row[0], lower_is_better=True)
    for metric, way in ((local, "at the top of a module"), (as_metric(by_hand), "in each process")):
        with pytest.raises(TypeError, match=way):
            pickle.dumps(metric)
        assert copy.copy(metric) is copy.deepcopy(metric) is metric
