"""``decode``, ``encode``, ``info``: files in, files or tables out, no network."""

from __future__ import annotations

import json
from pathlib import Path
from typing import IO, Any

import click
import numpy as np

from ..dtypes import NULLS, EncodingName, NamelessFloat, Nulls, OutputDtype, OutputDtypeName
from ..embeddings import Embeddings
from ..errors import DecodeError, StorageError
from ..scale import SCALE_NAMES, ScaleName
from .bodies import changed_profile, packing_options, profile_option
from .common import (
    DTYPES,
    ENCODINGS,
    EXISTING,
    FILE_OR_COLLECTION,
    OUTPUT,
    VECTORS_OUTPUT,
    Words,
    as_json,
    can_be_mapped,
    example,
    file_command,
    is_collection,
    print_json,
    read_rows,
    read_vectors,
    say,
    table_options,
)
from .kinds import check_scale
from .words import reader_of

_SENT = {"float": "lists of numbers", "base64": "base64"}
_profile = profile_option("Whose conventions")


@file_command(epilog=example("curl -s ... | embcodec decode - --dtype int8 -o vectors.safetensors"))
@click.argument("body", type=click.File("rb"))
@click.option(
    "-o", "--output", type=VECTORS_OUTPUT, help="Where to save the vectors; the suffix says the kind of file."
)
@click.option("--dtype", type=DTYPES, default="float", show_default=True, help="The output_dtype that was asked for.")
@click.option(
    "--dimension", type=click.IntRange(min=1), help="How many dimensions are expected; of packed bits, how many count."
)
@_profile
@packing_options
@click.option(
    "--nulls",
    type=Words(NULLS),
    default="error",
    show_default=True,
    help="Whether a null among numbers is an error or NaN.",
)
@as_json
def decode(
    body: IO[bytes],
    output: Path | None,
    dtype: OutputDtypeName,
    dimension: int | None,
    profile: str,
    nulls: Nulls,
    as_json: bool,
    **packing: Any,
) -> None:
    """Read the vectors out of a response BODY (a file, or - for standard input).

    Lists or base64 is told by what is there. Without -o, --json prints the values as well.
    """
    from ..files import save
    from ..wire import decode_response

    service = changed_profile(profile, **packing)
    text = body.read()
    try:
        answer = decode_response(text, output_dtype=dtype, dimension=dimension, profile=service, nulls=nulls)
    except DecodeError:
        name = str(getattr(body, "name", "-"))
        other = reader_of(text, "-" if name == "<stdin>" else name)
        if other is None or "embcodec decode" in other:
            raise
        raise StorageError(other) from None
    found = answer.embeddings
    if output is not None:
        save(output, found)
    facts = {
        "model": answer.model,
        "rows": len(found),
        "dimension": found.dimension,
        "output_dtype": str(found.output_dtype),
        "encoding_format": str(answer.encoding_format),
        "usage": answer.raw_usage,
        "output": str(output) if output is not None else None,
    }
    if not as_json:
        wrote = f" -> {output}" if output is not None else ""
        say(f"{found!r} sent as {_SENT[str(answer.encoding_format)]} by {answer.model or 'an unnamed model'}{wrote}")
    elif output is not None:
        print_json(facts)
    else:
        head = json.dumps(facts).removesuffix("}").encode()
        click.echo(head + b', "embeddings": ' + _json_rows(found) + b"}\n", nl=False)


