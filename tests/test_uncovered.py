"""The report on what the tests leave out."""

from __future__ import annotations

import json
import shutil
import subprocess
import sys
from pathlib import Path

import pytest
import uncovered


def test_python_lines_by_package(tmp_path: Path) -> None:
    report = {
        "files": {
            "src/embcodec/wire/body.py": {"executed_lines": [1, 2], "missing_lines": [3, 4, 9]},
            "build/coverage/lib/embcodec/errors_text.py": {"executed_lines": [1], "missing_lines": []},
        }
    }
    path = tmp_path / "coverage.json"
    path.write_text(json.dumps(report))
    lines = uncovered.python_lines(path)
    assert [row.split() for row in uncovered.table("Python", lines)[1:]] == [
        ["3", "of", "5", "60.0%", "wire/"],
        ["0", "of", "1", "0.0%", "errors"],
        ["3", "of", "6", "50.0%", "all"],
    ]
    assert uncovered.spans([3, 4, 9]) == "3-4 9"


@pytest.mark.skipif(not (shutil.which("gcc") and shutil.which("gcov")), reason="gcc and gcov count lines of C")
@pytest.mark.skipif(sys.platform != "linux", reason="elsewhere gcc is another compiler")
def test_c_lines_by_family(tmp_path: Path) -> None:
    source = tmp_path / "csrc" / "bits" / "scalar.c"
    source.parent.mkdir(parents=True)
    source.write_text(
        "int main(int count, char **words) {\n  if (count > 1)\n    return words[1][0];\n  return 0;\n}\n"
    )
    (tmp_path / "other.h").write_text("static inline int twice(int x) {\n  return 2 * x;\n}\n")
    source.write_text('#include "../../other.h"\n' + source.read_text().replace("return 0", "return twice(0)"))
    subprocess.run(["gcc", "--coverage", "-O0", str(source), "-o", "run"], cwd=tmp_path, check=True)
    subprocess.run([str(tmp_path / "run")], cwd=tmp_path, check=True)
    lines = uncovered.c_lines(tmp_path.glob("*.gcda"))
    assert set(lines) == {"bits/scalar.c"}
    assert [line for line, run in lines["bits/scalar.c"].items() if not run] == [4]
