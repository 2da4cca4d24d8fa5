"""What several of these tests need."""

from __future__ import annotations

import warnings
from collections.abc import Iterator
from typing import Any

import pytest


@pytest.fixture(scope="module")
def cluster() -> Iterator[Any]:
    """Two workers in processes of their own, on loopback."""
    dask, distributed = pytest.importorskip("dask"), pytest.importorskip("distributed")
    settings = {
        "distributed.comm.timeouts.connect": "10s",  # for those killed
        "distributed.worker.multiprocessing-method": "forkserver",  # which imports Dask once, not once a worker
    }
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        with (
            dask.config.set(settings),
            distributed.LocalCluster(
                n_workers=2, threads_per_worker=1, host="127.0.0.1", dashboard_address=":0", silence_logs=50
            ) as local,
            distributed.Client(local) as client,
        ):
            yield client
