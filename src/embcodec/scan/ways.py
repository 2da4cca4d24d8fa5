"""What to do where codes do not meet: the calls that an error names, with every argument that they need."""

from __future__ import annotations

from ..dtypes import OutputDtype
from ..embeddings import Embeddings
from ..errors import CodeMismatchError
from ..quantizers.lowbit import LowBitCodes
from ..scale import PER_VECTOR, RANGES


def way_to(name: str, rows: Embeddings, whose: str) -> str:
    """Return the call that makes codes like `rows`, which the user knows as `whose`, of the rows or codes `name`."""
    dtype, scale = rows.output_dtype, rows.scale
    if dtype is OutputDtype.FLOAT:
        return f"{name}.to_float()"
    arguments = [name, f'"{dtype}"']
    if scale is not None and scale.kind == PER_VECTOR:
        arguments.append('scale="per-vector"')
    if scale is not None and scale.kind == RANGES:
        arguments.append(f"scale={whose}.scale")
    if dtype is OutputDtype.BINARY and rows.signed_bytes != "offset":
        arguments.append(f'signed_bytes="{rows.signed_bytes}"')
    if dtype.is_packed and rows.bit_order != "msb":
        arguments.append(f'bit_order="{rows.bit_order}"')
    return f"quantize({', '.join(arguments)})"


def check_dimensions(queries: Embeddings, rows: Embeddings | LowBitCodes, whose: str = "corpus") -> None:
    """Refuse queries of other dimensions than the rows of a corpus or an index, and say how the longer are cut."""
    asked, known = queries.dimension, rows.dimension
    if asked == known:
        return
    way = f"truncate(queries, {known})"
    if not known or not asked:
        way = "rows and queries of at least one dimension"
    elif asked < known:
        shorter = f"truncate(rows, {asked})"
        if isinstance(rows, LowBitCodes):
            shorter = f"codes of rows cut to as many: a LowBitQuantizer fitted to {shorter} encodes them"
        elif whose == "collection":
            shorter = f"a collection of rows cut to as many, like=truncate(rows, {asked})"
        elif whose == "index":
            shorter = f"an index of rows cut to as many, FlatIndex({shorter})"
        else:
            shorter = f"truncate({whose}, {asked})"
        way = f"queries of all {known}, or {shorter}"
    raise CodeMismatchError(
        f"queries have {asked} dimensions, the {whose} {known}", f"{way} (where one model made both, and can be cut)"
    )
