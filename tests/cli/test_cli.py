"""The command line: what it prints, and the exit status of success, bad data and bad usage."""

from __future__ import annotations

import contextlib
import gzip
import json
import os
import shlex
import socket
import subprocess
import sys
import time
import urllib.request
from pathlib import Path

import numpy as np
import pytest
from commands import run, run_json
from hostile import HostileServer, Received, echo, hostile_server, http

import embcodec as ec
from embcodec import FlatIndex, LowBitQuantizer, search
from embcodec.cli.command import main
from embcodec.embeddings import Embeddings
from embcodec.files.storage import load, save
from embcodec.wire.response import decode_response

COMMANDS = ("decode", "encode", "info", "search", "quantize", "ingest", "tradeoff", "embed", "batch", "serve", "demo")


@pytest.fixture
def vectors(tmp_path: Path) -> Path:
    generator = np.random.default_rng(3)
    x = generator.standard_normal((400, 32), dtype=np.float32)
    np.save(tmp_path / "vectors.npy", x / np.linalg.norm(x, axis=1, keepdims=True))
    return tmp_path / "vectors.npy"


def test_an_address_that_is_taken_is_said_in_one_line() -> None:
    with socket.create_server(("127.0.0.1", 0)) as taken:
        done = run("serve", "--model", "hash-8", "--port", taken.getsockname()[1])
    assert done.exit_code == 1
    assert "cannot listen on 127.0.0.1" in done.stderr
    assert done.stderr.count("\n") == 1


def test_a_service_out_of_reach_is_said_at_once_and_in_the_end(tmp_path: Path) -> None:
    """In a process of its own: whatever else writes to standard error does so there."""
    with socket.create_server(("127.0.0.1", 0)) as closed:
        port = closed.getsockname()[1]
    (tmp_path / "lines.txt").write_text("a\n")
    code = (
        "import embcodec.client.transport as t; t._FIRST_WAIT = t._LONGEST_WAIT = 0.001\n"
        "from embcodec.cli.command import main; main()"
    )
    files = (str(tmp_path / "lines.txt"), "-o", str(tmp_path / "out.npy"))
    arguments = ("embed", *files, "--base-url", f"http://127.0.0.1:{port}")
    done = subprocess.run([sys.executable, "-c", code, *arguments], capture_output=True, text=True, check=False)
    assert done.returncode == 1
    words = f"cannot connect to 127.0.0.1:{port}: connection refused, as where no service listens at this port"
    assert done.stderr.splitlines() == [f"{words}; trying again, up to 5 times", f"Error: {words}"]


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
        "import sys; from embcodec.cli.command import main\n"
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


def test_encode_warns_of_clipping(tmp_path: Path, vectors: Path) -> None:
    np.save(tmp_path / "long.npy", load(vectors).values * 30)
    body = tmp_path / "body.json"
    done = run("encode", tmp_path / "long.npy", "--dtype", "int8", "-o", body)
    assert (done.exit_code, done.stderr.count("\n")) == (0, 1)
    assert "are clipped: --scale per-vector" in done.stderr
    done = run("encode", tmp_path / "long.npy", "--dtype", "int8", "--scale", "per-vector", "-o", body)
    assert (done.exit_code, done.stderr) == (0, "")
    wanted = load(vectors).to("int8", scale="per-vector").values
    assert np.array_equal(json.loads(body.read_text())["data"][7]["embedding"], wanted[7])
    assert run("encode", vectors, "--dtype", "int8", "-o", body).stderr == ""


def test_encode_has_no_room_for_scales(tmp_path: Path, vectors: Path) -> None:
    codes = load(vectors).to("int8", scale="per-vector")
    save(tmp_path / "codes.safetensors", codes)
    done = run("encode", tmp_path / "codes.safetensors")
    assert (done.exit_code, done.stdout) == (1, "")
    assert "say --dtype float, or --dtype int8 for the unit scale" in done.stderr
    for dtype, wanted in (("float", codes.to("float")), ("int8", codes.to("int8", scale="unit"))):
        body = run("encode", tmp_path / "codes.safetensors", "--dtype", dtype).stdout_bytes
        assert decode_response(body, output_dtype=dtype).embeddings == wanted


