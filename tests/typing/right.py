"""What type checkers are to make of each public name: mypy and pyright read it; nothing here runs.

Both compare types exactly. A test holds the names that are used here equal to those that embcodec has.
"""

from collections.abc import Callable, Iterator, Mapping, Sequence
from pathlib import Path
from typing import Any, assert_type

import numpy as np
from numpy.typing import NDArray

from embcodec import (
    PROFILES,
    AsyncClient,
    BatchLine,
    BatchResult,
    BoundedResult,
    Client,
    CodeMismatchError,
    Collection,
    CopiedRows,
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
    PreparedQueries,
    Profile,
    QueryCenter,
    RangeResult,
    Scale,
    SearchResult,
    ServiceError,
    Skipped,
    SkippedWarning,
    StorageError,
    Study,
    Summary,
    TransportError,
    Usage,
    calibrate,
    compile_metric,
    concat,
    decode_base64,
    decode_batch,
    decode_octets,
    decode_response,
    dequantize,
    docstring_pairs,
    encode_base64,
    encode_batch,
    encode_response,
    format_floats,
    from_arrow,
    from_bson_vector,
    from_dlpack,
    from_elasticsearch,
    from_faiss,
    from_milvus,
    from_pgvector,
    from_qdrant,
    from_redis,
    from_s3_vectors,
    from_sqlite_vec,
    from_vespa,
    iter_batch,
    iter_load,
    iter_pgcopy,
    load,
    load_ids,
    merge_topk,
    pack_bits,
    parse_floats,
    prepare,
    quantize,
    range_search,
    read_pgcopy,
    rescore,
    run_demo,
    save,
    search,
    search_files,
    service_error,
    study,
    to_arrow,
    to_bson_vector,
    to_elasticsearch,
    to_faiss,
    to_milvus,
    to_pgvector,
    to_qdrant,
    to_redis,
    to_s3_vectors,
    to_sqlite_vec,
    to_vespa,
    truncate,
    unpack_bits,
    write_batch,
    write_pgcopy,
    write_vespa,
)
from embcodec.dtypes import Base64Dtype, Base64Payload, BitOrder, ByteOrder, SignedBytes
from embcodec.scale import ScaleKind
from embcodec.scan import CompiledMetric
from embcodec.tradeoff import DemoResult, Measurement, Pair

Floats = NDArray[np.float32]


def words(dtype: OutputDtype, encoding: EncodingFormat, text: str) -> None:
    """A word by name, as a member, or as a str that its enumeration has looked at."""
    assert_type(OutputDtype(text), OutputDtype)
    assert_type(EncodingFormat(text), EncodingFormat)
    assert_type(dtype.numpy_dtype, np.dtype[np.generic])
    assert_type(dtype.row_bytes(8), int)
    Embeddings([[1.0]], "float")
    Embeddings([[1.0]], OutputDtype.FLOAT)
    Embeddings([[1.0]], OutputDtype(text))
    quantize([[1.0]], OutputDtype(text), scale="per-vector")
    encode_response([[1.0]], model="m", encoding_format=EncodingFormat(text))
    encode_response([[1.0]], model="m", encoding_format=encoding)
    decode_response("{}", output_dtype=dtype, profile=PROFILES[text])


def matrices(rows: Embeddings, x: Floats, scale: Scale) -> None:
    assert_type(rows.values, NDArray[Any])
    assert_type(rows.output_dtype, OutputDtype)
    assert_type(rows.dimension, int)
    assert_type(rows.scale, Scale | None)
    assert_type(rows.signed_bytes, SignedBytes)
    assert_type(rows.bit_order, BitOrder)
    assert_type(rows.to("int8", scale="per-vector"), Embeddings)
    assert_type(rows.to(OutputDtype.UBINARY, bit_order="lsb"), Embeddings)
    assert_type(rows.to(LowBitQuantizer(2)), LowBitCodes)
    assert_type(rows.to_float(out=x), Floats)
    assert_type(rows.truncate(8), Embeddings)
    assert_type(rows.norms(), Floats)
    assert_type(rows.packed_bytes(), NDArray[np.uint8])
    assert_type(rows[0], Embeddings)
    assert_type(rows[1:], Embeddings)
    assert_type(rows[[0, 2]], Embeddings)
    assert_type(rows[np.array([True])], Embeddings)
    assert_type(list(rows), list[Embeddings])
    assert_type(len(rows), int)
    assert_type(Scale.unit(), Scale)
    assert_type(Scale.per_vector([1.0]), Scale)
    assert_type(Scale.ranges(x), Scale)
    assert_type(scale.kind, ScaleKind)
    assert_type(scale.values, Floats | None)


