"""Commands of the command line, run in this process."""

from __future__ import annotations

import json
from typing import Any

from click.testing import CliRunner, Result

from embcodec.cli import main


def run(*arguments: object, text: str | bytes | None = None) -> Result:
    return CliRunner().invoke(main, [str(argument) for argument in arguments], input=text)


def run_json(*arguments: object) -> Any:
    done = run(*arguments, "--json")
    assert done.exit_code == 0, done.output
    return json.loads(done.stdout)
