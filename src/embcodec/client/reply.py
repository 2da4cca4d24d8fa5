"""What comes back over HTTP: status, headers, and a body that is read within bounds of size and time."""

from __future__ import annotations

import asyncio
from collections.abc import Mapping
from contextlib import aclosing
from dataclasses import dataclass, field

import httpx2

from ..wire import CODINGS, CodingError, Inflater

_GZIP = b"\x1f\x8b"  # which no JSON begins with


@dataclass(frozen=True, slots=True)
class Reply:
    """An answer as it came: status, headers, the whole body (unzipped).

    What a service says may hold the key: only the status shows in a repr.

    Attributes
    ----------
    is_framed : bool
        Whether the answer itself told where it ends. One that ends with its connection may have been cut off.
    """

    status: int
    headers: Mapping[str, str] = field(repr=False)
    body: bytes = field(repr=False)
    is_framed: bool = True

    @property
    def is_good(self) -> bool:
        """Whether the status is one of success."""
        return 200 <= self.status < 300


class UnreadableError(Exception):
    """A body that cannot be had; `transient` tells whether it may be another time."""

    def __init__(self, words: str, *, transient: bool = False) -> None:
        self.transient = transient
        super().__init__(words)


async def read_reply(response: httpx2.Response, cap: int) -> Reply:
    """Read a response to its end.

    Parameters
    ----------
    response : httpx2.Response
        Not read yet.
    cap : int
        Most bytes of the body, zipped and unzipped.

    Raises
    ------
    UnreadableError
        Where a good answer is larger, cut short, or in a coding that is not read here. Of an error the status says
        enough: its body is what could be read.
    """
    status, headers = response.status_code, response.headers
    pieces: list[bytes] = []
    try:
        await _read(response, cap, pieces)
    except (UnreadableError, CodingError) as error:
        if 200 <= status < 300:
            raise UnreadableError(str(error), transient=getattr(error, "transient", False)) from None
    is_framed = "content-length" in headers or "transfer-encoding" in headers
    return Reply(status, headers, b"".join(pieces), is_framed)


async def _read(response: httpx2.Response, cap: int, pieces: list[bytes]) -> None:
    inflate = _inflater(response.headers)
    announced = response.headers.get("content-length", "")
    if announced.isdecimal() and len(announced) < 20 and int(announced) > cap:
        raise UnreadableError(f"is larger than {cap} bytes ({announced} announced)")
    received = size = 0
    async with aclosing(response.aiter_raw()) as raw:
        async for data in raw:
            if inflate is None and not received and data.startswith(_GZIP):  # some gateways zip without a word
                inflate = CODINGS["gzip"]()
            received += len(data)
            for piece in (data,) if inflate is None else inflate.pieces(data):
                size += len(piece)
                if max(size, received) > cap:
                    raise UnreadableError(f"is larger than {cap} bytes (cut off there)")
                pieces.append(piece)
                # Neither a socket with more to read nor a coding with more to undo waits: without this the time-out,
                # and whatever else the loop has to do, would come after it.
                await asyncio.sleep(0)
    if inflate is not None and received and not inflate.is_whole:
        raise UnreadableError(f"broke off after {received} bytes", transient=True)


def _inflater(headers: httpx2.Headers) -> Inflater | None:
    """Return what undoes the coding of a body, None where it has none."""
    listed = (value.strip().lower() for value in headers.get_list("content-encoding", split_commas=True))
    codings = [coding for coding in listed if coding not in ("", "identity")]
    if not codings:
        return None
    if len(codings) > 1 or codings[0] not in CODINGS:
        raise UnreadableError(
            f"has the content-encoding {', '.join(codings)[:100]}, though only gzip was asked for, and once"
        )
    try:
        return CODINGS[codings[0]]()
    except CodingError as error:
        raise UnreadableError(f"{error} (its content-encoding; gzip was asked for)") from None
