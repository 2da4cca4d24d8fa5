"""Addresses and limits that a client is made with: what they become, and what is said of wrong ones."""

from __future__ import annotations

from dataclasses import replace
from typing import Any

import pytest

from embcodec import PROFILES
from embcodec.client.settings import Settings, make_settings
from embcodec.wire.http import Secret


def settings_of(base_url: Any, profile: Any = "mistral", key: str | None = None, **changes: Any) -> Settings:
    usual: dict[str, Any] = {"timeout": 5, "max_retries": 2, "concurrency": 1, "retry_seconds": 5}
    return make_settings(api_key=Secret.wrap(key), base_url=base_url, profile=profile, **{**usual, **changes})


@pytest.mark.parametrize(
    ("base", "url", "host", "models", "local"),
    [
        ("https://a.b", "https://a.b/v1/embeddings", "a.b", "https://a.b/v1/models", False),
        ("https://a.b/", "https://a.b/v1/embeddings", "a.b", "https://a.b/v1/models", False),
        ("https://a.b/v1", "https://a.b/v1/embeddings", "a.b", "https://a.b/v1/models", False),
        ("https://a.b/v1/", "https://a.b/v1/embeddings", "a.b", "https://a.b/v1/models", False),
        ("https://a.b/v1/embeddings", "https://a.b/v1/embeddings", "a.b", "https://a.b/v1/models", False),
        ("https://a.b/x/v1", "https://a.b/x/v1/embeddings", "a.b", "https://a.b/x/v1/models", False),
        ("https://a.b/x/embeddings", "https://a.b/x/v1/embeddings", "a.b", "https://a.b/x/v1/models", False),
        (
            "http://localhost:80",
            "http://localhost:80/v1/embeddings",
            "localhost:80",
            "http://localhost:80/v1/models",
            True,
        ),
        ("http://127.0.0.9", "http://127.0.0.9/v1/embeddings", "127.0.0.9", "http://127.0.0.9/v1/models", True),
        ("http://[::1]:8", "http://[::1]:8/v1/embeddings", "[::1]:8", "http://[::1]:8/v1/models", True),
        ("http://0.0.0.0", "http://0.0.0.0/v1/embeddings", "0.0.0.0", "http://0.0.0.0/v1/models", False),
    ],
)
def test_where_requests_go(base: str, url: str, host: str, models: str, local: bool) -> None:
    found = settings_of(base)
    assert (found.url, found.host, found.models_url, found.is_local) == (url, host, models, local)
    arguments = found.arguments()
    assert arguments == {
        "base_url": base,
        "profile": PROFILES["mistral"],
        "timeout": 5,
        "max_retries": 2,
        "concurrency": 1,
        "retry_seconds": 5,
    }


def test_a_service_elsewhere_lists_no_models() -> None:
    assert settings_of("https://a.b", "cohere").models_url is None
    assert settings_of("https://a.b", "cohere").url == "https://a.b/v2/embed"
    assert settings_of("https://a.b/v2", "cohere").url == "https://a.b/v2/embed"


ABSOLUTE = "base_url must be an absolute http or https address"


