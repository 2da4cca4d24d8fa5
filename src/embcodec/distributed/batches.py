"""Record batches of Arrow, coded one by one: what Dask, Ray Data, Daft, DuckDB and Spark map over tables."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

from ..dtypes import OutputDtypeLike
from ..embeddings import Embeddings
from ..errors import StorageError
from ..files.exchange import from_arrow, to_arrow
from ..quantizers.lowbit import say_nothing
from ..scale import PER_VECTOR, ScaleLike
from ..words import as_iterable, shown


def encode_batch(record_batch: Any, *, column: str, to: OutputDtypeLike | Embeddings, keep: Sequence[str] = ()) -> Any:
    """Return a record batch with its column of floats as codes; the same for a row, whatever rows are beside it.

    Parameters
    ----------
    record_batch : pyarrow.RecordBatch, or object with Arrow's PyCapsule interface
        What an engine hands to a function that it maps over a table.
    column : str
        The column of vectors, floats or codes.
    to : str or Embeddings
        What they become: a dtype, in the unit scale; or rows (none will do) of which they take dtype, scale and orders
        of bytes and bits, and the dimension where a batch has no rows: ``quantize(sample, "int8", scale=ranges)[:0]``.
    keep : sequence of str
        Other columns, as they are, before that of the codes.

    Returns
    -------
    pyarrow.RecordBatch
        `keep`, then `column`, as :func:`embcodec.to_arrow` makes it.

    Raises
    ------
    StorageError
        For a column that is missing or holds no vectors, and for a batch of no rows that tells no dimension.
    CodeMismatchError
        Where the vectors cannot become such codes.

    Examples
    --------
    >>> import pyarrow
    >>> from embcodec import encode_batch, from_arrow
    >>> batch = pyarrow.record_batch({"id": [7, 8], "text": ["a", "b"], "vector": [[0.6, 0.8], [-1.0, 0.0]]})
    >>> coded = encode_batch(batch, column="vector", to="int8", keep=["id"])
    >>> coded.schema.names, from_arrow(coded).values.tolist()
    (['id', 'vector'], [[76, 102], [-127, 0]])
    """
    rows = from_arrow(record_batch, name=column)
    if isinstance(to, Embeddings):
        coded = to[:0] if say_nothing(rows) else _like(rows, to)
    elif say_nothing(rows):
        raise StorageError(
            f"column {shown(column)} has no rows, whose lists would tell the dimension: pass rows as to=, such as "
            f"quantize(sample, {shown(to)})[:0]"
        )
    else:
        coded = rows.to(to)
    import pyarrow  # is there: from_arrow needs it

    known = isinstance(record_batch, pyarrow.RecordBatch | pyarrow.Table)
    table = record_batch if known else pyarrow.table(record_batch)
    kept_names = list(as_iterable(keep, "keep", "names of columns"))
    missing = [name for name in kept_names if not (isinstance(name, str) and name in table.schema.names)]
    if missing:
        raise StorageError(f"there is no column {shown(missing[0])} to keep: the batch has {table.schema.names}")
    columns = {name: table.column(name) for name in kept_names}
    kept = {name: getattr(found, "combine_chunks", lambda f=found: f)() for name, found in columns.items()}
    return pyarrow.record_batch({**kept, column: to_arrow(coded)})


def _like(rows: Embeddings, to: Embeddings) -> Embeddings:
    scale = to.scale
    kind: ScaleLike | None = "per-vector" if scale is not None and scale.kind == PER_VECTOR else scale
    return rows.to(to.output_dtype, scale=kind, signed_bytes=to.signed_bytes, bit_order=to.bit_order)
