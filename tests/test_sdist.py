"""The sdist: who unpacks it can run what the Makefile names, so all that is tracked is in it."""

from __future__ import annotations

import shutil
import subprocess
from pathlib import Path

import pytest

ROOT = next(folder for folder in Path(__file__).parents if (folder / "MANIFEST.in").exists())
OF_THE_REPOSITORY = (".ci/", ".github/", ".pre-commit-config.yaml")  # what an unpacked sdist has no use for
BY_ITSELF = {"LICENSE", "MANIFEST.in", "README.md", "pyproject.toml", "setup.py"}  # setuptools adds these


def tracked() -> list[str]:
    if shutil.which("git") is None:
        pytest.skip("no git here")
    listed = subprocess.run(["git", "ls-files"], cwd=ROOT, capture_output=True, text=True)
    if listed.returncode or not listed.stdout:
        pytest.skip("not a checkout")
    return listed.stdout.splitlines()


def test_the_sdist_holds_what_is_tracked() -> None:
    commands = [line.split() for line in (ROOT / "MANIFEST.in").read_text(encoding="utf-8").splitlines()]
    grafted = tuple(f"{folder}/" for command in commands if command[0] == "graft" for folder in command[1:])
    included = [pattern for command in commands if command[0] == "include" for pattern in command[1:]]
    missing = [
        name
        for name in tracked()
        if not name.startswith((*OF_THE_REPOSITORY, *grafted))
        and name not in BY_ITSELF
        and not ("/" not in name and any(Path(name).match(pattern) for pattern in included))
    ]
    assert not missing, f"MANIFEST.in leaves out {missing}"
