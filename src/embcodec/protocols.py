"""What rows are to libraries that know nothing of embcodec: the protocols of NumPy, DLPack and Arrow."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import numpy as np
from numpy.typing import DTypeLike, NDArray

from .dtypes import CapsuleType, OutputDtype

_KNOWS_DLPACK_1 = np.lib.NumpyVersion(np.__version__) >= "2.1.0"


class Exchanged:
    """Rows that other libraries take by their own protocols, over the same memory where they can.

    Codes are no numbers to compute with: as an array or a tensor they are not handed out, as a column, whose type says
    what they mean, they are.
    """

    values: NDArray[Any]
    output_dtype: OutputDtype

    def __array__(self, dtype: DTypeLike | None = None, copy: bool | None = None) -> NDArray[Any]:
        if self.output_dtype is not OutputDtype.FLOAT:
            raise TypeError(f"{self.output_dtype} codes do not become an array silently: use .values or .to_float()")
        return np.array(self.values, dtype=dtype, copy=copy)

    def __dlpack__(self, **options: Any) -> CapsuleType:
        """Return float rows as a tensor of DLPack, over the same memory where that may be written to.

        See ``__dlpack__`` of the array API for the options. Read-only rows, of a mapped file or a column, are copied
        for libraries that know no such memory.
        """
        if self.output_dtype is not OutputDtype.FLOAT:
            raise TypeError(f"{self.output_dtype} codes do not become a tensor silently: use .values or .to_float()")
        values: Any = self.values
        options = {name: value for name, value in options.items() if value is not None}
        if not _KNOWS_DLPACK_1:
            options = {name: value for name, value in options.items() if name == "stream"}
        knows_read_only = _KNOWS_DLPACK_1 and tuple(options.get("max_version", (0,))) >= (1,)
        if not values.flags.writeable and not knows_read_only and options.get("copy") is not False:
            values = values.copy()
        capsule: CapsuleType = values.__dlpack__(**options)
        return capsule

    def __dlpack_device__(self) -> tuple[int, int]:
        """Return DLPack's name for the processor's memory."""
        kind, number = self.values.__dlpack_device__()
        return int(kind), int(number)

    def __arrow_c_array__(self, requested_schema: object = None) -> tuple[CapsuleType, CapsuleType]:
        """Return Arrow's capsules of type and rows: what :func:`embcodec.to_arrow` makes, over the same memory."""
        schema, array = _columns_by(self).__arrow_c_array__(requested_schema)
        return schema, array

    def __arrow_c_schema__(self) -> CapsuleType:
        """Return Arrow's capsule of the type that the rows have as a column."""
        schema: CapsuleType = _columns_by(self).type.__arrow_c_schema__()
        return schema


def _no_columns(rows: Exchanged) -> Any:
    raise TypeError("embcodec's own face says how rows become columns: import embcodec")


def make_columns_by(maker: Callable[[Exchanged], Any]) -> None:
    """Let `maker` return the pyarrow arrays of rows: Arrow is known in a room above, which the face names."""
    global _columns_by
    _columns_by = maker


_columns_by: Callable[[Exchanged], Any] = _no_columns
