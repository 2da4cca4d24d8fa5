"""``embed``, ``batch``, ``serve``: what speaks with services, or stands in for one."""

from __future__ import annotations

import json
import os
import socket
import sys
from collections import Counter
from collections.abc import Sequence
from pathlib import Path
from typing import IO, TYPE_CHECKING, Any

import click

from .cli_bodies import as_options, changed_profile, packing_options
from .cli_common import (
    DTYPES,
    ENCODINGS,
    EXISTING,
    OUTPUT,
    VECTORS_OUTPUT,
    as_json,
    example,
    print_json,
    progress_bar,
)
from .profiles import PROFILES

if TYPE_CHECKING:
    from .batch import BatchLine
    from .client import Client

_MOST_TOLD = 10  # failures, and reasons for them
_profile = click.option(
    "--profile", type=click.Choice(sorted(PROFILES)), default="mistral", show_default=True, help="Which service."
)


@click.command(epilog=example("embcodec embed lines.txt --model mistral-embed --dtype int8 -o vectors.safetensors"))
@click.argument("texts", type=click.File("r", encoding="utf-8"))
@click.option(
    "-o", "--output", type=VECTORS_OUTPUT, required=True, help="Where to save; the suffix says the kind of file."
)
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
    from .storage import save

    key = None
    if api_key_variable is not None:
        key = os.environ.get(api_key_variable)
        if not key:
            raise click.UsageError(f"the environment variable {api_key_variable} is not set")
    client = _client(key, base_url, profile)
    lines = texts.read().splitlines()
    if not lines:
        raise ValueError(f"{texts.name} holds no texts: one a line is embedded")
    for number, line in enumerate(lines, 1):
        if not line.strip():
            raise ValueError(f"line {number} is empty")
    with progress_bar("embedding") as report, client:
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
@click.option(
    "-o", "--output", type=VECTORS_OUTPUT, required=True, help="Where to save; the suffix says the kind of file."
)
@click.option("--dtype", type=DTYPES, default="float", show_default=True, help="The output_dtype that was asked for.")
@click.option("--dimension", type=click.IntRange(min=1), help="Expected; of packed bits, the number that counts.")
@click.option("--ids", type=OUTPUT, help="Also write the custom_id of every row here, one a line.")
@click.option(
    "--max-failed",
    type=click.IntRange(min=0),
    metavar="N",
    help="Exit with status 1 if more lines failed; by default, if more failed than there are rows.",
)
@_profile
@packing_options
@as_json
def batch(
    results: Path,
    output: Path,
    dtype: str,
    dimension: int | None,
    ids: Path | None,
    max_failed: int | None,
    profile: str,
    as_json: bool,
    **packing: Any,
) -> None:
    """Decode the RESULTS of a batch job (JSONL) into one file of vectors.

    The first lines that failed are told on standard error, all of them counted by reason. The rows of the others are
    saved in any case; the exit status is 1 if there are none, or more failures than --max-failed.
    """
    from .batch import decode_batch
    from .storage import save
    from .storage_atomic import replacing

    with progress_bar("decoding") as report:
        told = (lambda done, total: report(done, total, "decoding")) if report else None
        service = changed_profile(profile, **packing)
        found = decode_batch(results, output_dtype=dtype, dimension=dimension, profile=service, progress=told)
    if not len(found.embeddings):
        _tell_failures(found.errors)
        raise ValueError(f"{results}: no line holds vectors ({len(found.errors)} failed)")
    save(output, found.embeddings)
    if ids is not None:
        with replacing(ids) as file:
            file.write("".join(f"{name}\n" for name in found.custom_ids).encode())
    _tell_failures(found.errors)
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
    if len(found.errors) > (len(found.embeddings) if max_failed is None else max_failed):
        click.get_current_context().exit(1)


def _tell_failures(errors: Sequence[BatchLine]) -> None:
    for line in errors[:_MOST_TOLD]:
        click.echo(f"{line.custom_id or 'no custom_id'}: {as_options(str(line.error))}", err=True)
    if len(errors) > _MOST_TOLD:
        reasons = Counter(getattr(line.error, "reason", str(line.error))[:100] for line in errors).most_common()
        counts = "; ".join(f"{count} x {as_options(reason)}" for reason, count in reasons[:_MOST_TOLD])
        others = f"; {len(reasons) - _MOST_TOLD} other reasons" if len(reasons) > _MOST_TOLD else ""
        click.echo(f"{len(errors)} lines failed: {counts}{others}", err=True)


@click.command(epilog=example("embcodec serve --port 8000", "curl http://127.0.0.1:8000/v1/models"))
@click.option("--host", default="127.0.0.1", show_default=True)
@click.option("--port", type=click.IntRange(0, 65535), default=8000, show_default=True)
@click.option(
    "--model", "models", multiple=True, default=("universal-sentence-encoder",), show_default=True, help="Repeatable."
)
@click.option("--lenient", is_flag=True, help="Tolerate OpenAI's further fields instead of answering 422.")
@click.option("--api-key", envvar="EMBCODEC_API_KEY", help="Bearer token to demand. [env: EMBCODEC_API_KEY]")
@as_json
def serve(host: str, port: int, models: tuple[str, ...], lenient: bool, api_key: str | None, as_json: bool) -> None:
    """Serve POST /v1/embeddings, GET /v1/models and /health with an embedded model.

    With --json a first line on standard output says where (with --port 0, on which free port); requests are not logged.
    """
    from .server import serve as run

    port = _free_port(host, port)
    if as_json:
        address = f"[{host}]" if ":" in host else host
        facts = {
            "base_url": f"http://{address}:{port}",
            "models": models,
            "lenient": lenient,
            "needs_key": bool(api_key),
        }
        click.echo(json.dumps({**facts, "pid": os.getpid()}))
        sys.stdout.flush()
    run(
        host=host,
        port=port,
        models=models,
        lenient=lenient,
        api_key=api_key,
        log_level="warning" if as_json else "info",
    )


def _client(api_key: str | None, base_url: str | None, profile: str) -> Client:
    """Return a client; a malformed address is bad usage, and so is a service without the key that it will want."""
    from .client import Client

    try:
        client = Client(api_key=api_key, base_url=base_url, profile=profile)
    except ValueError as error:
        if str(error).startswith("base_url"):
            raise click.BadParameter(str(error), param_hint="--base-url") from None
        raise
    settings = client._settings
    if settings.key is None and base_url is None and not settings.is_local:
        raise click.UsageError(
            f"{settings.host} wants a key: set {settings.profile.api_key_variable}, or name another variable with "
            "--api-key-variable, or another server with --base-url"
        )
    return client


def _free_port(host: str, port: int) -> int:
    """Return the port to listen on, a free one for 0.

    Raises
    ------
    OSError
        Where a server cannot listen: uvicorn would end the process with a status of its own.
    """
    family = socket.AF_INET6 if ":" in host else socket.AF_INET
    try:
        with socket.create_server((host, port), family=family) as probe:
            return int(probe.getsockname()[1])
    except OSError as error:
        raise OSError(f"cannot listen on {host}:{port}: {error.strerror}") from None
