"""Who may ask: the names that the server is reached by, the pages that ask it, the key."""

from __future__ import annotations

import hmac
import re
from collections.abc import Iterable
from urllib.parse import urlsplit

from starlette.datastructures import Headers

from ..wire.http import Secret, is_loopback
from ..words import shown
from .request import RefusalError

_NAME = re.compile(r"[\w.-]+(:\d+)?|\[?[0-9a-fA-F:.]+(%\w+)?\]?(:\d+)?")


class Guard:
    """What every request must carry before it is read.

    A web page can make a browser send requests to this machine. What gives it away: the name in ``Host``, where a
    page's own name was made to lead here (DNS rebinding), and ``Origin``, the page's own address.

    Parameters
    ----------
    allow_hosts : iterable of str, optional
        Names, beside those of this machine, that ``Host`` may carry and pages may come from; ``"*"`` for all. None:
        ``Host`` is not looked at, and pages may come from the host that they ask.
    api_key : str or Secret, optional
        Bearer token to demand; only its digest is kept.
    cors_origins : iterable of str
        Origins of pages, as :func:`checked_origin` returns them, that may ask from anywhere; ``"*"`` for all.

    Raises
    ------
    ValueError
        Where a name is no host's name, or the key is empty or has characters that no header may carry.
    """

    def __init__(
        self,
        allow_hosts: Iterable[str] | None = None,
        api_key: str | Secret | None = None,
        cors_origins: Iterable[str] = (),
    ) -> None:
        key = api_key = Secret.wrap(api_key, strip=False)
        self._hosts = None if allow_hosts is None else frozenset(_checked(name) for name in allow_hosts)
        self._origins = frozenset(cors_origins)
        self._key = None
        if key is not None:
            if not key.is_text:
                raise TypeError(f"api_key {key.flaw}")
            if not key:
                raise ValueError("api_key is empty: leave it out to serve without a key")
            if key.flaw is not None:
                raise ValueError(f"api_key {key.flaw}")
            self._key = key.digest()

    @property
    def needs_key(self) -> bool:
        """Whether requests must carry a key."""
        return self._key is not None

    def admit(self, headers: Headers) -> None:
        """Let a request pass that comes from where it may.

        Raises
        ------
        RefusalError
            403 with what to do in words.
        """
        host = headers.get("host")
        name = None if host is None else _host_of("//" + host)
        if host is not None and not self._is_known(name, any_name=self._hosts is None):
            message = "this server is not served by that name: start it with --allow-host and the name, if it should be"
            raise RefusalError(403, {"detail": message})
        origin = headers.get("origin")
        if origin is None or origin in self._origins or "*" in self._origins:
            return
        page = _host_of(origin)
        is_own = page is not None and page == name
        if not is_own and not self._is_known(page, any_name=False):
            message = (
                "pages of other sites may not ask this server: start it with --cors-origin and the page's origin, or, "
                "where a proxy makes both one site, with --allow-host and the page's host"
            )
            raise RefusalError(403, {"detail": message})

    def authorize(self, headers: Headers) -> None:
        """Let a request pass that carries the key, where there is one.

        Raises
        ------
        RefusalError
            401.
        """
        if self._key is not None and not self._fits(headers.get("authorization", "")):
            raise RefusalError(401, {"detail": "Unauthorized"}, {"www-authenticate": "Bearer"})

    def _fits(self, credentials: str) -> bool:
        """Whether credentials are the key; the time that it takes tells nothing of it."""
        scheme, _, key = credentials.partition(" ")
        return scheme.lower() == "bearer" and hmac.compare_digest(Secret(key).digest(), self._key or b"")

    def _is_known(self, name: str | None, any_name: bool) -> bool:
        if name is None:
            return False
        hosts = self._hosts or frozenset()
        return any_name or "*" in hosts or name in hosts or is_loopback(name) or name.endswith(".localhost")


def check_json(headers: Headers) -> None:
    """Let a body pass that is called JSON, or nothing at all by what is no web page.

    A page can send any other type without asking the server first.

    Raises
    ------
    RefusalError
        415 with what to send.
    """
    label = headers.get("content-type", "")
    kind = label.partition(";")[0].strip().lower()
    is_json = kind in ("application/json", "text/json") or (kind.startswith("application/") and kind.endswith("+json"))
    if not is_json and (kind or "origin" in headers):
        message = f"the body is JSON: send the header content-type: application/json, not {label[:100]!r}"
        raise RefusalError.error(message, "invalid_request_error", status=415)
    coding = headers.get("content-encoding", "identity").strip().lower()
    if coding != "identity":
        message = f"the body is taken as it is: send it without content-encoding {coding[:100]!r}"
        raise RefusalError.error(message, "invalid_request_error", status=415)


def checked_origin(origin: str) -> str:
    """Return a page's origin as browsers say it, ``*`` and ``null`` (pages of files) as they are.

    Raises
    ------
    ValueError
        Where it is none.

    Examples
    --------
    >>> checked_origin("HTTPS://App.example.com:443/"), checked_origin("http://localhost:3000")
    ('https://app.example.com', 'http://localhost:3000')
    """
    if origin in ("*", "null"):
        return origin
    try:
        parts = urlsplit(origin)
        port = parts.port
    except ValueError:
        parts, port = urlsplit(""), None
    is_bare = parts.path in ("", "/") and not (parts.query or parts.fragment or "@" in parts.netloc)
    if parts.scheme not in ("http", "https") or not parts.hostname or not is_bare:
        raise ValueError(f"{shown(origin)} is no origin: say scheme and host, such as https://app.example.com, or *")
    host = f"[{parts.hostname}]" if ":" in parts.hostname else parts.hostname
    usual = {"http": 80, "https": 443}[parts.scheme]
    return f"{parts.scheme}://{host}" + ("" if port in (None, usual) else f":{port}")


def _host_of(address: str) -> str | None:
    """Return the host of an address in lower case, or None where there is none."""
    try:
        host = urlsplit(address).hostname
    except ValueError:
        return None
    return host.removesuffix(".") if host else None


def _checked(name: str) -> str:
    if name == "*":
        return name
    host = _host_of("//" + (f"[{name}]" if name.count(":") > 1 and not name.startswith("[") else name))
    if host is None or not _NAME.fullmatch(name):
        raise ValueError(f"{name!r} is no host: say a name or an address, such as vectors.example.com")
    return host
