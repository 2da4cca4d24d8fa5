"""Collections and indexes on the command line: made of files, searched, described."""

from __future__ import annotations

import gzip
import json
from pathlib import Path
from typing import Any

import fsspec
import numpy as np
import pytest
from click.testing import Result
from coded import floats
from commands import run, run_json

from embcodec import Collection, Embeddings, FlatIndex, quantize, save, search

X, Q = floats(120), floats(3, seed=1)


@pytest.fixture(autouse=True)
def _here(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(tmp_path)
    save("queries.npy", Q)


def refused(*arguments: object, status: int = 1) -> str:
    done: Result = run(*arguments)
    assert done.exit_code == status, done.output
    return done.stderr.strip().splitlines()[-1]


def batch_lines(start: int, stop: int) -> list[str]:
    lines = []
    for i in range(start, stop):
        body = {"model": "m", "data": [{"index": 0, "embedding": X[i].tolist()}]}
        lines.append(json.dumps({"custom_id": f"doc-{i}", "response": {"status_code": 200, "body": body}}))
    return lines


@pytest.mark.parametrize(
    ("options", "codes"),
    [
        ([], "float x 24"),
        (["--dtype", "int8"], "int8 x 24"),
        (["--dtype", "int8", "--scale", "per-vector"], "int8 x 24 (per-vector)"),
        (["--dtype", "ubinary", "--rescore-with", "int8"], "ubinary x 24"),
        (["--bits", "2"], "8 bytes x 24"),
        (["--bits", "1"], "1 bit x 24"),
        (["--bytes", "10"], "10 bytes x 24"),
    ],
)
def test_ingest_makes_a_collection_and_goes_on(options: list[str], codes: str) -> None:
    for number in range(3):
        save(f"{number}.npy", X[number * 40 : number * 40 + 40])
    assert run_json("ingest", "0.npy", "1.npy", "vectors", *options)["appended"] == 80
    done = run_json("ingest", "[0-9].npy", "vectors")
    assert (done["appended"], done["rows"], done["codes"], done["failed"]) == (40, 120, codes, 0)
    assert done["rescore_with"] == ("int8 x 24 (per-vector)" if "--rescore-with" in options else "none")
    again = run("ingest", "[0-9].npy", "vectors", *options)
    assert again.stdout.startswith("0 rows appended, 0 lines failed -> Collection(120 rows"), again.output
    found = run_json("search", "queries.npy", "vectors", "-k", 5)
    assert found["indices"] == Collection.open("vectors").search(Q, 5).indices.tolist()
    assert "texts" not in found
    assert run_json("search", "vectors", "queries.npy", "-k", 5) == found
    assert "is a folder" in refused("search", "vectors", "vectors", status=2)


def test_ranges_are_calibrated_on_the_sample() -> None:
    save("x.npy", X)
    run_json("ingest", "x.npy", "vectors", "--dtype", "uint8", "--scale", "ranges")
    kind = Collection.open("vectors")._folder.kind.codes
    assert isinstance(kind, Embeddings)
    assert kind.meaning == quantize(X, "uint8", scale=np.stack([X.min(0), X.max(0)])).meaning
    run_json("ingest", "x.npy", "other", "--dtype", "uint8", "--scale", "ranges", "--sample", 50)
    ranges = np.stack([X[:50].min(0), X[:50].max(0)])
    assert Collection.open("other")._folder.kind.codes.scale.values.tolist() == ranges.tolist()  # type: ignore[union-attr]


def test_batch_files_with_their_custom_ids() -> None:
    failed = json.dumps({"custom_id": "bad", "error": {"message": "too long"}})
    Path("a.jsonl.gz").write_bytes(gzip.compress("\n".join([*batch_lines(0, 50), failed]).encode()))
    Path("b.jsonl").write_text("\n".join(batch_lines(50, 120)))
    done = run("ingest", "a.jsonl.gz", "b.jsonl", "vectors", "--dtype", "int8")
    assert done.exit_code == 0
    assert done.stdout.startswith("120 rows appended, 1 line failed -> Collection(120 rows in 1 file, int8 x 24)")
    assert "a.jsonl.gz, line 51, bad: too long" in done.stderr
    expected = search(Q, quantize(X, "int8"), 2).indices
    lines = run("search", "queries.npy", "vectors", "-k", 2).stdout.splitlines()
    assert [line.split()[1] for line in lines] == [f"doc-{row[0]}" for row in expected.tolist()]
    found = run_json("search", "queries.npy", "vectors", "-k", 2)
    assert found["texts"] == [[f"doc-{i}" for i in row] for row in expected.tolist()]
    for _ in range(2):  # also when all of it was taken
        assert "1 line failed, more than" in refused("ingest", "a.jsonl.gz", "vectors", "--max-failed", 0)
    assert run("ingest", "b.jsonl", "vectors", "--max-failed", 0).exit_code == 0
    Path("c.jsonl").write_text(failed)
    assert refused("ingest", "c.jsonl", "vectors", "--max-failed", 0) == (
        "Error: 1 line failed, more than --max-failed 0 allows"
    )


def test_codes_in_batch_files_are_to_be_said() -> None:
    for dtype in ("int8", "ubinary"):
        rows = quantize(floats(20, 512), dtype)  # type: ignore[arg-type]
        lines = []
        for i, row in enumerate(rows.values.tolist()):
            body = {"model": "m", "data": [{"index": 0, "embedding": row}]}
            lines.append(json.dumps({"custom_id": f"doc-{i}", "response": {"status_code": 200, "body": body}}))
        Path(f"{dtype}.jsonl").write_text("\n".join(lines))
        for options in ([], ["--dtype", "int8"]):
            done = run("ingest", f"{dtype}.jsonl", "vectors", *options)
            assert done.exit_code == 1
            assert "--from-dtype" in done.stderr
        assert not Path("vectors").exists()
        assert run_json("ingest", f"{dtype}.jsonl", dtype, "--from-dtype", dtype)["codes"] == f"{dtype} x 512"
    np.save("codes.npy", quantize(X, "int8").values)
    assert refused("ingest", "codes.npy", "v").endswith(
        "codes.npy: int8 rows can be int8 or binary: say --from-dtype ..."
    )


def test_what_ingest_refuses() -> None:
    save("x.npy", X)
    save("codes.npz", quantize(X, "int8"))
    assert "both" in refused("ingest", "x.npy", "v", "--dtype", "int8", "--bits", "2", status=2)
    assert "--bits or of --bytes" in refused("ingest", "x.npy", "v", "--bytes", "9", "--bits", "2", status=2)
    assert "not asked for" in refused("ingest", "x.npy", "v", "--scale", "ranges", status=2)
    assert "no.npy: no file matches" not in refused("ingest", "no.npy", "v")
    assert refused("ingest", "no*.npy", "v") == "Error: no*.npy: no file matches"
    assert "are codes already" in refused("ingest", "codes.npz", "v", "--dtype", "ubinary")
    assert not Path("v").exists()
    run_json("ingest", "codes.npz", "v", "--dtype", "int8")
    assert refused("ingest", "x.npy", "v", "--dtype", "float") == (
        "Error: v is a collection of int8 x 24, not float: leave out --dtype"
    )
    assert "not 1 bit: leave out --bits" in refused("ingest", "x.npy", "v", "--bits", "1")
    assert "not 8 bytes: leave out --bytes" in refused("ingest", "x.npy", "v", "--bytes", "8")
    assert "leave out --rescore-with" in refused("ingest", "x.npy", "v", "--rescore-with", "float")
    run_json("ingest", "x.npy", "v")
    Path("c.npy").write_bytes(b"")
    assert refused("ingest", "c.npy", "v").startswith("Error: c.npy: not a .npy file")


def test_a_first_ingest_that_fails_leaves_nothing() -> None:
    bad = X.copy()
    bad[7, 3] = np.inf
    np.save("bad.npy", bad)
    assert "bad.npy: row 7, column 3 is inf" in refused("ingest", "bad.npy", "v")
    assert not Path("v").exists()
    save("a.npy", X[:9])
    assert "bad.npy: row 7" in refused("ingest", "a.npy", "bad.npy", "v")
    assert len(Collection.open("v")) == 9


def test_rows_to_rescore_with_are_not_worse_than_codes() -> None:
    save("x.npy", X)
    assert "by --dtype or --bits" in refused("ingest", "x.npy", "v", "--rescore-with", "int8", status=2)
    assert "leave out --rescore-with" in refused("ingest", "x.npy", "v", "--dtype", "int8", "--rescore-with", "ubinary")
    assert not Path("v").exists()


def test_info_of_indexes_and_collections() -> None:
    FlatIndex(quantize(X, "int8"), rescore_with=X, ids=np.arange(120) * 2).save("index.safetensors")
    facts = run_json("info", "index.safetensors")
    assert {"kind": "index", "rows": 120, "output_dtype": "int8", "ids": "120 from 0 to 238"}.items() <= facts.items()
    assert facts["rescored_with"].startswith("Embeddings(120 x 24 float")
    assert facts["conversions"]
    assert "rescored with  Embeddings" in run("info", "index.safetensors").stdout
    save("x.npy", X)
    run_json("ingest", "x.npy", "vectors", "--dtype", "ubinary", "--rescore-with", "float")
    facts = run_json("info", "vectors")
    assert {"kind": "collection", "rows": 120, "codes": "ubinary x 24", "rescored_with": "float x 24"}.items() <= (
        facts.items()
    )
    assert "files  1" in run("info", "vectors").stdout
    for path in ("vectors", "index.safetensors"):
        assert "says what it holds" in refused("info", path, "--dtype", "int8", status=2)
        assert "leave out the --corpus- options" in refused(
            "search", "queries.npy", path, "--corpus-dtype", "int8", status=2
        )
    Path("folder").mkdir()
    for command in (["info", "folder"], ["search", "queries.npy", "folder"]):
        assert "`embcodec ingest` makes one of its files" in refused(*command, status=2)


def test_codes_that_do_not_meet_an_index_are_shown_the_way() -> None:
    np.save("codes.npy", quantize(Q, "int8").values)
    FlatIndex(X).save("floats.safetensors")
    FlatIndex(quantize(X, "ubinary"), rescore_with=X).save("rescored.safetensors")
    Collection.create("vectors", like=X).append(X)
    run_json("search", "queries.npy", "floats.safetensors")
    for corpus in ("floats.safetensors", "rescored.safetensors", "vectors"):
        said = refused("search", "codes.npy", corpus, "--query-dtype", "int8")
        follow(said)
        assert run("search", "floats.safetensors" if corpus != "floats.safetensors" else "made.safetensors", corpus)
        assert len(run_json("search", "made.safetensors", corpus, "-k", 2)["indices"]) == 3
    save("short.npy", Q[:, :8])
    assert "queries of 24 dimensions, as vectors has" in refused("search", "short.npy", "vectors")
    save("long.npy", np.concatenate([Q, Q], axis=1))
    follow(refused("search", "long.npy", "vectors"))
    assert len(run_json("search", "made.safetensors", "vectors")["indices"]) == 3


def follow(said: str) -> None:
    """Run what a message names between `` and ``, and keep what it makes as made.safetensors."""
    named = said.partition("`")[2].partition("`")[0].replace(" -o floats.safetensors", " -o made.safetensors")
    done = run(*named.split()[1:])
    assert done.exit_code == 0, done.output


def test_one_call(tmp_path: Path) -> None:
    facts: Any = run_json("ingest", tmp_path / "queries.npy", tmp_path / "deep" / "vectors")
    assert (facts["rows"], facts["shards"]) == (3, 1)


def test_errors_are_skipped_named_and_counted() -> None:
    bad = X[:40].copy()
    bad[[0, *range(12, 26)], 2] = np.nan
    np.save("a.npy", bad)
    save("b.npy", X[40:80])
    whole = Path("b.npy").read_bytes()
    Path("b.npy").write_bytes(whole[:-1])
    save("c.npy", X[80:])
    done = run(
        "ingest",
        "a.npy",
        "b.npy",
        "no.npy",
        "c.npy",
        "vectors",
        "--dtype",
        "uint8",
        "--scale",
        "ranges",
        "--skip-errors",
    )
    assert done.exit_code == 1
    assert done.stdout.startswith("65 rows appended, 0 lines failed, 15 rows skipped -> Collection(65 rows")
    told = done.stderr.splitlines()
    assert told[0].startswith("skipped [Errno 2] No such file or directory: 'no.npy'")
    assert told[1].startswith("skipped a.npy: row 0, column 2 is nan")
    assert told[11] == "... 15 rows of a.npy were skipped"
    assert told[12].startswith("skipped b.npy: a .npy header for shape")
    assert told[-1] == "Error: 2 files and 15 rows were skipped"
    assert run("ingest", "a.npy", "c.npy", "vectors", "--skip-errors").exit_code == 0
    Path("b.npy").write_bytes(whole)
    found = run_json("ingest", "a.npy", "b.npy", "c.npy", "vectors", "--skip-errors")
    assert (found["appended"], found["rows"], found["skipped"], found["failed_in_all"]) == (40, 105, [], 15)
    assert refused("ingest", "no.npy", "other", "--skip-errors") == "Error: there are no rows in these files"
    assert not Path("other").exists()


def test_files_to_search_may_be_elsewhere() -> None:
    store = fsspec.filesystem("memory")
    save("corpus.npy", X)
    for name in ("queries.npy", "corpus.npy"):
        store.pipe(f"/here/{name}", Path(name).read_bytes())
    expected = search(Q, X, 3).indices.tolist()
    try:
        for queries in ("queries.npy", "memory://here/queries.npy"):
            assert run_json("search", queries, "memory://here/corpus.npy", "-k", "3")["indices"] == expected
        run("ingest", "memory://here/corpus.npy", "vectors")
        assert run_json("search", "memory://here/queries.npy", "vectors", "-k", "3")["indices"] == expected
        assert refused("search", "memory://here/queries.npy", "memory://here") == (
            "Error: memory://here: 2 files: `embcodec ingest` takes several"
        )
        assert refused("search", "memory://here/none.npy", "vectors").startswith("Error: ")
    finally:
        store.store.clear()
