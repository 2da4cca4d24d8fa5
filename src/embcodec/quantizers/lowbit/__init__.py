"""Codes of few bits a dimension: how they are made, read, asked, and how far off they may be."""

from .codes import LowBitCodes
from .errors import RowErrors, certain_bounds, errors_of, farthest, fixed_errors, leaning_errors, rounding_of
from .joined import Rows, arrays_of, concat, joined, kind_of, say_nothing, told_apart
from .principal import MOST_LENGTH_ERROR, PrincipalScheme
from .queries import LowBitQueries, coded_like_rows, prepare_queries
from .scheme import LowBitScheme

__all__ = [
    "MOST_LENGTH_ERROR",
    "LowBitCodes",
    "LowBitQueries",
    "LowBitScheme",
    "PrincipalScheme",
    "RowErrors",
    "Rows",
    "arrays_of",
    "certain_bounds",
    "coded_like_rows",
    "concat",
    "errors_of",
    "farthest",
    "fixed_errors",
    "joined",
    "kind_of",
    "leaning_errors",
    "prepare_queries",
    "rounding_of",
    "say_nothing",
    "told_apart",
]
