"""Calls that type checkers are to refuse, each of them: an ignore that ignores nothing is an error. Nothing runs."""

from pathlib import Path

import numpy as np
from numpy.typing import NDArray

import embcodec
from embcodec import (
    PROFILES,
    AsyncClient,
    Client,
    Embeddings,
    FlatIndex,
    LowBitCodes,
    LowBitQuantizer,
    Profile,
    Scale,
    calibrate,
    compile_metric,
    decode_batch,
    decode_octets,
    decode_response,
    encode_response,
    from_arrow,
    from_dlpack,
    from_pgvector,
    from_sqlite_vec,
    iter_batch,
    load,
    pack_bits,
    parse_floats,
    quantize,
    range_search,
    read_pgcopy,
    rescore,
    save,
    search,
    study,
    to_arrow,
    to_redis,
    truncate,
    unpack_bits,
    write_batch,
)

Floats = NDArray[np.float32]


def names() -> None:
    embcodec.quantise  # type: ignore[attr-defined]  # pyright: ignore
    embcodec.studies  # type: ignore[attr-defined]  # pyright: ignore
    from embcodec import bits  # type: ignore[attr-defined]  # pyright: ignore


def dtypes(x: Floats, rows: Embeddings, coded: LowBitCodes, path: Path, text: str) -> None:
    Embeddings(x, "int4")  # type: ignore[arg-type]  # pyright: ignore
    Embeddings(x, text)  # type: ignore[arg-type]  # pyright: ignore
    Embeddings(x, "binary", signed_bytes="twos")  # type: ignore[arg-type]  # pyright: ignore
    Embeddings(x, "binary", bit_order="big")  # type: ignore[arg-type]  # pyright: ignore
    quantize(x, "float32")  # type: ignore[arg-type]  # pyright: ignore
    quantize(x, text)  # type: ignore[arg-type]  # pyright: ignore
    rows.to("bit")  # type: ignore[call-overload]  # pyright: ignore
    rows.to("ubinary", bit_order="little")  # type: ignore[call-overload]  # pyright: ignore
    coded.to("float32")  # type: ignore[arg-type]  # pyright: ignore
    decode_response(b"", output_dtype="i8")  # type: ignore[arg-type]  # pyright: ignore
    decode_batch(path, output_dtype="i8")  # type: ignore[arg-type]  # pyright: ignore
    iter_batch(path, output_dtype="i8")  # type: ignore[arg-type]  # pyright: ignore
    load(path, output_dtype="ubin")  # type: ignore[call-overload]  # pyright: ignore
    load(path, float_dtype="float16")  # type: ignore[call-overload]  # pyright: ignore
    save(path, rows, float_dtype="fp8_e4m3")  # type: ignore[arg-type]  # pyright: ignore
    to_arrow(rows, float_dtype="bfloat16")  # type: ignore[arg-type]  # pyright: ignore
    from_arrow(to_arrow(rows), "float32")  # type: ignore[arg-type]  # pyright: ignore
    from_sqlite_vec([b""], "uint8")  # type: ignore[arg-type]  # pyright: ignore
    compile_metric(lambda q, r: 0.0, output_dtype="float32", lower_is_better=True)  # type: ignore[call-overload]  # pyright: ignore
    Profile("mine").dtype_name("i8")  # type: ignore[arg-type]  # pyright: ignore


