"""Codes of one, two and four bits that are fitted to a sample."""

from .codes import LowBitCodes
from .errors import RowErrors, certain_bounds, errors_of, farthest, fixed_errors, leaning_errors, rounding_of
from .files import codes_of
from .quantizer import LowBitQuantizer
from .queries import LowBitQueries, coded_like_rows, prepare_queries

__all__ = [
    "LowBitCodes",
    "LowBitQuantizer",
    "LowBitQueries",
    "RowErrors",
    "certain_bounds",
    "coded_like_rows",
    "codes_of",
    "errors_of",
    "farthest",
    "fixed_errors",
    "leaning_errors",
    "prepare_queries",
    "rounding_of",
]
