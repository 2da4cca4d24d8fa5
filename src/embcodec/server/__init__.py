"""The endpoint ``POST /v1/embeddings`` with an embedded model."""

from .app import running_server, serve
from .limits import Limits

__all__ = ["Limits", "running_server", "serve"]
