"""Requests to servers of the tests, without certificates: reading those anew would take longer than the request."""

from __future__ import annotations

import ssl
from functools import partial
from typing import Any

import httpx2

PLAIN = ssl.SSLContext(ssl.PROTOCOL_TLS_CLIENT)


def request(method: str, url: str, **options: Any) -> httpx2.Response:
    return httpx2.request(method, url, verify=PLAIN, **options)


get, post, put = (partial(request, method) for method in ("GET", "POST", "PUT"))
