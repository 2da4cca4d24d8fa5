"""Code a table on Ray Data, and search the codes: each batch by itself, then merged.

Run with ray 2.60.0: pip install 'ray[data]' 'embcodec[files]'
"""

import tempfile

import numpy as np
import pyarrow
import pyarrow.parquet
import ray

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

    ray.init(num_cpus=2, include_dashboard=False, log_to_driver=False)
    ray.data.DataContext.get_current().enable_progress_bars = False
    codes = ray.data.read_parquet(folder).map_batches(
        lambda batch: pyarrow.table(
            embcodec.encode_batch(batch, column="vector", to="int8", keep=["id"])
        ),
        batch_format="pyarrow",
    )
    like = embcodec.quantize(x[:1], "int8")  # of what kind the codes are
    asked = embcodec.prepare(queries, like)

    def best(batch: pyarrow.Table) -> pyarrow.Table:
        """Return one row: scores and ids of all queries."""
        rows = embcodec.from_arrow(batch, name="vector")
        found = embcodec.search(asked, rows, K, ids=batch.column("id"))
        return pyarrow.table(
            {"scores": [found.scores.ravel()], "ids": [found.indices.ravel()]}
        )

    parts = []
    for row in codes.map_batches(best, batch_format="pyarrow").take_all():
        scores, ids = np.float32(row["scores"]), np.int64(row["ids"])
        parts.append((scores.reshape(10, K), ids.reshape(10, K)))
    found = embcodec.merge_topk(parts, K, metric="cosine")
    expected = embcodec.search(queries, embcodec.quantize(x, "int8"), K)
    assert (found.indices == expected.indices).all()
    assert (found.scores == expected.scores).all()
    print(f"ray {ray.__version__}: {found.indices[0].tolist()}")


if __name__ == "__main__":
    main()
