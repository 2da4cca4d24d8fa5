"""An install without Numba: who gets one, and that all but the two things which need it goes on."""

from __future__ import annotations

import json
import runpy
import subprocess
import sys
import sysconfig
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import pytest

SETUP = next(folder / "setup.py" for folder in Path(__file__).parents if (folder / "setup.py").exists())

# What a user does, in an interpreter that has no Numba.
MAIN_PATHS = """
import sys
sys.modules["numba"] = None
import numpy as np
import embcodec as ec

random = np.random.default_rng(1)
rows = random.standard_normal((200, 64), np.float32)
rows /= np.linalg.norm(rows, axis=1, keepdims=True)

for dtype in ("float", "int8", "ubinary"):
    codes = ec.quantize(rows, dtype)
    body = ec.encode_response(codes, model="m", encoding_format="base64")
    assert ec.decode_response(body, output_dtype=dtype).embeddings.values.tobytes() == codes.values.tobytes()
    assert ec.search(rows[:5], codes, 3).indices[:, 0].tolist() == [0, 1, 2, 3, 4]

ranges = ec.calibrate(rows)
assert ec.dequantize(ec.quantize(rows, "uint8", scale=ranges)).shape == rows.shape

index = ec.FlatIndex(ec.quantize(rows[:100], "ubinary"), rescore_with=rows[:100])
index.add(rows[100:])
assert index.search(rows[:5], 3).indices[:, 0].tolist() == [0, 1, 2, 3, 4]

quantizer = ec.LowBitQuantizer(4).fit(rows)
codes = quantizer.encode(rows)
assert ec.search(rows[:5], codes, 3).indices[:, 0].tolist() == [0, 1, 2, 3, 4]

found = ec.study(rows, rows[:40], k=5, dimensions=[64], rotation="random")
assert found.to_dict(0.9)
"""

EVERY_MODULE = """
import sys
sys.modules["numba"] = None
import pkgutil
from importlib import import_module
import embcodec

for module in pkgutil.walk_packages(embcodec.__path__, "embcodec."):
    try:
        import_module(module.name)
    except ModuleNotFoundError as error:
        if module.name.startswith("embcodec.adapters.") and error.name != "numba":
            continue  # the library that it is for is not here
        assert error.name == "numba"
        print(module.name)
"""

NEEDS_NUMBA = """
import sys
sys.modules["numba"] = None
import numpy as np
import embcodec as ec

def batches():
    yield np.eye(3, dtype=np.float32)
    raise AssertionError("a batch was taken of what cannot be looked through")

def cases():
    yield lambda: ec.calibrate(batches(), method="quantile")
    yield lambda: ec.calibrate(batches(), method="mse")
    yield lambda: ec.Summary(histograms=True)
    yield lambda: ec.compile_metric(lambda query, row: 0.0, lower_is_better=True)

for case in cases():
    try:
        case()
    except ModuleNotFoundError as error:
        assert error.name == "numba"
        print(error)
"""


def in_python(code: str) -> str:
    done = subprocess.run([sys.executable, "-W", "error", "-c", code], capture_output=True, text=True)
    assert done.returncode == 0, done.stderr
    return done.stdout


def test_the_main_paths_go_on() -> None:
    in_python(MAIN_PATHS)


def test_one_module_alone_cannot_be_imported() -> None:
    for package in ("starlette", "matplotlib"):
        pytest.importorskip(package)
    (module,) = in_python(EVERY_MODULE).split()
    assert "jit" in module


def test_what_needs_it_says_so_in_a_sentence() -> None:
    quantile, mse, summary, metric = in_python(NEEDS_NUMBA).splitlines()
    assert (
        quantile
        == mse
        == summary
        == (
            "calibrate by 'quantile' or 'mse' needs numba, which is not installed: pip install numba; "
            "where it has no wheel, method='minmax' needs none"
        )
    )
    assert metric.startswith("compile_metric needs numba, which is not installed: pip install numba; ")


