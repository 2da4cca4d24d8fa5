"""``embed`` and ``batch``: what speaks with services."""

from __future__ import annotations

import json
import os
import sys
from pathlib import Path
from typing import IO, TYPE_CHECKING, Any

import click

from ..dtypes import EncodingName, OutputDtypeName
from ..errors import EmbcodecError, StorageError
from ..profiles import PROFILES, Profile
from ..words import counted, progress_bar
from .bodies import changed_profile, packing_options, profile_option
from .common import (
    DTYPES,
    ENCODINGS,
    EXISTING,
    OUTPUT,
    VECTORS_OUTPUT,
    as_json,
    example,
    file_command,
    max_bytes,
    print_json,
    say,
)
from .trouble import tell_failures
from .words import words_of

if TYPE_CHECKING:
    from ..client import Client, Partial
    from ..wire.http import Secret

_profile = profile_option("Which service")


@file_command(epilog=example("embcodec embed lines.txt --model mistral-embed --dtype int8 -o vectors.safetensors"))
@click.argument("texts", type=click.File("r", encoding="utf-8"))
@click.option(
    "-o", "--output", type=VECTORS_OUTPUT, required=True, help="Where to save; the suffix says the kind of file."
)
@click.option("--model", help="By default mistral-embed, of Mistral; other services have to be told.")
@click.option("--dtype", type=DTYPES, default="float", show_default=True)
@click.option(
    "--dimension",
    type=click.IntRange(min=1),
    help="The output_dimension to ask for; by default all that the model has.",
)
@click.option("--encoding", type=ENCODINGS, help="What to ask for; whichever arrives is decoded.")
@click.option("--base-url", help="Another server, such as that of `embcodec serve`.")
@click.option(
    "--api-key-variable",
    metavar="NAME",
    help="The environment variable with the key; by default the profile's own, which goes to its own host only.",
)
@click.option("--api-key-file", type=EXISTING, help="A file with the key and nothing else.")
@_profile
@packing_options
@as_json
def embed(
    texts: IO[str],
    output: Path,
    model: str | None,
    dtype: OutputDtypeName,
    dimension: int | None,
    encoding: EncodingName | None,
    base_url: str | None,
    api_key_variable: str | None,
    api_key_file: Path | None,
    profile: str,
    as_json: bool,
    **packing: Any,
) -> None:
    """Embed the lines of TEXTS (a file, or - for standard input) through a service, and save the vectors.

    Where it fails midway, the vectors of the lines that were answered are saved beside OUTPUT, as NAME.partial.SUFFIX.

    The key is read from MISTRAL_API_KEY, or the profile's variable; no option takes it, since options show in the list
    of processes. Empty lines are not allowed.
    """
    from ..files import save

    client = _client(_key(api_key_variable, api_key_file), base_url, changed_profile(profile, **packing))
    model = model or PROFILES[profile].default_model
    if model is None:
        raise click.UsageError(f"say --model: {profile} has no model that is taken by default")
    lines = texts.read().splitlines()
    if not lines:
        raise ValueError(f"{texts.name} holds no texts, of which each line is one")
    for number, line in enumerate(lines, 1):
        if not line.strip():
            raise ValueError(f"line {number} is empty: each line of {texts.name} is a text to embed")
    with progress_bar("embedding") as report, client:
        try:
            answer = client.embed(
                lines,
                model=model,
                output_dtype=dtype,
                output_dimension=dimension,
                encoding_format=encoding,
                progress=(lambda done, total: report(done, total or len(lines), "embedding")) if report else None,
            )
        except BaseException as error:  # an interruption from the keyboard, too
            _save_answered(getattr(error, "partial", None), output)
            raise
    try:
        save(output, answer.embeddings)
    except StorageError:  # of a kind of file that has no room for what was paid for
        kept = output.with_name(f"{output.stem}.partial.safetensors")
        save(kept, answer.embeddings)
        say(f"all lines were answered: {answer.embeddings!r} -> {kept}", error=True)
        raise
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
        say(f"{answer.embeddings!r} from {answer.model} -> {output}")


