"""What commands read: standard input, zipped files, saved indexes, one column or array of several."""

from __future__ import annotations

import gzip
import json
import os
from pathlib import Path
from typing import Any

import click
import numpy as np
import pytest
from commands import run, run_json
from hostile import hostile_server, http

from embcodec import FlatIndex, load, quantize
from embcodec.cli.command import main
from embcodec.cli.common import FileCommand


@pytest.fixture
def vectors(tmp_path: Path) -> Path:
    x = np.random.default_rng(3).standard_normal((400, 32), dtype=np.float32)
    np.save(tmp_path / "vectors.npy", x / np.linalg.norm(x, axis=1, keepdims=True))
    return tmp_path / "vectors.npy"


def test_search_of_a_saved_index(vectors: Path, tmp_path: Path) -> None:
    path, rows = tmp_path / "index.safetensors", load(vectors)
    index = FlatIndex(quantize(rows, "ubinary"), rescore_with=rows, ids=np.arange(len(rows)) + 1000)
    index.save(path)
    found = run_json("search", vectors, path, "-k", 3)
    expected = index.search(rows, 3)
    assert found["indices"] == expected.indices.tolist()
    np.testing.assert_array_equal(np.float32(found["scores"]), expected.scores)
    assert [row[0] for row in found["indices"]] == [1000 + row for row in range(len(rows))]
    refused = run("search", vectors, path, "--corpus-dtype", "ubinary")
    assert (refused.exit_code, "leave out the --corpus- options" in refused.stderr) == (2, True)


def test_batch_reads_standard_input(tmp_path: Path) -> None:
    line = b'{"custom_id":"a","response":{"status_code":200,"body":{"data":[{"embedding":[1,2]}]}},"error":null}\n'
    for data in (line, gzip.compress(line), line.decode().encode("utf-16")):
        done = run("batch", "-", "-o", tmp_path / "out.npy", text=data)
        assert done.exit_code == 0, done.output
        assert load(tmp_path / "out.npy").values.tolist() == [[1, 2]]
    (tmp_path / "out.jsonl.gz").write_bytes(gzip.compress(line))
    assert run("batch", tmp_path / "out.jsonl.gz", "-o", tmp_path / "out.npy").exit_code == 0
    bomb = gzip.compress(line + b" " * (80 << 20))
    done = run("batch", "-", "-o", tmp_path / "out.npy", text=bomb)
    assert "set EMBCODEC_MAX_BYTES" in done.stderr


def test_a_column_or_a_dtype_of_what_has_several(tmp_path: Path) -> None:
    x = np.random.default_rng(1).standard_normal((400, 8)).astype(np.float32)
    np.savez(tmp_path / "a.npz", train=x, test=x[:5])
    path = tmp_path / "a.npz"
    assert "say --column" in run("info", path).stderr
    for option in ("--column", "--member"):
        assert run_json("info", path, option, "test")["rows"] == 5
        assert run("encode", path, option, "test").exit_code == 0
    asked = ("tradeoff", path, "--column", "train", "--queries", path, "--query-column", "test")
    assert run_json(*asked, "-k", 3, "--code", "int8")["queries"] == 5
    found = run_json("search", path, path, "--query-member", "test", "--corpus-column", "train", "-k", 1)
    assert found["indices"] == [[0], [1], [2], [3], [4]]
    half = (x.view(np.uint32) >> 16).astype(np.uint16).view("V2")
    np.save(tmp_path / "half.npy", half)
    for arguments in (("info", tmp_path / "half.npy"), ("encode", tmp_path / "half.npy")):
        assert "--float-dtype 'bfloat16'" in run(*arguments).stderr
        assert run(*arguments, "--float-dtype", "bfloat16").exit_code == 0
    asked = ("search", tmp_path / "half.npy", tmp_path / "half.npy", "-k", "1")
    assert "--query-float-dtype" in run(*asked).stderr
    assert "--corpus-float-dtype" in run(*asked, "--query-float-dtype", "bfloat16").stderr
    assert run(*asked, "--query-float-dtype", "bfloat16", "--corpus-float-dtype", "bfloat16").exit_code == 0


def test_embed_reads_answers_of_another_shape(tmp_path: Path) -> None:
    with hostile_server(http({"result": [{"vec": [1, 2]}]})) as server:
        options = ("embed", "-", "-o", tmp_path / "x.npy", "--base-url", server.base_url)
        refused = run(*options, text="a")
        assert "--rows 'result' --item vec" in refused.stderr
        assert run(*options, "--rows", "result", "--item", "vec", text="a").exit_code == 0


def test_decode_reads_utf16(tmp_path: Path) -> None:
    path = tmp_path / "body.json"
    path.write_text('{"data": [{"embedding": [1, 2]}]}', encoding="utf-16")
    assert run_json("decode", path)["embeddings"] == [[1, 2]]