def test_decode_reads_standard_input(vectors: Path) -> None:
    body = run("encode", vectors).stdout_bytes
    done = run("decode", "-", text=body)
    assert done.exit_code == 0
    assert "Embeddings(400 x 32 float, 51200 bytes) sent as lists of numbers by embcodec" in done.stdout


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
        (("decode", "-", "-o", "x.pkl"), '{"data":[{"embedding":[1.5]}]}', 2, "unknown kind of file"),
        (("embed", "-", "-o", "x.txt"), "a", 2, "unknown kind of file"),
        (("batch", __file__, "-o", "x"), None, 2, "unknown kind of file"),
        (("embed", "-", "-o", "x.npy", "--base-url", "example.org/v1"), "a", 2, "absolute http or https"),
        (("embed", "-", "-o", "x.npy", "--base-url", "http://a:b@example.org"), "a", 2, "no user name"),
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


def test_an_interrupt_is_status_130(monkeypatch: pytest.MonkeyPatch, vectors: Path) -> None:
    def interrupted(*_: object, **__: object) -> None:
        raise KeyboardInterrupt

    monkeypatch.setattr("embcodec.files.load", interrupted)
    done = run("info", vectors)
    assert (done.exit_code, done.stderr) == (130, "Interrupted\n")


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


def test_integers_without_a_meaning_are_bad_data(tmp_path: Path) -> None:
    np.save(tmp_path / "codes.npy", np.ones((30, 4), np.int8))
    done = run("info", tmp_path / "codes.npy")
    assert done.exit_code == 1
    assert "say --dtype" in done.stderr
    assert run_json("info", tmp_path / "codes.npy", "--dtype", "binary", "--dimension", 32)["dimension"] == 32


def test_no_rows_is_not_a_crash(tmp_path: Path) -> None:
    save(tmp_path / "none.safetensors", Embeddings(np.empty((0, 8), np.float32)))
    assert run_json("info", tmp_path / "none.safetensors")["rows"] == 0
    assert run("tradeoff", tmp_path / "none.safetensors").exit_code == 1


def test_search_finds_rows_themselves(vectors: Path, tmp_path: Path) -> None:
    save(tmp_path / "codes.safetensors", load(vectors).to("int8", scale="per-vector"))
    found = run_json("search", vectors, tmp_path / "codes.safetensors", "-k", 3)
    assert np.array(found["indices"])[:, 0].tolist() == list(range(400))
    assert np.array(found["scores"]).shape == (400, 3)
    assert "399" in run("search", vectors, tmp_path / "codes.safetensors").stdout
    save(tmp_path / "bits.safetensors", load(vectors).to("ubinary"))
    done = run("search", tmp_path / "bits.safetensors", tmp_path / "codes.safetensors")
    assert (done.exit_code, done.stderr.count("\n")) == (1, 1)


def test_info_says_what_conversions_keep(vectors: Path) -> None:
    facts = run_json("info", vectors)
    kept = {row["to"]: row for row in facts["conversions"]}
    assert kept["int8 per-vector"]["cosine"] > 0.9999
    assert kept["int8 per-vector"]["overlap"] > 0.97 > kept["ubinary, float query"]["overlap"]
    assert kept["ubinary, float query"]["row_bytes"] == 4
    assert "int8 per-vector" in run("info", vectors).stdout


