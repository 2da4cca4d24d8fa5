"""Schemes of low-bit codes fitted to a sample: the choice among them, and their files."""

from .files import HOLDS_QUANTIZER, codes_of, is_quantizer, scheme_arrays
from .quantizer import LowBitQuantizer

__all__ = ["HOLDS_QUANTIZER", "LowBitQuantizer", "codes_of", "is_quantizer", "scheme_arrays"]
