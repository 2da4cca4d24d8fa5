"""The steps by which CONTRIBUTING says that a profile is added, followed in a copy: its golden body is read."""

from __future__ import annotations

import re
import shutil
import subprocess
import sys
from pathlib import Path

import pytest
from paths import ROOT

PROFILE = """    Profile(
        "newcomer",
        rows="",
        item="vector",
        signed_bytes="twos-complement",
        base_url="http://127.0.0.1:9999",
        api_key_variable="NEWCOMER_API_KEY",
        source="newcomer.example, the page on answers",
    ),
)

PROFILES:"""
BODY = '[{"vector": [-87]}]'
LINE = '    ("newcomer-binary", "binary", {}, [-87]),\n]\n'


def replaced(path: Path, old: str, new: str) -> None:
    text = path.read_text(encoding="utf-8")
    assert text.count(old) == 1, f"{path} has no single place that begins with {old!r}"
    path.write_text(text.replace(old, new), encoding="utf-8")


def followed(copy: Path, steps: tuple[str, ...]) -> subprocess.CompletedProcess[str]:
    shutil.copytree(ROOT / "src" / "embcodec", copy / "src" / "embcodec", ignore=shutil.ignore_patterns("__pycache__"))
    for name in ("tests/wire/test_profiles.py", "tests/conftest.py", "pyproject.toml"):
        (copy / name).parent.mkdir(parents=True, exist_ok=True)
        shutil.copy(ROOT / name, copy / name)
    for name in ("tests/helpers", "tests/golden"):
        shutil.copytree(ROOT / name, copy / name, ignore=shutil.ignore_patterns("__pycache__"))
    if "src/embcodec/profiles.py" in steps:
        replaced(copy / "src/embcodec/profiles.py", ")\n\nPROFILES:", PROFILE)
    if "tests/golden/profiles/" in steps:
        (copy / "tests/golden/profiles/newcomer-binary.json").write_text(BODY, encoding="utf-8")
    if "tests/wire/test_profiles.py" in steps:
        test = copy / "tests/wire/test_profiles.py"
        replaced(test, "]\nUNCOUNTED", LINE + "UNCOUNTED")
        replaced(
            test, "    assert answer.usage.prompt_tokens == 2 * (name not in UNCOUNTED)\n", ""
        )  # the newcomer counts none
    command = [sys.executable, "-m", "pytest", "-q", "-p", "no:benchmark", "-p", "no:cacheprovider", "--assert=plain"]
    environment = {"PYTHONPATH": str(copy / "src"), "PATH": "", "EMBCODEC_ISA": "scalar"}
    return subprocess.run(
        [*command, "-k", "newcomer or every_profile", "tests/wire/test_profiles.py"],
        cwd=copy, env=environment, capture_output=True, text=True, check=False,
    )  # fmt: skip


def steps() -> tuple[str, ...]:
    """Return the places that CONTRIBUTING names."""
    text = (ROOT / "CONTRIBUTING.md").read_text(encoding="utf-8")
    recipe = text.split("### Adding a service profile")[1].split("\n## ")[0]
    return tuple(re.findall(r"`((?:src|tests)/[\w./]+)`", recipe))


def test_a_new_service_is_read_once_the_steps_are_followed(tmp_path: Path) -> None:
    done = followed(tmp_path, steps())
    assert done.returncode == 0, done.stdout + done.stderr
    assert re.search(r"[1-9]\d* passed", done.stdout), done.stdout


PLACES = ("src/embcodec/profiles.py", "tests/golden/profiles/", "tests/wire/test_profiles.py")


@pytest.mark.parametrize("left_out", PLACES)
def test_a_step_that_is_left_out_is_missed(left_out: str, tmp_path: Path) -> None:
    assert left_out in steps()
    done = followed(tmp_path, tuple(step for step in steps() if step != left_out))
    assert done.returncode == 1, done.stdout + done.stderr