def profiles(profile: Profile) -> None:
    assert_type(PROFILES, Mapping[str, Profile])
    assert_type(profile.base64_payload, Base64Payload)
    assert_type(profile.base64_dtype, Base64Dtype)
    assert_type(profile.byte_order, ByteOrder)
    assert_type(profile.signed_bytes, SignedBytes)
    assert_type(profile.bit_order, BitOrder)
    assert_type(profile.max_tokens, int | None)
    Profile("mine", byte_order="big", base64_dtype="bfloat16")


def payloads(x: Floats, flag: bool, dtype: np.dtype[np.int16]) -> None:
    assert_type(encode_base64(b"any"), str)
    assert_type(encode_base64([1.0, 2.0]), str)
    assert_type(encode_base64([[1.0], [2.0]]), list[str])
    assert_type(encode_base64(x), list[str] | str)
    assert_type(decode_base64("", "float"), Floats)
    assert_type(decode_base64([""], "int8"), NDArray[np.int8])
    assert_type(decode_base64([""], "binary"), NDArray[np.int8])
    assert_type(decode_base64(b"", "uint8"), NDArray[np.uint8])
    assert_type(decode_base64(b"", OutputDtype.UBINARY), NDArray[np.uint8])
    assert_type(decode_base64("", np.float64), NDArray[np.float64])
    assert_type(decode_base64("", dtype), NDArray[np.int16])
    assert_type(decode_base64("", "<f2"), NDArray[Any])
    assert_type(format_floats(x), bytes)
    assert_type(parse_floats("[1]", out=x), Floats)
    assert_type(parse_floats(memoryview(b"[1]")), Floats)
    assert_type(pack_bits(x), NDArray[np.uint8])
    assert_type(pack_bits(x, signed=True, signed_bytes="twos-complement"), NDArray[np.int8])
    assert_type(pack_bits(x, signed=flag), NDArray[np.uint8] | NDArray[np.int8])
    assert_type(unpack_bits(b"a", 8), NDArray[np.uint8])
    assert_type(unpack_bits(b"a", 8, dtype=np.float32), Floats)
    assert_type(unpack_bits(b"a", 8, dtype="float32", bit_order="lsb"), Floats)


def codes(x: Floats, rows: Embeddings, scale: Scale, batches: Iterator[Floats]) -> None:
    assert_type(quantize(x, "int8"), Embeddings)
    assert_type(quantize(rows, "uint8", scale=scale), Embeddings)
    assert_type(quantize(x, "int8", scale=calibrate(batches, method="mse")), Embeddings)
    assert_type(quantize(x, "int8", scale=[[0.0], [1.0]]), Embeddings)
    assert_type(dequantize(rows), Floats)
    assert_type(calibrate(x, method="quantile", quantile=0.99), Floats)
    summary = Summary(rows=100, histograms=True).update(batches).merge(Summary())
    assert_type(summary, Summary)
    assert_type(calibrate(summary), Floats)
    assert_type(LowBitQuantizer(recall=0.9).fit(summary, progress=True).recall_interval, tuple[float, float] | None)
    assert_type(truncate(x, 8), Floats)
    assert_type(truncate([1.0, 2.0], 1), Floats)
    assert_type(truncate(rows, 8), Embeddings)


def low_bit(x: Floats, path: Path) -> None:
    quantizer = LowBitQuantizer(4, rotation="whitened", center="none")
    assert_type(quantizer.fit(x), LowBitQuantizer)
    assert_type(quantizer.encode(x), LowBitCodes)
    assert_type(quantizer.decode(quantizer.encode(x)), Floats)
    assert_type(quantizer.choice, str)
    assert_type(quantizer.report, dict[str, float])
    assert_type(LowBitQuantizer.load(path), LowBitQuantizer)
    found = quantizer.encode(x)
    assert_type(found[1:], LowBitCodes)
    assert_type(found.bit_planes, NDArray[np.uint8])
    assert_type(found.to("int8"), Embeddings)
    assert_type(found.to_float(), Floats)
    assert_type(found.estimate(x), Floats)


