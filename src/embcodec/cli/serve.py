"""``serve``: stands in for a service."""

from __future__ import annotations

import json
import os
import sys
from dataclasses import fields
from pathlib import Path
from typing import TYPE_CHECKING, Any

import click

from .common import EXISTING, as_json, example

if TYPE_CHECKING:
    from ..wire.http import Secret

_KEY_VARIABLE = "EMBCODEC_API_KEY"


def _wrapped(value: str) -> Secret:
    """Wrap a key before any command sees it."""
    from ..wire.http import Secret

    return Secret(value)


def _limits(command: Any) -> Any:
    """Add an option for each limit, with its default."""
    from ..server import Limits

    words = {
        "head_seconds": "How long a request's head may take to arrive.",
        "body_seconds": "How long its body may take to arrive.",
        "send_seconds": "How long a client may take to read its answer.",
        "idle_seconds": "How long an idle connection is kept.",
        "linger_seconds": "How long to read on what a refused client sends, so that it hears why.",
        "stop_seconds": "How long requests under way may take once told to stop; a second signal ends them at once.",
        "connections": "How many at once; beyond that, the one that has kept the server waiting longest is closed.",
        "bytes_in_flight": "How much large requests and answers may hold together; more of them wait for their turn.",
    }
    for field in reversed(fields(Limits)):
        command = click.option(
            f"--{field.name.replace('_', '-')}",
            type=click.FloatRange(min=0, min_open=True) if isinstance(field.default, float) else click.IntRange(min=1),
            default=field.default,
            show_default=True,
            help=words[field.name],
        )(command)
    return command


@click.command(epilog=example("embcodec serve --port 8000", "curl http://127.0.0.1:8000/v1/models"))
@click.option("--host", default="127.0.0.1", show_default=True)
@click.option("--port", type=click.IntRange(0, 65535), default=8000, show_default=True)
@click.option(
    "--model",
    "models",
    multiple=True,
    default=("universal-sentence-encoder",),
    show_default=True,
    help="Or a toy that knows nothing of language, for tests: hash-1 .. hash-4096, of so many dimensions. Repeatable.",
)
@click.option(
    "--lenient",
    is_flag=True,
    help="Take what OpenAI takes: further fields, token ids, 2048 inputs; refuse in its form.",
)
@click.option(
    "--alias",
    "aliases",
    multiple=True,
    metavar="NAME=MODEL",
    help="A further name of a model, such as text-embedding-3-small=universal-sentence-encoder. Repeatable.",
)
@click.option(
    "--api-key-file",
    type=EXISTING,
    help="File with the bearer token to demand, and nothing else; chmod 600 keeps others from reading it.",
)
@click.option(
    "--api-key",
    type=_wrapped,
    metavar="TEXT",
    help=f"The token itself, which other users see in `ps`; better in {_KEY_VARIABLE}.",
)
@click.option(
    "--allow-host",
    "allow_hosts",
    multiple=True,
    metavar="NAME",
    help="A name to be called by, and whose pages may ask, beside this machine's own; * for any. Repeatable.",
)
@click.option(
    "--cors-origin",
    "cors_origins",
    multiple=True,
    metavar="ORIGIN",
    help="Pages that browsers let ask from anywhere, such as https://app.example.com; * for all. Repeatable.",
)
@_limits
@as_json
def serve(
    host: str,
    port: int,
    models: tuple[str, ...],
    lenient: bool,
    aliases: tuple[str, ...],
    api_key_file: Path | None,
    api_key: Secret | None,
    allow_hosts: tuple[str, ...],
    cors_origins: tuple[str, ...],
    as_json: bool,
    **limits: Any,
) -> None:
    """Serve POST /v1/embeddings, GET /v1/models and /health with an embedded model; a page at /docs says the rest.

    With --json a first line on standard output says where (with --port 0, on which free port); requests are not logged.

    Codes (output_dtype int8 and others) as base64 go to clients that know what they asked for. OpenAI's Python client
    is answered lists instead, its others an error: they read every base64 as float32.
    """
    from ..server import Limits
    from ..server import serve as run

    granted = Limits(**limits)
    key = _key(api_key, api_key_file)

    def announce(address: str) -> None:
        facts = {"base_url": address, "models": models, "lenient": lenient, "needs_key": key is not None}
        click.echo(json.dumps({**facts, "pid": os.getpid()}))
        sys.stdout.flush()

    run(
        host=host,
        port=port,
        models=models,
        lenient=lenient,
        api_key=key,
        allow_hosts=allow_hosts,
        cors_origins=cors_origins,
        aliases=_aliases(aliases),
        limits=granted,
        log_level="warning" if as_json else "info",
        announce=announce if as_json else None,
    )


def _aliases(pairs: tuple[str, ...]) -> dict[str, str]:
    """Return the models that further names stand for."""
    found = {}
    for pair in pairs:
        alias, equals, model = pair.partition("=")
        if not (alias and equals and model):
            raise click.UsageError(f"--alias is a name, =, and a model, such as --alias mine={pair or 'hash-256'}")
        found[alias] = model
    return found


def _key(given: Secret | None, file: Path | None) -> Secret | None:
    """Return the key to demand; one that was meant to be and is empty is bad usage, not a server without a key.

    No variable of a frame holds it as text.
    """
    from ..wire.http import Secret

    if given is not None and file is not None:
        raise click.UsageError("give --api-key or --api-key-file, not both")
    if file is not None:
        origin, key = f"the file {file}", Secret(file.read_bytes().decode("latin-1"))
    elif given is not None:
        origin, key = "--api-key", given
    elif _KEY_VARIABLE in os.environ:
        origin, key = f"the environment variable {_KEY_VARIABLE}", Secret(os.environ[_KEY_VARIABLE])
    else:
        return None
    if key.is_blank:
        raise click.UsageError(f"{origin} is empty: to serve without a key leave it out, or unset the variable")
    return key
