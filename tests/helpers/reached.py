"""A plugin of pytest for `tests/mutate.py`: it notes which lines each test reaches, or picks some tests."""

from __future__ import annotations

import json
import os
from collections import defaultdict
from pathlib import Path
from typing import Any


def pytest_configure(config: Any) -> None:
    import hypothesis

    hypothesis.settings.register_profile("mutate", deadline=None, max_examples=10, derandomize=True, database=None)
    hypothesis.settings.load_profile("mutate")
    if "MUTATE_WATCH" in os.environ:
        config.pluginmanager.register(Watch(Path(os.environ["MUTATE_WATCH"])))


def pytest_collection_modifyitems(items: list[Any]) -> None:
    if "MUTATE_PICK" in os.environ:
        order = {name: at for at, name in enumerate(json.loads(Path(os.environ["MUTATE_PICK"]).read_text()))}
        items[:] = sorted((item for item in items if item.nodeid in order), key=lambda item: order[item.nodeid])


class Watch:
    """Notes, a test, how long it took if it passed, and which lines it reached."""

    def __init__(self, file: Path) -> None:
        import coverage

        self.file, self.seconds, self.failed = file, defaultdict(float), set()
        self.coverage = coverage.Coverage(data_file=None, config_file=False, include=["*/src/embcodec/*"])
        self.coverage.start()

    def pytest_runtest_logstart(self, nodeid: str) -> None:
        self.coverage.switch_context(nodeid)

    def pytest_runtest_logreport(self, report: Any) -> None:
        self.seconds[report.nodeid] += report.duration
        if not report.passed:
            self.failed.add(report.nodeid)

    def pytest_sessionfinish(self) -> None:
        self.coverage.stop()
        data, lines = self.coverage.get_data(), {}
        for name in data.measured_files():
            inside = name[name.index("src/embcodec/") :]
            lines[inside] = {line: sorted({*tests} - {""}) for line, tests in data.contexts_by_lineno(name).items()}
        passed = {name: seconds for name, seconds in self.seconds.items() if name not in self.failed}
        self.file.write_text(json.dumps({"seconds": passed, "lines": lines}))
