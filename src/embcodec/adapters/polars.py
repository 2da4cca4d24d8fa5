"""A namespace of polars columns, ``.embcodec``: importing this module registers it. Needs polars.

Examples
--------
>>> import polars as pl
>>> import embcodec.adapters.polars
>>> frame = pl.DataFrame({"id": [7, 8], "vector": [[0.6, -0.8], [0.0, 1.0]]})
>>> frame["vector"].embcodec.to("int8").to_list()
[[76, -102], [0, 127]]
>>> frame.with_columns(pl.col("vector").embcodec.to("ubinary").alias("bits"))["bits"].to_list()
[[128], [64]]
>>> frame["vector"].embcodec.search([[0.0, 2.0]], k=1).indices.tolist()
[[1]]
"""

from __future__ import annotations

from typing import Any

from ..dtypes import OutputDtype, OutputDtypeLike, as_output_dtype
from ..embeddings import Embeddings
from ..quantizers import quantize
from ..scale import Scale, ScaleLike
from ..scan import SearchResult, search
from .missing import needed

with needed("the namespace of polars", "polars"):
    import polars as pl

_ELEMENTS = {
    OutputDtype.FLOAT: pl.Float32,
    OutputDtype.INT8: pl.Int8,
    OutputDtype.UINT8: pl.UInt8,
    OutputDtype.BINARY: pl.Int8,
    OutputDtype.UBINARY: pl.UInt8,
}


@pl.api.register_series_namespace("embcodec")
class SeriesCodes:
    """What a column of vectors can do: :meth:`rows`, :meth:`to`, :meth:`search`."""

    def __init__(self, series: pl.Series) -> None:
        self._series = series

    def rows(
        self, output_dtype: OutputDtypeLike = "float", dimension: int | None = None, scale: Scale | None = None
    ) -> Embeddings:
        """Return the column as Embeddings: lists or arrays of one length, without nulls.

        Parameters
        ----------
        output_dtype, dimension, scale
            What its numbers are, as :class:`~embcodec.Embeddings` has them.
        """
        return Embeddings(self._series, output_dtype, dimension, scale)

    def to(self, output_dtype: OutputDtypeLike, *, scale: ScaleLike = "unit") -> pl.Series:
        """Return floats as codes: a column of arrays of fixed length, of the same name.

        Parameters
        ----------
        output_dtype : {"float", "int8", "uint8", "binary", "ubinary"}
        scale : "unit" or ranges
            Of int8 and uint8; per-vector scales have no place in a column (ValueError).
        """
        dtype = as_output_dtype(output_dtype)
        _check_scale(scale)
        rows = self.rows()
        codes = rows if dtype is OutputDtype.FLOAT else quantize(rows, dtype, **_scaled(dtype, scale))
        return pl.Series(self._series.name, codes.values, dtype=pl.Array(_ELEMENTS[dtype], codes.values.shape[1]))

    def search(self, queries: Any, k: int, **wishes: Any) -> SearchResult:
        """Return the k nearest rows of a column of floats for each query, as :func:`embcodec.search` does."""
        return search(queries, self.rows(), k, **wishes)


@pl.api.register_expr_namespace("embcodec")
class ExprCodes:
    """The same of expressions: :meth:`to`."""

    def __init__(self, expr: pl.Expr) -> None:
        self._expr = expr

    def to(self, output_dtype: OutputDtypeLike, *, scale: ScaleLike = "unit", dimension: int | None = None) -> pl.Expr:
        """Return floats as codes; see :meth:`SeriesCodes.to`.

        Lists, since an expression must say its type before it has seen a row; arrays where `dimension` is told.
        """
        dtype = as_output_dtype(output_dtype)
        _check_scale(scale)
        element = _ELEMENTS[dtype]
        kind = pl.List(element) if dimension is None else pl.Array(element, dtype.row_width(dimension))
        return self._expr.map_batches(
            lambda series: SeriesCodes(series).to(output_dtype, scale=scale).cast(kind), return_dtype=kind
        )


def _check_scale(scale: Any) -> None:
    if (isinstance(scale, str) and scale == "per-vector") or (isinstance(scale, Scale) and scale.kind == "per-vector"):
        raise ValueError("a column of codes has no room for per-vector scales, as to_arrow(rows) has")


def _scaled(dtype: OutputDtype, scale: ScaleLike) -> dict[str, Any]:
    return {} if dtype.is_packed else {"scale": scale}
