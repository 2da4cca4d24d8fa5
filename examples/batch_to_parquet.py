"""Turn a batch job's output, however large, into codes in Parquet, part by part."""

import json
import tempfile
from itertools import islice
from pathlib import Path

import numpy as np
import pyarrow
import pyarrow.parquet

import embcodec

ROWS_AT_ONCE = 256


def some_results(path: Path) -> None:
    """Write what a batch job might answer: 1,000 lines, every hundredth a failure."""
    rows = np.random.default_rng(0).standard_normal((1000, 64), dtype=np.float32)
    with path.open("w", encoding="utf-8") as file:
        for number, row in enumerate(rows):
            body = json.loads(embcodec.encode_response(row[None], model="example"))
            line = {"response": {"status_code": 200, "body": body}, "error": None}
            if number % 100 == 0:
                line = {"response": None, "error": "the text is too long"}
            file.write(json.dumps({"custom_id": f"doc-{number}", **line}) + "\n")


def main() -> None:
    """Convert, and read the result back."""
    with tempfile.TemporaryDirectory() as folder:
        source, target = Path(folder, "results.jsonl"), Path(folder, "vectors.parquet")
        some_results(source)
        lines, failed, writer = embcodec.iter_batch(source), 0, None
        while part := list(islice(lines, ROWS_AT_ONCE)):
            good = [line for line in part if line.error is None]
            failed += len(part) - len(good)
            rows = np.concatenate([line.response.embeddings.values for line in good])
            codes = embcodec.quantize(rows, "int8", scale="per-vector")
            ids = [line.custom_id for line in good]
            table = pyarrow.table({"id": ids, "embedding": embcodec.to_arrow(codes)})
            writer = writer or pyarrow.parquet.ParquetWriter(target, table.schema)
            writer.write_table(table)
        writer.close()
        table = pyarrow.parquet.read_table(target)
        print(f"{failed} lines failed; {embcodec.from_arrow(table)!r}")
        assert (failed, table.num_rows) == (10, 990)


if __name__ == "__main__":
    main()
