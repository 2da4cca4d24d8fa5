"""An API key: wrapped as soon as it comes in, unwrapped only for a header, blotted out of all other text."""

from __future__ import annotations

import hashlib
import json
import logging
import re
import secrets
from collections.abc import Iterable
from contextlib import suppress
from operator import xor
from typing import Any, Never
from urllib.parse import quote, urlsplit
from weakref import WeakSet

from ...words import printable

_SHORTEST = 4  # least characters of a key that is blotted out of other text: shorter ones occur in words
_HTTP_LOGGERS = ("httpx2", *(f"httpcore2.{part}" for part in ("connection", "http11", "http2", "proxy", "socks")))
_CREDENTIALS = re.compile(r"^((?:https?:)?/*).*@", re.DOTALL | re.IGNORECASE)  # a password may hold any of :/?#@
_QUERY = re.compile(r"([?#]).*", re.DOTALL)


class Secret:
    """A key that shows in no repr, log, traceback or pickle.

    It is kept masked: whatever walks through variables and their attributes (tracebacks with variables, error
    trackers, debuggers) meets no readable text.

    Parameters
    ----------
    value : str
        Spaces and line breaks around it are dropped, or without `strip` a flaw. Anything but text is taken as well, and
        told by `flaw`: an exception raised here would hold the key among the variables of its traceback.
    strip : bool

    Attributes
    ----------
    flaw : str or None
        Why no header can carry it.
    is_text : bool
        Whether it was text at all.

    Examples
    --------
    >>> key = Secret("sk-1234")
    >>> key, key.redact("no such key: sk-1234")
    (Secret(...), 'no such key: [key]')
    """

    __slots__ = ("__mask", "__masked", "__weakref__", "flaw", "is_text")

    def __init__(self, value: object, strip: bool = True) -> None:
        self.flaw: str | None = None
        data = b""
        self.is_text: bool = isinstance(value, str)
        if not isinstance(value, str):
            self.flaw = f"is a str, not a {type(value).__name__}"
        else:
            data = (value.strip() if strip else value).encode("utf-8", "surrogatepass")
            if value and not (data and all(0x21 <= byte <= 0x7E for byte in data)):
                self.flaw = "has characters that no header may carry"
        self.__mask = secrets.token_bytes(len(data))
        self.__masked = bytes(map(xor, data, self.__mask))

    @classmethod
    def wrap(cls, value: str | Secret | None, strip: bool = True) -> Secret | None:
        """Return `value` as a secret, None as None."""
        return value if value is None or isinstance(value, cls) else cls(value, strip)

    def __bool__(self) -> bool:
        """Whether it is not empty: an empty key stands for no key."""
        return bool(self.__masked) or self.flaw is not None

    @property
    def is_blank(self) -> bool:
        """Whether it is text that is empty, or white space alone."""
        return self.is_text and not self.__masked

    def reveal(self) -> str:
        """Return the key."""
        return bytes(map(xor, self.__masked, self.__mask)).decode("utf-8", "surrogatepass")

    def digest(self) -> bytes:
        """Return a hash that tells it from any other key without showing it."""
        return hashlib.blake2b(self.reveal().encode("utf-8", "surrogatepass")).digest()

    def redact(self, text: str) -> str:
        """Return `text` with every occurrence of the key blotted out, also as JSON, Python and addresses spell it."""
        if len(self.__masked) < _SHORTEST:
            return text
        key = self.reveal()
        in_json = json.dumps(key)[1:-1]
        for spelling in (key, in_json, in_json.replace("/", "\\/"), repr(key)[1:-1], quote(key, safe="")):
            text = text.replace(spelling, "[key]")
        return text

    def __repr__(self) -> str:
        return "Secret(...)"

    def __reduce__(self) -> Never:
        raise TypeError("a Secret is not pickled")


def without_credentials(address: Any) -> Any:
    """Return an address with user, password, query and fragment blotted out: what a key may be in.

    No address with any of them is taken, so that one that is comes back as it was.

    Examples
    --------
    >>> without_credentials("https://name:word@host/v1?key=sk-1"), without_credentials("https://host/v1")
    ('https://***@host/v1?***', 'https://host/v1')
    """
    if not isinstance(address, str):
        return address
    with suppress(ValueError):
        parts = urlsplit(address)
        known = parts.scheme in ("http", "https") and parts.port != 0  # a port that is none raises
        if known and "@" not in parts.netloc and not parts.query and not parts.fragment:
            return address
    return _QUERY.sub(r"\1***", _CREDENTIALS.sub(r"\1***@", address))


class _Blotter(logging.Filter):
    """Blots keys out of what the HTTP library logs: a service may repeat one in its headers."""

    def __init__(self) -> None:
        super().__init__()
        self.keys: WeakSet[Secret] = WeakSet()

    def filter(self, record: logging.LogRecord) -> bool:
        try:
            said = record.getMessage()
        except Exception:  # the handlers report this
            return True
        clean = printable(_redacted(said, self.keys))
        if clean != said:
            record.msg, record.args = clean, ()
        return True


def _redacted(text: str, keys: Iterable[Secret]) -> str:
    for key in list(keys):
        text = key.redact(text)
    return text


_BLOTTER = _Blotter()


def keep_out_of_logs(key: Secret) -> None:
    """Blot `key`, as long as it lives, out of what the HTTP library logs."""
    _BLOTTER.keys.add(key)
    for name in _HTTP_LOGGERS:
        logging.getLogger(name).addFilter(_BLOTTER)