def test_info_tries_low_bit_codes_where_there_are_rows_to_fit_them_to(vectors: Path, tmp_path: Path) -> None:
    for options, fitted_to in (((), "the sample"), (("--sample", 200), "other rows")):
        facts = run_json("info", vectors, *options)
        kept = {row["to"].partition(",")[0]: row for row in facts["conversions"]}
        assert facts["conversions_omitted"] is None
        assert (kept["2 bits"]["row_bytes"], kept["2 bits"]["fitted_to"]) == (16, fitted_to)
        assert kept["1 bit"]["overlap"] < kept["2 bits"]["overlap"] < kept["4 bits"]["overlap"]
    assert "fitted to the rows that they are tried on" in run("info", vectors).stdout
    save(tmp_path / "some.safetensors", load(vectors)[:150])
    assert "Low-bit codes were not tried: 150 rows are too few" in run("info", tmp_path / "some.safetensors").stdout
    long = Embeddings(load(vectors).values * 3)
    save(tmp_path / "long.safetensors", long)
    assert run_json("info", tmp_path / "long.safetensors")["conversions"][-1]["overlap"] > 0.3


def test_info_says_why_there_are_no_conversions(vectors: Path, tmp_path: Path) -> None:
    for rows, words in (
        (load(vectors)[:7], "7 rows are too few"),
        (load(vectors).to("ubinary"), "no coarser codes"),
        (Embeddings(np.zeros((30, 8), np.float32)), "0 rows of the sample are not zero"),
        (Embeddings(np.full((30, 8), np.nan, np.float32)), "NaN"),
    ):
        save(tmp_path / "rows.safetensors", rows)
        facts = run_json("info", tmp_path / "rows.safetensors")
        assert facts["conversions"] == []
        assert words in facts["conversions_omitted"]
        assert "Conversions were not tried: " in run("info", tmp_path / "rows.safetensors").stdout


@pytest.mark.parametrize("bits", [1, 2, 4])
def test_files_of_low_bit_codes(vectors: Path, tmp_path: Path, bits: int) -> None:
    x = load(vectors).values
    codes = LowBitQuantizer(bits, rotation="random", center="mean").fit(x).encode(x)
    path = tmp_path / "codes.safetensors"
    save(path, codes)
    facts = run_json("info", path)
    assert (facts["output_dtype"], facts["rows"], facts["bytes"]) == (f"{bits}-bit", 400, codes.nbytes)
    assert (facts["rotation"], facts["center"], facts["scale"]) == ("random", "mean", codes.scheme.identity)
    assert {row["to"] for row in facts["conversions"]} >= {"int8 per-vector", "ubinary, float query"}
    assert np.array_equal(run_json("search", vectors, path, "-k", 3)["indices"], search(x, codes, 3).indices)
    for arguments in (("search", path, path), ("tradeoff", path), ("encode", path)):
        done = run(*arguments)
        assert (done.exit_code, done.stderr.count("\n")) == (1, 1)
        assert f"holds {bits}-bit codes" in done.stderr


def test_what_wants_rows_names_the_reader_of_an_index(vectors: Path, tmp_path: Path) -> None:
    FlatIndex(load(vectors)).save(tmp_path / "index.safetensors")
    done = run("encode", tmp_path / "index.safetensors")
    assert (done.exit_code, "`embcodec search` asks it, as its CORPUS" in done.stderr) == (1, True)
    asked = run("search", tmp_path / "index.safetensors", vectors)
    assert "`embcodec search` asks it, as its CORPUS" in asked.stderr
    assert run("search", vectors, tmp_path / "index.safetensors").exit_code == 0


def test_files_of_other_commands_name_the_command(vectors: Path, tmp_path: Path) -> None:
    with gzip.open(tmp_path / "out.jsonl.gz", "wb") as file:
        body = ec.encode_response(load(vectors)[:1], model="m")
        file.write(b'{"custom_id":"a","response":{"status_code":200,"body":%s}}' % body)
    assert "`embcodec batch` reads" in run("info", tmp_path / "out.jsonl.gz").stderr
    assert run("batch", tmp_path / "out.jsonl.gz", "-o", tmp_path / "o.npy").exit_code == 0
    ec.Collection.create(tmp_path / "c", like=load(vectors)).append(load(vectors))
    assert "c is a collection: `embcodec search` asks it" in run("ingest", tmp_path / "c", tmp_path / "d").stderr
    assert run("search", vectors, tmp_path / "c").exit_code == 0


