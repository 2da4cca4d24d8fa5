"""Try the SDKs of others on the server: each gives the model's own vectors, or an error in words, in every case.

``make test-sdks`` makes the places where the SDKs are: a virtual environment and a folder of npm. The table's cells:
"right"; "right as base64", a string that, read as the type asked for, gives the codes; "refused", an error that the SDK
raised, told below; "-", the SDK has no way to ask; WRONG, with which the exit status is 1. The last column is a model
that the server lacks: "listed" where the SDK's error shows those that it has.
"""

from __future__ import annotations

import argparse
import base64
import importlib.util
import json
import os
import re
import shutil
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import numpy as np

from embcodec.quantizers.quantize import quantize
from embcodec.server.app import running_server
from embcodec.server.model import HashModel

HERE = Path(__file__).parent
MODEL, KEY = "hash-256", "sk-of-the-house"
TEXTS = ["first text", "second, longer text", "Ünïcode: 漢字 🦆"]
DTYPES = ("float", "int8", "uint8", "binary", "ubinary")
ENCODINGS = (None, "float", "base64")


def judge(said: dict[str, Any]) -> str:
    """Return the verdict on one answer."""
    if said["dtype"] is None:  # a model that is not there: the error lists those that are
        before = ("extra_forbidden", "token ids are not taken")
        if any(words in said.get("error", "") for words in before):  # refused before the model is looked for
            return "refused"
        return "listed" if MODEL in said.get("error", "") else "WRONG"
    if "error" in said:
        in_words = len(said["error"].partition(":")[2].split()) > 2 and "no body" not in said["error"]
        return "refused" if in_words and "onnection" not in said["error"] else "WRONG"
    if said["rows"] is None:
        return "-"
    want = quantize(HashModel(256).encode(TEXTS), said["dtype"]).values
    rows, right = said["rows"], "right"
    try:
        if all(isinstance(row, str) for row in rows):
            if said["encoding"] != "base64":  # nobody asked for it
                return "WRONG"
            rows = [np.frombuffer(base64.b64decode(row, validate=True), want.dtype) for row in rows]
            right = "right as base64"
        got = np.array(rows, np.float64)
    except (ValueError, TypeError):
        return "WRONG"
    return right if got.shape == want.shape and np.array_equal(np.float32(got), np.float32(want)) else "WRONG"


def ask(command: list[str], folder: Path) -> list[dict[str, Any]]:
    """Return what the SDKs of one language say."""
    done = subprocess.run(command, cwd=folder, stdout=subprocess.PIPE, encoding="utf-8", check=True)
    return [json.loads(line) for line in done.stdout.splitlines()]


def versions(python: str, node_folder: str | None) -> list[str]:
    """Return the names and versions of the SDKs that are there."""
    names = (HERE / "requirements.txt").read_text().split()
    code = (
        "import sys, importlib.metadata as m; print(*(f'{name} {m.version(name)}' for name in sys.argv[1:]), sep='\\n')"
    )
    found = subprocess.run([python, "-c", code, *names], stdout=subprocess.PIPE, encoding="utf-8", check=True).stdout
    listed = found.splitlines()
    if node_folder is not None:
        for name in json.loads((HERE / "package.json").read_text())["dependencies"]:
            package = Path(node_folder, "node_modules", name, "package.json")
            listed.append(f"{name} {json.loads(package.read_text())['version']} (Node)")
    return listed


def has_tokens(python: str) -> bool:
    """Have tiktoken find the table that LlamaIndex brings, here and in the SDKs; whether the server has tiktoken."""
    code = "import llama_index.core as core, os; print(os.path.join(core.__path__[0], '_static', 'tiktoken_cache'))"
    done = subprocess.run([python, "-c", code], stdout=subprocess.PIPE, encoding="utf-8", check=True)
    os.environ["TIKTOKEN_CACHE_DIR"] = done.stdout.strip()
    return importlib.util.find_spec("tiktoken") is not None


def table(answers: list[dict[str, Any]], verdicts: dict[Any, str]) -> Iterator[str]:
    """Yield a table of Markdown, and the words of the SDKs that were refused something."""
    yield f"| SDK | asked for | {' | '.join(DTYPES)} | no such model |"
    yield "|---" * (len(DTYPES) + 3) + "|"
    for sdk in dict.fromkeys(said["sdk"] for said in answers):
        for encoding in ENCODINGS:
            cells = [verdicts[sdk, encoding, dtype] for dtype in DTYPES]
            if set(cells) == {"-"}:
                continue
            cells.append(verdicts[sdk, None, None] if encoding is None else "")
            yield f"| {sdk if encoding is None else ''} | {encoding or 'nothing'} | {' | '.join(cells)} |"
    yield "\nRefused in words such as:\n"
    told = [said for said in answers if "error" in said and said["dtype"] is not None]
    for sdk, words in {said["sdk"]: said["error"] for said in told}.items():
        shown = " ".join(re.sub(r"http://127\.0\.0\.1:\d+|'date': '[^']*'", "...", words).split())
        yield f"- {sdk}: `{shown[:220].replace('`', chr(39))}`"


INTRODUCTION = """# Which clients read what

The SDKs of others, asked for every dtype and encoding, of `embcodec serve` with a key: what they return is compared
with the model's own vectors. `make sdk-table` writes this page, and `make test-sdks` tries the same.

"right": the codes, or floats, themselves; "right as base64": a text that, read as the dtype that was asked for, gives
them; "refused": an error that says why in words; "-": the SDK has no way to ask. The last column is a model that the
server lacks: "listed" where the SDK's error names those that it has. "nothing": whatever encoding the SDK asks for by
itself.
"""


def main(python: str, node_folder: str | None = None, *, page: Path | None = None) -> int:
    """Print a table for each kind of server, or write the page, and return the exit status."""
    wrong = 0
    tokens = has_tokens(python)
    lines = [INTRODUCTION, f"Tried: {', '.join(versions(python, node_folder))}.\n"]
    if not tokens:
        print("without tiktoken beside the server token ids are refused: pip install tiktoken", file=sys.stderr)
    for lenient in (False, True):
        with running_server([MODEL], lenient=lenient, api_key=KEY) as server:
            arguments = [server.base_url, MODEL, KEY]
            answers = ask([python, str(HERE / "ask.py"), *arguments], HERE)
            if node_folder is not None and shutil.which("node"):
                answers += ask(["node", "ask.mjs", *arguments], Path(node_folder))
        verdicts = {(said["sdk"], said.get("encoding"), said["dtype"]): judge(said) for said in answers}
        lines += [f"## {'A lenient server' if lenient else 'A strict server'}\n", *table(answers, verdicts), ""]
        wrong += sum(verdict == "WRONG" for verdict in verdicts.values())
    text = "\n".join(lines)
    if page is None or wrong:
        print(text)
    else:
        page.write_text(text.rstrip() + "\n", encoding="utf-8")
    print(f"\n{wrong} wrong", file=sys.stderr)
    return int(wrong > 0)


if __name__ == "__main__":
    parser = argparse.ArgumentParser(description=(__doc__ or "").partition("\n")[0])
    parser.add_argument("python", help="of the environment that has the SDKs")
    parser.add_argument("node_folder", nargs="?", help="where npm put those for Node")
    parser.add_argument("--page", type=Path, help="write the tables there, if nothing is wrong")
    asked = parser.parse_args()
    sys.exit(main(asked.python, asked.node_folder, page=asked.page))
