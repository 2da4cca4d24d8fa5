"""Fits keep linear algebra to one thread while they last, and put back what was in force."""

from __future__ import annotations

import threading

import numpy as np
import pytest
from threadpoolctl import threadpool_info, threadpool_limits

from embcodec import LowBitQuantizer
from embcodec.quantizers.fitting.threads import one_blas_thread, side_by_side
from embcodec.quantizers.lowbit import rotations


def blas_threads() -> set[int]:
    """Return the threads of NumPy's BLAS. Faiss brings one by OpenMP, which counts anew in each thread that asks."""
    blas = [found for found in threadpool_info() if found["user_api"] == "blas"]
    return {found["num_threads"] for found in blas if found.get("threading_layer") != "openmp"}


def test_limit_is_put_back_whatever_happens() -> None:
    with threadpool_limits(2, "blas"):
        before = blas_threads()
        inside, leave = threading.Event(), threading.Event()

        def other() -> None:
            with one_blas_thread():
                inside.set()
                leave.wait(10)

        thread = threading.Thread(target=other)
        with one_blas_thread():
            assert blas_threads() == {1}
            thread.start()
            assert inside.wait(10)
        leave.set()
        thread.join()
        assert blas_threads() == before
        with pytest.raises(KeyError), one_blas_thread():
            raise KeyError
        assert blas_threads() == before
        with one_blas_thread(1 << 40):
            assert blas_threads() == before


def test_a_fit_is_on_one_blas_thread(monkeypatch: pytest.MonkeyPatch) -> None:
    seen: set[int] = set()
    learned = rotations._learned_matrix

    def watched(*arguments: object) -> np.ndarray:
        seen.update(blas_threads())
        return learned(*arguments)  # type: ignore[arg-type]

    monkeypatch.setattr(rotations, "_learned_matrix", watched)
    with threadpool_limits(2, "blas"):
        x = np.random.default_rng(0).standard_normal((300, 24)).astype(np.float32)
        LowBitQuantizer(2, rotation="blocks", center="auto").fit(x)
    assert seen == {1}


def test_side_by_side_keeps_the_order_and_raises() -> None:
    assert list(side_by_side(lambda item: item * item, range(20))) == [item * item for item in range(20)]
    assert list(side_by_side(str, [])) == []
    with pytest.raises(ZeroDivisionError):
        list(side_by_side(lambda item: 1 / item, [1, 0, 2]))
