"""Four rows of unit length, in the codes that errors speak of."""

from __future__ import annotations

import numpy as np

from embcodec import LowBitQuantizer, calibrate, quantize

X = np.eye(4, 8, dtype=np.float32) + np.float32(0.25)
X /= np.linalg.norm(X, axis=1, keepdims=True)
INT8, UINT8, BITS, SIGNED = (quantize(X, dtype) for dtype in ("int8", "uint8", "ubinary", "binary"))
SHORT = quantize(X[:, :4], "int8")
TWOS = quantize(X, "binary", signed_bytes="twos-complement")
LSB = quantize(X, "ubinary", bit_order="lsb")
SCALED = quantize(X, "int8", scale="per-vector")
RANGED = quantize(X, "int8", scale=calibrate(X))
QUANTIZER, ONE = (LowBitQuantizer(bits, rotation="none").fit(X) for bits in (2, 1))
LOW, ONE_BIT = QUANTIZER.encode(X), ONE.encode(X)
