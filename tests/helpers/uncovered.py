"""Print what the tests leave out, of Python a package a line and of C a family a line; `make coverage` runs it.

python tests/helpers/uncovered.py BUILD [--lines NAME]

`BUILD` holds what the run left: coverage's report (coverage.json) and gcc's counters (*.gcda). With `--lines`, the
uncovered lines of the files whose path contains NAME are printed instead. Lines that Numba compiles count as left out:
Python never runs them. So do the kernels of other processors, if they are compiled at all.
"""

from __future__ import annotations

import argparse
import json
import subprocess
from collections import defaultdict
from collections.abc import Iterable
from pathlib import Path, PurePath

Lines = dict[str, dict[int, bool]]  # file -> line -> whether it was run


def python_lines(report: Path) -> Lines:
    """Return the statements of each Python file, by its path in the package."""
    files = json.loads(report.read_text(encoding="utf-8"))["files"]
    found: Lines = {}
    for name, file in files.items():
        inside = name.replace("\\", "/").rpartition("embcodec/")[2]
        found[inside] = dict.fromkeys(file["executed_lines"], True) | dict.fromkeys(file["missing_lines"], False)
    return found


def c_lines(counters: Iterable[Path]) -> Lines:
    """Return the lines of each C file, by its path under csrc; a header's count as run where one includer ran them."""
    found: Lines = defaultdict(dict)
    for path in counters:
        done = subprocess.run(["gcov", "--json-format", "--stdout", str(path)], capture_output=True, check=True)
        for file in json.loads(done.stdout)["files"]:
            _, is_ours, inside = file["file"].rpartition("csrc/")
            if not is_ours:  # what cffi writes, the compiler's own headers
                continue
            lines = found[inside]
            for line in file["lines"]:
                lines[line["line_number"]] = lines.get(line["line_number"], False) or line["count"] > 0
    return dict(found)


def room(name: str) -> str:
    """Return the folder of a file, or the file's first word where it lies on the top level."""
    parts = PurePath(name).parts
    return f"{parts[0]}/" if len(parts) > 1 else PurePath(name).stem.strip("_").partition("_")[0] or name


def table(title: str, lines: Lines) -> list[str]:
    """Return one text line a room, the most uncovered lines first, and their sum."""
    left, all_of_it = defaultdict(int), defaultdict(int)
    for name, states in lines.items():
        left[room(name)] += sum(not run for run in states.values())
        all_of_it[room(name)] += len(states)
    rows = [(left[key], all_of_it[key], key) for key in all_of_it if all_of_it[key]]
    rows = [*sorted(rows, reverse=True), (sum(left.values()), sum(all_of_it.values()), "all")]
    return [f"{title}: lines that no test runs", *(f"{n:6} of {m:6}  {n / m:6.1%}  {key}" for n, m, key in rows)]


def spans(numbers: list[int]) -> str:
    """Return line numbers with runs of neighbours joined.

    >>> spans([1, 2, 3, 7])
    '1-3 7'
    """
    text: list[list[int]] = []
    for number in numbers:
        if text and number == text[-1][-1] + 1:
            text[-1] = [text[-1][0], number]
        else:
            text.append([number])
    return " ".join("-".join(map(str, span)) for span in text)


def main() -> None:
    """Read the two reports and print them."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("build", type=Path)
    parser.add_argument("--lines", metavar="NAME")
    arguments = parser.parse_args()
    reports = {
        "Python": python_lines(arguments.build / "coverage.json"),
        "C": c_lines(sorted(arguments.build.resolve().rglob("*.gcda"))),
    }
    for title, lines in reports.items():
        if arguments.lines is None:
            print("\n".join(table(title, lines)))
            continue
        for name, states in sorted(lines.items()):
            left = sorted(number for number, run in states.items() if not run)
            if left and arguments.lines in name:
                print(f"{name}: {spans(left)}")


if __name__ == "__main__":
    main()
