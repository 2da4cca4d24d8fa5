"""Break lines of a room on purpose, one at a time, and count the breaks that its tests notice; `make mutants` runs it.

python tests/mutate.py ROOM [--count 40] [--seed 1] [--jobs 2]

A room is a package of src/embcodec (wire, scan, quantizers, index, client) or `c`, the portable files of 16 families.
Everything happens in copies of the tree. The room's tests run once to see which lines each of them reaches and how long
it takes. A break is then put before the tests that reach its line, quickest first, until one fails. Of what survives,
a test is missing, or the line does nothing, or the break changes nothing that can be seen: that is for the reader.
"""

from __future__ import annotations

import argparse
import importlib
import json
import multiprocessing
import os
import random
import re
import shutil
import subprocess
import sys
import tempfile
import time
import traceback
import types
from collections import Counter
from collections.abc import Iterator
from contextlib import suppress
from pathlib import Path
from typing import Any

sys.path.insert(0, str(Path(__file__).parent / "helpers"))
from mutants import Mutant, c_mutants, python_mutants

ROOT = Path(__file__).resolve().parents[1]
ROOMS = ("wire", "scan", "quantizers", "index", "client")
ALSO = {"quantizers": ("tests/files/test_storage_lowbit.py",)}  # what reads and writes codes is tested where files are
FAMILIES = {
    "response": ("tests/wire/",),
    "search": ("tests/scan/",),
    "quantize": ("tests/quantizers/test_quantize.py", "tests/quantizers/test_precision.py"),
    "lowbit": ("tests/quantizers/test_lowbit", "tests/scan/test_search_lowbit.py"),
    "numbers": ("tests/kernels/test_numbers.py", "tests/kernels/test_plain_numbers.py"),
    "dot": ("tests/kernels/test_dot.py", "tests/scan/"),
    "hamming": ("tests/kernels/test_hamming.py", "tests/scan/"),
    "floats": ("tests/kernels/test_floats.py", "tests/wire/"),
    "base64": ("tests/kernels/test_base64.py", "tests/wire/test_octets.py"),
    "chain": ("tests/quantizers/test_lowbit_principal.py",),
    "principal": ("tests/quantizers/test_lowbit_principal.py", "tests/kernels/test_lowbit_queries.py"),
    "bits": ("tests/kernels/test_bits.py",),
    "tables": ("tests/scan/test_search_lowbit.py", "tests/kernels/test_hamming.py"),
    "extremes": ("tests/quantizers/test_calibrate", "tests/quantizers/test_summary.py"),
    "hadamard": ("tests/quantizers/test_lowbit_rotations.py",),
    "crc32": ("tests/files/test_storage_checksums.py",),
}
TIERS = ("avx", "amx", "neon", "dotprod")  # compared with scalar, which is the specification
LOADED = ("numpy", "pytest", "hypothesis", "_hypothesis_pytestplugin", "numba", "httpx2", "stamina", "pyarrow", "rich")


class Tree:
    """A copy of the tree in which one file at a time is broken."""

    def __init__(self, folder: Path) -> None:
        self.folder, self.clock = folder, 1_000_000_000
        listed = subprocess.run(
            ["git", "ls-files", "-coz", "--exclude-standard"], cwd=ROOT, capture_output=True, check=True
        )
        built = [str(path.relative_to(ROOT)) for path in ROOT.glob("src/embcodec/_kernels.*")]
        for name in {*listed.stdout.decode().split("\0"), *built} - {""}:
            if (ROOT / name).is_file():
                (folder / name).parent.mkdir(parents=True, exist_ok=True)
                shutil.copy2(ROOT / name, folder / name)

    def write(self, path: str, data: bytes) -> bool:
        """Write a file of the copy; False if that does not compile."""
        (self.folder / path).write_bytes(data)
        if path.endswith(".py"):
            self.clock += 10
            os.utime(self.folder / path, (self.clock, self.clock))  # what is compiled and kept goes by size and second
            return True
        compiler = {"CC": "ccache gcc", "CCACHE_BASEDIR": str(self.folder)} if shutil.which("ccache") else {}
        command = [sys.executable, "setup.py", "-q", "build_ext", "--inplace", "--force"]
        return not subprocess.run(command, cwd=self.folder, env=os.environ | compiler, capture_output=True).returncode

    def tests(self, arguments: list[str], seconds: float = 3600, **variables: str) -> str:
        """Run tests in a fork, which need not load NumPy and others: `passed`, `time-out`, or the first that failed."""
        said = self.folder / "said"
        if not (pid := os.fork()):
            os.setsid()
            sys.modules["__main__"] = types.ModuleType("__main__")  # processes that tests spawn import the main module
            os.chdir(self.folder)
            with open(said, "wb") as file:
                os.dup2(file.fileno(), 1), os.dup2(file.fileno(), 2)
            sys.path[:0] = [str(self.folder / part) for part in ("src", "tests/helpers", "")]
            os.environ |= {"PYTHONPATH": os.pathsep.join(sys.path[:3]), **variables}
            quiet = "-q --no-header --tb=no -W ignore::pytest.PytestAssertRewriteWarning -p reached -p no:cacheprovider"
            code: int = 99
            try:
                code = sys.modules["pytest"].main([*quiet.split(), "-p", "no:benchmark", *arguments])
            except BaseException:
                traceback.print_exc()
            finally:
                sys.stdout.flush(), sys.stderr.flush()
                os._exit(code)
        end = time.monotonic() + seconds
        while not (ended := os.waitpid(pid, os.WNOHANG))[0]:
            if time.monotonic() > end:
                os.killpg(pid, 9)
                os.waitpid(pid, 0)
                return "time-out"
            time.sleep(0.02)
        failed = re.search(r"^(?:FAILED|ERROR) (.*?)(?: - |$)", said.read_text(errors="replace"), re.M)
        return "passed" if ended[1] == 0 else failed[1] if failed else f"wait status {ended[1]}"


