"""What Numba compiles: a user's metric for the blocked scan. Imported on first use; numba itself later still."""

from __future__ import annotations

import math
import sys
from collections.abc import Callable
from dataclasses import dataclass, field
from functools import lru_cache
from importlib import import_module
from types import FunctionType
from typing import Any, Protocol, overload

import numpy as np

from ..dtypes import Metric, OutputDtype, OutputDtypeLike, OutputDtypeName, as_output_dtype
from ..words import import_numba, shown


class UserMetric(Protocol):
    """What search takes as a user's metric: what :func:`compile_metric` makes, or a ``numba.cfunc`` that is like it."""

    @property
    def address(self) -> int:
        """Of the C function."""

    @property
    def lower_is_better(self) -> bool:
        """Whether it is a distance."""


MetricLike = Metric | UserMetric
_TRIED_DIMENSIONS = 64  # few enough for a function that takes their square


@dataclass(frozen=True)
class CompiledMetric:
    """A user's metric in the form of the kernels: a block of rows and some queries a call.

    Attributes
    ----------
    address : int
        Of a C function ``void (queries *, int64 n_queries, rows *, int64 n_rows, int64 width, float *scores, int64
        scores_stride)``: rows and queries lie without gaps, ``scores[q * scores_stride + r]`` is to be written.
    lower_is_better : bool
        Whether it is a distance.
    function : object
        What owns the code.
    output_dtype : str or None
        What it compares; None where that is not known.
    source : function or None
        What was compiled. Of a pickled metric its name travels alone: it is compiled anew where it arrives.
    """

    address: int
    lower_is_better: bool
    function: object = field(default=None, repr=False)
    output_dtype: OutputDtype | None = None
    source: FunctionType | None = field(default=None, repr=False, compare=False)

    def __copy__(self) -> CompiledMetric:
        return self

    def __deepcopy__(self, memo: object) -> CompiledMetric:
        return self

    def __reduce__(self) -> tuple[Any, ...]:
        """Pickle the name of what was compiled: an address means nothing to another process.

        Raises
        ------
        TypeError
            Where no module has it by a name.
        """
        source = self.source
        if source is None or self.output_dtype is None:
            raise TypeError(
                "a numba.cfunc, which is machine code of this process, is not pickled: make the metric in each process"
            )
        module, name = source.__module__, source.__qualname__
        found = _named(module, name)
        if found is not self and getattr(found, "py_func", found) is not source:
            raise TypeError(
                f"a metric is pickled by the name of its function, and none finds {shown(name)}: define it at the top "
                f"of a module, or call compile_metric(..., lower_is_better={self.lower_is_better}) in each process"
            )
        return _compiled_by_name, (module, name, str(self.output_dtype), self.lower_is_better)


def _named(module: str, name: str) -> object:
    """Return what a module has by a name, None where it has nothing."""
    found: object = sys.modules.get(module)
    for part in name.split("."):
        found = getattr(found, part, None)
    return found


@lru_cache(maxsize=256)
def _compiled_by_name(module: str, name: str, output_dtype: OutputDtypeName, lower_is_better: bool) -> CompiledMetric:
    """Return the metric that was pickled, compiled once a process."""
    import_module(module)
    found: Any = _named(module, name)
    if isinstance(found, CompiledMetric):
        return found
    function: PairFunction = found
    return compile_metric(function, output_dtype=output_dtype, lower_is_better=lower_is_better)


PairFunction = Callable[[Any, Any], float]


@overload
def compile_metric(
    function: PairFunction, *, output_dtype: OutputDtypeLike = "float", lower_is_better: bool
) -> CompiledMetric: ...


@overload
def compile_metric(
    function: None = None, *, output_dtype: OutputDtypeLike = "float", lower_is_better: bool
) -> Callable[[PairFunction], CompiledMetric]: ...