def searches(x: Floats, rows: Embeddings, coded: LowBitCodes, metric: CompiledMetric, part: float | None) -> None:
    found = search(x, rows, 10, metric="dot", mask=[0, 1], query_precision="float32", threads=2)
    assert_type(found, SearchResult)
    assert_type(found.scores, NDArray[Any])
    assert_type(found.indices, NDArray[np.int64])
    scores, indices = found
    assert_type(scores, NDArray[Any])
    assert_type(indices, NDArray[np.int64])
    assert_type(search(x, x, 10, metric=metric), SearchResult)
    assert_type(search(x, coded, 10), SearchResult)
    assert_type(range_search(x, rows, 0.5), RangeResult)
    assert_type(range_search(x, rows, 0.5).limits, NDArray[np.int64])
    assert_type(rescore(x, indices, rows, 5), SearchResult)
    assert_type(rescore(x, indices, rows, 5, bounded_by=coded), BoundedResult)
    assert_type(rescore(x, indices, rows, 5, bounded_by=coded).is_final, NDArray[np.bool_])
    index = FlatIndex(x, quantizer=LowBitQuantizer(2), rescore_with=rows, ids=[1])
    assert_type(index.codes, Embeddings | LowBitCodes)
    assert_type(index.rescore_with, Embeddings | LowBitCodes | None)
    assert_type(index.ids, NDArray[np.int64])
    assert_type(index.add(x), NDArray[np.int64])
    assert_type(index.search(x, 10), SearchResult)
    assert_type(index.search(x, 10, confidence=0.99, rescore_multiplier=8), BoundedResult)
    assert_type(index.search(x, 10, confidence=part), SearchResult)
    asked = prepare(x, rows, metric="dot")
    assert_type(asked, PreparedQueries)
    assert_type(QueryCenter.of(x).apply(Embeddings(x)), Embeddings)
    assert_type(merge_topk([search(asked, rows, 10), (scores, indices)], 10, metric=asked.metric), SearchResult)
    assert_type(concat([rows, rows]), Embeddings)
    assert_type(concat([coded, coded]), LowBitCodes)
    assert_type(concat([rows, x]), Embeddings | LowBitCodes)
    encode_batch(to_arrow(rows), column="vector", to=rows, keep=["id"])
    kept = Collection.create("vectors", like=rows, rescore_with=x)
    assert_type(kept.append(x, ids=[3]), NDArray[np.int64])
    assert_type(kept.search(x, 10, rescore_multiplier=2), SearchResult)
    assert_type(kept.info().rows, int)
    assert_type(FlatIndex.load("index.safetensors", mmap=True), FlatIndex)


def metrics() -> None:
    def manhattan(query: Floats, row: Floats) -> float:
        return float(np.abs(query - row).sum())

    assert_type(compile_metric(manhattan, lower_is_better=True), CompiledMetric)

    @compile_metric(output_dtype="int8", lower_is_better=False)
    def same(query: Any, row: Any) -> float:
        return float((query == row).sum())

    assert_type(same, CompiledMetric)


def bodies(path: Path, lines: Callable[[int, int], None]) -> None:
    answer = decode_response(b"{}", output_dtype="int8", nulls="error", profile="openai", expected_count=1)
    assert_type(answer, EmbeddingResponse)
    assert_type(answer.embeddings, Embeddings)
    assert_type(answer.model, str | None)
    assert_type(answer.usage, Usage)
    assert_type(answer.usage + answer.usage, Usage)
    assert_type(answer.encoding_format, EncodingFormat | None)
    assert_type(answer.raw_usage, dict[str, Any] | None)
    assert_type(decode_octets(b"", {"data": []}, nulls="nan"), EmbeddingResponse)
    assert_type(encode_response(answer.embeddings, model="m", encoding_format="base64", usage=answer.usage), bytes)
    assert_type(service_error(b"", 429), ServiceError)
    batch = decode_batch(path, output_dtype="ubinary", progress=lines)
    assert_type(batch, BatchResult)
    assert_type(batch.custom_ids, list[str | None])
    assert_type(batch.errors, Sequence[BatchLine])
    assert_type(batch.in_order(["a"]), Embeddings)
    assert_type(iter_batch(path), Iterator[BatchLine])
    for line in iter_batch(path):
        assert_type(line.error, ServiceError | DecodeError | None)
        assert_type(line.response, EmbeddingResponse | None)
    assert_type(write_batch(path, ["a"], model="m", style="openai", dimensions=256), int)


def files(rows: Embeddings, path: Path) -> None:
    save(path, rows)
    save(path, rows, float_dtype="bfloat16")
    assert_type(load(path, mmap=True), Embeddings | LowBitCodes)
    assert_type(load_ids(path, column="neighbors"), NDArray[np.int64])
    assert_type(load(path, float_dtype="bfloat16"), Embeddings | LowBitCodes)
    assert_type(load(path, output_dtype="int8"), Embeddings)
    assert_type(to_arrow(rows, float_dtype="float16"), Any)
    assert_type(from_arrow(to_arrow(rows), "int8"), Embeddings)
    assert_type(to_faiss(rows), Floats | NDArray[np.uint8])
    assert_type(to_pgvector(rows, half=True), list[bytes])
    assert_type(from_pgvector([b""], kind="halfvec"), Embeddings)
    assert_type(from_pgvector(["[1]"]), Embeddings)
    assert_type(to_sqlite_vec(rows), list[bytes])
    assert_type(from_sqlite_vec([b""], "ubinary"), Embeddings)
    with open(path, "wb") as file:
        write_pgcopy(file, rows, [1])
        write_pgcopy(file, rows, ["a"], id_type="text", columns={"year": [1]}, types={"year": "integer"})
        write_vespa(file, rows, ["a"], namespace="n", document_type="t", fields={"year": [1]})