def files_and_tests(room: str) -> Iterator[tuple[str, tuple[str, ...]]]:
    for family, tests in FAMILIES.items() if room == "c" else ():
        files = Path("csrc", family).glob("*.[ch]")
        yield from ((str(path), tests) for path in files if not path.name.startswith(TIERS))
    for path in Path("src/embcodec", room).glob("**/*.py") if room != "c" else ():
        yield str(path), (f"tests/{room}/", f"src/embcodec/{room}/", *ALSO.get(room, ()))


def failing(chosen: list[str], seconds: float) -> str:
    """Run some tests until one fails; `passed` where there are none."""
    if not chosen:
        return "passed"
    pick = tree.folder / "pick.json"
    pick.write_text(json.dumps(chosen))
    files = sorted({name.partition("::")[0] for name in chosen})
    return tree.tests(["-x", *files], seconds, MUTATE_PICK=str(pick))


def outcome_of(mutant: Mutant) -> tuple[str, str, int]:
    """Put a mutant into this process' tree, and return what came of it, the mutant in words, and how many tests ran."""
    original, reached = Path(ROOT, mutant.path).read_bytes(), known["lines"].get(mutant.path, {})
    old = original[mutant.start : mutant.end].decode()
    names = {name for line in mutant.lines for name in reached.get(str(line), ()) if name in known["seconds"]}
    own = (name for name in known["seconds"] if name.startswith(tests_of[mutant.path]))
    chosen = sorted(names or own, key=known["seconds"].get)
    seconds = 60 + 5 * sum(known["seconds"][name] for name in chosen)
    outcome = "no build"
    if tree.write(mutant.path, original[: mutant.start] + mutant.new.encode() + original[mutant.end :]):
        outcome = failing(chosen, seconds)
        while outcome in chosen and tree.tests([outcome], seconds) == "passed":  # by itself it does not fail
            chosen.remove(outcome)
            outcome = failing(chosen, seconds)
    tree.write(mutant.path, original)
    return outcome, f"{mutant.path}:{mutant.lines[-1]} {mutant.what}: {old!r} -> {mutant.new!r}", len(chosen)


def begin(scratch: str, room: str, found: dict[str, Any]) -> None:
    """Make what a process of the pool works in."""
    global tree, known, tests_of
    tree, known, tests_of = Tree(Path(scratch, str(os.getpid()))), found, dict(files_and_tests(room))
    if room == "c":
        tree.write("csrc/cpu.c", (ROOT / "csrc/cpu.c").read_bytes())


def main() -> None:
    parser = argparse.ArgumentParser(description=(__doc__ or "").splitlines()[0])
    parser.add_argument("room", choices=[*ROOMS, "c"])
    for name, default in (("--count", 40), ("--seed", 1), ("--jobs", 2)):
        parser.add_argument(name, type=int, default=default)
    parser.add_argument("--map", type=Path, help="a file for what the tests reach, kept from one run to the next")
    given = parser.parse_args()
    os.chdir(ROOT)
    for name in LOADED:
        with suppress(ImportError):
            importlib.import_module(name)
    make, paths = c_mutants if given.room == "c" else python_mutants, dict(files_and_tests(given.room))
    mutants = [each for path in sorted(paths) for each in make(path, Path(path).read_text(encoding="utf-8"))]
    random.Random(given.seed).shuffle(mutants)
    counts = Counter[str]()
    with tempfile.TemporaryDirectory(prefix="mutate-") as scratch:
        found = given.map or Path(scratch, "map.json")
        if not found.exists():
            starts = {start for starts in paths.values() for start in starts}
            listed = [str(path) for start in starts for path in Path().glob(start.removesuffix("/") + "*")]
            Tree(Path(scratch, "map")).tests(sorted(listed), MUTATE_WATCH=str(found))
        reached = json.loads(found.read_text())
        print(
            f"{len(mutants)} mutants, {len(reached['seconds'])} tests of {sum(reached['seconds'].values()):.0f} s",
            flush=True,
        )
        with multiprocessing.get_context("fork").Pool(given.jobs, begin, (scratch, given.room, reached)) as pool:
            for outcome, change, tests in pool.imap_unordered(outcome_of, mutants):
                counts[outcome if outcome in ("passed", "time-out", "no build") else "failed"] += 1
                print(f"{outcome}  {change} ({tests} tests)", flush=True)
                if counts.total() - counts["no build"] >= given.count:
                    break
    killed = counts["failed"] + counts["time-out"]
    print(f"{given.room}: {killed} of {given.count} killed, {counts['time-out']} of them by time-out")


if __name__ == "__main__":
    main()
