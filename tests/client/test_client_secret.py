"""The key of a client: no variable of any frame, nor what hangs on it, shows it, whichever way a call fails."""

from __future__ import annotations

import asyncio
import copy
import io
import logging
import pickle
import traceback
from collections.abc import Callable
from pathlib import Path
from typing import Any
from urllib.parse import quote

import pytest
from click.testing import CliRunner
from clients import embed, short_waits
from hostile import Reply, answer, hostile_server, http, silence
from paths import TESTS
from secrets_seen import pieces

from embcodec import EmbcodecError
from embcodec.cli.command import main
from embcodec.client.client import AsyncClient, Client
from embcodec.wire.http.secret import Secret, without_credentials

__all__ = ["embed", "short_waits"]

KEY = "sk-the/key+of=the-house~0123456789"
IN_ADDRESSES = KEY.replace("/", "-")  # as it is, a slash ends what an address may have before its host
KINDS = pytest.mark.parametrize("kind", [Client, AsyncClient])


def assert_hidden(error: BaseException) -> None:
    """The key is in no frame below the test's own (and those of the command line's test runner), nor in the error."""
    seen: list[BaseException | None] = [None]
    frames = 0
    while error not in seen:
        seen.append(error)
        for frame, _ in traceback.walk_tb(error.__traceback__):
            path = Path(frame.f_code.co_filename)
            if path.is_relative_to(TESTS) or path.name == "testing.py":
                continue
            frames += 1
            for name, value in frame.f_locals.items():
                for text in pieces(value):
                    assert KEY not in text, f"{name} in {frame.f_code.co_qualname}"
                    assert IN_ADDRESSES not in text, f"{name} in {frame.f_code.co_qualname}"
        for text in (str(error), *pieces(error)):
            assert KEY not in text
        error = error.__cause__ or error.__context__ or seen[0]  # type: ignore[assignment]
    assert frames > 0


BAD: dict[str, dict[str, Any]] = {
    "timeout": {"timeout": 0},
    "timeout of another type": {"timeout": "soon"},
    "profile": {"profile": "nobody"},
    "profile of another type": {"profile": ["openai"]},
    "base_url": {"base_url": "ftp://host"},
    "base_url of another type": {"base_url": 5},
    "base_url with the key as password": {"base_url": f"https://me:{IN_ADDRESSES}@host/v1"},
    "base_url with the key as user": {"base_url": f"https://{IN_ADDRESSES}@host/v1"},
    "base_url with the key and no scheme": {"base_url": f"me:{IN_ADDRESSES}@host"},
    "base_url with the key in its query": {"base_url": f"https://host/v1?key={KEY}"},
    "base_url of a broken address": {"base_url": f"https://me:{IN_ADDRESSES}@[::1/v1"},
    "base_url with a slash in the password": {"base_url": f"https://me:{KEY}@host/v1"},
    "base_url with a wrong port": {"base_url": "https://host:port"},
    "max_retries": {"max_retries": -1},
    "max_retries of another type": {"max_retries": "many"},
    "concurrency": {"concurrency": 0},
    "retry_seconds": {"retry_seconds": -1},
    "key with a line break": {"api_key": KEY + "\nX: y"},
    "key beyond ASCII": {"api_key": KEY + "ключ"},
    "key with a lone surrogate": {"api_key": KEY + "\ud800"},
    "key as bytes": {"api_key": KEY.encode()},
    "key in a list": {"api_key": [KEY]},
}


@KINDS
@pytest.mark.parametrize("bad", BAD.values(), ids=BAD)
def test_a_construction_that_fails_shows_no_key(kind: type[Any], bad: dict[str, Any]) -> None:
    with pytest.raises((ValueError, TypeError, AttributeError)) as caught:
        kind(**{"api_key": KEY, **bad})
    assert_hidden(caught.value)


