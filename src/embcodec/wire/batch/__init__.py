"""Batch files: JSON lines, one request or answer each, in bounded memory."""

from .lines import BatchLine
from .reader import BatchResult, decode_batch, iter_batch
from .writer import write_batch

__all__ = ["BatchLine", "BatchResult", "decode_batch", "iter_batch", "write_batch"]
