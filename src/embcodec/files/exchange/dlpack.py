"""Rows as tensors of other libraries: by DLPack, over the same memory."""

from __future__ import annotations

from typing import Protocol

import numpy as np

from ...codec import MASKED, is_tensor, of_dlpack
from ...dtypes import BitOrder, CapsuleType, OutputDtypeLike, SignedBytes
from ...embeddings import Embeddings
from ...scale import Scale


class SupportsDlpack(Protocol):
    """A tensor of a library that knows DLPack."""

    def __dlpack__(self) -> CapsuleType:
        """Return the tensor in DLPack's struct."""

    def __dlpack_device__(self) -> tuple[int, int]:
        """Return where it lies."""


def from_dlpack(
    tensor: SupportsDlpack,
    output_dtype: OutputDtypeLike = "float",
    dimension: int | None = None,
    *,
    scale: Scale | None = None,
    signed_bytes: SignedBytes = "offset",
    bit_order: BitOrder = "msb",
) -> Embeddings:
    """Read a tensor of another library, as PyTorch, JAX, TensorFlow and CuPy have them.

    Rows that lie one after the other in the type of their codes are not copied; bfloat16, fp8, float16 and float64
    become float32. The way back is the library's own, ``torch.from_dlpack(embeddings)`` for floats, of codes
    ``torch.from_dlpack(embeddings.values)``.

    Parameters
    ----------
    tensor : object with ``__dlpack__``, (n, width)
        In memory that the processor reads.
    output_dtype, dimension, scale, signed_bytes, bit_order
        What the numbers are: as for :class:`Embeddings`.

    Raises
    ------
    TypeError
        For what is no such tensor, is on another device, or has other elements than the codes.
    ValueError
        As :class:`Embeddings` does.

    Examples
    --------
    >>> import numpy as np
    >>> x = np.ones((2, 3), np.float32)
    >>> np.shares_memory(from_dlpack(x).values, x)
    True
    """
    if isinstance(tensor, np.ma.MaskedArray):
        raise TypeError(MASKED)
    if not is_tensor(tensor):
        raise TypeError(
            f"from_dlpack reads tensors, with __dlpack__ and __dlpack_device__, not a {type(tensor).__name__}"
        )
    return Embeddings(of_dlpack(tensor), output_dtype, dimension, scale, signed_bytes, bit_order)
