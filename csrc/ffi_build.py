"""cffi build script: cuts the cdef out of embcodec.h and lists the C sources.

Named in ``setup.py``; run by setuptools when the extension ``embcodec._kernels`` is built.
"""

import os
import sys
from pathlib import Path

from cffi import FFI

ROOT = Path(__file__).resolve().parent
BEGIN, END = "/* cdef: begin */", "/* cdef: end */"


def contract() -> str:
    """Return the part of the contract header that cffi parses."""
    text = (ROOT / "embcodec.h").read_text(encoding="utf-8")
    return text.split(BEGIN, 1)[1].split(END, 1)[0]


def sources() -> list[str]:
    """Return every C file, relative to the project's root, as setuptools wants them."""
    return sorted(os.path.relpath(path, ROOT.parent).replace(os.sep, "/") for path in ROOT.rglob("*.c"))


if sys.platform == "win32":
    compile_args = ["/O2", "/std:c11", "/W3"]
else:
    # -ffp-contract=off: a fused multiply-add happens only where a kernel asks for it, so tiers agree.
    compile_args = ["-std=c11", "-O3", "-fvisibility=hidden", "-ffp-contract=off", "-fno-math-errno"]

ffi = FFI()
ffi.cdef(contract())
ffi.set_source(
    "embcodec._kernels",
    '#include "embcodec.h"',
    sources=sources(),
    include_dirs=["csrc"],
    depends=sorted(str(path.relative_to(ROOT.parent)) for path in ROOT.rglob("*.h")),
    extra_compile_args=compile_args,
)
