"""The key by itself: what it takes for one, how it hides, and where it is blotted out."""

from __future__ import annotations

import copy
import gc
import logging
import pickle
from typing import Any
from urllib.parse import quote

import pytest

from embcodec.wire.http import Secret
from embcodec.wire.http.secret import _BLOTTER, keep_out_of_logs, without_credentials

KEY = "sk/ab+cd="


@pytest.mark.parametrize(
    ("value", "strip", "revealed", "flaw", "is_blank"),
    [
        (KEY, True, KEY, None, False),
        (f" \t{KEY}\r\n", True, KEY, None, False),
        (f" {KEY}", False, f" {KEY}", "has characters that no header may carry", False),
        ("!~", True, "!~", None, False),
        ("a b", True, "a b", "has characters that no header may carry", False),
        ("a\x7f", True, "a\x7f", "has characters that no header may carry", False),
        ("é", True, "é", "has characters that no header may carry", False),
        ("\ud800", True, "\ud800", "has characters that no header may carry", False),
        ("", True, "", None, True),
        (" \n", True, "", "has characters that no header may carry", True),
        (None, True, "", "is a str, not a NoneType", False),
        (b"sk-1234", True, "", "is a str, not a bytes", False),
    ],
)
def test_what_is_a_key(value: Any, strip: bool, revealed: str, flaw: str | None, is_blank: bool) -> None:
    key = Secret(value, strip)
    assert (key.reveal(), key.flaw, key.is_blank, key.is_text) == (revealed, flaw, is_blank, isinstance(value, str))
    assert bool(key) == (bool(revealed) or flaw is not None)
    assert repr(key) == "Secret(...)"


def test_a_key_is_wrapped_once_and_without_the_white_space_around_it() -> None:
    key = Secret.wrap(f" {KEY}\n")
    assert key is not None
    assert (key.reveal(), key.flaw) == (KEY, None)
    assert Secret.wrap(key) is key
    assert Secret.wrap(None) is None
    kept = Secret.wrap(f" {KEY}", strip=False)
    assert kept is not None
    assert kept.reveal() == f" {KEY}"
    assert Secret(f" {KEY}").reveal() == KEY


def test_a_key_has_a_digest_of_its_own_and_no_copies() -> None:
    key = Secret(KEY)
    assert key.digest() == Secret(KEY).digest() != Secret(KEY + "x").digest()
    assert KEY.encode() not in key.digest()
    for way in (pickle.dumps, copy.copy, copy.deepcopy):
        with pytest.raises(TypeError, match="not pickled"):
            way(key)  # type: ignore[operator]


@pytest.mark.parametrize("spelling", [KEY, KEY.replace("/", "\\/"), quote(KEY, safe="")])
def test_a_key_is_blotted_out_however_it_is_spelt(spelling: str) -> None:
    assert Secret(KEY).redact(f"<{spelling}> and <{spelling}>") == "<[key]> and <[key]>"


def test_short_keys_are_left_in_the_words_that_they_are_part_of() -> None:
    assert Secret("abc").redact("abcd abc") == "abcd abc"
    assert Secret("abcd").redact("abcd abc") == "[key] abc"


@pytest.mark.parametrize(
    ("address", "shown"),
    [
        ("https://host/v1", None),
        ("http://host:8000", None),
        ("http://host:0", None),
        (None, None),
        (7, None),
        ("https://a:b@host", "https://***@host"),
        ("https://a:b/c?d#e@host/v1", "https://***@host/v1"),
        ("a:b@host", "***@host"),
        ("//a@host", "//***@host"),
        ("https://host/v1?key=k", "https://host/v1?***"),
        ("https://host/v1#k", "https://host/v1#***"),
        ("ftp://host/?k", "ftp://host/?***"),
        ("https://host:port/?k", "https://host:port/?***"),
        ("https://host/a@b", None),
    ],
)
def test_addresses_are_shown_without_what_a_key_may_be_in(address: Any, shown: str | None) -> None:
    assert without_credentials(address) == (address if shown is None else shown)


def test_logs_of_the_http_library_hold_no_living_key(caplog: pytest.LogCaptureFixture) -> None:
    key = Secret("sk-logged-1")
    keep_out_of_logs(key)
    caplog.set_level(logging.DEBUG)
    for name in ("httpx2", "httpcore2.connection", "httpcore2.http11", "httpcore2.http2", "httpcore2.proxy"):
        logging.getLogger(name).debug("a header: %s", "sk-logged-1\x1b[2J")
        logging.getLogger(name).debug("no key: %s", 5)
        said = [record.getMessage() for record in caplog.records]
        assert said[-2].startswith("a header: [key]")
        assert "\x1b" not in said[-2]
        assert said[-1] == "no key: 5"
        assert caplog.records[-1].args == (5,)  # as it was: nothing in it had to go
    odd = logging.LogRecord("httpx2", logging.DEBUG, "", 0, "%d", ("no number",), None)
    assert _BLOTTER.filter(odd)  # what cannot be written is the handlers' to tell
    before = len(_BLOTTER.keys)
    del key
    gc.collect()
    assert len(_BLOTTER.keys) < before
