"""The house rules of the C core that a compiler does not know."""

from __future__ import annotations

import re
from pathlib import Path

ROOT = next(folder for folder in Path(__file__).resolve().parents if (folder / "csrc").is_dir())
CSRC = ROOT / "csrc"
FAMILIES = re.findall(r"X\((\w+)\)", (CSRC / "families.h").read_text(encoding="utf-8").split("#define", 2)[2])
FILES = sorted([*CSRC.rglob("*.c"), *CSRC.rglob("*.h"), *(ROOT / "tests/c").glob("*.[ch]")])
CODE = {path: path.read_text(encoding="utf-8") for path in FILES}


def declared(part: str) -> set[str]:
    return set(re.findall(r"\b(ec_\w+)\(", re.sub(r"/\*.*?\*/", "", CODE[CSRC / "contract" / part], flags=re.S)))


def test_a_family_has_a_folder_and_its_specification_there() -> None:
    installed = {
        re.findall(r"^EC_INSTALL\((\w+),", text, re.M)[0]: path
        for path, text in CODE.items()
        if re.search(r"^EC_INSTALL\(", text, re.M)
    }
    assert sorted(installed) == FAMILIES
    for family, path in installed.items():
        assert path.parent == CSRC / family
        assert path.name in ("scalar.c", "tiers.c")  # the latter of loops, once for all tiers


def test_the_specification_calls_nothing_through_the_table() -> None:
    for path, text in CODE.items():
        if path.name in ("scalar.c", "tiers.c", "loops.h", "fold.h", "floats.h") and CSRC in path.parents:
            assert "ec_active" not in text, path


def test_the_contract_is_what_somebody_calls() -> None:
    """The library, or a family whose function it is not; what only tests call is in testing.h."""
    by_library = {
        name for path in (ROOT / "src").rglob("*.py") for name in re.findall(r"lib\.(ec_\w+)", path.read_text())
    }
    folders: dict[str, set[str]] = {}
    for path, text in CODE.items():
        if CSRC in path.parents and path.parent.name != "contract":
            for name in re.findall(r"\b(ec_\w+)\(", text):
                folders.setdefault(name, set()).add(path.parent.name)
    for part in (CSRC / "contract").glob("*.h"):
        for name in declared(part.name):
            called = name in by_library or len(folders[name]) > 1
            assert called == (part.name != "testing.h"), name


def test_files_are_short() -> None:
    assert {path.name: text.count("\n") for path, text in CODE.items() if text.count("\n") > 400} == {}
