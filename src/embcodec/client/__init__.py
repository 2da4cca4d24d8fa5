"""Clients of embeddings services: texts in, one typed matrix out."""

from .client import AsyncClient, Client
from .job import Partial
from .order import merge

__all__ = ["AsyncClient", "Client", "Partial", "merge"]
