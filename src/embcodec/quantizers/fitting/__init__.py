"""Schemes of low-bit codes fitted to a sample: the choice among them, and their files."""

from .files import HOLDS_QUANTIZER, codes_of, is_quantizer, scheme_arrays
from .quantizer import LowBitQuantizer
from .wishes import amounts_of

__all__ = ["HOLDS_QUANTIZER", "LowBitQuantizer", "amounts_of", "codes_of", "is_quantizer", "scheme_arrays"]
