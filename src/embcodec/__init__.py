"""Decode, encode, quantize and search the vectors that embeddings APIs send, at memory speed."""

from __future__ import annotations

from .dtypes import EncodingFormat, OutputDtype
from .errors import (
    CodeMismatchError,
    DecodeError,
    EmbcodecError,
    ServiceError,
    StorageError,
    TransportError,
)
from .profiles import PROFILES, Profile
from .scale import Scale

__version__ = "0.1.0"
