"""``embed``, ``batch``, ``serve``: what speaks with services, or stands in for one."""

from __future__ import annotations

import os
import socket
from pathlib import Path
from typing import IO

import click

from .cli_common import DTYPES, ENCODINGS, EXISTING, OUTPUT, as_json, example, print_json, progress_bar
from .profiles import PROFILES

_profile = click.option(
    "--profile", type=click.Choice(sorted(PROFILES)), default="mistral", show_default=True, help="Which service."
)


@click.command(epilog=example("embcodec embed lines.txt --model mistral-embed --dtype int8 -o vectors.safetensors"))
@click.argument("texts", type=click.File("r", encoding="utf-8"))
@click.option("-o", "--output", type=OUTPUT, required=True, help="Where to save; the suffix says the kind of file.")
@click.option("--model", default="mistral-embed", show_default=True)
@click.option("--dtype", type=DTYPES, default="float", show_default=True)
@click.option("--dimension", type=click.IntRange(min=1), help="output_dimension; by default all that the model has.")
@click.option("--encoding", type=ENCODINGS, help="What to ask for; whichever arrives is decoded.")
@click.option("--base-url", help="Another server, such as that of `embcodec serve`.")
@click.option(
    "--api-key-variable",
    metavar="NAME",
    help="The environment variable with the key; by default the profile's own, which goes to its own host only.",
)
@_profile
@as_json
def embed(
    texts: IO[str],
    output: Path,
    model: str,
    dtype: str,
    dimension: int | None,
    encoding: str | None,
    base_url: str | None,
    api_key_variable: str | None,
    profile: str,
    as_json: bool,
) -> None:
    """Embed the lines of TEXTS (a file, or - for standard input) through a service, and save the vectors.

    The key is read from MISTRAL_API_KEY, or the profile's variable. Empty lines are not allowed.
    """
    from .client import Client
    from .storage import check_suffix, save

    check_suffix(output)
    lines = texts.read().splitlines()
    for number, line in enumerate(lines, 1):
        if not line.strip():
            raise ValueError(f"line {number} is empty")
    key = None
    if api_key_variable is not None:
        key = os.environ.get(api_key_variable)
        if not key:
            raise click.UsageError(f"the environment variable {api_key_variable} is not set")
    with progress_bar("embedding") as report, Client(api_key=key, base_url=base_url, profile=profile) as client:
        answer = client.embed(
            lines,
            model=model,
            output_dtype=dtype,
            output_dimension=dimension,
            encoding_format=encoding,
            progress=(lambda done, total: report(done, total or len(lines), "embedding")) if report else None,
        )
    save(output, answer.embeddings)
    if as_json:
        print_json(
            {
                "model": answer.model,
                "rows": len(answer.embeddings),
                "dimension": answer.embeddings.dimension,
                "output_dtype": str(answer.embeddings.output_dtype),
                "encoding_format": str(answer.encoding_format),
                "usage": answer.raw_usage,
                "output": str(output),
            }
        )
    else:
        click.echo(f"{answer.embeddings!r} from {answer.model} -> {output}")


@click.command(epilog=example("embcodec batch output.jsonl --dtype int8 -o vectors.safetensors"))
@click.argument("results", type=EXISTING)
@click.option("-o", "--output", type=OUTPUT, required=True, help="Where to save; the suffix says the kind of file.")
@click.option("--dtype", type=DTYPES, default="float", show_default=True, help="The output_dtype that was asked for.")
@click.option("--dimension", type=click.IntRange(min=1), help="Expected; of packed bits, the number that counts.")
@click.option("--ids", type=OUTPUT, help="Also write the custom_id of every row here, one a line.")
@_profile
@as_json
def batch(
    results: Path, output: Path, dtype: str, dimension: int | None, ids: Path | None, profile: str, as_json: bool
) -> None:
    """Decode the RESULTS of a batch job (JSONL) into one file of vectors.

    Lines that failed are told on standard error; the exit status is 1 if no line succeeded.
    """
    from .batch import decode_batch
    from .storage import check_suffix, save
    from .storage_atomic import replacing

    check_suffix(output)
    with progress_bar("decoding") as report:
        told = (lambda done, total: report(done, total, "decoding")) if report else None
        found = decode_batch(results, output_dtype=dtype, dimension=dimension, profile=profile, progress=told)
    if not len(found.embeddings):
        raise ValueError(f"{results}: no line holds vectors ({len(found.errors)} failed)")
    save(output, found.embeddings)
    if ids is not None:
        with replacing(ids) as file:
            file.write("".join(f"{name}\n" for name in found.custom_ids).encode())
    for error in found.errors:
        click.echo(f"{error.custom_id or 'no custom_id'}: {error.error}", err=True)
    facts = {
        "rows": len(found.embeddings),
        "dimension": found.embeddings.dimension,
        "output_dtype": str(found.embeddings.output_dtype),
        "errors": len(found.errors),
        "output": str(output),
    }
    if as_json:
        print_json(facts)
    else:
        click.echo(f"{found.embeddings!r}, {len(found.errors)} failed -> {output}")


@click.command(epilog=example("embcodec serve --port 8000", "curl http://127.0.0.1:8000/v1/models"))
@click.option("--host", default="127.0.0.1", show_default=True)
@click.option("--port", type=click.IntRange(0, 65535), default=8000, show_default=True)
@click.option(
    "--model", "models", multiple=True, default=("universal-sentence-encoder",), show_default=True, help="Repeatable."
)
@click.option("--lenient", is_flag=True, help="Tolerate OpenAI's further fields instead of answering 422.")
@click.option("--api-key", envvar="EMBCODEC_API_KEY", help="Bearer token to demand. [env: EMBCODEC_API_KEY]")
def serve(host: str, port: int, models: tuple[str, ...], lenient: bool, api_key: str | None) -> None:
    """Serve POST /v1/embeddings, GET /v1/models and /health with an embedded model."""
    from .server import serve as run

    _check_address(host, port)
    run(host=host, port=port, models=models, lenient=lenient, api_key=api_key)


def _check_address(host: str, port: int) -> None:
    """Raise OSError where a server cannot listen: uvicorn would end the process with a status of its own."""
    family = socket.AF_INET6 if ":" in host else socket.AF_INET
    try:
        socket.create_server((host, port), family=family).close()
    except OSError as error:
        raise OSError(f"cannot listen on {host}:{port}: {error.strerror}") from None