@pytest.mark.parametrize(
    ("base", "words"),
    [
        ("127.0.0.1:8000", f"{ABSOLUTE}: give 'http://127.0.0.1:8000'"),
        ("10.0.0.1/v1", f"{ABSOLUTE}: give 'http://10.0.0.1/v1'"),
        ("localhost", f"{ABSOLUTE}: give 'http://localhost'"),
        ("localhost:8000/v1", f"{ABSOLUTE}: give 'http://localhost:8000/v1'"),
        ("host:8000", f"{ABSOLUTE}: give 'http://host:8000'"),
        ("[::1]:8000", f"{ABSOLUTE}: give 'http://[::1]:8000'"),
        ("api.mistral.ai", f"{ABSOLUTE}: give 'https://api.mistral.ai'"),
        ("api.mistral.ai:99999/v1", f"{ABSOLUTE}: give 'https://api.mistral.ai:99999/v1'"),
        ("api.mistral.ai:999999", ABSOLUTE),
        ("host", ABSOLUTE),
        ("a.b?key=1", ABSOLUTE),
        ("user@a.b", ABSOLUTE),
        ("ftp://a.b", ABSOLUTE),
        ("http://", ABSOLUTE),
        ("", ABSOLUTE),
        ("http://a.b:port", f"{ABSOLUTE}: port could not be cast to integer value as 'port'"),
        ("https://user@a.b", "base_url must carry no user name or password: pass api_key"),
        ("https://:word@a.b", "base_url must carry no user name or password: pass api_key"),
        ("https://a.b/v1?x=1", "base_url must end with the path: no query, no fragment: give 'https://a.b/v1'"),
        ("https://a.b:8/v1#x", "base_url must end with the path: no query, no fragment: give 'https://a.b:8/v1'"),
    ],
)
def test_what_is_no_address(base: str, words: str) -> None:
    with pytest.raises(ValueError, match="base_url") as caught:
        settings_of(base)
    assert str(caught.value) == words


def test_limits_of_a_client() -> None:
    with pytest.raises(TypeError, match="base_url is an address, a str, not a int"):
        settings_of(5)
    for changes in ({"timeout": 0}, {"timeout": -1}, {"retry_seconds": -1}):
        with pytest.raises(ValueError, match="timeout must be above 0 and retry_seconds not below"):
            settings_of(None, **changes)
    for changes, words in (({"concurrency": 0}, "concurrency"), ({"max_retries": -1}, "max_retries")):
        with pytest.raises(ValueError, match=words):
            settings_of(None, **changes)
    found = settings_of(None, timeout=0.1, retry_seconds=0, max_retries=0, concurrency=1)
    assert (found.timeout, found.retry_seconds, found.max_retries, found.concurrency) == (0.1, 0, 0, 1)
    assert found.base_url is None


def test_whose_key_it_is(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("MISTRAL_API_KEY", "sk-env-1")

    def key(found: Settings) -> str | None:
        return None if found.key is None else found.key.reveal()

    assert key(settings_of(None)) == "sk-env-1"
    for own in ("https://api.mistral.ai", "https://api.mistral.ai:443/v1", "https://API.mistral.ai/x"):
        assert key(settings_of(own)) == "sk-env-1"
        assert settings_of(own).withheld_key is None
    for other in ("http://api.mistral.ai", "https://api.mistral.ai:444", "https://mistral.ai", "http://localhost"):
        assert key(settings_of(other)) is None
        assert settings_of(other).withheld_key == "MISTRAL_API_KEY"
        assert key(settings_of(other, key="sk-own-1")) == "sk-own-1"
        assert settings_of(other, key="sk-own-1").withheld_key is None
    assert settings_of(None, key="sk-own-1").redact("a sk-own-1") == "a [key]"
    assert settings_of("http://localhost").redact("a sk-env-1") == "a sk-env-1"
    monkeypatch.delenv("MISTRAL_API_KEY")
    assert settings_of("http://localhost").withheld_key is None
    with pytest.raises(ValueError, match="the key in api_key has characters that no header may carry"):
        settings_of(None, key="a\nb")
    monkeypatch.setenv("MISTRAL_API_KEY", "a b")
    with pytest.raises(ValueError, match="the key in MISTRAL_API_KEY has characters that no header may carry"):
        settings_of(None)


@pytest.mark.parametrize(
    ("base", "warned"),
    [("http://a.b", True), ("https://a.b", False), ("http://localhost", False), ("http://[::1]", False)],
)
def test_a_key_in_clear_is_warned_of(base: str, warned: bool, caplog: pytest.LogCaptureFixture) -> None:
    settings_of(base, key="sk-own-1")
    assert [record.getMessage() for record in caplog.records] == (
        ["the key goes to a.b unencrypted: use https"] if warned else []
    )
    caplog.clear()
    settings_of(base, replace(PROFILES["mistral"], api_key_variable="NO_SUCH_VARIABLE"))
    assert not caplog.records
