"""Where a client's requests go and what guards them: the address, the key, the limits."""

from __future__ import annotations

import logging
import os
import re
from dataclasses import dataclass, field
from typing import Any
from urllib.parse import urlsplit

from ..profiles import Profile, resolve_profile
from ..wire.http import Secret, is_loopback, keep_out_of_logs
from ..words import as_real, as_whole

_LOG = logging.getLogger("embcodec.client")


@dataclass(frozen=True, slots=True)
class Settings:
    """What a client was made with; immutable, shared by its requests."""

    profile: Profile
    url: str
    timeout: float
    max_retries: int
    concurrency: int
    retry_seconds: float
    key: Secret | None = field(default=None, repr=False)
    base_url: str | None = None

    @property
    def host(self) -> str:
        """Host and port that requests go to."""
        return urlsplit(self.url).netloc

    @property
    def models_url(self) -> str | None:
        """Where the service lists its models, if that follows from where it embeds."""
        start = self.url.removesuffix("/embeddings")
        return f"{start}/models" if start != self.url else None

    @property
    def is_local(self) -> bool:
        """Whether requests stay on this machine."""
        return is_loopback(urlsplit(self.url).hostname or "")

    @property
    def withheld_key(self) -> str | None:
        """The environment variable whose key was not used, since it belongs to another host."""
        variable = self.profile.api_key_variable
        return variable if self.key is None and os.environ.get(variable) else None

    def redact(self, text: str) -> str:
        """Return `text` without the key."""
        return self.key.redact(text) if self.key else text

    def arguments(self) -> dict[str, Any]:
        """Return the arguments that make the same settings again, but for the key."""
        names = ("base_url", "profile", "timeout", "max_retries", "concurrency", "retry_seconds")
        return {name: getattr(self, name) for name in names}


def make_settings(
    *,
    api_key: Secret | None,
    base_url: str | None,
    profile: str | Profile,
    timeout: float,
    max_retries: int,
    concurrency: int,
    retry_seconds: float,
) -> Settings:
    """Check a client's arguments and find its key.

    A key given as an argument goes to `base_url`, wherever that is. A key found in the environment goes only to the
    profile's own host: whoever sets another `base_url` must hand over a key knowingly.
    """
    known = resolve_profile(profile)
    if not known.has_requests:
        raise ValueError(
            f"profile {known.name!r} reads bodies, and asks for none: send its requests with the vendor's SDK, and "
            f"read what it answers by decode_response(body, profile={known.name!r})"
        )
    if base_url is None and not known.base_url:
        raise ValueError(
            f"base_url is each customer's own where the profile is {known.name!r}: pass yours, "
            "as base_url='https://NAME.openai.azure.com'"
        )
    base = known.base_url if base_url is None else base_url
    if not isinstance(base, str):
        raise TypeError(f"base_url is an address, a str, not a {type(base).__name__}")
    timeout, retry_seconds = as_real(timeout, "timeout"), as_real(retry_seconds, "retry_seconds")
    if not timeout > 0 or not retry_seconds >= 0:
        raise ValueError(
            f"timeout must be above 0 and retry_seconds not below 0, not {timeout:g} and {retry_seconds:g}"
        )
    max_retries, concurrency = as_whole(max_retries, "max_retries"), as_whole(concurrency, "concurrency", 1)
    origin = _origin(base)
    own_host = bool(known.base_url) and origin == _origin(known.base_url)
    key, place = api_key, "api_key"
    if key is None and own_host:
        place = known.api_key_variable
        key = Secret.wrap(os.environ.get(place))
    if key:
        if key.flaw is not None:
            raise ValueError(f"the key in {place} {key.flaw}")
        keep_out_of_logs(key)
    parts = urlsplit(base)
    if key and parts.scheme == "http" and not is_loopback(parts.hostname or ""):
        _LOG.warning("the key goes to %s unencrypted: use https", parts.netloc)
    return Settings(
        profile=known,
        url=_join(base, known.path),
        timeout=timeout,
        max_retries=max_retries,
        concurrency=concurrency,
        retry_seconds=retry_seconds,
        key=key or None,
        base_url=base_url,
    )


def _origin(url: str) -> tuple[str, str | None, int | None]:
    try:
        parts = urlsplit(url)
        port = parts.port
    except ValueError as error:  # of a port or an IPv6 address that is none
        raise ValueError(f"base_url must be an absolute http or https address: {str(error).lower()}") from None
    if parts.scheme not in ("http", "https") or not parts.hostname:
        raise ValueError(f"base_url must be an absolute http or https address{_with_scheme(url)}")
    if parts.username is not None or parts.password is not None:
        raise ValueError("base_url must carry no user name or password: pass api_key")
    if parts.query or parts.fragment:
        plain = f"{parts.scheme}://{parts.netloc}{parts.path}"
        raise ValueError(f"base_url must end with the path: no query, no fragment: give {plain!r}")
    return parts.scheme, parts.hostname, port or {"http": 80, "https": 443}[parts.scheme]


# A host, a port, a path; no user and no query, where a key might be.
_HOST = r"(localhost|[\w-]+(\.[\w-]+)+|\[[0-9a-fA-F:]+\]|[\w-]+(?=:\d))"
_SCHEMELESS = re.compile(_HOST + r"(:\d{1,5})?(/[\w./-]*)?", re.ASCII)


def _with_scheme(url: str) -> str:
    """Return what to give instead of an address that only lacks its scheme; else nothing."""
    found = _SCHEMELESS.fullmatch(url)
    if found is None:
        return ""
    has_name = found[2] is not None and not found[1].replace(".", "").isdecimal()
    return f": give '{'https' if has_name else 'http'}://{url}'"


def _join(base_url: str, path: str) -> str:
    """Return the address of `path`; a base that ends with the beginning of it (``/v1``) or all of it is one as well."""
    base = base_url.rstrip("/").removesuffix(path).removesuffix("/embeddings").rstrip("/")
    parts = path.strip("/").split("/")
    beginnings = ["/" + "/".join(parts[:count]) for count in range(len(parts), 0, -1)]
    return base.removesuffix(next((start for start in beginnings if base.endswith(start)), "")) + path
