"""Where the system gives a process no threads, or few, every answer is what it is with all of them."""

from __future__ import annotations

import subprocess
import sys
import textwrap

import pytest

resource = pytest.importorskip("resource")

PROGRAM = """
    import io
    import os
    import resource
    import sys
    import threading

    import numpy as np

    import embcodec as ec
    from embcodec._native import blocks
    from embcodec._native.core import lib
    from embcodec._native.response import fast, write

    lib.ec_pool_pretend_cores(256)
    os.environ["EMBCODEC_THREADS"] = "1"  # while nothing is asked for
    blocks._LEAST_BYTES = fast._LIST_PART = fast._STRING_PART = 1 << 12
    write.LITTLE = 10
    x = np.random.default_rng(0).standard_normal((3000, 40)).astype(np.float32)
    codes = ec.quantize(x, "int8", scale="per-vector")
    bodies = [ec.encode_response(ec.Embeddings(x), model="m", encoding_format=name) for name in ("float", "base64")]
    quantizer = ec.LowBitQuantizer(1, rotation="random", seed=0).fit(x)
    near = ec.search(x[:300], codes, 20).indices
    batch = b"".join(
        b'{"custom_id":"%d","response":{"status_code":200,"body":%s}}\\n' % (number, bodies[0]) for number in range(4)
    )

    calls = {
        "search": lambda threads: ec.search(x[:300], x, 5, threads=threads).indices,
        "range_search": lambda threads: ec.range_search(x[:300], codes, 0.3, threads=threads).indices,
        "rescore": lambda threads: ec.rescore(x[:300], near, x, 5, threads=threads).indices,
        "quantize": lambda threads: ec.quantize(x, "int8", scale="per-vector", threads=threads).values,
        "dequantize": lambda threads: ec.dequantize(codes, threads=threads),
        "pack_bits": lambda threads: ec.pack_bits(x, threads=threads),
        "calibrate": lambda threads: ec.calibrate(x, threads=threads),
        "encode": lambda threads: quantizer.encode(x, threads=threads).bit_planes,
        "format_floats": lambda threads: np.frombuffer(ec.format_floats(x, threads=threads), np.uint8),
        "encode_response": lambda threads: np.frombuffer(
            ec.encode_response(ec.Embeddings(x), model="m", threads=threads), np.uint8
        ),
        "decode_response": lambda threads: ec.decode_response(bodies[0], threads=threads).embeddings.values,
        "base64": lambda threads: ec.decode_response(bodies[1], threads=threads).embeddings.values,
        "decode_batch": lambda threads: ec.decode_batch(io.BytesIO(batch), threads=threads).embeddings.values,
    }
    want = {name: call(1) for name, call in calls.items()}
    before = len(os.listdir("/proc/self/task"))
    assert threading.active_count() == 1 and lib.ec_pool_born() == 0

    if os.getuid() == 0:
        try:
            os.setuid(54321)  # who must heed limits, and runs nothing else
        except OSError:
            sys.exit("no other user")
    for helpers in (0, 2):
        most = before + helpers if os.getuid() == 54321 else 0
        resource.setrlimit(resource.RLIMIT_NPROC, (most, before + 2))
        for name, call in calls.items():
            for threads in (4, 10**6):
                assert np.array_equal(call(threads), want[name]), name
        assert len(os.listdir("/proc/self/task")) <= before + helpers
    print("right")
"""


@pytest.mark.skipif(sys.platform != "linux", reason="counts threads in /proc")
def test_with_few_threads_the_answers_are_the_same() -> None:
    program = [sys.executable, "-c", textwrap.dedent(PROGRAM)]
    done = subprocess.run(program, capture_output=True, text=True, timeout=120, check=False)
    if done.stderr == "no other user\n":
        pytest.skip("root heeds no limits, and may not be another here")
    assert (done.stdout, done.returncode) == ("right\n", 0), done.stderr
