"""``decode`` and ``batch`` on what is not as the profile has it: the options that an error names lead on."""

from __future__ import annotations

import base64
import json
import re
import shlex
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from click.testing import CliRunner, Result

from embcodec import load
from embcodec.cli.command import main


def run(*arguments: Any) -> Result:
    return CliRunner().invoke(main, [str(each) for each in arguments])


def unit(dimension: int) -> np.ndarray:
    x = np.random.default_rng(0).standard_normal((1, dimension))
    return x / np.linalg.norm(x)


def write_body(path: Path, *rows: np.ndarray) -> Path:
    items = [{"embedding": base64.b64encode(row.tobytes()).decode()} for row in rows]
    path.write_text(json.dumps({"data": items}))
    return path


def options_in(words: str) -> list[str]:
    """Return the options that a message names, ready to be passed."""
    said = re.findall(
        r"--(?:dtype|base64-dtype|byte-order|rows|item|profile) (?:'[^']*'|[\w.{}]+)|--ignore-index", words
    )
    return shlex.split(" ".join(said))


@pytest.mark.parametrize(
    ("rows", "dimension"),
    [
        (unit(256), 256),
        (unit(256).astype(np.float16), 256),
        (unit(256).astype(">f4"), 256),
        (unit(256).astype(">f8"), 256),
        (np.round(127 * unit(256)).astype(np.int8), 256),
        (np.packbits(unit(1024) > 0, axis=1), 1024),
    ],
    ids=["float64", "float16", "big-endian", "big-endian float64", "int8", "bits"],
)
@pytest.mark.parametrize("command", ["decode", "batch"])
def test_base64_of_another_dtype(tmp_path: Path, rows: np.ndarray, dimension: int, command: str) -> None:
    path, out = write_body(tmp_path / "body.json", *rows), tmp_path / "out.safetensors"
    if command == "batch":
        path.write_text('{"custom_id":"a","response":{"status_code":200,"body":' + path.read_text() + "}}")
    refused = run(command, path, "-o", out)
    assert refused.exit_code == 1
    assert not re.search(r"output_dtype|base64_dtype|byte_order|replace\(", refused.output)
    assert not out.exists()
    options = options_in(refused.output)
    assert options
    accepted = run(command, path, "-o", out, *options)
    assert accepted.exit_code == 0, accepted.output
    found = load(out)
    assert found.dimension == dimension
    np.testing.assert_array_equal(found.values, rows if rows.dtype.itemsize == 1 else rows.astype(np.float32))


@pytest.mark.parametrize(
    "body",
    [
        {"embeddings": [{"values": [1, 2]}]},
        {"result": {"data": [[1, 2]]}},
        {"embeddings": {"float": [[1, 2]]}},
        {"data": [{"index": 0, "embedding": [1, 2]}, {"index": 0, "embedding": [1, 2]}]},
        [[1, 2]],
    ],
)
def test_bodies_of_other_shapes(tmp_path: Path, body: Any) -> None:
    path = tmp_path / "body.json"
    path.write_text(json.dumps(body))
    refused = run("decode", path)
    assert refused.exit_code == 1
    accepted = run("decode", path, "--json", *options_in(refused.output))
    assert accepted.exit_code == 0, refused.output + accepted.output
    assert json.loads(accepted.output)["embeddings"][0] == [1, 2]


def test_decode_names_batch_and_batch_reads_bare_bodies(tmp_path: Path) -> None:
    path, out = tmp_path / "lines.jsonl", tmp_path / "out.npy"
    body = '{"data":[{"embedding":[1,2]}]}'
    line = '{"custom_id":"a","response":{"status_code":200,"body":' + body + "}}"
    for text in (line, line + "\n" + line):
        path.write_text(text)
        assert "embcodec batch" in run("decode", path).output
    path.write_text(body)
    assert run("batch", path, "-o", out).exit_code == 0
    assert load(out).values.tolist() == [[1, 2]]


def test_reasons_are_told_where_all_lines_failed(tmp_path: Path) -> None:
    path = tmp_path / "lines.jsonl"
    said = '{"custom_id":"%d","response":{"status_code":429,"body":{"error":{"message":"%s"}}}}'
    path.write_text("\n".join(said % (i, "quota exhausted" if i % 3 else "too many tokens") for i in range(30)))
    failed = run("batch", path, "-o", tmp_path / "out.npy")
    assert failed.exit_code == 1
    assert "0: too many tokens [429]" in failed.output
    assert "30 lines failed: 20 x quota exhausted [429]; 10 x too many tokens [429]" in failed.output
    assert "no line holds vectors (30 failed)" in failed.output


@pytest.mark.parametrize(
    ("options", "words"),
    [
        (["--max-failed", "2"], "3 lines failed, more than --max-failed 2 allows"),
        ([], "3 lines failed, more than there are rows"),
        (["--max-failed", "3"], None),
    ],
)
def test_a_status_of_1_says_why(tmp_path: Path, options: list[str], words: str | None) -> None:
    path, out = tmp_path / "lines.jsonl", tmp_path / "out.npy"
    line = '{"custom_id":"%d","response":{"status_code":200,"body":{"data":[{"embedding":[1,2]}]}}}'
    path.write_text("\n".join([line % 0, line % 1, *["{}"] * 3]))
    done = run("batch", path, "-o", out, *options)
    assert done.exit_code == (words is not None)
    assert done.stderr.count("Error: ") == (words is not None)
    assert (words or "") in done.stderr
    assert len(load(out)) == 2


def test_one_line_that_failed_is_one(tmp_path: Path) -> None:
    path = tmp_path / "lines.jsonl"
    path.write_text('{"custom_id":"0","response":{"status_code":200,"body":{"data":[{"embedding":[1,2]}]}}}\n{}')
    assert "1 line failed, more than" in run("batch", path, "-o", tmp_path / "out.npy", "--max-failed", "0").stderr


def test_bits_that_are_a_number_each_are_read_by_the_option_that_is_named(tmp_path: Path) -> None:
    bits = np.random.default_rng(0).integers(0, 2, (2, 64))
    path = tmp_path / "body.json"
    path.write_text(json.dumps({"data": [{"embedding": row} for row in bits.tolist()]}))
    asked = ("decode", path, "--dtype", "ubinary", "-o", tmp_path / "bits.npy")
    done = run(*asked)
    assert done.exit_code == 1
    assert "--bits-as-numbers reads it; of packed bits say dimension" in done.stderr
    assert run(*asked, "--bits-as-numbers").exit_code == 0
    assert np.array_equal(np.load(tmp_path / "bits.npy"), np.packbits(bits, axis=1))


@pytest.mark.parametrize("profile", ["cohere", "vertex", "bedrock-titan", "huggingface"])
def test_what_encode_writes_by_a_profile_decode_reads_by_it(tmp_path: Path, profile: str) -> None:
    path, body = tmp_path / "rows.npy", tmp_path / "body.json"
    np.save(path, np.array([[0.5, -1.0]], np.float32))
    assert run("encode", path, "--profile", profile, "-o", body).exit_code == 0
    decoded = run("decode", body, "--profile", profile, "--json")
    assert json.loads(decoded.output)["embeddings"] == [[0.5, -1.0]], decoded.output
