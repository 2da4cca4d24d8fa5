"""Try the SDKs of others on the server: each gives the model's own vectors, or an error in words, in every case.

``make test-sdks`` makes the places where the SDKs are: a virtual environment and a folder of npm. The table's cells:
"right"; "right as base64", a string that, read as the type asked for, gives the codes; "refused", an error that the SDK
raised, told below; "-", the SDK has no way to ask; WRONG, with which the exit status is 1. The last column is a model
that the server lacks: "listed" where the SDK's error shows those that it has.
"""

from __future__ import annotations

import base64
import json
import shutil
import subprocess
import sys
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
        if "extra_forbidden" in said.get("error", ""):  # a strict server refuses the SDK's own fields first
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


def main(python: str, node_folder: str | None = None) -> int:
    """Print a table for each kind of server, and return the exit status."""
    wrong = 0
    for lenient in (False, True):
        with running_server([MODEL], lenient=lenient, api_key=KEY) as server:
            arguments = [server.base_url, MODEL, KEY]
            answers = ask([python, str(HERE / "ask.py"), *arguments], HERE)
            if node_folder is not None and shutil.which("node"):
                answers += ask(["node", "ask.mjs", *arguments], Path(node_folder))
        print(f"\n{'lenient' if lenient else 'strict'} server\n")
        print(f"{'SDK':30}{'asked for':10}" + "".join(f"{dtype:17}" for dtype in DTYPES) + "no such model")
        verdicts = {(said["sdk"], said.get("encoding"), said["dtype"]): judge(said) for said in answers}
        for sdk in dict.fromkeys(said["sdk"] for said in answers):
            for encoding in ENCODINGS:
                cells = [verdicts[sdk, encoding, dtype] for dtype in DTYPES]
                cells += [verdicts[sdk, None, None]] if encoding is None else []
                print(f"{sdk:30}{encoding or 'nothing':10}" + "".join(f"{cell:17}" for cell in cells))
        print("\nRefused in words such as:")
        told = [said for said in answers if "error" in said and said["dtype"] is not None]
        for sdk, words in {said["sdk"]: said["error"] for said in told}.items():
            print(f"  {sdk}: {' '.join(words.split())[:220]}")
        wrong += sum(verdict == "WRONG" for verdict in verdicts.values())
    print(f"\n{wrong} wrong")
    return int(wrong > 0)


if __name__ == "__main__":
    sys.exit(main(*sys.argv[1:]))
