"""The house rules of the C core that a compiler does not know."""

from __future__ import annotations

import re
import shutil
import subprocess
from pathlib import Path

import pytest

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


@pytest.mark.skipif(shutil.which("gcc") is None, reason="needs a preprocessor")
@pytest.mark.parametrize(
    ("macros", "are_there"), [(("_MSC_VER=1940", "_M_X64=100", "_WIN32"), False), (("__GNUC__=12", "__x86_64__"), True)]
)
def test_words_of_gnu_are_left_out_where_the_compiler_is_another(
    tmp_path: Path, macros: tuple[str, ...], are_there: bool
) -> None:
    for name in re.findall(r"#include <(\w+\.h)>", "".join(CODE.values())):
        (tmp_path / name).touch()
    files = "".join(f'#include "{path}"\n' for path in CODE if path.suffix == ".c" and CSRC in path.parents)
    command = ["gcc", "-E", "-P", "-w", "-undef", "-nostdinc", f"-I{tmp_path}", f"-I{CSRC}", "-xc", "-"]
    command += [f"-D{macro}" for macro in macros]
    done = subprocess.run(command, input=files, capture_output=True, text=True, check=True)
    found = re.findall(
        r"__builtin_\w+|__attribute__|__asm__|__int128|__extension__|__typeof__|__atomic_\w+", done.stdout
    )
    assert bool(found) == are_there, found[:5]