def test_info_says_which_shorter_floats_hold_the_rows(vectors: Path, tmp_path: Path) -> None:
    rows = load(vectors)
    assert run_json("info", vectors)["exact_as"] is None
    for float_dtype in ("float16", "bfloat16"):
        ec.save(tmp_path / f"{float_dtype}.safetensors", rows, float_dtype=float_dtype)
        assert run_json("info", tmp_path / f"{float_dtype}.safetensors")["exact_as"] == float_dtype
    ec.save(tmp_path / "codes.safetensors", ec.quantize(rows, "int8"))
    assert run_json("info", tmp_path / "codes.safetensors")["exact_as"] is None


def test_what_the_advice_says_is_not_said_again(vectors: Path, tmp_path: Path) -> None:
    ec.save(tmp_path / "small.npy", load(vectors)[:60])
    done = run("tradeoff", tmp_path / "small.npy", "--code", "int8", "--report", tmp_path / "r.html")
    assert done.stdout.count("12 queries are") == 1
    refused = run("tradeoff", vectors, "--report", tmp_path / "r.pdf")
    assert (refused.exit_code, "name it" in refused.stderr, (tmp_path / "r.pdf").exists()) == (2, True, False)
    assert run("demo", "--report", tmp_path / "r.pdf").exit_code == 2


def test_info_counts_and_norms_are_numbers(vectors: Path, tmp_path: Path) -> None:
    facts = run_json("info", vectors)
    assert facts["norms"] == pytest.approx({"least": 1, "mean": 1, "greatest": 1})
    assert repr(facts["row_bytes"]) == "128"
    assert "norms  least 1, mean 1, greatest 1\n" in run("info", vectors).stdout
    np.save(tmp_path / "nan.npy", np.full((2, 8), np.nan, np.float32))
    assert "least not finite" in run("info", tmp_path / "nan.npy").stdout
    assert run_json("info", tmp_path / "nan.npy")["norms"]["mean"] is None
    x = np.ones((40, 8), np.float32)
    x[17, 3] = np.inf
    np.save(tmp_path / "one.npy", x)
    assert run_json("info", tmp_path / "one.npy")["not_finite_row"] == 17
    assert run_json("info", vectors)["not_finite_row"] is None


def test_a_file_that_leaves_its_dtype_open_is_told_the_option(vectors: Path, tmp_path: Path) -> None:
    codes = tmp_path / "codes.npy"
    np.save(codes, np.zeros((3, 4), np.uint8))
    for arguments, remedy in (
        (("info", codes), "say --dtype"),
        (("encode", codes), "say --from-dtype"),
        (("search", codes, vectors), "say --query-dtype"),
        (("search", vectors, codes), "say --corpus-dtype"),
        (("tradeoff", codes), "pass the floats that they were made of"),
    ):
        done = run(*arguments)
        assert (done.exit_code, done.stderr.count(str(codes))) == (1, 1)
        assert done.stderr.endswith(f": {remedy}\n")


def test_tradeoff_with_queries_and_report(vectors: Path, tmp_path: Path) -> None:
    x = load(vectors).values
    np.save(tmp_path / "queries.npy", x[:120] + np.float32(0.01))
    np.save(tmp_path / "relevant.npy", np.arange(120))
    report = tmp_path / "report.html"
    options = ("--queries", tmp_path / "queries.npy", "--relevant", tmp_path / "relevant.npy", "--dimension", 24)
    found = run_json("tradeoff", vectors, *options, "--report", report)
    assert {row["dimension"] for row in found["measurements"]} == {32, 24}
    assert found["measurements"][0]["ndcg"]["mean"] == 1.0
    assert found["recommended"]["dimension"] == 32
    page = report.read_text(encoding="utf-8")
    assert "<svg" in page
    assert "http" not in page.replace("http://www.w3.org", "")
    done = run("tradeoff", vectors, "--target", 1.0, "--dimension", 32)
    assert "keep float" in done.stdout
    assert run("tradeoff", vectors, "--target", 1.5).exit_code == 2


