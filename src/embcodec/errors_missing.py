"""What is said where a package is missing that the library does without until it is needed."""

from __future__ import annotations


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
