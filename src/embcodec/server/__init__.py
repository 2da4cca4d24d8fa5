"""The endpoint ``POST /v1/embeddings`` with an embedded model."""

from .app import RunningServer, running_server, serve
from .endpoint import Endpoint
from .limits import Limits
from .routes import create_app

__all__ = ["Endpoint", "Limits", "RunningServer", "create_app", "running_server", "serve"]
