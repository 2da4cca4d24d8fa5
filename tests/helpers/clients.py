"""Fixtures that run a test through either client."""

from __future__ import annotations

import asyncio
from collections.abc import Callable
from typing import Any

import pytest

from embcodec import EmbeddingResponse
from embcodec.client import transport as client_transport
from embcodec.client.client import AsyncClient, Client

Embed = Callable[..., EmbeddingResponse]


def by_client(base_url: str, texts: Any, *, client: dict[str, Any] | None = None, **wishes: Any) -> EmbeddingResponse:
    """Embed through a new :class:`Client` made with the arguments `client`."""
    with Client(base_url=base_url, **(client or {})) as made:
        return made.embed(texts, **{"model": "m", **wishes})


def by_async_client(
    base_url: str, texts: Any, *, client: dict[str, Any] | None = None, **wishes: Any
) -> EmbeddingResponse:
    """Embed through a new :class:`AsyncClient`, in an event loop of its own."""

    async def main() -> EmbeddingResponse:
        async with AsyncClient(base_url=base_url, **(client or {})) as made:
            return await made.embed(texts, **{"model": "m", **wishes})

    return asyncio.run(main())


@pytest.fixture(params=[by_client, by_async_client], ids=["sync", "async"])
def embed(request: pytest.FixtureRequest) -> Embed:
    """Embed through either client."""
    return request.param  # type: ignore[no-any-return]


@pytest.fixture(autouse=True)
def short_waits(monkeypatch: pytest.MonkeyPatch) -> None:
    """Back off for hundredths of seconds, and know of no key."""
    monkeypatch.setattr(client_transport, "_FIRST_WAIT", 0.01)
    monkeypatch.delenv("MISTRAL_API_KEY", raising=False)