def test_every_command_keeps_what_it_reads() -> None:
    for name in main.list_commands(click.Context(main)):
        assert isinstance(main.get_command(click.Context(main), name), FileCommand), name


@pytest.mark.parametrize("link", [None, os.symlink, os.link])
@pytest.mark.parametrize(
    ("arguments", "output"),
    [
        (("encode", "file.npy", "--dtype", "int8"), "-o"),
        (("decode", "file.npy"), "-o"),
        (("embed", "file.npy", "--model", "m", "--base-url", "http://127.0.0.1:9"), "-o"),
        (("batch", "file.npy"), "-o"),
        (("batch", "file.npy", "-o", "other.npy"), "--ids"),
        (("batch", "lines.jsonl", "-o", "file.npy"), "--ids"),
        (("tradeoff", "file.html", "--queries", "file.html"), "--report"),
    ],
)
def test_no_output_is_an_input(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, arguments: tuple[str, ...], output: str, link: Any
) -> None:
    """By whatever path: what somebody paid for would be gone, with status 0."""
    monkeypatch.chdir(tmp_path)
    name = arguments[-1] if "-o" in arguments and "lines.jsonl" in arguments else arguments[1]
    for each in ("file.npy", "file.html", "lines.jsonl"):
        Path(each).write_bytes(b"paid for")
    target = Path(f"./link{Path(name).suffix}") if link else Path(f"../{tmp_path.name}/{name}")
    if link:
        link(name, target)
    done = run(*arguments, output, target)
    assert (done.exit_code, f"would write over {name}" in done.stderr) == (2, True), done.output
    assert Path(name).read_bytes() == b"paid for"


def test_two_outputs_are_two_files(tmp_path: Path) -> None:
    path = batch_file(tmp_path, "a")
    for ids in (tmp_path / "out.npy", tmp_path / "." / "out.npy"):
        done = run("batch", path, "-o", tmp_path / "out.npy", "--ids", ids)
        assert (done.exit_code, "would write over" in done.stderr, "-o" in done.stderr) == (2, True, True)


def batch_file(folder: Path, *names: str | None) -> Path:
    response = {"status_code": 200, "body": {"data": [{"embedding": [1, 2]}]}}
    path = folder / "answers.jsonl"
    path.write_text("".join(json.dumps({"custom_id": name, "response": response}) + "\n" for name in names))
    return path


def test_an_id_is_a_line_that_is_like_no_other(tmp_path: Path) -> None:
    names = ["a\nb", "b", None, "None", "null", '"a\\nb"', "é", "", " c", "d\r", "\u2028", "\ud800"]
    done = run("batch", batch_file(tmp_path, *names), "-o", tmp_path / "out.npy", "--ids", tmp_path / "ids.txt")
    assert done.exit_code == 0, done.output
    lines = (tmp_path / "ids.txt").read_text().splitlines()
    assert len(lines) == len(load(tmp_path / "out.npy")) == len(set(lines)) == len(names)
    assert lines[:5] == ['"a\\nb"', "b", "null", "None", '"null"']
    assert [json.loads(line) if line.startswith('"') or line == "null" else line for line in lines] == names


def test_failures_that_differ_by_their_ids_are_one_kind(tmp_path: Path) -> None:
    path = batch_file(tmp_path, *[f"n{number}" for number in range(12)] * 2)
    done = run("batch", path, "-o", tmp_path / "out.npy", "--ids", tmp_path / "ids.txt")
    assert done.stderr.splitlines()[0] == "line 13, n0: custom_id 'n0' was answered on line 1 already"
    assert done.stderr.splitlines()[-1] == "12 lines failed: 12 x custom_id ... was answered on line ... already"


@pytest.mark.parametrize("suffix", [".safetensors", ".NPY", ".parquet", ".fbin"])
def test_a_body_is_not_named_like_a_file_of_vectors(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, suffix: str
) -> None:
    """JSON under such a name is found out only when somebody loads it; what the message names does save vectors."""
    monkeypatch.chdir(tmp_path)
    np.save("x.npy", np.eye(4, dtype=np.float32))
    done = run("encode", "x.npy", "--dtype", "int8", "-o", f"codes{suffix}")
    assert done.exit_code == 2
    assert f"`embcodec quantize x.npy -o codes{suffix} --dtype int8` saves codes" in done.stderr
    assert not Path(f"codes{suffix}").exists()
    assert run("quantize", "x.npy", "-o", "codes.npz", "--dtype", "int8").exit_code == 0
    assert load("codes.npz") == quantize(np.eye(4), "int8")
    assert run("encode", "x.npy", "-o", "body.json").exit_code == 0