@file_command(epilog=example("embcodec encode vectors.npy --dtype int8 --encoding base64 > body.json"))
@click.argument("vectors", type=EXISTING)
@click.option("-o", "--output", type=OUTPUT, help="Where to write the body; by default standard output.")
@click.option("--dtype", type=DTYPES, help="Convert to this first; by default as they are.")
@click.option(
    "--scale",
    type=Words(SCALE_NAMES),
    default="unit",
    show_default=True,
    help="Of int8 and uint8. The body has no room for per-vector scales: they are lost, cosines stay.",
)
@click.option("--dimension", type=click.IntRange(min=1), help="Keep so many dimensions first.")
@click.option("--encoding", type=ENCODINGS, default="float", show_default=True, help="Lists of numbers, or base64.")
@click.option("--model", default="embcodec", show_default=True, help="The model's name in the body.")
@click.option("--from-dtype", type=DTYPES, help="What the file holds, if it does not say.")
@table_options
@_profile
@as_json
def encode(
    vectors: Path,
    output: Path | None,
    dtype: OutputDtypeName | None,
    scale: ScaleName,
    dimension: int | None,
    encoding: EncodingName,
    model: str,
    from_dtype: OutputDtypeName | None,
    column: str | None,
    float_dtype: NamelessFloat | None,
    profile: str,
    as_json: bool,
) -> None:
    """Write VECTORS (a file of any known kind) as the response body that a service would send.

    The body is JSON in any case; --json prints what was written where -o says it went.
    """
    from ..containers import replacing
    from ..embeddings import Embeddings
    from ..errors import StorageError
    from ..files import SUFFIXES
    from ..scale import UNIT
    from ..wire import encode_response

    if output is not None and output.suffix.lower() in SUFFIXES:
        raise click.UsageError(
            f"-o {output} is named like a file of vectors, and a response body is JSON, as in a .json; "
            f"`embcodec quantize {vectors} -o {output} --dtype {dtype or 'DTYPE'}` saves codes"
        )
    if scale != "unit":
        check_scale(scale, dtype)
    rows = read_vectors(vectors, from_dtype, remedy="say --from-dtype", column=column, float_dtype=float_dtype)
    if dimension is not None:
        rows = rows.truncate(dimension)
    if dtype is not None:
        rows = rows.to(dtype, scale=scale if dtype in ("int8", "uint8") else None)
        if scale == "per-vector":  # as --help says
            rows = Embeddings(rows.values, rows.output_dtype)
    elif rows.scale is not None and rows.scale.kind != UNIT:
        raise StorageError(
            f"{vectors} holds {rows.output_dtype} codes, whose {rows.scale.kind} scale a body has no room for: "
            f"say --dtype float, or --dtype {rows.output_dtype} for the unit scale"
        )
    body = encode_response(rows, model=model, encoding_format=encoding, profile=profile)
    if output is None:
        click.echo(body + b"\n", nl=False)
        return
    with replacing(output) as file:
        file.write(body)
    facts = {"rows": len(rows), "dimension": rows.dimension, "output_dtype": str(rows.output_dtype), "bytes": len(body)}
    if as_json:
        print_json({**facts, "encoding_format": encoding, "output": str(output)})
    else:
        say(f"{rows!r} as {_SENT[encoding]}, {len(body):,} bytes -> {output}")


@file_command(epilog=example("embcodec info vectors.safetensors"))
@click.argument("path", type=FILE_OR_COLLECTION)
@click.option("--dtype", type=DTYPES, help="What the file holds, if it does not say.")
@click.option(
    "--dimension", type=click.IntRange(min=1), help="How many packed bits of a row count, if the file does not say."
)
@click.option(
    "--sample", type=click.IntRange(min=20), default=2000, show_default=True, help="Rows to try conversions on."
)
@table_options
@as_json
def info(
    path: Path,
    dtype: OutputDtypeName | None,
    dimension: int | None,
    sample: int,
    column: str | None,
    float_dtype: NamelessFloat | None,
    as_json: bool,
) -> None:
    """Say what PATH holds, and what each conversion of its rows would keep, tried on a sample of them.

    PATH is a file of any known kind, an index, or the folder of a collection (of which no conversion is tried).
    """
    from ..index import holds_index
    from .info import collection_facts, conversions, describe, index_facts
    from .tables import Column, print_columns

    said = [dtype, dimension, column, float_dtype]
    tried: list[dict[str, Any]] = []
    omitted: str | None = "a collection is appended to as it is"
    if is_collection(path):
        facts = collection_facts(path)
    elif holds_index(path):
        facts, rows = index_facts(path)
        tried, omitted = conversions(rows, sample)
    else:
        rows = read_rows(path, dtype, dimension, mmap=can_be_mapped(path), column=column, float_dtype=float_dtype)
        facts, said = describe(path, rows), []
        tried, omitted = conversions(rows, sample)
    if any(word is not None for word in said):
        raise click.UsageError(f"{path} says what it holds: leave out --dtype, --dimension, --column and --float-dtype")
    if as_json:
        print_json({**facts, "conversions": tried, "conversions_omitted": omitted})
        return
    for name, value in facts.items():
        if isinstance(value, dict):
            value = ", ".join(
                f"{key} {'not finite' if number is None else format(number, '.4g')}" for key, number in value.items()
            )
        if value is not None:
            say(f"{name.replace('_', ' '):>14}  {value}")
    if tried:
        click.echo()
        print_columns(
            f"What a conversion keeps, on {tried[0]['rows']:,} rows",
            [
                Column("to", [row["to"] for row in tried], words=True),
                Column("bytes a row", [f"{row['row_bytes']:,.0f}" for row in tried]),
                Column("mean cosine", [f"{row['cosine']:.5f}" for row in tried]),
                Column("overlap@10", [f"{row['overlap']:.3f}" for row in tried]),
            ],
        )
        if any(row.get("fitted_to") == "the sample" for row in tried):
            click.echo("The codes of 1, 2 and 4 bits were fitted to the rows that they are tried on.")
    if omitted is not None:
        say(f"{'Low-bit codes' if tried else chr(10) + 'Conversions'} were not tried: {omitted}.")


def _json_rows(found: Embeddings) -> bytes:
    from ..codec import format_floats

    if found.output_dtype is OutputDtype.FLOAT and np.isfinite(found.values).all():
        return format_floats(found.values)
    rows = found.values.tolist()
    if found.output_dtype is OutputDtype.FLOAT:
        rows = [[value if np.isfinite(value) else None for value in row] for row in rows]
    return json.dumps(rows).encode()