@file_command(epilog=example("embcodec batch output.jsonl --dtype int8 -o vectors.safetensors"))
@click.argument("results", type=click.Path(exists=True, dir_okay=False, allow_dash=True, path_type=Path))
@click.option(
    "-o", "--output", type=VECTORS_OUTPUT, required=True, help="Where to save; the suffix says the kind of file."
)
@click.option("--dtype", type=DTYPES, default="float", show_default=True, help="The output_dtype that was asked for.")
@click.option(
    "--dimension", type=click.IntRange(min=1), help="How many dimensions are expected; of packed bits, how many count."
)
@click.option(
    "--ids",
    type=OUTPUT,
    help="Also write the custom_id of every row here, one a line.",
)
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
    dtype: OutputDtypeName,
    dimension: int | None,
    ids: Path | None,
    max_failed: int | None,
    profile: str,
    as_json: bool,
    **packing: Any,
) -> None:
    r"""Decode the RESULTS of a batch job (JSONL; a file, or - for standard input) into one file of vectors.

    They may be zipped (.gz, .zst), and the lines be those of Mistral, OpenAI, Bedrock, Gemini or Vertex AI, or bodies.

    The first lines that failed are told on standard error, all of them counted by reason. The rows of the others are
    saved in any case; the exit status is 1 if there are none, if RESULTS are cut or damaged, or for more failures than
    --max-failed.

    Rows are in the order of RESULTS, which is seldom that of the requests, and lines that failed leave none: --ids says
    whose each row is. An id that is no line of text by itself is written as JSON ("a\\nb"), null where there is none.
    """
    from ..containers import replacing
    from ..files import save
    from ..wire.batch import decode_batch

    with progress_bar("decoding") as report:
        told = (lambda done, total: report(done, total or done, "decoding")) if report is not None else None
        found = decode_batch(
            sys.stdin.buffer if str(results) == "-" else results,
            output_dtype=dtype,
            dimension=dimension,
            profile=changed_profile(profile, **packing),
            progress=told,
            max_bytes=max_bytes(),
        )
    if not len(found.embeddings):
        tell_failures(found.errors)
        raise ValueError(f"{results}: no line holds vectors ({len(found.errors)} failed)")
    save(output, found.embeddings)
    if ids is not None:
        with replacing(ids) as file:
            file.write("".join(f"{_in_a_line(name)}\n" for name in found.custom_ids).encode())
    tell_failures(found.errors)
    broken = found.broken_off
    facts = {
        "rows": len(found.embeddings),
        "dimension": found.embeddings.dimension,
        "output_dtype": str(found.embeddings.output_dtype),
        "errors": len(found.errors),
        "broken_off": None if broken is None else str(broken),
        "output": str(output),
    }
    if as_json:
        print_json(facts)
    else:
        say(f"{found.embeddings!r}, {len(found.errors)} failed -> {output}")
    if broken is not None:
        say(f"Error: {results} cannot be read on: rows from line {broken.line} on are not in {output}", error=True)
        click.get_current_context().exit(1)
    if len(found.errors) > (len(found.embeddings) if max_failed is None else max_failed):
        most = "there are rows" if max_failed is None else f"--max-failed {max_failed} allows"
        say(f"Error: {results}: {counted(len(found.errors), 'line', 'lines')} failed, more than {most}", error=True)
        click.get_current_context().exit(1)


def _in_a_line(name: str | None) -> str:
    """Return an id as a line that tells it from all others: as it is, or in JSON, which no usual id looks like."""
    is_plain = name is not None and name.isprintable() and name != "null" and not name.startswith('"')
    return name if name is not None and is_plain else json.dumps(name)


def _save_answered(partial: Partial | None, output: Path) -> None:
    """Save what was answered before a failure beside `output`, and say which lines that is."""
    from ..client import merge
    from ..files import save

    if partial is None or not partial.answered:
        return
    path = output.with_name(f"{output.stem}.partial{output.suffix}")
    runs: list[range] = []
    for texts, _ in partial.answered:
        joined = runs and runs[-1].stop == texts.start
        runs.append(range(runs.pop().start, texts.stop) if joined else texts)
    lines = ", ".join(f"{run.start + 1} to {run.stop}" for run in runs)
    try:
        kept = merge([answer for _, answer in partial.answered], [texts.start for texts, _ in partial.answered])
        save(path, kept.embeddings)
    except (EmbcodecError, OSError) as error:  # answers of different lengths, or a full disk
        say(f"lines {lines} were answered, but not saved: {words_of(error)}", error=True)
    else:
        say(f"lines {lines} were answered: {kept.embeddings!r} -> {path}", error=True)


def _key(variable: str | None, file: Path | None) -> Secret | None:
    """Return the key that the options lead to, if they do; no variable of a frame ever holds it as text."""
    from ..wire.http import Secret

    if variable is not None and file is not None:
        raise click.UsageError("the key comes from --api-key-variable or from --api-key-file, not from both")
    if file is not None:
        key, place = Secret(file.read_bytes().decode("latin-1")), str(file)
    elif variable is not None:
        key, place = Secret(os.environ.get(variable, "")), f"the environment variable {variable}"
        if not key:
            raise click.UsageError(f"{place} is not set")
    else:
        return None
    if not key or key.flaw is not None:
        raise click.UsageError(f"{place} {key.flaw or 'holds no key'}")
    return key


def _client(api_key: Secret | None, base_url: str | None, profile: Profile) -> Client:
    """Return a client; a malformed address is bad usage, and so is a service without the key that it will want."""
    from ..client import Client

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
            "--api-key-variable, a file with --api-key-file, or another server with --base-url"
        )
    return client