def other_words(x: Floats, rows: Embeddings, path: Path, text: str) -> None:
    quantize(x, "int8", scale="per-row")  # type: ignore[arg-type]  # pyright: ignore
    quantize(x, "int8", scale=text)  # type: ignore[arg-type]  # pyright: ignore
    rows.to("int8", scale="ranges")  # type: ignore[call-overload]  # pyright: ignore
    Scale("vector")  # type: ignore[arg-type]  # pyright: ignore
    calibrate(x, method="percentile")  # type: ignore[arg-type]  # pyright: ignore
    pack_bits(x, bit_order="big")  # type: ignore[call-overload]  # pyright: ignore
    unpack_bits(b"", 8, signed_bytes="plain")  # type: ignore[call-overload]  # pyright: ignore
    decode_response(b"", nulls="skip")  # type: ignore[arg-type]  # pyright: ignore
    decode_octets(b"", nulls="skip")  # type: ignore[arg-type]  # pyright: ignore
    encode_response(rows, model="m", encoding_format="b64")  # type: ignore[arg-type]  # pyright: ignore
    write_batch(path, ["a"], style="cohere")  # type: ignore[arg-type]  # pyright: ignore
    from_pgvector([b""], kind="half")  # type: ignore[arg-type]  # pyright: ignore
    to_redis(rows, float_dtype="float64")  # type: ignore[arg-type]  # pyright: ignore
    read_pgcopy([b""], {"id": "int8", "e": None})  # type: ignore[dict-item]  # pyright: ignore
    from_dlpack([[1.0]])  # type: ignore[arg-type]  # pyright: ignore
    Profile("mine", base64_payload="bytes")  # type: ignore[arg-type]  # pyright: ignore
    Profile("mine", base64_dtype="f16")  # type: ignore[arg-type]  # pyright: ignore
    Profile("mine", byte_order="network")  # type: ignore[arg-type]  # pyright: ignore
    LowBitQuantizer(2, rotation="opq")  # type: ignore[arg-type]  # pyright: ignore
    LowBitQuantizer(2, center="median")  # type: ignore[arg-type]  # pyright: ignore
    study(x, rotation="opq")  # type: ignore[arg-type]  # pyright: ignore


def searches(x: Floats, rows: Embeddings, index: FlatIndex, text: str) -> None:
    search(x, rows, 10, metric="euclidean")  # type: ignore[arg-type]  # pyright: ignore
    search(x, rows, 10, metric=text)  # type: ignore[arg-type]  # pyright: ignore
    search(x, rows, 10, metric=max)  # type: ignore[arg-type]  # pyright: ignore
    search(x, rows, 10, query_precision="float16")  # type: ignore[arg-type]  # pyright: ignore
    range_search(x, rows, 0.5, metric="ip")  # type: ignore[arg-type]  # pyright: ignore
    rescore(x, [0], rows, 1, query_precision="exact")  # type: ignore[call-overload]  # pyright: ignore
    rescore(x, [0], rows, 1, bounded_by=rows)  # type: ignore[call-overload]  # pyright: ignore
    rescore(x, [0], rows, 1).is_final  # type: ignore[attr-defined]  # pyright: ignore
    index.search(x, 10, metric="ip")  # type: ignore[call-overload]  # pyright: ignore
    index.search(x, 10).is_final  # type: ignore[attr-defined]  # pyright: ignore
    index.save(3)  # type: ignore[arg-type]  # pyright: ignore
    compile_metric(lambda q, r: 0.0)  # type: ignore[call-overload]  # pyright: ignore


def values(rows: Embeddings, client: Client, x: Floats) -> None:
    parse_floats(1.5)  # type: ignore[arg-type]  # pyright: ignore
    decode_response({"data": []})  # type: ignore[arg-type]  # pyright: ignore
    decode_response(b"", profile=PROFILES)  # type: ignore[arg-type]  # pyright: ignore
    rows["a"].values.spam  # type: ignore[attr-defined]  # pyright: ignore
    truncate(rows, 8).astype(float)  # type: ignore[attr-defined]  # pyright: ignore
    rows.to(LowBitQuantizer)  # type: ignore[call-overload]  # pyright: ignore
    rows.dimension = 3  # type: ignore[misc]  # pyright: ignore
    client.embed([1], model="m")  # type: ignore[list-item]  # pyright: ignore
    client.embed(["a"])  # type: ignore[call-arg]  # pyright: ignore
    client.embed(["a"], model="m", output_dtype="i8")  # type: ignore[arg-type]  # pyright: ignore
    client.embed(["a"], model="m", encoding_format="list")  # type: ignore[arg-type]  # pyright: ignore
    Client(concurrency="4")  # type: ignore[arg-type]  # pyright: ignore


async def services(client: AsyncClient) -> None:
    await client.embed(["a"], model="m", output_dtype="i8")  # type: ignore[arg-type]  # pyright: ignore
    client.embed(["a"], model="m").embeddings  # type: ignore[attr-defined]  # pyright: ignore
