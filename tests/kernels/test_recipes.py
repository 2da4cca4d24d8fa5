"""CONTRIBUTING's recipes for the C core, followed: a dummy family and a dummy tier in a copy of csrc, built and run.

What is edited here is what the recipes name, file by file: a step that is missing there, or not needed, fails.
"""

from __future__ import annotations

import importlib.util
import platform
import re
import shutil
import subprocess
from pathlib import Path

import pytest

ROOT = next(folder for folder in Path(__file__).resolve().parents if (folder / "csrc").is_dir())
FAMILY, TIER = "echo", "dummy"
COMPILER = shutil.which("gcc") or shutil.which("clang")

CONTRACT = """\
/* A family for a test. */
#ifndef EC_CONTRACT_ECHO_H
#define EC_CONTRACT_ECHO_H

#include "results.h"

/* The tier that answers. */
int32_t ec_echo(void);

#endif
"""
SCALAR = """\
#include "../kernels.h"

static int32_t echo(void) { return EC_ISA_SCALAR; }

EC_SLOTS(echo, scalar) {
    table->echo = echo;
}

EC_INSTALL(echo, EC_SCALAR(echo))
"""
PUBLIC = """\
#include "../kernels.h"

int32_t ec_echo(void) { return ec_active.echo(); }
"""
OF_TIER = """\
#include "../kernels.h"

#if defined(EC_X86_64)
EC_TARGET_DUMMY

static int32_t echo(void) { return EC_ISA_DUMMY; }

EC_TARGET_END

EC_SLOTS(echo, dummy) {
    table->echo = echo;
}
#endif
"""

# Every other family is a stub: what is linked is what the recipes touch, and the frame of the loops.
PROGRAM = """\
#include <stdio.h>

#include "families.h"
#include "kernels.h"

#define STUB(family) \\
    __attribute__((weak)) void ec_##family##_install(ec_kernels *table, uint32_t tier) { (void)table, (void)tier; }
EC_FAMILIES(STUB)

int main(void) {
    void (*before)(const void *, int64_t, int32_t, void *) = NULL;
    for (uint32_t tier = EC_ISA_SCALAR; *ec_isa_name(tier); tier <<= 1) {
        if (!ec_isa_select(tier)) continue;
        printf("%s %d %d\\n", ec_isa_name(tier), ec_echo(), ec_active.floats_widen != before);
        before = ec_active.floats_widen;
    }
    return 0;
}
"""


class Copy:
    """A copy of csrc, and what has been done to it."""

    def __init__(self, folder: Path) -> None:
        self.csrc = folder / "csrc"
        shutil.copytree(ROOT / "csrc", self.csrc, ignore=shutil.ignore_patterns("__pycache__"))
        self.touched: set[str] = set()

    def write(self, path: str, text: str) -> None:
        target = self.csrc / path
        assert not target.exists()
        target.parent.mkdir(exist_ok=True)
        target.write_text(text)
        self.touched.add(f"csrc/{path}")

    def edit(self, path: str, place: str, text: str) -> None:
        """Put `text` for the one match of `place`, a pattern."""
        target = self.csrc / path
        new, count = re.subn(place, text, target.read_text(), flags=re.MULTILINE)
        assert count == 1, (path, place, count)
        target.write_text(new)
        self.touched.add(f"csrc/{path}")

    def build(self, *sources: str) -> Path:
        (self.csrc / "program.c").write_text(PROGRAM)
        program = self.csrc.parent / "program"
        flags = ["-std=gnu11", "-O0", "-Wall", "-Wextra", "-Werror", f"-I{self.csrc}"]
        files = [str(self.csrc / source) for source in ("program.c", "dispatch.c", "cpu.c", *sources)]
        subprocess.run([str(COMPILER), *flags, *files, "-o", str(program)], check=True)
        return program


def named_in(section: str, **names: str) -> set[str]:
    """Files of csrc that a section of CONTRIBUTING names."""
    text = (ROOT / "CONTRIBUTING.md").read_text(encoding="utf-8")
    body = text.split(f"### {section}\n", 1)[1].split("\n##", 1)[0]
    for name, value in names.items():
        body = body.replace(f"<{name}>", value)
    return set(re.findall(r"`(csrc/[\w/.]+)`", body)) - {"csrc/ffi_build.py"}


def add_family(copy: Copy) -> None:
    copy.write(f"{FAMILY}/scalar.c", SCALAR)
    copy.write(f"{FAMILY}/{FAMILY}.c", PUBLIC)
    copy.write(f"contract/{FAMILY}.h", CONTRACT)
    copy.edit("embcodec.h", r'^#include "contract/floats.h"$', rf'#include "contract/{FAMILY}.h"\n\g<0>')
    copy.edit("kernels.h", r"^\} ec_kernels;$", rf"    /* {FAMILY} */\n    int32_t (*echo)(void);\n\g<0>")
    copy.edit("families.h", r"^    X\(floats\) +\\$", rf"    X({FAMILY}) \\\n\g<0>")


