"""Clients of embeddings services: texts in, one typed matrix out."""

from .client import AsyncClient, Client
from .job import Partial
from .order import merge
from .settings import is_loopback

__all__ = ["AsyncClient", "Client", "Partial", "is_loopback", "merge"]
