"""What a second Dask worker on loopback gains where files are taken into a collection, and where they are summed up.

    python benchmarks/workers_ingest.py [--rows 24000] [--files 12] [--turns 2] [--tries 3] [--kinds jsonl parquet npy]

Files of random rows lie in memory (/dev/shm, where there is such), and so does the collection, of bits and int8 to
rescore with. One cluster of one worker, of one thread, and one of two take turns, with Dask's settings for few cores,
as docs/howto/collection.md has them; *here* is the process alone, with as many threads as it takes. Each collection is
compared with the one made here.
"""

from __future__ import annotations

import argparse
import filecmp
import json
import os
import shutil
import tempfile
import time
from pathlib import Path
from statistics import median

import dask
import numpy as np
import pyarrow
import pyarrow.parquet

from distributed import Client, LocalCluster
from embcodec import Collection, Summary, iter_load, quantize
from embcodec.distributed import summarize

DIMENSION = 512
SUMMED = "summary"


def write(kind: str, path: Path, rows: np.ndarray) -> None:
    """Write rows as a file of a kind."""
    if kind == "npy":
        np.save(path, rows)
    elif kind == "parquet":
        flat = pyarrow.FixedSizeListArray.from_arrays(rows.reshape(-1), DIMENSION)
        pyarrow.parquet.write_table(pyarrow.table({"vector": flat}), path, row_group_size=len(rows))
    else:
        data = [[{"index": 0, "embedding": row}] for row in rows.tolist()]
        answers = [{"status_code": 200, "body": {"model": "m", "data": each}} for each in data]
        lines = [json.dumps({"custom_id": f"{path.stem}-{i}", "response": each}) for i, each in enumerate(answers)]
        path.write_text("\n".join(lines) + "\n")


def ingest(folder: Path, source: Path, like: tuple, client: Client | None) -> float:
    """Return the seconds that it takes to make a collection, the same as the first one."""
    made, first = folder / "made", folder / f"first {source.name}"
    target = made if first.exists() else first
    collection = Collection.create(target, like=like[0], rescore_with=like[1])
    start = time.perf_counter()
    collection.ingest(source, scheduler=client)
    took = time.perf_counter() - start
    if target is made:
        names = sorted(os.listdir(first))
        assert filecmp.cmpfiles(first, made, names, shallow=False)[0] == names
        shutil.rmtree(made)
    return took


def sum_up(source: Path, expected: Summary, client: Client | None) -> float:
    """Return the seconds that a summary takes."""
    start = time.perf_counter()
    found = summarize(source, scheduler=client) if client is not None else summary_here(source)
    took = time.perf_counter() - start
    assert found == expected
    return took


def summary_here(source: Path) -> Summary:
    """Return the summary of files by this process."""
    return Summary().update(part.rows.values for part in iter_load(source))


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    for name, usual in (("rows", 24_000), ("files", 12), ("turns", 2), ("tries", 3)):
        parser.add_argument(f"--{name}", type=int, default=usual)
    parser.add_argument("--kinds", nargs="+", default=["jsonl", "parquet", "npy", SUMMED])
    asked = parser.parse_args()
    dask.config.set({"distributed.worker.profile.enabled": False, "distributed.admin.tick.interval": "500ms"})
    x = np.random.default_rng(0).standard_normal((asked.rows, DIMENSION), dtype=np.float32)
    like = quantize(x[:9], "ubinary"), quantize(x[:9], "int8", scale="per-vector")
    took: dict[tuple[str, str], list[float]] = {}
    room = "/dev/shm" if os.path.isdir("/dev/shm") else None
    with tempfile.TemporaryDirectory(dir=room, prefix="embcodec-workers-") as name:
        folder = Path(name)
        for kind in {*asked.kinds, "npy"} - {SUMMED}:
            (folder / kind).mkdir()
            for number, part in enumerate(np.array_split(x, asked.files)):
                write(kind, folder / kind / f"{number:02d}.{kind}", part)
        expected = summary_here(folder / "npy")

        def measure(who: str, client: Client | None) -> None:
            for kind in asked.kinds:
                for _ in range(asked.tries):
                    time_of = sum_up(folder / "npy", expected, client) if kind == SUMMED else None
                    time_of = ingest(folder, folder / kind, like, client) if time_of is None else time_of
                    took.setdefault((kind, who), []).append(time_of)

        for _ in range(asked.turns):
            measure("here", None)
            for count in (1, 2):
                with (
                    LocalCluster(
                        n_workers=count,
                        threads_per_worker=1,
                        host="127.0.0.1",
                        dashboard_address=":0",
                        silence_logs=50,
                    ) as local,
                    Client(local) as client,
                ):
                    measure(f"{count} worker{'s' * (count > 1)}", client)
    for kind in asked.kinds:
        each = {who: took[kind, who] for who in ("here", "1 worker", "2 workers")}
        rates = ", ".join(f"{who} {asked.rows / min(times):,.0f} rows/s" for who, times in each.items())
        best = min(each["1 worker"]) / min(each["2 workers"])
        usual = median(each["1 worker"]) / median(each["2 workers"])
        print(f"{kind:8s} {rates}; two workers gain {best:.2f} (best), {usual:.2f} (median)")


if __name__ == "__main__":
    main()
