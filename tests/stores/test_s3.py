"""s3fs itself, against a server that answers as S3 does: files of every kind, named, listed, and out of reach."""

from __future__ import annotations

import gzip
import json
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from embcodec import Collection, encode_response, iter_load, load, quantize, save, search, search_files
from stores import need, some_rows

X = some_rows()


@pytest.fixture(scope="module")
def bucket() -> Iterator[Any]:
    """A bucket of a server of its own, known by the environment as S3 itself would be."""
    need("s3fs")
    moto = need("moto.server")
    server = moto.ThreadedMotoServer(ip_address="127.0.0.1", port=0, verbose=False)
    server.start()
    host, port = server.get_host_and_port()
    with pytest.MonkeyPatch.context() as patched:
        for name in ("ACCESS_KEY_ID", "SECRET_ACCESS_KEY"):
            patched.setenv(f"AWS_{name}", "test")
        patched.setenv("AWS_DEFAULT_REGION", "us-east-1")
        patched.setenv("AWS_ENDPOINT_URL", f"http://{host}:{port}")
        store = need("s3fs").S3FileSystem()
        store.mkdir("bucket")
        yield store
        server.stop()
        store.clear_instance_cache()


def filled(store: Any, folder: Path, suffix: str) -> str:
    """Put the rows there in three files."""
    for number, part in enumerate(np.array_split(X, 3)):
        name = f"{number}{suffix}"
        if suffix == ".jsonl.gz":
            body = json.loads(encode_response(part, model="m", profile="openai"))
            line = {"custom_id": f"r{number}", "response": {"status_code": 200, "body": body}}
            (folder / name).write_bytes(gzip.compress(json.dumps(line).encode()))
        else:
            save(folder / name, part)
        store.put(str(folder / name), f"bucket/{suffix[1:]}/{name}")
    return f"s3://bucket/{suffix[1:]}"


@pytest.mark.parametrize("suffix", [".npy", ".npz", ".parquet", ".safetensors", ".fbin", ".jsonl.gz"])
def test_rows_come_from_there(bucket: Any, tmp_path: Path, suffix: str) -> None:
    url = filled(bucket, tmp_path, suffix)
    for paths in (url, f"{url}/*", [f"{url}/{number}{suffix}" for number in range(3)]):
        rows = np.concatenate([part.rows.to_float() for part in iter_load(paths, batch_rows=70)])
        np.testing.assert_array_equal(rows, X)
    expected = search(X[:5], X, 4)
    np.testing.assert_array_equal(search_files(X[:5], url, 4).indices, expected.indices)
    if suffix != ".jsonl.gz":
        np.testing.assert_array_equal(load(f"{url}/1{suffix}").to_float(), X[100:200])
    vectors = Collection.create(tmp_path / "c", like=quantize(X, "int8"), rescore_with=X)
    assert (vectors.ingest(url), vectors.ingest(f"{url}/*")) == (300, 0)
    np.testing.assert_array_equal(vectors.search(X[:5], 1).indices[:, 0], range(5))


def test_what_is_not_there(bucket: Any) -> None:
    for url in ("s3://bucket/none.npy", "s3://nowhere/none.npy", "s3://bucket/none/*.npy"):
        with pytest.raises(FileNotFoundError, match=url.replace("*", r"\*")):
            list(iter_load(url))
    away = {
        "endpoint_url": "http://127.0.0.1:9",
        "client_kwargs": {},
        "config_kwargs": {"retries": {"max_attempts": 0}},
    }
    with pytest.raises(OSError, match=r"^s3://bucket/x\.npy: Could not connect to the endpoint URL"):
        list(iter_load("s3://bucket/x.npy", storage_options=away))
