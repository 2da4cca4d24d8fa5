"""What to do where codes do not meet: the calls that an error names, with every argument that they need."""

from __future__ import annotations

from ..dtypes import OutputDtype
from ..embeddings import Embeddings
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


def way_to_dimension(name: str, rows: Embeddings, other: str, dimension: int) -> str:
    """Return the call that brings the longer of two to the dimension of the other."""
    if rows.dimension > dimension:
        return f"truncate({name}, {dimension})"
    return f"truncate({other}, {rows.dimension})"
