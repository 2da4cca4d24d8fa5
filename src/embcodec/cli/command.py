"""The ``embcodec`` command: a group whose subcommands are imported when they are asked for."""

from __future__ import annotations

import os
import sys
import warnings
from functools import partial
from importlib import import_module
from typing import Any

import click

from .._version import __version__
from ..errors import EmbcodecError, PrecisionWarning
from ..words import printable
from .words import did_you_mean, words_of

_COMMANDS = {
    "decode": ("data", "Read the vectors out of a response body."),
    "encode": ("data", "Write vectors as the response body that a service would send."),
    "info": ("data", "Say what a file holds and what each conversion of it would keep."),
    "search": ("search", "Find the nearest rows of a file or collection, exactly."),
    "quantize": ("quantize", "Turn a file of vectors into a file of codes."),
    "ingest": ("ingest", "Take files into a collection, each row once."),
    "tradeoff": ("study", "Measure what each dtype keeps and costs on your own vectors."),
    "embed": ("service", "Embed lines of text through a service."),
    "batch": ("service", "Decode the results of a batch job."),
    "serve": ("serve", "Serve POST /v1/embeddings with the embedded model."),
    "demo": ("study", "Run all of it on real text and write a report."),
}


class _Commands(click.Group):
    """Finds commands by name without importing them, and turns errors into one line and an exit status."""

    def list_commands(self, ctx: click.Context) -> list[str]:
        return list(_COMMANDS)

    def get_command(self, ctx: click.Context, cmd_name: str) -> click.Command | None:
        if cmd_name not in _COMMANDS:
            return None
        module = import_module(f".{_COMMANDS[cmd_name][0]}", __package__)
        command = getattr(module, cmd_name)
        assert isinstance(command, click.Command)
        return command

    def format_commands(self, ctx: click.Context, formatter: click.HelpFormatter) -> None:
        with formatter.section("Commands"):
            formatter.write_dl([(name, words) for name, (_, words) in _COMMANDS.items()])

    def resolve_command(
        self, ctx: click.Context, args: list[str]
    ) -> tuple[str | None, click.Command | None, list[str]]:
        if args and args[0] not in _COMMANDS and not args[0].startswith("-") and not ctx.resilient_parsing:
            ctx.fail(f"No such command {args[0]!r}.{did_you_mean(args[0], list(_COMMANDS))}")
        return super().resolve_command(ctx, args)

    def invoke(self, ctx: click.Context) -> Any:
        try:
            with warnings.catch_warnings():
                warnings.simplefilter("always", PrecisionWarning)
                warnings.showwarning = partial(_show_warning, ctx)
                return super().invoke(ctx)
        except BrokenPipeError:  # whoever read our output had enough: not an error, and nothing more to say
            sys.stdout = open(os.devnull, "w")  # noqa: SIM115 - lives until the interpreter flushes it
            ctx.exit(0)
        except KeyboardInterrupt:
            click.echo("Interrupted", err=True)
            ctx.exit(130)  # 128 + SIGINT, as shells count
        except (EmbcodecError, ValueError, TypeError, OSError, ModuleNotFoundError) as error:
            if os.environ.get("EMBCODEC_TRACEBACK"):
                raise
            raise click.ClickException(words_of(error, _invoked(ctx))) from None


def _invoked(ctx: click.Context) -> click.Command | None:
    return main.get_command(ctx, ctx.invoked_subcommand) if ctx.invoked_subcommand is not None else None


def _show_warning(ctx: click.Context, message: Warning | str, *_: Any) -> None:
    words = words_of(message, _invoked(ctx)) if isinstance(message, Warning) else printable(message)
    click.echo(f"Warning: {words}", err=True)


@click.command(
    cls=_Commands,
    epilog="Example:  embcodec decode body.json -o vectors.safetensors\n\nA command's own: embcodec COMMAND --help",
    context_settings={"help_option_names": ["-h", "--help"]},
)
@click.version_option(__version__, package_name="embcodec")
def main() -> None:
    """Decode, encode, quantize and search the vectors that embeddings APIs send.

    Exit status: 0 for success, 1 for bad data, 2 for bad usage, 130 for Ctrl-C.

    EMBCODEC_TRACEBACK=1 shows where an error arose.
    """