@KINDS
def test_nor_with_the_key_of_the_environment(kind: type[Any], monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("OPENAI_API_KEY", KEY + "\n\nX: y")
    with pytest.raises(ValueError, match="the key in OPENAI_API_KEY has characters that no header may carry") as caught:
        kind(profile="openai")
    assert_hidden(caught.value)


def test_arguments_that_nobody_knows_show_no_key() -> None:
    with pytest.raises(TypeError) as caught:
        Client(api_key=KEY, base="x")  # type: ignore[call-arg]
    assert KEY not in str(caught.value)
    assert all(
        Path(frame.f_code.co_filename).is_relative_to(TESTS)
        for frame, _ in traceback.walk_tb(caught.value.__traceback__)
    )


@KINDS
def test_a_half_made_client_has_a_repr(kind: type[Any]) -> None:
    assert repr(kind.__new__(kind)) == f"{kind.__name__}(not ready)"


def echoed(**headers: str) -> Reply:
    """A good answer to one text, were two not asked for; the key is all over it."""
    return http({**answer([1, 2]), "model": KEY, "debug": f"Bearer {KEY}"}, headers={"x-echo": KEY, **headers})


def never(*arguments: Any) -> Any:
    raise LookupError("the caller's own")


FAILURES: dict[str, tuple[Reply, dict[str, Any]]] = {
    "answer that is none": (echoed(), {}),
    "error that repeats the key": (http({"error": {"message": f"no key {KEY}", "code": KEY}}, 401), {}),
    "error that has it in the body alone": (http({"message": "no", "debug": KEY}, 400), {}),
    "error that spells it as JSON may": (http(f'{{"message": "{KEY}'.replace("/", "\\/").encode() + b'"}', 400), {}),
    "page that repeats it": (http(f"<p>{KEY}".encode(), content_type="text/html"), {}),
    "redirect that repeats it": (http(b"", 302, location=f"http://elsewhere/?{KEY}"), {}),
    "header that is none": (b"HTTP/1.1 200 OK\r\n" + KEY.encode() + b"\r\n\r\n", {}),
    "head that is none": (KEY.encode() + b"\r\n\r\n", {}),
    "coding that repeats it": (echoed(content_encoding=KEY), {}),
    "answer that is too large": (echoed(content_length="9" * 18), {}),
    "answer cut short": (echoed(content_length="9999"), {}),
    "no answer": (silence, {}),
    "caller's own error": (http(answer([1, 2], [3, 4])), {"progress": never}),
    "unknown model": (http({"message": f"no model m for {KEY}"}, 404), {}),
}


@pytest.mark.parametrize(("reply", "wishes"), FAILURES.values(), ids=FAILURES)
def test_a_request_that_fails_shows_no_key(embed: Any, reply: Reply, wishes: dict[str, Any]) -> None:
    client = {"api_key": KEY, "max_retries": 1, "timeout": 0.2 if reply is silence else 30}
    with hostile_server(reply) as server, pytest.raises((EmbcodecError, LookupError)) as caught:
        embed(server.base_url, ["a", "b"], client=client, **wishes)
    assert_hidden(caught.value)
    assert KEY.encode() not in pickle.dumps(caught.value)


def test_a_key_that_a_service_repeats_is_in_no_log(embed: Any, caplog: pytest.LogCaptureFixture) -> None:
    caplog.set_level(logging.DEBUG)
    reason = http({"message": KEY}, 503, headers={"x-echo": f"Bearer {KEY}"}).replace(
        b"Scripted", KEY.encode() + b"\x1b[2J"
    )
    good = http(answer([1, 2]), headers={"x-echo": f"Bearer {KEY}", "x-title": "\x1b]0;title"})
    with hostile_server(reason, good) as server:
        embed(server.base_url, ["a"], client={"api_key": KEY})
    assert len(server.received) == 2
    said = "\n".join(record.getMessage() for record in caplog.records)
    assert said.count("[key]") >= 3
    assert "\x1b" not in said
    for record in caplog.records:
        assert not any(KEY in text for text in pieces(record.__dict__))


def test_a_cancelled_call_shows_no_key() -> None:
    async def cancelled(base_url: str) -> BaseException:
        async with AsyncClient(api_key=KEY, base_url=base_url) as client:
            task = asyncio.create_task(client.embed(["a"], model="m"))
            await asyncio.sleep(0.1)
            task.cancel()
            with pytest.raises(asyncio.CancelledError) as caught:
                await task
            return caught.value

    with hostile_server(silence) as server:
        assert_hidden(asyncio.run(cancelled(server.base_url)))


def test_secrets_are_masked_and_cannot_be_copied_out() -> None:
    key = Secret(f"  {KEY}\n")
    assert key.reveal() == KEY
    assert not any(KEY in text for text in pieces(key))
    for way in (pickle.dumps, copy.copy, copy.deepcopy):
        with pytest.raises(TypeError, match="not pickled"):
            way(key)  # type: ignore[operator]
    said = f"{KEY} {KEY!r} {quote(KEY, safe='')} " + KEY.replace("/", "\\/")
    assert "house" not in key.redact(said)
    assert Secret("a").redact("a bad word") == "a bad word"  # too short to be told from words
    assert Secret.wrap(None) is None
    assert Secret.wrap(key) is key
    assert not Secret("")
    assert Secret("  ").flaw is not None


def test_an_empty_key_stands_for_none_even_where_the_environment_has_one(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("MISTRAL_API_KEY", KEY)
    assert "without a key" in repr(Client(api_key=""))
    assert "with a key" in repr(Client())


@pytest.mark.parametrize("url", ["http://host", "https://host:1/v1/", "http://[::1]:8000/a/b", "", None, 5])
def test_addresses_without_credentials_stay_as_they_are(url: Any) -> None:
    assert without_credentials(url) is url or without_credentials(url) == url


def run(*arguments: object, text: str = "a line\n") -> Any:
    return CliRunner().invoke(main, [str(argument) for argument in arguments], input=text)


COMMANDS: dict[str, Callable[[Path], tuple[object, ...]]] = {
    "a key that no header carries": lambda path: ("--base-url", "http://127.0.0.1:1", "--api-key-variable", "BAD_KEY"),
    "a bad address": lambda path: ("--base-url", "ftp://x", "--api-key-variable", "GOOD_KEY"),
    "nobody there": lambda path: ("--base-url", "http://127.0.0.1:1", "--api-key-file", path / "key"),
    "two keys in a file": lambda path: ("--base-url", "http://127.0.0.1:1", "--api-key-file", path / "keys"),
    "no UTF-8 in a file": lambda path: ("--base-url", "http://127.0.0.1:1", "--api-key-file", path / "odd"),
    "no model": lambda path: ("--profile", "openai", "--api-key-file", path / "key"),
}


@pytest.mark.parametrize("options", COMMANDS.values(), ids=COMMANDS)
def test_a_command_that_fails_shows_no_key(
    options: Callable[[Path], tuple[object, ...]], tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("EMBCODEC_TRACEBACK", "1")
    monkeypatch.setenv("GOOD_KEY", KEY)
    monkeypatch.setenv("BAD_KEY", f"{KEY} {KEY}")
    for name, content in (("key", KEY), ("keys", f"{KEY}\n{KEY}"), ("odd", f"{KEY}é")):
        (tmp_path / name).write_bytes(content.encode("latin-1"))
    done = run("embed", "-", "-o", tmp_path / "x.npy", *options(tmp_path))
    assert done.exit_code != 0
    assert KEY not in done.output + done.stderr
    assert_hidden(done.exc_info[1])
    shown = io.StringIO()
    traceback.print_exception(*done.exc_info, file=shown)
    assert KEY not in shown.getvalue()


def test_the_key_of_a_file_is_sent(tmp_path: Path) -> None:
    (tmp_path / "key").write_text(f"{KEY}\n")
    with hostile_server(http(answer([1, 2]))) as server:
        options = ("--base-url", server.base_url, "--api-key-file", tmp_path / "key")
        assert run("embed", "-", "-o", tmp_path / "x.npy", *options).exit_code == 0
        both = run("embed", "-", "-o", tmp_path / "x.npy", *options, "--api-key-variable", "KEY")
    assert f"authorization: bearer {KEY}\r\n".lower() in server.received[0].head.lower() + "\r\n"
    assert (both.exit_code, "not from both" in both.stderr) == (2, True)