def test_tradeoff_for_a_store_of_chosen_codes_on_all_rows(vectors: Path, tmp_path: Path) -> None:
    options = ("--dimension", 32, "--target", 0.9, "--code", "uint8", "--code", "int8", "--code", "12 bytes", "--all")
    found = run_json("tradeoff", vectors, *options)
    labels = ["float", "int8 unit", "uint8 unit", "int8 per-vector", "12 bytes"]
    assert [m["label"] for m in found["measurements"] if not m["rescored_with"]] == labels
    assert (found["rows"], found["queries"], found["store"]) == (320, 80, None)
    redis = run_json("tradeoff", vectors, *options, "--store", "redis")
    assert redis["recommended"]["label"] in ("int8 unit", "uint8 unit")
    assert "redis" in redis["recommended"]["stores"]
    assert list(redis["in_brief"]) == ["recommendation", "price", "risk"]
    done = run("tradeoff", vectors, *options, "--store", "s3-vectors", "--report", tmp_path / "r.html")
    assert "Nothing smaller that s3-vectors takes finds 90%" in done.stdout
    page = (tmp_path / "r.html").read_text(encoding="utf-8")
    assert "<dd>Nothing smaller that s3-vectors takes finds 90%: keep float.</dd>" in page
    assert "did you mean 'redis'" in run("tradeoff", vectors, "--store", "redi").stderr
    unknown = run("tradeoff", vectors, "--code", "int4")
    assert (unknown.exit_code, "unknown code 'int4'" in unknown.stderr) == (2, True)


def test_batch(tmp_path: Path) -> None:
    good = {"custom_id": "a", "response": {"status_code": 200, "body": {"data": [{"embedding": [1, 2], "index": 0}]}}}
    lines = [json.dumps(good), json.dumps({"custom_id": "b", "response": None, "error": "no such model"})]
    (tmp_path / "out.jsonl").write_text("\n".join(lines))
    arguments = ("batch", tmp_path / "out.jsonl", "-o", tmp_path / "out.npz", "--ids", tmp_path / "ids.txt")
    done = run(*arguments)
    assert done.exit_code == 0, done.output
    assert "b: " in done.stderr
    assert "no such model" in done.stderr
    assert load(tmp_path / "out.npz").values.tolist() == [[1, 2]]
    assert (tmp_path / "ids.txt").read_text() == "a\n"
    (tmp_path / "out.jsonl").write_text(lines[1])
    assert run(*arguments).exit_code == 1


def test_batch_counts_failures(tmp_path: Path) -> None:
    good = '{"custom_id":"%d","response":{"status_code":200,"body":{"data":[{"embedding":%s}]}}}'
    odd = [good % (0, [1, 2, 3]), *(good % (i, [1, 2]) for i in range(1, 15))]
    (tmp_path / "out.jsonl").write_text("\n".join(odd))
    arguments = ("batch", tmp_path / "out.jsonl", "-o", tmp_path / "out.npz")
    done = run(*arguments)
    assert done.exit_code == 1
    told = done.stderr.splitlines()
    assert len(told) == 12
    assert told[-2] == "14 lines failed: 14 x dimension 2 where the lines before have 3"
    assert told[-1] == f"Error: {tmp_path / 'out.jsonl'}: 14 lines failed, more than there are rows"
    assert len(load(tmp_path / "out.npz")) == 1
    assert run(*arguments, "--max-failed", 14).exit_code == 0
    (tmp_path / "out.jsonl").write_text("\n".join(odd[1:] + odd[:1]))
    assert run(*arguments).exit_code == 0
    assert run(*arguments, "--max-failed", 0).exit_code == 1


@pytest.mark.parametrize("command", ["embed", "batch", "decode", "encode", "tradeoff"])
def test_a_folder_that_is_missing_is_told_before_any_work(tmp_path: Path, vectors: Path, command: str) -> None:
    source = vectors if command in ("encode", "tradeoff") else __file__
    option = "--report" if command == "tradeoff" else "-o"
    done = run(command, source, option, tmp_path / "nodir" / "x.npy")
    assert done.exit_code == 2
    assert f"folder {tmp_path / 'nodir'} does not exist" in done.stderr
    if command == "batch":
        done = run("batch", source, "-o", tmp_path / "x.npy", "--ids", tmp_path / "nodir" / "ids.txt")
        assert (done.exit_code, "nodir does not exist" in done.stderr) == (2, True)
        assert not (tmp_path / "x.npy").exists()


