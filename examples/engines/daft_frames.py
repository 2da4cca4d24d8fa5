"""Code a table on Daft, and search the codes: each batch by itself, then merged.

Run with daft 0.7.26: pip install daft 'embcodec[files]'
"""

import tempfile

import daft
import numpy as np
import pyarrow
import pyarrow.parquet
from daft import DataType

import embcodec

K = 5


def main() -> None:
    """Compare with one search over all rows."""
    x = np.random.default_rng(0).standard_normal((2_000, 64), dtype=np.float32)
    x /= np.linalg.norm(x, axis=1, keepdims=True)
    queries, folder = x[:10], tempfile.mkdtemp()
    table = pyarrow.table({"id": np.arange(2_000), "vector": list(x)})
    for start in range(0, 2_000, 500):
        pyarrow.parquet.write_table(
            table.slice(start, 500), f"{folder}/{start}.parquet"
        )
    like = embcodec.quantize(x[:1], "int8")[:0]  # of what kind the codes are
    asked = embcodec.prepare(queries, like)

    @daft.func.batch(return_dtype=DataType.fixed_size_list(DataType.int8(), 64))
    def encoded(vectors: daft.Series) -> pyarrow.Array:
        """Daft keeps lists, not what they mean: `like` says that again."""
        batch = pyarrow.record_batch({"vector": vectors.to_arrow()})
        return (
            embcodec.encode_batch(batch, column="vector", to=like)
            .column("vector")
            .storage
        )

    result = DataType.struct(
        {
            "scores": DataType.list(DataType.float32()),
            "ids": DataType.list(DataType.int64()),
        }
    )

    @daft.func.batch(return_dtype=result)
    def best(ids: daft.Series, vectors: daft.Series) -> pyarrow.Array:
        """The best of a batch, in its first row; the others are null."""
        rows = embcodec.from_arrow(vectors.to_arrow(), "int8")
        found = embcodec.search(asked, rows, K, ids=ids.to_arrow())
        first = {
            "scores": found.scores.ravel().tolist(),
            "ids": found.indices.ravel().tolist(),
        }
        return pyarrow.array(
            [first] + [None] * (len(rows) - 1), result.to_arrow_dtype()
        )

    codes = daft.read_parquet(f"{folder}/*.parquet").select(
        "id", encoded(daft.col("vector")).alias("vector")
    )
    best_of_all = codes.select(best(daft.col("id"), daft.col("vector")).alias("best"))
    best_of_all = best_of_all.where(daft.col("best").not_null())
    parts = []
    for row in best_of_all.to_pydict()["best"]:
        scores, ids = np.float32(row["scores"]), np.int64(row["ids"])
        parts.append((scores.reshape(10, K), ids.reshape(10, K)))
    found = embcodec.merge_topk(parts, K, metric="cosine")
    expected = embcodec.search(queries, embcodec.quantize(x, "int8"), K)
    assert (found.indices == expected.indices).all()
    assert (found.scores == expected.scores).all()
    print(f"daft {daft.__version__}: {found.indices[0].tolist()}")


if __name__ == "__main__":
    main()
