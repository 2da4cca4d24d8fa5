"""What the commands say where they are given something else: the next step, as a command."""

from __future__ import annotations

import gzip
import json
import re
from pathlib import Path

import numpy as np
import pytest
from commands import run, run_json

from embcodec import FlatIndex, LowBitQuantizer, encode_response
from embcodec.embeddings import Embeddings
from embcodec.files.storage import load, save


@pytest.fixture(scope="module")
def odd(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A folder of files that the commands meet by mistake."""
    folder = tmp_path_factory.mktemp("odd")
    x = np.random.default_rng(3).standard_normal((30, 16)).astype(np.float32)
    x /= np.linalg.norm(x, axis=1, keepdims=True)
    body = encode_response(Embeddings(x), model="m")
    for name, content in {
        "body.json": body,
        "body": body,
        "body.npy": body,
        "batch.jsonl": b'{"custom_id":"a","response":{"status_code":200,"body":%s}}\n' % body * 2,
        "one.jsonl": b'{"custom_id":"a","response":{"status_code":200,"body":%s}}\n' % body,
        "utf16.json": body.decode().encode("utf-16"),
        "utf16.txt": "a cat\n".encode("utf-16"),
        "latin.txt": b"caf\xe9\n",
        "junk.npy": bytes(range(1, 200)),
        **{
            f"empty{suffix}": b"" for suffix in (".npy", ".npz", ".safetensors", ".parquet", ".fvecs", ".fbin", ".json")
        },
    }.items():
        (folder / name).write_bytes(content)
    np.save(folder / "floats.npy", x)
    save(folder / "cut.safetensors", Embeddings(x[:, :8]))
    for name, rows in {
        "msb": Embeddings(x).to("ubinary"),
        "lsb": Embeddings(x).to("ubinary").to("ubinary", bit_order="lsb"),
        "unit": Embeddings(x).to("int8"),
        "each": Embeddings(x).to("int8", scale="per-vector"),
    }.items():
        save(folder / f"{name}.safetensors", rows)
    long = LowBitQuantizer(4, rotation="none").fit(x * 3).encode(x * 3)
    save(folder / "long.safetensors", long)
    FlatIndex(long).save(folder / "long_index.safetensors")
    return folder


@pytest.mark.parametrize(
    ("arguments", "words"),
    [
        ("info body.json", "body.json holds JSON: `embcodec decode body.json -o"),
        ("info body", "`embcodec decode body -o"),
        ("info body.npy", "`embcodec decode body.npy -o"),
        ("encode body.json", "`embcodec decode body.json -o"),
        ("search body.json floats.npy", "`embcodec decode body.json -o"),
        ("tradeoff body.json", "`embcodec decode body.json -o"),
        ("info batch.jsonl", "`embcodec batch batch.jsonl -o"),
        ("decode batch.jsonl", "holds the lines of a batch job: `embcodec batch batch.jsonl -o"),
        ("decode one.jsonl", "`embcodec batch one.jsonl -o"),
        ("decode floats.npy", "floats.npy holds vectors, not a body: `embcodec info floats.npy`"),
        ("decode msb.safetensors", "holds vectors, not a body: `embcodec info msb.safetensors`"),
        ("info utf16.txt", "is UTF-16, not UTF-8: `iconv -f UTF-16 -t UTF-8`"),
        ("embed utf16.txt -o x.npy --base-url http://127.0.0.1:9", "is UTF-16, not UTF-8: `iconv"),
        ("embed latin.txt -o x.npy --base-url http://127.0.0.1:9", "is not UTF-8 (byte 3): `iconv"),
        ("info junk.npy", "not a .npy file, or a damaged one: it does not begin as one"),
        *(
            (f"info empty{suffix}", "is empty")
            for suffix in (".npy", ".npz", ".safetensors", ".parquet", ".fvecs", ".fbin")
        ),
        ("decode empty.json", "empty.json is empty"),
        ("decode body.json --profile cohere", "as with --profile mistral"),
        ("decode body.json --dtype int8 --nulls nan", "--nulls nan is for float"),
        (
            "search msb.safetensors lsb.safetensors",
            "`embcodec quantize msb.safetensors --dtype float -o",
        ),
        ("search unit.safetensors each.safetensors", "`embcodec quantize unit.safetensors --dtype float -o"),
        ("search msb.safetensors floats.npy", "`embcodec quantize msb.safetensors --dtype float -o"),
        ("search floats.npy lsb.safetensors --metric hamming", "use --metric cosine, dot or l2"),
        ("search cut.safetensors floats.npy", "`embcodec quantize floats.npy --dimension 8 --dtype float -o"),
        ("search cut.safetensors long.safetensors", "use queries of 16 dimensions, as long.safetensors has"),
        (
            "search cut.safetensors long_index.safetensors",
            "use queries of 16 dimensions, as long_index.safetensors has",
        ),
        ("search floats.npy long.safetensors", "had not: bring the rows to unit length, or use --metric dot"),
        ("search floats.npy long_index.safetensors", "had not: bring the rows to unit length, or use --metric dot"),
        ("search floats.npy long.safetensors --metric hamming", "low-bit codes compare by 'cosine', 'dot' or 'l2'"),
        ("tradeoff floats.npy -k 500", "are too few for the 500 nearest of each query, once"),
        ("decode body.json -o out.json", "; `embcodec encode` prints a response body"),
        ("decode body.json -o out.bin", ".bvecs"),
        ("serch floats.npy", "No such command 'serch'. Did you mean 'search'?"),
        ("tradeof floats.npy", "Did you mean 'tradeoff'?"),
        ("xyz", "Known are decode, encode, info, search, quantize"),
        ("decode body.json --dtpe int8", "Did you mean"),
        ("decode body.json --dtype f32", "did you mean 'float'?"),
        ("decode body.json --dtype bits", "did you mean 'ubinary'?"),
        ("decode body.json --profile opneai", "did you mean 'openai'?"),
        ("decode body.json --base64-dtype half", "did you mean 'float16'?"),
        ("decode body.json --byte-order be", "did you mean 'big'?"),
        ("encode floats.npy --dtype int8 --scale per_vector", "did you mean 'per-vector'?"),
        ("encode floats.npy --encoding b64", "did you mean 'base64'?"),
        ("search floats.npy floats.npy --metric euclidean", "did you mean 'l2'?"),
        ("search floats.npy floats.npy --metric inner_product", "did you mean 'dot'?"),
        ("tradeoff floats.npy --rotation opq", "did you mean 'learned'?"),
        ("decode body.json --dtype xyz", "'binary', 'ubinary'."),
        ("encode floats.npy --dtype ubinary --scale per-vector", "--scale per-vector is of --dtype int8 or uint8"),
    ],
)
def test_errors_name_the_next_step_as_a_command(
    arguments: str, words: str, odd: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.chdir(odd)
    done = run(*arguments.split())
    assert done.exit_code in (1, 2)
    error = done.stderr.splitlines()[-1]
    assert words in error
    assert not re.search(r"\w\(|codec can't|magic string|to_float|output_dtype=|profile=", error)


@pytest.mark.parametrize(
    ("asked", "corpus"),
    [
        ("msb.safetensors", "lsb.safetensors"),
        ("unit.safetensors", "each.safetensors"),
        ("msb.safetensors", "floats.npy"),
        ("cut.safetensors", "floats.npy"),
        ("floats.npy", "cut.safetensors"),
    ],
)
def test_the_commands_that_a_search_names_lead_on(
    asked: str, corpus: str, odd: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.chdir(odd)
    said = run("search", asked, corpus).stderr
    named = re.findall(r"`embcodec (.*)`", said)[0].split()
    done = run(*named)
    assert done.exit_code == 0, done.stderr
    source = named[1]
    files = ["floats.safetensors" if file == source else file for file in (asked, corpus)]
    assert run("search", *files).exit_code == 0


def test_what_a_command_names_leads_on(odd: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(odd)
    for corpus in ("long.safetensors", "long_index.safetensors"):
        assert run("search", "floats.npy", corpus, "--metric", "dot").exit_code == 0
    said = run("tradeoff", "floats.npy", "-k", "29").stderr.splitlines()[-1]
    assert said.endswith("once 6 are held out as queries: pass -k 24, or less, or more vectors")
    np.save("five.npy", np.load("floats.npy")[:5])
    assert "once 1 is held out as a query: pass -k 4, or" in run("tradeoff", "five.npy").stderr
    assert run("tradeoff", "five.npy", "-k", "4").exit_code == 0
    assert "(path)" not in run("decode", "body.json", "-o", "out.bin").stderr


def test_a_batch_on_standard_input_is_sent_to_a_file(odd: Path) -> None:
    done = run("decode", "-", text=(odd / "batch.jsonl").read_text())
    assert "standard input holds the lines of a batch job: `embcodec batch FILE -o" in done.stderr


def test_a_column_is_named_by_an_option(tmp_path: Path, odd: Path) -> None:
    pyarrow, parquet = pytest.importorskip("pyarrow"), pytest.importorskip("pyarrow.parquet")
    path = tmp_path / "two.parquet"
    parquet.write_table(
        pyarrow.table({"a": list(load(odd / "floats.npy").values), "b": list(load(odd / "floats.npy").values[:, :3])}),
        path,
    )
    assert run_json("info", path, "--column", "a")["dimension"] == load(odd / "floats.npy").dimension
    assert run_json("info", path, "--column", "b")["dimension"] == 3
    for arguments, option in ((("info", path), "--column"), (("search", path, odd / "floats.npy"), "--query-column")):
        said = run(*arguments).stderr
        assert option in said
        assert "column=" not in said
    assert run("search", path, path, "--query-column", "a", "--corpus-column", "a").exit_code == 0
    assert run("encode", path, "--column", "b").exit_code == 0


def test_a_study_says_which_dimensions_there_are(odd: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(odd)
    done = run("tradeoff", "floats.npy", "--dimension", "4096", "--dimension", "8")
    assert done.exit_code == 1
    assert "the vectors have 16 dimensions: those kept are within 1 .. 16, not 4096" in done.stderr


def test_one_vector_and_text_are_told_where_to_go(tmp_path: Path) -> None:
    np.save(tmp_path / "one.npy", np.ones(3, np.float32))
    (tmp_path / "lines.txt").write_text("a cat")
    assert "one row by itself is saved as row[None]" in run("info", tmp_path / "one.npy").stderr
    assert "embcodec embed asks a service" in run("info", tmp_path / "lines.txt").stderr


MEMBERS = {"data": {"0": {"embedding": [0.5]}, "1": {"embedding": [1.5]}}}
TENSORS = {"outputs": [{"shape": [1, 2], "data": [0.5, 1.5]}]}
TOKENS = {"data": [{"embeddings": [[0.5, 1.0], [2.0, 3.0]]}]}


@pytest.mark.parametrize(
    ("content", "words"),
    [
        (gzip.compress(b"{}", mtime=0), r"still to be decompressed: `gunzip` undoes it"),
        (b"BZh91AY", r"still to be decompressed: `bunzip2` undoes it"),
        (b"\xfd7zXZ\x00", r"still to be decompressed: `unxz` undoes it"),
        (json.dumps(MEMBERS).encode(), r"each member of 'data' is a row, which a list of them would be \(byte 0\)"),
        (json.dumps(TENSORS).encode(), r"tensors with their shape are at 'outputs' \(byte 0\)"),
        (json.dumps(TOKENS).encode(), r"as models of late interaction give, is no row \(row 0, byte 10\)"),
        (b'{"data": [{"vec": [0.5]}]}', r"the keys are 'vec'; --item vec reads such rows"),
    ],
)
def test_bodies_have_no_advice_in_python(content: bytes, words: str, tmp_path: Path) -> None:
    (tmp_path / "body").write_bytes(content)
    done = run("decode", str(tmp_path / "body"))
    assert done.exit_code == 1
    assert re.search(words, done.stderr), done.stderr
    assert "json." not in done.stderr


@pytest.mark.parametrize("name", ["x.csv", "x.pt", "x.feather", "x.faiss"])
def test_files_that_no_command_reads_have_a_whole_call_of_python(name: str, tmp_path: Path) -> None:
    (tmp_path / name).write_bytes(b"\0")
    done = run("info", str(tmp_path / name))
    assert done.exit_code == 1
    assert "unknown kind of file" in done.stderr
    assert re.search(r"; in Python embcodec\.save\('rows\.npy', embcodec\.\w+\(\w+\.\S*\(path", done.stderr)
    assert (", header=None" in done.stderr) == (name == "x.csv")  # or its first row would be names


def test_the_toys_are_named() -> None:
    assert "hash-1 .. hash-4096" in " ".join(run("serve", "--help").stdout.split())
