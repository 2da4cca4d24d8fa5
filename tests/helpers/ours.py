"""Whose errors are whose."""

from __future__ import annotations

import linecache
from pathlib import Path

import embcodec

PACKAGE = str(Path(embcodec.__file__).parent)


def is_ours(error: BaseException) -> bool:
    """Whether an error was raised by a statement of the package, and not by Python or NumPy within it."""
    trace = error.__traceback__
    assert trace is not None
    while trace.tb_next is not None:
        trace = trace.tb_next
    file = trace.tb_frame.f_code.co_filename
    line = linecache.getline(file, trace.tb_lineno).strip()
    return file.startswith(PACKAGE) and line.startswith(("raise ", "self.fail("))
