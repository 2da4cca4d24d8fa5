"""cffi build script: joins the parts of the contract into the cdef and lists the C sources.

Named in ``setup.py``; run by setuptools when the extension ``embcodec._kernels`` is built.
"""

import os
import re
import sys
from pathlib import Path

from cffi import FFI

ROOT = Path(__file__).resolve().parent
CONTRACT = "embcodec.h"
TESTING = "contract/testing.h"  # what only tests call; says why it is built in
_INCLUDE = re.compile(r'#\s*include\s+"(.+)"')


def joined(header: Path, seen: set[Path]) -> str:
    """Return the declarations of a header and of what it includes, each once, as a compiler reads them.

    cffi knows no preprocessor: the parts of the contract have no directives but includes and their guards.
    """
    if header in seen:
        return ""
    seen.add(header)
    lines = []
    for line in header.read_text(encoding="utf-8").splitlines(keepends=True):
        included = _INCLUDE.match(line)
        if included:
            lines.append(joined((header.parent / included[1]).resolve(), seen))
        elif not line.startswith("#"):
            lines.append(line)
    return "".join(lines)


def sources() -> list[str]:
    """Return every C file, relative to the project's root, as setuptools wants them."""
    return sorted(os.path.relpath(path, ROOT.parent).replace(os.sep, "/") for path in ROOT.rglob("*.c"))


if sys.platform == "win32":
    compile_args, link_args = ["/O2", "/std:c11", "/W3"], []
else:
    # -ffp-contract=off: a fused multiply-add happens only where a kernel asks for it, so tiers agree.
    compile_args = ["-std=c11", "-O3", "-fvisibility=hidden", "-ffp-contract=off", "-fno-math-errno"]
    compile_args.append("-pthread")
    link_args = ["-pthread"]

ffi = FFI()
_seen: set[Path] = set()
for part in (CONTRACT, TESTING):
    ffi.cdef(joined(ROOT / part, _seen))
ffi.set_source(
    "embcodec._kernels",
    "".join(f'#include "{part}"\n' for part in (CONTRACT, TESTING)),
    sources=sources(),
    include_dirs=["csrc"],
    depends=sorted(str(path.relative_to(ROOT.parent)) for path in ROOT.rglob("*.h")),
    extra_compile_args=compile_args,
    extra_link_args=link_args,
)
