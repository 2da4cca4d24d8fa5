"""Rows on engines that spread work: a pure function of a batch, for whatever maps over Arrow's batches."""

from .batches import encode_batch
from .sizes import register_sizes

__all__ = ["encode_batch", "register_sizes"]
