"""What is said where a package is missing that the library does without until it is needed."""

from __future__ import annotations

from importlib import import_module
from typing import Any


def needs_package(purpose: str, package: str, way: str) -> str:
    """Return the sentence that names the missing package and the way out.

    Parameters
    ----------
    purpose : str
        What was asked for, as the subject of "needs".
    package : str
        Its name.
    way : str
        An extra of embcodec that brings it, or a command of more than one word.

    Examples
    --------
    >>> needs_package("a .parquet file", "pyarrow", "files")
    "a .parquet file needs pyarrow, which is not installed: pip install 'embcodec[files]'"
    >>> needs_package("a user's metric", "numba", "pip install numba")
    "a user's metric needs numba, which is not installed: pip install numba"
    """
    command = way if " " in way else f"pip install 'embcodec[{way}]'"
    return f"{purpose} needs {package}, which is not installed: {command}"


def import_numba(purpose: str, without: str) -> Any:
    """Return Numba, which an install goes without where it has no wheel.

    Parameters
    ----------
    purpose : str
        What needs it.
    without : str
        What to do instead where it cannot be had.

    Raises
    ------
    ImportError
        Where it is not installed (then a ModuleNotFoundError), or refuses to be imported, as beside a NumPy newer than
        those it knows.
    """
    try:
        return import_module("numba")
    except ModuleNotFoundError as error:
        sentence = needs_package(purpose, str(error.name), f"pip install {error.name}")
        raise ModuleNotFoundError(f"{sentence}; where it has no wheel, {without}", name=error.name) from None
    except ImportError as error:
        raise ImportError(f"{purpose} needs Numba, which cannot be imported: {error}; {without}") from error