def test_no_texts(tmp_path: Path) -> None:
    done = run("embed", "-", "-o", tmp_path / "x.npy", "--base-url", "http://127.0.0.1:9", text="")
    assert (done.exit_code, "no texts" in done.stderr) == (1, True)


def test_embed(tmp_path: Path) -> None:
    pytest.importorskip("uvicorn")
    from embcodec.server.app import running_server

    (tmp_path / "lines.txt").write_text("one line\nand another\n")
    with running_server(["hash-256"]) as server:
        arguments = ("embed", tmp_path / "lines.txt", "--model", "hash-256", "--base-url", server.base_url)
        facts = run_json(*arguments, "--dtype", "ubinary", "--dimension", 256, "-o", tmp_path / "out.safetensors")
        assert (facts["rows"], facts["output_dtype"]) == (2, "ubinary")
        assert load(tmp_path / "out.safetensors").dimension == 256
        lost = run(*arguments, "--dtype", "ubinary", "--dimension", 12, "-o", tmp_path / "bits.npy")
        assert (lost.exit_code, (tmp_path / "bits.npy").exists()) == (1, False)
        assert "no room for a dimension of 12; use .safetensors" in lost.stderr
        assert load(tmp_path / "bits.partial.safetensors").dimension == 12  # what was answered is kept
        refused = run("embed", tmp_path / "lines.txt", "--base-url", server.base_url, "-o", tmp_path / "x.npy")
        assert refused.exit_code == 1
        assert not (tmp_path / "x.npy").exists()
        (tmp_path / "lines.txt").write_text("one line\n\n")
        assert "line 2 is empty" in run(*arguments, "-o", tmp_path / "x.npy").stderr


def test_what_was_answered_before_a_failure_is_saved(tmp_path: Path) -> None:
    def refuse_one(connection: socket.socket, server: HostileServer, request: Received) -> None:
        if "bad" not in request.json["input"]:
            return echo(connection, server, request)
        server.pause(0.3)  # the others are answered meanwhile
        return connection.sendall(http({"message": "too \x1b[2J bad"}, 400))

    lines = [f"{number % 10}" * (number % 7 + 1) for number in range(1300)]
    wanted = np.float32([[len(line), ord(line[0])] for line in lines])
    lines[600] = "bad"
    (tmp_path / "lines.txt").write_text("\n".join(lines))
    with hostile_server(refuse_one) as server:
        done = run("embed", tmp_path / "lines.txt", "--base-url", server.base_url, "-o", tmp_path / "out.safetensors")
    kept = tmp_path / "out.partial.safetensors"
    assert done.exit_code == 1
    assert f"lines 1 to 512, 1025 to 1300 were answered: Embeddings(788 x 2 float, 6304 bytes) -> {kept}" in done.stderr
    assert r"too \x1b[2J bad [400]" in done.stderr.splitlines()[-1]
    assert np.array_equal(load(kept).values, np.vstack([wanted[:512], wanted[1024:]]))
    assert not (tmp_path / "out.safetensors").exists()


def test_words_of_files_are_printed_without_their_control_characters(tmp_path: Path) -> None:
    body = '{"model":"m\\u001b[2J","data":[{"embedding":[1.5],"index":0}]}'
    done = run("decode", "-", text=body)
    assert done.exit_code == 0
    assert r"by m\x1b[2J" in done.stdout
    np.save(tmp_path / "a\x1b[2J.npy", np.ones((3, 2), np.float32))
    assert r"a\x1b[2J.npy" in run("info", tmp_path / "a\x1b[2J.npy").stdout