def add_tier(copy: Copy) -> int:
    """Add a tier with AVX2's features; return its bit."""
    highest = max(int(bit) for bit in re.findall(r"EC_ISA_\w+ = (\d+)", (copy.csrc / "contract/isa.h").read_text()))
    copy.edit("contract/isa.h", rf"^    EC_ISA_\w+ = {highest},$", rf"\g<0>\n    EC_ISA_DUMMY = {2 * highest},")
    copy.edit("cpu.c", r"^    tiers \|= EC_ISA_AVX2;$", r"\g<0>\n    tiers |= EC_ISA_DUMMY;")
    copy.edit("dispatch.c", r"^\} TIERS\[\] = \{$", rf'\g<0>\n    {{.name = "{TIER}", .tier = EC_ISA_DUMMY}},')
    copy.edit(
        "target.h",
        r"^#define EC_TARGET_AVX2 .*$",
        r"\g<0>\n#define EC_TARGET_DUMMY EC_TARGET_REGION(EC_AVX2_FEATURES)",
    )
    copy.edit(
        "tiers.h",
        r"^#define EC_AVX2\(family\) EC_LAY.*$",
        r"\g<0>\n#define EC_DUMMY(family) EC_LAY(EC_ISA_DUMMY, family, dummy)",
    )
    avx2 = re.search(r"^EC_TARGET_AVX2\n.*?^EC_TARGET_END\n", (copy.csrc / "every_tier.h").read_text(), re.M | re.S)
    assert avx2
    block = avx2[0].replace("AVX2", "DUMMY").replace("avx2", TIER).replace("\\", r"\\")
    copy.edit("every_tier.h", r"^EC_TARGET_AVX512$", rf"{block}\n\g<0>")
    return 2 * highest


def test_a_new_family_is_built_and_called(tmp_path: Path) -> None:
    copy = Copy(tmp_path)
    add_family(copy)
    assert copy.touched == named_in("Adding a kernel", family=FAMILY)
    spec = importlib.util.spec_from_file_location("ffi_build_copy", copy.csrc / "ffi_build.py")
    assert spec is not None
    assert spec.loader is not None
    build = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(build)  # parses the contract
    assert "ec_echo(void);" in build.joined(copy.csrc / build.CONTRACT, set())
    assert {f"csrc/{FAMILY}/scalar.c", f"csrc/{FAMILY}/{FAMILY}.c"} <= set(build.sources())
    if COMPILER is None:
        pytest.skip("no C compiler")
    program = copy.build(f"{FAMILY}/scalar.c", f"{FAMILY}/{FAMILY}.c", "floats/tiers.c")
    lines = subprocess.run([program], check=True, capture_output=True, text=True).stdout.splitlines()
    assert lines[0].split()[0] == "scalar"
    assert all(line.split()[1] == "1" for line in lines)  # every tier inherits what only scalar has


@pytest.mark.skipif(
    COMPILER is None or platform.machine() not in ("x86_64", "AMD64"), reason="a C compiler for a tier of x86-64"
)
def test_a_new_tier_lays_its_slots_over_the_others(tmp_path: Path) -> None:
    copy = Copy(tmp_path)
    add_family(copy)
    copy.touched.clear()
    bit = add_tier(copy)
    copy.write(f"{FAMILY}/{TIER}.c", OF_TIER)
    copy.edit(f"{FAMILY}/scalar.c", r"EC_SCALAR\(echo\)", r"\g<0> EC_DUMMY(echo)")
    assert copy.touched == named_in("Adding a tier", family=FAMILY, tier=TIER)
    copy.edit("floats/tiers.c", r"EC_AVX2\(floats\)", r"\g<0> EC_DUMMY(floats)")  # the same step, of loops
    program = copy.build(f"{FAMILY}/scalar.c", f"{FAMILY}/{FAMILY}.c", f"{FAMILY}/{TIER}.c", "floats/tiers.c")
    lines = subprocess.run([program], check=True, capture_output=True, text=True).stdout.splitlines()
    found = {name: (int(echo), int(other)) for name, echo, other in map(str.split, lines)}
    assert found["scalar"] == (1, 1)
    if "avx2" not in found:
        pytest.skip("a machine without AVX2")
    assert found[TIER] == (bit, 1)
    assert all(echo == 1 for name, (echo, _) in found.items() if name != TIER)
