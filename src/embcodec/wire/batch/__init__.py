"""Batch files: JSON lines, one request or answer each, in bounded memory."""

from .lines import BatchLine, words_of_dimension
from .reader import check_together, decode_batch, iter_batch
from .result import BatchResult
from .writer import write_batch

__all__ = [
    "BatchLine",
    "BatchResult",
    "check_together",
    "decode_batch",
    "iter_batch",
    "words_of_dimension",
    "write_batch",
]
