"""Clients of embeddings services: texts in, one typed matrix out."""

from .client import AsyncClient, Client
from .job import Partial, Progress
from .order import merge
from .split import as_texts, utf8_length

__all__ = ["AsyncClient", "Client", "Partial", "Progress", "as_texts", "merge", "utf8_length"]