def test_a_missing_key_is_told_before_anything_is_read_or_sent(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    for variable in ("MISTRAL_API_KEY", "COHERE_API_KEY"):
        monkeypatch.delenv(variable, raising=False)
    for profile, variable in (("mistral", "MISTRAL_API_KEY"), ("cohere", "COHERE_API_KEY")):
        done = run("embed", "-", "--profile", profile, "-o", tmp_path / "x.npy", text="an empty line\n\n")
        assert done.exit_code == 2
        assert f"wants a key: set {variable}" in done.stderr
    needs_none = ("embed", "-", "--profile", "vllm", "-o", tmp_path / "x.npy")
    done = run(*needs_none, "--model", "m", text="an empty line\n\n")
    assert (done.exit_code, "line 2 is empty" in done.stderr) == (1, True)


def test_serve_says_where_as_json() -> None:
    pytest.importorskip("uvicorn")
    command = [sys.executable, "-m", "embcodec", "serve", "--model", "hash-8", "--port", "0", "--json"]
    with subprocess.Popen(command, stdout=subprocess.PIPE, stderr=subprocess.DEVNULL, text=True) as server:
        assert server.stdout is not None
        facts = json.loads(server.stdout.readline())
        assert facts["models"] == ["hash-8"]
        assert facts["pid"] == server.pid
        assert not facts["needs_key"]
        for _ in range(200):
            with contextlib.suppress(OSError), urllib.request.urlopen(f"{facts['base_url']}/v1/models") as answer:
                assert json.load(answer)["data"][0]["id"] == "hash-8"
                break
            time.sleep(0.05)
        else:
            pytest.fail("no answer")
        server.terminate()
        assert server.stdout.read() == ""


def test_embed_with_a_key(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    pytest.importorskip("uvicorn")
    from embcodec.server.app import running_server

    (tmp_path / "lines.txt").write_text("one line\n")
    with running_server(["hash-256"], api_key="sesame") as server:
        arguments = ("embed", tmp_path / "lines.txt", "--model", "hash-256", "--base-url", server.base_url)
        output = ("-o", tmp_path / "out.npy")
        assert run(*arguments, *output).exit_code == 1
        unset = run(*arguments, *output, "--api-key-variable", "LOCAL_KEY")
        assert (unset.exit_code, "LOCAL_KEY is not set" in unset.stderr) == (2, True)
        monkeypatch.setenv("LOCAL_KEY", "sesame")
        assert run_json(*arguments, *output, "--api-key-variable", "LOCAL_KEY")["rows"] == 1


@pytest.mark.parametrize(("width", "wide"), [(80, False), (220, True)])
def test_tables_fit_the_terminal(
    width: int, wide: bool, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    from embcodec.cli.tables import print_study
    from embcodec.tradeoff.study import study

    monkeypatch.setenv("COLUMNS", str(width))
    monkeypatch.setattr("embcodec.cli.tables._NO_TERMINAL", width)
    generator = np.random.default_rng(5)
    x = generator.standard_normal((150, 16), dtype=np.float32)
    found = study(x, x[:30], range(30), dimensions=[16])
    print_study(found, found.measurements[3])
    lines = capsys.readouterr().out.splitlines()
    assert max(map(len, lines)) <= width
    assert "…" not in "".join(lines)
    assert ("encoded/s" in lines[1]) == wide
    assert sum("bits, float query, then float x10" in line for line in lines) == 1


@pytest.mark.skipif(os.name != "posix", reason="pipes that break")
def test_whoever_has_read_enough_is_no_error(tmp_path: Path) -> None:
    """As ``| head -1`` has; nor is an output that was closed from the start. A full disk is one."""
    save(tmp_path / "x.npy", np.eye(9, dtype=np.float32))
    line = shlex.join([sys.executable, "-m", "embcodec", "info", str(tmp_path / "x.npy")])
    reading, writing = os.pipe()
    os.close(reading)
    for more, words in (("", b""), (">&-", b""), (">/dev/full", b"Error: No space left on device\n")):
        done = subprocess.run(f"{line} {more}", shell=True, stdout=writing, stderr=subprocess.PIPE, check=False)
        assert (done.returncode, done.stderr) == (1 if words else 0, words)
    os.close(writing)
