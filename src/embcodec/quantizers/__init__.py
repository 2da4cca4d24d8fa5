"""Floats <-> codes: the services' five dtypes, and the ranges that 8-bit codes cover."""

from .calibrate import calibrate
from .quantize import dequantize, quantize, truncate
from .summary import Summary

__all__ = ["Summary", "calibrate", "dequantize", "quantize", "truncate"]
