"""Tensors of other libraries by DLPack: numbers that NumPy has in their own memory, bfloat16 and fp8 widened.

https://dmlc.github.io/dlpack/latest/c_api.html
"""

from __future__ import annotations

import ctypes
from typing import Any

import numpy as np
from numpy.typing import NDArray

from .._native.floats import PAYLOADS, widen

_CPU = (1, 3, 11)  # devices whose memory the processor reads: its own, and that pinned for CUDA and ROCm
_SHORT = {(4, 16): "bfloat16", (10, 8): "fp8_e4m3", (12, 8): "fp8_e5m2"}  # by DLPack's code of the type, and bits
_VERSIONED_HEAD = 32  # bytes before the tensor: version, context, deleter, flags


class _Tensor(ctypes.Structure):
    _fields_ = (
        ("data", ctypes.c_void_p),
        ("device_type", ctypes.c_int32),
        ("device_id", ctypes.c_int32),
        ("ndim", ctypes.c_int32),
        ("code", ctypes.c_uint8),
        ("bits", ctypes.c_uint8),
        ("lanes", ctypes.c_uint16),
        ("shape", ctypes.POINTER(ctypes.c_int64)),
        ("strides", ctypes.POINTER(ctypes.c_int64)),
        ("byte_offset", ctypes.c_uint64),
    )


class _Memory:
    """What NumPy makes an array of."""

    def __init__(self, interface: dict[str, Any]) -> None:
        self.__array_interface__ = interface


def is_tensor(x: object) -> bool:
    """Whether DLPack is what `x` is to be read by: NumPy's own arrays, and what it reads itself, are not."""
    return not isinstance(x, type) and hasattr(x, "__dlpack__") and hasattr(x, "__dlpack_device__")


def of_dlpack(x: Any) -> NDArray[Any]:
    """Return a tensor as an array: over its memory, or of bfloat16 and fp8 a copy as float32.

    Raises
    ------
    TypeError
        Where the tensor is not in memory that the processor reads, or of other elements.
    """
    name = type(x).__name__
    device = int(x.__dlpack_device__()[0])
    if device not in _CPU:
        raise TypeError(f"the {name} is on another device (DLPack's {device}): pass it from there, as x.cpu()")
    is_negated = getattr(x, "is_neg", None)
    if callable(is_negated) and is_negated():  # PyTorch notes this in a bit that DLPack does not carry over
        raise TypeError(f"the {name} is a view that negates what lies in memory: pass x.resolve_neg()")
    try:
        return np.from_dlpack(x)
    except (BufferError, RuntimeError, TypeError) as error:
        short = _of_short_floats(x)
        if short is None:
            raise TypeError(f"a {name} does not become an array by DLPack: {error}") from None
        return short


def _of_short_floats(x: Any) -> NDArray[np.float32] | None:
    """Return the values of a tensor of floats that NumPy has not; None where it has others, or gives none away."""
    try:
        capsule = x.__dlpack__()
    except (BufferError, RuntimeError, TypeError, ValueError):
        return None
    tensor = _tensor_in(capsule)
    kind = _SHORT.get((tensor.code, tensor.bits)) if tensor is not None and tensor.lanes == 1 else None
    if tensor is None or kind is None:
        return None
    shape = tuple(tensor.shape[: tensor.ndim])
    item = tensor.bits // 8
    strides = tuple(item * step for step in tensor.strides[: tensor.ndim]) if tensor.strides else None
    values = np.empty(shape, np.float32)
    if values.size:
        place = (tensor.data + tensor.byte_offset, True)  # read-only
        memory = {"version": 3, "shape": shape, "typestr": f"<u{item}", "data": place, "strides": strides}
        widen(np.asarray(_Memory(memory)).tobytes(), 0, PAYLOADS[kind, "little"], values)
    return values  # the capsule, which nobody has taken, lets go of the tensor as it ends


def _tensor_in(capsule: Any) -> _Tensor | None:
    pointer_in = ctypes.pythonapi.PyCapsule_GetPointer
    pointer_in.restype, pointer_in.argtypes = ctypes.c_void_p, (ctypes.py_object, ctypes.c_char_p)
    for name, head in ((b"dltensor", 0), (b"dltensor_versioned", _VERSIONED_HEAD)):
        try:
            return _Tensor.from_address(pointer_in(capsule, name) + head)
        except ValueError:  # of another name
            continue
    return None
