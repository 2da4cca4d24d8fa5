"""Columns of vectors in Hugging Face ``datasets``, coded to a fixed length; needs the extra ``datasets``."""

from __future__ import annotations

from typing import Any

import numpy as np
from numpy.typing import NDArray

from ..codec import as_array, as_float32
from ..dtypes import OutputDtype, OutputDtypeLike, as_output_dtype
from ..quantizers import quantize
from ..scale import ScaleName
from ..words import one_of
from .missing import needed

_VALUES = {"float": "float32", "int8": "int8", "uint8": "uint8", "binary": "int8", "ubinary": "uint8"}


def encode_dataset(
    dataset: Any,
    column: str,
    to: OutputDtypeLike,
    *,
    into: str | None = None,
    scale: ScaleName = "unit",
    batch_size: int = 1000,
    **of_map: Any,
) -> Any:
    """Return a dataset with a column of vectors as codes, by ``Dataset.map``: a list of fixed length a row.

    Parameters
    ----------
    dataset : datasets.Dataset
    column : str
        Lists of floats, all of one length.
    to : {"float", "int8", "uint8", "binary", "ubinary"}
    into : str, optional
        The column of the codes; by default `column` itself.
    scale : {"unit", "per-vector"}
        Of int8 and uint8; per-vector scales get a column of their own, ``<into>_scale``.
    batch_size : int
        Rows at a time.
    **of_map
        Of ``Dataset.map``, such as ``num_proc`` and ``load_from_cache_file``.

    Returns
    -------
    datasets.Dataset
        Stored as Arrow's fixed-size lists: as many bytes as the codes have.

    Raises
    ------
    ValueError
        Where there is no such column, it has no rows, or rows differ in length.
    """
    with needed("datasets.map", "datasets"):
        import datasets
    dtype = as_output_dtype(to)
    one_of(scale, ("unit", "per-vector"), "scale")
    if column not in dataset.column_names:
        raise ValueError(f"no column {column!r}: the dataset has {', '.join(dataset.column_names)}")
    if not len(dataset):
        raise ValueError("the dataset has no rows, and so no length of vectors")
    target = column if into is None else into
    width = dtype.row_width(_rows_of(dataset[:1][column]).shape[1])
    features = dataset.features.copy()
    features[target] = datasets.Sequence(datasets.Value(_VALUES[dtype]), length=width)
    has_scales = scale == "per-vector" and not dtype.is_packed and dtype is not OutputDtype.FLOAT
    if has_scales:
        features[f"{target}_scale"] = datasets.Value("float32")
    return dataset.map(
        _coded,
        fn_kwargs={"column": column, "target": target, "dtype": str(dtype), "scale": scale if has_scales else None},
        batched=True,
        with_indices=True,
        batch_size=batch_size,
        features=features,
        **of_map,
    )


def _coded(
    batch: dict[str, Any], indices: list[int], *, column: str, target: str, dtype: Any, scale: ScaleName | None
) -> dict[str, Any]:
    try:
        rows = _rows_of(batch[column])
    except (TypeError, ValueError) as error:  # which counts from the batch's first row on
        raise type(error)(f"column {column!r}, rows {indices[0]} to {indices[-1]}: {error}") from None
    if dtype == "float":
        return {target: rows}
    coded = quantize(rows, dtype, scale=scale) if scale is not None else quantize(rows, dtype)
    if scale is None:
        return {target: coded.values}
    assert coded.scale is not None
    return {target: coded.values, f"{target}_scale": coded.scale.values}


def _rows_of(column: Any) -> NDArray[np.float32]:
    """Return the rows of a column in whatever form the dataset gives it; what is no vector is named by its row."""
    rows = as_array(column)
    if rows.ndim != 2 or rows.dtype.kind not in "fiu":
        raise ValueError(f"the column holds {rows.dtype} of shape {rows.shape[1:]} a row, no vectors of numbers")
    return as_float32(rows)