def stores(rows: Embeddings, path: Path, x: Floats) -> None:
    assert_type(to_pgvector(rows, text=True), list[str])
    assert_type(from_faiss(path), Embeddings)
    assert_type(from_faiss(path, with_ids=True), tuple[Embeddings, NDArray[np.int64]])
    assert_type(from_dlpack(x, "float"), Embeddings)
    assert_type(from_dlpack(rows), Embeddings)
    np.from_dlpack(rows)
    with open(path, "rb") as file:
        copied = read_pgcopy(file, {"id": "uuid", "embedding": "halfvec", "year": None})
        assert_type(copied, CopiedRows)
        assert_type(copied.embeddings, Embeddings)
        assert_type(copied.columns, dict[str, Any])
        assert_type(iter_pgcopy([b""], batch_rows=8), Iterator[CopiedRows])
    for some, ids in iter_load([path], column="v", id_column="id", batch_rows=8, storage_options={"anon": True}):
        assert_type(some, Embeddings | LowBitCodes)
        assert_type(ids, NDArray[np.int64] | Sequence[str | None] | None)
    told: list[Skipped] = []
    assert_type(search_files(x, path, 3, id_column="id", on_error=told.append).indices, NDArray[np.int64])
    assert_type(told[0].row, int | None)
    iter_load(path, on_error="skip")
    assert_type(Collection.open(path).ingest(f"{path}/*.npy", output_dtype="int8", profile="openai"), int)
    assert_type(to_elasticsearch(rows), list[str])
    assert_type(from_elasticsearch(["AAAA"], "int8"), Embeddings)
    assert_type(from_elasticsearch([[1.0]]), Embeddings)
    assert_type(to_vespa(rows, float_dtype="bfloat16"), list[str])
    assert_type(from_vespa([{"values": "00"}], "ubinary"), Embeddings)
    assert_type(to_milvus(rows, float_dtype="float16"), list[NDArray[Any]] | list[bytes])
    assert_type(from_milvus([b""], float_dtype="float16"), Embeddings)
    assert_type(to_qdrant(rows), Floats | NDArray[np.uint8])
    assert_type(from_qdrant([[1.0]], "uint8"), Embeddings)
    assert_type(to_redis(rows, float_dtype="bfloat16"), list[bytes])
    assert_type(from_redis([b""], "int8"), Embeddings)
    assert_type(to_bson_vector(rows), list[bytes])
    assert_type(from_bson_vector([b""]), Embeddings)
    assert_type(to_s3_vectors(rows, ["a"], [None]), Iterator[list[dict[str, Any]]])
    assert_type(from_s3_vectors([{}]), tuple[Embeddings, list[str]])


def services(client: Client, texts: list[str]) -> None:
    answer = client.embed(texts, model="m", output_dtype="int8", encoding_format="base64", extra={"a": 1})
    assert_type(answer, EmbeddingResponse)
    with Client(profile="voyage") as opened:
        assert_type(opened, Client)
    try:
        client.embed(texts, model="m")
    except EmbcodecError as error:
        client.embed(texts, model="m", resume=error.partial)


async def services_of_asyncio(client: AsyncClient) -> None:
    assert_type(await client.embed(["a"], model="m", output_dtype=OutputDtype.INT8), EmbeddingResponse)
    async with AsyncClient() as opened:
        assert_type(opened, AsyncClient)
    await client.close()


def studies(x: Floats, rows: Embeddings) -> None:
    found = study(x, rows, [[1], [2, 3]], dimensions=[8], rotation="none", multipliers=(4,))
    assert_type(found, Study)
    assert_type(found.measurements, list[Measurement])
    assert_type(found.recommend(0.9), Measurement | None)
    assert_type(found.recommend(0.9, store="any"), Measurement | None)
    assert_type(found.in_brief(), dict[str, str])
    study([x, x[:5]], sample=None, codes=["int8", "64 bytes"])
    assert_type(found.advise(), list[str])
    assert_type(docstring_pairs(5), list[Pair])
    assert_type(run_demo(documents=10), DemoResult)


def errors(
    decode: DecodeError, service: ServiceError, finite: NotFiniteError, mismatch: CodeMismatchError
) -> list[type[Exception]]:
    assert_type(decode.offset, int | None)
    assert_type(decode.row, int | None)
    assert_type(service.status, int | None)
    assert_type(service.retry_after, float | None)
    assert_type(finite.row, int)
    assert_type(mismatch.way, str | None)
    return [PrecisionWarning, SkippedWarning, StorageError, TransportError]