def compile_metric(
    function: PairFunction | None = None,
    *,
    output_dtype: OutputDtypeLike = "float",
    lower_is_better: bool | None = None,
) -> CompiledMetric | Callable[[PairFunction], CompiledMetric]:
    """Compile ``function(query, row) -> number`` for ``search(..., metric=...)``; also a decorator.

    Parameters
    ----------
    function : callable
        Takes two 1-D arrays of stored elements (float32, int8, or bytes of packed bits) and returns their score. It
        must be what Numba can compile in nopython mode.
    output_dtype : str
        The dtype of the rows that it will see; search refuses others.
    lower_is_better : bool
        True for a distance, False for a similarity. To be given: a score does not say which rows are the best.

    Returns
    -------
    CompiledMetric

    Raises
    ------
    TypeError
        Where `lower_is_better` is not given, or `function` is no function, or none that Numba can compile.
    ValueError
        For an unknown dtype; for a function of int8 or uint8 whose numbers wrap around where Python's do not.
    ModuleNotFoundError
        Where Numba is not installed, as on a Python or a machine that it has no wheel for.

    Notes
    -----
    Compiled, the difference of two elements of uint8 is unsigned, and arrays of int8 keep to a byte: there
    ``abs(query[i] - row[i])`` is no distance. Functions of int8 and uint8 are therefore tried once, also in Python, on
    numbers that have room; ``np.int32(query[i]) - np.int32(row[i])`` is right in both.

    An exception that `function` raises is printed, and the row it came from refused with a ValueError, as one whose
    score is NaN is.

    Examples
    --------
    >>> import numpy as np, embcodec
    >>> @compile_metric(lower_is_better=True)
    ... def manhattan(query, row):
    ...     total = np.float32(0)
    ...     for i in range(len(query)):
    ...         total += abs(query[i] - row[i])
    ...     return total
    >>> rows = np.array([[0.0, 0.0], [1.0, 1.0], [5.0, 0.0]], np.float32)
    >>> embcodec.search(np.array([1.0, 2.0], np.float32), rows, 2, metric=manhattan).indices.tolist()
    [1, 0]
    """
    dtype = as_output_dtype(output_dtype)
    if not isinstance(lower_is_better, bool):
        given = "" if lower_is_better is None else f", not {shown(lower_is_better)}"
        raise TypeError(
            "say which scores are the best: lower_is_better=True for a distance, lower_is_better=False for a "
            f"similarity{given}"
        )
    if function is None:
        return lambda f: compile_metric(f, output_dtype=output_dtype, lower_is_better=lower_is_better)
    function = getattr(function, "py_func", function)  # what numba.njit made is compiled anew, without the GIL
    if not isinstance(function, FunctionType):
        raise TypeError(f"function is a Python function of a query and a row, not {shown(function)}")
    numba = import_numba("compile_metric", "a metric of embcodec's own, such as metric='l2', needs none")
    types = numba.types
    carray = numba.carray

    element = numba.from_dtype(dtype.numpy_dtype)
    pair = numba.njit(nogil=True)(function)
    pointer = types.CPointer(element)
    signature = types.void(
        pointer, types.int64, pointer, types.int64, types.int64, types.CPointer(types.float32), types.int64
    )

    def tile(queries, n_queries, rows, n_rows, width, scores, stride):  # type: ignore[no-untyped-def]
        all_queries = carray(queries, (n_queries, width))
        all_rows = carray(rows, (n_rows, width))
        out = carray(scores, (n_queries, stride))
        for q in range(n_queries):
            for r in range(n_rows):
                out[q, r] = pair(all_queries[q], all_rows[r])

    if dtype in (OutputDtype.INT8, OutputDtype.UINT8):
        _refuse_wrapping(function, pair, dtype)
    try:
        compiled = numba.cfunc(signature)(tile)
    except ImportError as error:  # of what Numba compiles np.dot and linear algebra with
        raise ImportError(
            f"Numba cannot compile {shown(function.__name__)} without a package: {error}; pip install scipy brings it, "
            "and a loop over the elements needs none"
        ) from error
    except numba.core.errors.NumbaError as error:
        raise TypeError(
            f"Numba cannot compile {shown(function.__name__)} for a query and a row, two 1-D arrays of "
            f"{dtype.numpy_dtype}: {_reason(str(error))}"
        ) from error
    return CompiledMetric(int(compiled.address), lower_is_better, compiled, dtype, function)


def _refuse_wrapping(function: PairFunction, pair: PairFunction, dtype: OutputDtype) -> None:
    """Refuse a function whose compiled form, of elements of a byte, is another one than Python's of whole numbers.

    What Python cannot run, as what asks for more dimensions or uses what Numba alone has, is taken as it is.
    """
    least = -128 if dtype is OutputDtype.INT8 else 0
    drawn = np.random.default_rng(0).integers(least, least + 256, (2, _TRIED_DIMENSIONS))
    try:
        with np.errstate(all="ignore"):
            meant = float(function(*drawn))
            compiled = float(pair(*drawn.astype(dtype.numpy_dtype)))
    except Exception:  # the user's own
        return
    if math.isfinite(meant) and not math.isclose(meant, compiled, rel_tol=1e-3, abs_tol=1e-3):
        raise ValueError(
            f"{shown(getattr(function, '__name__', ''))} of {dtype} elements is {compiled:.6g} compiled and "
            f"{meant:.6g} in Python: numbers of a byte wrap around; np.int32(query[i]) - np.int32(row[i]), or "
            "query.astype(np.int32) - row.astype(np.int32), has room"
        )


def _reason(text: str) -> str:
    """Return the line of Numba's report that says what it lacks."""
    lines = [line.strip() for line in text.splitlines() if line.strip()]
    told = [line for line in lines if not line.startswith(("Failed in nopython", "File ", "During: "))]
    return [*told, *lines, "it does not say why"][0][:200]


def as_metric(metric: Any) -> CompiledMetric:
    """Return what `search` was given as a metric in compiled form.

    A ``numba.cfunc`` of the kernels' own signature is taken where it has an attribute ``lower_is_better``; what it
    reads of a row is its own affair. Scores that it has not written when it returns, as where it raises, are NaN.

    Raises
    ------
    TypeError
        For anything else: a plain function is compiled with :func:`compile_metric` first.
    """
    if isinstance(metric, CompiledMetric):
        return metric
    address = getattr(metric, "address", None)
    if not isinstance(address, int):
        raise TypeError(
            "a user's metric is compile_metric(function, lower_is_better=...) or a numba.cfunc of the kernels' "
            f"signature, not {type(metric).__name__}"
        )
    lower_is_better = getattr(metric, "lower_is_better", None)
    if not isinstance(lower_is_better, bool):
        raise TypeError(
            "a numba.cfunc does not say which scores are the best: set its attribute lower_is_better to True for a "
            "distance, to False for a similarity"
        )
    return CompiledMetric(address, lower_is_better, metric)
