"""``embcodec quantize``: the codes are those of the library, whichever way the file is taken apart."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import numpy as np
import pytest
from coded import floats
from commands import run, run_json

from embcodec import Embeddings, LowBitQuantizer, quantize, save, search
from embcodec.files.storage import load

X = floats(120)
RANGES = np.stack([X.min(0), X.max(0)])


@pytest.fixture(autouse=True)
def _here(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """A folder with a file of vectors, which is coded seven rows at a time."""
    monkeypatch.chdir(tmp_path)
    monkeypatch.setattr("embcodec.cli.quantize._BLOCK_BYTES", 7 * 4 * X.shape[1])
    np.save("x.npy", X)


def refused(*arguments: object, status: int = 1) -> str:
    done = run("quantize", *arguments)
    assert done.exit_code == status, done.output
    return done.stderr.strip().splitlines()[-1]


@pytest.mark.parametrize(
    ("options", "codes"),
    [
        ("--dtype int8", quantize(X, "int8")),
        ("--dtype int8 --scale per-vector", quantize(X, "int8", scale="per-vector")),
        ("--dtype uint8 --scale ranges", quantize(X, "uint8", scale=RANGES)),
        ("--dtype binary", quantize(X, "binary")),
        ("--dtype ubinary --dimension 13", quantize(X[:, :13], "ubinary")),
        ("--dtype float", Embeddings(X)),
        ("--bits 2 --rotation none", LowBitQuantizer(2, rotation="none").fit(X).encode(X)),
        ("--bytes 10", LowBitQuantizer(bytes_per_vector=10).fit(X).encode(X)),
    ],
)
def test_codes_are_those_of_the_library(options: str, codes: Any) -> None:
    done = run("quantize", "x.npy", "-o", "codes.safetensors", *options.split())
    assert done.exit_code == 0, done.output
    assert load("codes.safetensors") == codes
    assert done.stdout.startswith(f"{codes!r} of Embeddings(120 x 24 float, 11520 bytes)")
    assert ("fitted to 120 rows" in done.stdout) == ("ranges" in options or "--b" in options)
    assert run("quantize", "x.npy", "-o", "again.safetensors", "--like", "codes.safetensors").exit_code == (
        1 if "--dimension" in options else 0  # the rows have more
    )
    if "--dimension" not in options:
        assert load("again.safetensors") == codes


def test_what_was_fitted_codes_further_rows_alike() -> None:
    more = floats(30, seed=5)
    save("more.parquet", more)
    run_json("quantize", "x.npy", "-o", "codes.npz", "--bytes", 10, "--sample", 50)
    facts = run_json("quantize", "more.parquet", "-o", "more.safetensors", "--like", "codes.npz")
    assert (facts["rows"], facts["row_bytes"], facts["fitted_to"], facts["choice"]) == (30, 10, None, None)
    fitted = LowBitQuantizer(bytes_per_vector=10).fit(X[::3])
    assert load("more.safetensors") == fitted.encode(more)
    assert load("codes.npz") == fitted.encode(X)


def test_rows_of_other_lengths_are_brought_to_unit_length() -> None:
    np.save("long.npy", 9 * X)
    done = run("quantize", "long.npy", "-o", "codes.safetensors", "--dtype", "int8")
    assert done.exit_code == 0
    assert done.stderr.count("Warning: ") == 1
    assert "--scale per-vector keeps their proportions" in done.stderr
    done = run("quantize", "long.npy", "-o", "codes.safetensors", "--bytes", 10)
    assert "bring the rows to unit length" in run("search", "x.npy", "codes.safetensors").stderr
    done = run("quantize", "long.npy", "-o", "codes.safetensors", "--bytes", 10, "--normalize")
    assert (done.exit_code, done.stderr) == (0, "")
    found = run_json("search", "x.npy", "codes.safetensors", "-k", 3)
    assert found["indices"] == search(X, load("codes.safetensors"), 3).indices.tolist()


def test_codes_become_coarser_ones() -> None:
    fine = quantize(X, "int8", scale="per-vector")
    save("fine.safetensors", fine)
    run_json("quantize", "fine.safetensors", "-o", "coarse.safetensors", "--dtype", "ubinary")
    assert load("coarse.safetensors") == fine.to("ubinary")
    np.save("bare.npy", fine.values)
    assert "say --from-dtype" in refused("bare.npy", "-o", "c.npy", "--dtype", "ubinary")
    run_json("quantize", "bare.npy", "-o", "c.npy", "--from-dtype", "int8", "--dtype", "ubinary")
    assert load("c.npy", output_dtype="ubinary") == fine.to("ubinary")


def test_no_rows_become_no_codes() -> None:
    np.save("none.npy", X[:0])
    run_json("quantize", "none.npy", "-o", "codes.safetensors", "--dtype", "int8")
    assert load("codes.safetensors") == quantize(X[:0], "int8")
    assert refused("none.npy", "-o", "codes.safetensors", "--bits", 1) == "Error: the sample is empty"


@pytest.mark.parametrize("options", ["--dtype int8", "--bytes 10", "--bytes 10 --sample 4", "--like codes.safetensors"])
def test_a_row_that_is_not_finite_has_its_number_in_the_file(options: str) -> None:
    save("codes.safetensors", quantize(X, "int8"))
    bad = X.copy()
    bad[90, 3] = np.nan  # in the sample of 4 rows, every thirtieth, as well
    np.save("bad.npy", bad)
    assert "row 90, column 3 is nan" in refused("bad.npy", "-o", "c.safetensors", *options.split())
    assert not Path("c.safetensors").exists()


def test_what_is_refused() -> None:
    to = ("-o", "c.safetensors")
    assert "say which codes: --dtype, --bits, --bytes or --like" in refused("x.npy", *to, status=2)
    assert "not of both" in refused("x.npy", *to, "--dtype", "int8", "--bytes", 9, status=2)
    assert "--scale ranges is of --dtype int8" in refused("x.npy", *to, "--bits", 1, "--scale", "ranges", status=2)
    assert "--rotation none is of --bits or" in refused("x.npy", *to, "--dtype", "int8", "--rotation", "none", status=2)
    assert "leave out --dtype" in refused("x.npy", *to, "--dtype", "int8", "--like", "x.npy", status=2)
    assert "--dimension 25: x.npy has 24" in refused("x.npy", *to, "--dtype", "int8", "--dimension", 25, status=2)
    assert "would write over x.npy" in refused("x.npy", "-o", "x.npy", "--dtype", "int8", status=2)
    assert "no room for the rotation" in refused("x.npy", "-o", "c.npy", "--bytes", 10)
    assert "no room for the per-vector" in refused("x.npy", "-o", "c.npy", "--dtype", "int8", "--scale", "per-vector")
    assert "99 bytes a vector are more than" in refused("x.npy", *to, "--bytes", 99)
    save("cut.safetensors", quantize(X[:, :8], "int8"))
    assert "cut.safetensors is of 8 dimensions, and x.npy of 24" in refused("x.npy", *to, "--like", "cut.safetensors")
    assert not Path("c.safetensors").exists()
