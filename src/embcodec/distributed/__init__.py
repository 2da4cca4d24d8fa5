"""Rows on engines that spread work: a pure function of a batch of Arrow's, and summaries by the workers of Dask."""

from .batches import encode_batch
from .sizes import register_sizes
from .summaries import summarize

__all__ = ["encode_batch", "register_sizes", "summarize"]
