"""An index that grows and shrinks, searched exactly in stages."""

from .arguments import like
from .files import holds_index
from .flat import FlatIndex
from .stages import HAMMING_MULTIPLIER

__all__ = ["HAMMING_MULTIPLIER", "FlatIndex", "holds_index", "like"]
