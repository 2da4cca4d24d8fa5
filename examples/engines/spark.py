"""Code a table on Spark, and search the codes: each batch by itself, then merged.

Run with pyspark 4.3.0 (Java 17): pip install pyspark 'embcodec[files]'
"""

import os
import sys
import tempfile
from collections.abc import Iterator

import numpy as np
import pyarrow
import pyarrow.parquet
from pyspark.sql import SparkSession

import embcodec

K, Batches = 5, Iterator[pyarrow.RecordBatch]


def main() -> None:
    """Compare with one search over all rows."""
    x = np.random.default_rng(0).standard_normal((2_000, 64), dtype=np.float32)
    x /= np.linalg.norm(x, axis=1, keepdims=True)
    queries, folder = x[:10], tempfile.mkdtemp()
    table = pyarrow.table({"id": np.arange(2_000), "vector": list(x)})
    pyarrow.parquet.write_table(table, f"{folder}/rows.parquet", row_group_size=500)
    like = embcodec.quantize(x[:1], "int8")[:0]  # of what kind the codes are
    asked = embcodec.prepare(queries, like)

    def encoded(batches: Batches) -> Batches:
        """Spark keeps lists, not what they mean: `like` says that again."""
        for batch in batches:
            codes = embcodec.encode_batch(batch, column="vector", to=like, keep=["id"])
            rows = codes.column("vector").storage.cast(pyarrow.list_(pyarrow.int8()))
            yield pyarrow.record_batch({"id": codes.column("id"), "vector": rows})

    def best(batches: Batches) -> Batches:
        for batch in batches:
            rows = embcodec.Embeddings(
                embcodec.from_arrow(batch, "int8", name="vector").values, "int8"
            )
            found = embcodec.search(asked, rows, K, ids=batch.column("id"))
            row = {"scores": [found.scores.ravel()], "ids": [found.indices.ravel()]}
            yield pyarrow.record_batch(row)

    os.environ.setdefault("PYSPARK_PYTHON", sys.executable)
    session = SparkSession.builder.master("local[2]").getOrCreate()
    codes = session.read.parquet(folder).repartition(4)
    codes = codes.mapInArrow(encoded, "id long, vector array<byte>")
    parts = []
    for row in codes.mapInArrow(best, "scores array<float>, ids array<long>").collect():
        scores, ids = np.float32(row["scores"]), np.int64(row["ids"])
        parts.append((scores.reshape(10, K), ids.reshape(10, K)))
    found = embcodec.merge_topk(parts, K, metric="cosine")
    expected = embcodec.search(queries, embcodec.quantize(x, "int8"), K)
    assert (found.indices == expected.indices).all()
    assert (found.scores == expected.scores).all()
    print(f"spark {session.version}: {found.indices[0].tolist()}")
    session.stop()


if __name__ == "__main__":
    main()
