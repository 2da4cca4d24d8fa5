"""Studies in these tests are of what is found: speeds are measured by as few calls as a rate can be of."""

from __future__ import annotations

import pytest

from embcodec.tradeoff import pipeline


@pytest.fixture(autouse=True)
def hasty_rates(monkeypatch: pytest.MonkeyPatch) -> None:
    """Repeat no measurement of speed to find what it takes undisturbed."""
    monkeypatch.setattr(pipeline, "_BUDGET", 0.0)
