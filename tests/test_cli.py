"""The command line: what it prints, and the exit status of success, bad data and bad usage."""

from __future__ import annotations

import json
import subprocess
import sys
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from click.testing import CliRunner, Result

from embcodec.cli import main
from embcodec.storage import load

COMMANDS = ("decode", "encode", "info", "search", "tradeoff", "embed", "batch", "serve", "demo")


def run(*arguments: object, text: str | bytes | None = None) -> Result:
    return CliRunner().invoke(main, [str(argument) for argument in arguments], input=text)


def run_json(*arguments: object) -> Any:
    done = run(*arguments, "--json")
    assert done.exit_code == 0, done.output
    return json.loads(done.stdout)


@pytest.fixture
def vectors(tmp_path: Path) -> Path:
    generator = np.random.default_rng(3)
    x = generator.standard_normal((400, 32), dtype=np.float32)
    np.save(tmp_path / "vectors.npy", x / np.linalg.norm(x, axis=1, keepdims=True))
    return tmp_path / "vectors.npy"


@pytest.mark.parametrize("command", COMMANDS)
def test_help_has_an_example(command: str) -> None:
    done = run(command, "--help")
    assert done.exit_code == 0
    assert f"embcodec {command}" in done.stdout
    assert "Example:" in done.stdout


def test_help_lists_every_command() -> None:
    done = run("--help")
    assert done.exit_code == 0
    for command in COMMANDS:
        assert f"\n  {command} " in done.stdout
        assert main.get_command(None, command).name == command  # type: ignore[arg-type]


def test_help_is_light() -> None:
    code = (
        "import sys; from embcodec.cli import main\n"
        "main(['--help'], standalone_mode=False)\n"
        "print(sorted({'numba', 'rich', 'httpx2', 'matplotlib', 'starlette', 'pyarrow'} & set(sys.modules)))"
    )
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    assert done.stdout.splitlines()[-1] == "[]"


@pytest.mark.parametrize("encoding", ["float", "base64"])
@pytest.mark.parametrize("dtype", ["float", "int8", "uint8", "binary", "ubinary"])
def test_encode_then_decode(tmp_path: Path, vectors: Path, dtype: str, encoding: str) -> None:
    body, back = tmp_path / "body.json", tmp_path / "back.safetensors"
    facts = run_json("encode", vectors, "--dtype", dtype, "--encoding", encoding, "--dimension", 30, "-o", body)
    assert facts["bytes"] == body.stat().st_size
    facts = run_json("decode", body, "--dtype", dtype, "--dimension", 30, "-o", back)
    assert (facts["rows"], facts["encoding_format"], facts["output"]) == (400, encoding, str(back))
    assert load(back) == load(vectors).truncate(30).to(dtype)
    printed = run_json("decode", body, "--dtype", dtype, "--dimension", 30)
    assert np.array_equal(np.array(printed["embeddings"], load(back).values.dtype), load(back).values)


def test_decode_reads_standard_input(vectors: Path) -> None:
    body = run("encode", vectors).stdout_bytes
    done = run("decode", "-", text=body)
    assert done.exit_code == 0
    assert "Embeddings(400 x 32 float, 51200 bytes) as float" in done.stdout


def test_nulls_print_as_null() -> None:
    body = '{"data":[{"embedding":[1.5,null],"index":0}]}'
    assert run("decode", "-", text=body).exit_code == 1
    done = run("decode", "-", "--nulls", "nan", "--json", text=body)
    assert json.loads(done.stdout)["embeddings"] == [[1.5, None]]


@pytest.mark.parametrize(
    ("arguments", "text", "status", "words"),
    [
        (("decode", "-"), "garbage", 1, "byte 0"),
        (("decode", "-"), '{"error":{"message":"no such model","type":"x","code":"1500"}}', 1, "no such model"),
        (("decode", "-", "-o", "x.pkl"), '{"data":[{"embedding":[1.5]}]}', 1, "unknown kind of file"),
        (("decode", "/nowhere/at/all"), None, 2, "No such file"),
        (("decode", "-", "--dtype", "int4"), "{}", 2, "int4"),
        (("decode",), None, 2, "BODY"),
        (("frobnicate",), None, 2, "No such command"),
        (("search", __file__, __file__), None, 1, "unknown kind of file"),
        (("tradeoff", __file__), None, 1, "unknown kind of file"),
    ],
)
def test_exit_status_and_one_clear_line(arguments: tuple[str, ...], text: str | None, status: int, words: str) -> None:
    done = run(*arguments, text=text)
    assert done.exit_code == status
    assert words in done.stderr
    assert "Traceback" not in done.output
    if status == 1:
        assert done.stderr.count("\n") == 1
        assert done.stdout == ""


def test_as_a_process(vectors: Path, tmp_path: Path) -> None:
    command = [sys.executable, "-m", "embcodec"]
    encode = subprocess.run([*command, "encode", str(vectors)], capture_output=True, check=True)
    assert encode.stderr == b""
    output = tmp_path / "back.npz"
    done = subprocess.run(
        [*command, "decode", "-", "-o", str(output)], input=encode.stdout, capture_output=True, check=False
    )
    assert (done.returncode, done.stderr) == (0, b"")
    assert load(output) == load(vectors)
    broken = subprocess.run([*command, "decode", "-"], input=encode.stdout[:-9], capture_output=True, check=False)
    assert broken.returncode == 1
    assert broken.stderr.startswith(b"Error: ")
    assert broken.stderr.count(b"\n") == 1
