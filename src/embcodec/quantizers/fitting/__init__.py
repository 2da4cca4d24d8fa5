"""Schemes of low-bit codes fitted to a sample: the choice among them, and their files."""

from .files import codes_of, scheme_arrays
from .quantizer import LowBitQuantizer

__all__ = ["LowBitQuantizer", "codes_of", "scheme_arrays"]