def test_a_numba_that_refuses_says_why(tmp_path: Path) -> None:
    (tmp_path / "numba.py").write_text("raise ImportError('Numba needs NumPy 2.5 or less')")
    code = f"""
import sys
sys.path.insert(0, {str(tmp_path)!r})
import embcodec as ec
try:
    ec.calibrate([[1.0]], method="mse")
except ImportError as error:
    print(error)
"""
    assert "cannot be imported: Numba needs NumPy 2.5 or less; method='minmax' needs none" in in_python(code)


def requirements(monkeypatch: pytest.MonkeyPatch, *, musl: bool = False, free_threaded: bool = False) -> list[str]:
    """Return what setup.py requires where it builds on such an interpreter."""
    taken: dict[str, Any] = {}
    told = {"Py_GIL_DISABLED": int(free_threaded), "HOST_GNU_TYPE": f"x86_64-pc-linux-{'musl' if musl else 'gnu'}"}
    ask = sysconfig.get_config_var
    monkeypatch.setattr(sysconfig, "get_config_var", lambda name: told.get(name, ask(name) if name != "SOABI" else ""))
    for name, holds in (
        ("setuptools", {"setup": taken.update}),
        ("setuptools.command", {}),
        ("setuptools.command.build_ext", {"build_ext": object}),
        ("setuptools.errors", dict.fromkeys(("CompileError", "LinkError", "PlatformError"), OSError)),
    ):
        monkeypatch.setitem(sys.modules, name, SimpleNamespace(**holds))
    runpy.run_path(str(SETUP))
    return taken["install_requires"]


WHEELS = {  # machines, and the first and last Python 3.x for which Numba has a wheel there
    ("linux", "x86_64"): (11, 15),
    ("linux", "aarch64"): (11, 15),
    ("linux", "riscv64"): None,
    ("linux", "ppc64le"): None,
    ("win32", "AMD64"): (11, 15),
    ("win32", "ARM64"): (12, 14),
    ("win32", "x86"): None,
    ("darwin", "arm64"): (11, 15),
    ("darwin", "x86_64"): (11, 13),
}


@pytest.mark.parametrize("machine", WHEELS, ids=lambda machine: "-".join(machine))
def test_numba_is_required_where_it_has_a_wheel(machine: tuple[str, str], monkeypatch: pytest.MonkeyPatch) -> None:
    markers = pytest.importorskip("packaging.requirements")
    wanted = [markers.Requirement(line) for line in requirements(monkeypatch)]
    numba = [requirement for requirement in wanted if requirement.name == "numba"]
    assert {"numpy", "cffi", "click"} <= {requirement.name for requirement in wanted if requirement.marker is None}
    for minor in range(11, 18):
        place = {"sys_platform": machine[0], "platform_machine": machine[1], "python_version": f"3.{minor}"}
        there = [line for line in numba if line.marker.evaluate({**place, "implementation_name": "cpython"})]
        span = WHEELS[machine]
        assert len(there) == (span is not None and span[0] <= minor <= span[1]), (minor, there)
        if machine == ("darwin", "x86_64") and there:
            assert not there[0].specifier.contains("0.63.0")
            assert there[0].specifier.contains("0.62.1")
        assert not any(line.marker.evaluate({**place, "implementation_name": "pypy"}) for line in numba)


def test_musl_goes_without_numba(monkeypatch: pytest.MonkeyPatch) -> None:
    assert not [line for line in requirements(monkeypatch, musl=True) if line.startswith("numba")]


@pytest.mark.parametrize(("version", "numba"), [((3, 14), 3), ((3, 15), 0)])
def test_free_threaded_interpreters_have_it_as_far_as_wheels_go(
    version: tuple[int, int], numba: int, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(sys, "version_info", version)
    lines = requirements(monkeypatch, free_threaded=True)
    assert len([line for line in lines if line.startswith("numba")]) == numba, json.dumps(lines)
