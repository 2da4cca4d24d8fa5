"""An index that grows and shrinks, searched exactly in stages."""

from .flat import FlatIndex
from .stages import HAMMING_MULTIPLIER

__all__ = ["HAMMING_MULTIPLIER", "FlatIndex"]
