# Each target makes what it needs first: a virtual environment in .venv, the installs, the C core.
#   make demo   the whole of it on real text, ends with a table and a report
#   make test   the tests, doctests included, warnings as errors
PYTHON ?= python3
VENV   ?= .venv
BIN    := $(VENV)/bin
PIP    := $(BIN)/python -m pip --disable-pip-version-check
SOURCES := pyproject.toml setup.py $(wildcard csrc/*.c csrc/*.h csrc/*.py csrc/*/*.c csrc/*/*.h)
PYTEST_ARGS ?=
CC_STRICT := -std=c11 -O1 -Wall -Wextra -Werror -Icsrc -fsyntax-only

.PHONY: help demo test test-long lint lint-c bench quality interval-coverage exhaustive fuzz fuzz-coverage test-sdks sdk-table test-stores test-adapters test-tiers asan-core test-asan coverage \
    mutants dist clean
.DELETE_ON_ERROR:

help:
	@echo "make demo | test | test-long | lint | bench | quality | interval-coverage | test-sdks | sdk-table | test-stores | test-adapters | test-tiers | test-asan | coverage | mutants | exhaustive | fuzz | dist | clean"

$(BIN)/python:
	@$(PYTHON) -c 'import sys; sys.exit(sys.version_info < (3, 11))' || \
	    { echo "embcodec needs Python 3.11 or newer; name one: make PYTHON=python3.12"; exit 1; }
	@$(PYTHON) -m venv $(VENV) || \
	    { echo "could not make $(VENV); Debian and Ubuntu want: apt-get install python3-venv"; exit 1; }
	$(PIP) install -q --upgrade 'pip>=25.1'

# The extension is rebuilt whenever a C source changes; the groups come on top.
$(VENV)/.core: $(BIN)/python $(SOURCES)
	$(PIP) install -q --editable '.[all]'
	@touch $@

$(VENV)/.%: $(VENV)/.core
	$(PIP) install -q --group $*
	@touch $@

demo: $(VENV)/.core
	$(BIN)/embcodec demo

# A process a core; benchmarks, which are no tests, want the machine for themselves. Bytecode is kept, in __pycache__, also
# where the shell says otherwise: the processes that tests start would each compile the sources anew.
test test-long: export PYTHONDONTWRITEBYTECODE =
test: $(VENV)/.test
	$(BIN)/python -m pytest -n auto --maxprocesses 8 --dist worksteal -p no:benchmark -m 'not long' $(PYTEST_ARGS)

# Those that fit quantizers to real rows again and again, or wait for processes that were killed.
test-long: $(VENV)/.test
	$(BIN)/python -m pytest -n auto --maxprocesses 8 --dist worksteal -p no:benchmark -m long tests $(PYTEST_ARGS)

lint: $(VENV)/.test $(VENV)/.lint lint-c
	$(BIN)/ruff check .
	$(BIN)/ruff format --check .
	$(BIN)/mypy
	$(BIN)/mypy tests/typing/right.py tests/typing/wrong.py
	$(BIN)/basedpyright --pythonpath $(BIN)/python

# Every C file: its form, and every compiler at hand, those for AArch64 and Windows among them; no warning passes.
C_FILES = $$(find csrc tests benchmarks fuzz -name '*.[ch]' -not -path '*/build/*')
lint-c:
	@if test -x $(BIN)/clang-format; then echo "lint-c: clang-format"; $(BIN)/clang-format --dry-run --Werror $(C_FILES); \
	    else echo "lint-c: no $(BIN)/clang-format here, skipped"; fi
	@for compiler in gcc clang aarch64-linux-gnu-gcc x86_64-w64-mingw32-gcc; do \
	    command -v $$compiler >/dev/null || { echo "lint-c: no $$compiler here, skipped"; continue; }; \
	    echo "lint-c: $$compiler"; \
	    $$compiler $(CC_STRICT) $$(find csrc -name '*.c') || exit 1; \
	done
	@for compiler in gcc clang; do \
	    ! command -v $$compiler >/dev/null || $$compiler $(patsubst -std=c11,-std=gnu11,$(CC_STRICT)) tests/c/*.c || exit 1; \
	done

bench: $(VENV)/.test $(VENV)/.peers
	$(BIN)/python -m pytest benchmarks --benchmark-only --benchmark-disable-gc -q -s -o faulthandler_timeout=0 $(if $(HISTORY),--history) $(PYTEST_ARGS)

# Codes of ours and of others at equal bytes: of the committed vectors, or QUALITY_ARGS='VECTORS.npy --queries QUERIES.npy'.
quality: $(VENV)/.core $(VENV)/.peers
	$(BIN)/python benchmarks/quality.py $(QUALITY_ARGS)

# Whether the study's 95% intervals hold the truth in 94 to 97 of 100 samples, from 30 queries on, for every pipeline.
interval-coverage: $(VENV)/.core
	$(BIN)/python benchmarks/interval_coverage.py

# Tiers against the scalar specification in plain C under the sanitizers; NEON under qemu where it is installed; the pool
# of threads under the sanitizer of threads and under helgrind; all of it as programs of Windows under wine.
test-tiers:
	$(MAKE) -C tests/c

# A core of its own under the sanitizers, for what runs through Python. Python itself is not built with them, hence the
# preloading (of the C++ library too, whose exceptions in pyarrow the sanitizer watches); what is left behind at its end is
# not looked at.
ASAN := -fsanitize=address,undefined -fno-sanitize-recover=all
WITH_ASAN = PYTHONPATH=build/asan/lib LD_PRELOAD="$(foreach library,libasan.so libstdc++.so,$$($(CC) -print-file-name=$(library)))" \
    ASAN_OPTIONS=detect_leaks=0 $(BIN)/python
asan-core: $(VENV)/.test
	$(PIP) install -q 'setuptools>=77' 'cffi>=1.17'
	CFLAGS="$(ASAN) -fno-omit-frame-pointer -g1 -DEC_AMX_STAND_IN" LDFLAGS="$(ASAN)" \
	    $(BIN)/python setup.py -q build --build-base build/asan --build-lib build/asan/lib

# The tests of the kernels: every tier (AMX by its stand-in), the threads, the searches.
ASAN_TESTS ?= tests/kernels tests/test_hostile_input.py $(patsubst %,tests/%.py,wire/test_batch_plain wire/test_batch_threads wire/test_response \
    wire/test_response_hostile wire/test_response_one wire/test_traps quantizers/test_lowbit quantizers/test_lowbit_files \
    quantizers/test_quantize scan/test_search scan/test_search_near scan/test_search_queries scan/test_search_screen \
    scan/test_traps_search index/test_index)
test-asan: asan-core
	$(WITH_ASAN) -m pytest -q -p no:benchmark -m 'not long' --capture=sys $(ASAN_TESTS) $(PYTEST_ARGS)

# What the tests leave out, a package or a family a line: a core of its own that counts its lines, and Python's traced.
COVERED := build/coverage
COVERAGE_TESTS ?= tests $(COVERED)/lib/embcodec
coverage: $(VENV)/.test $(VENV)/.coverage
	$(PIP) install -q 'setuptools>=77' 'cffi>=1.17'
	CFLAGS="--coverage" LDFLAGS=--coverage \
	    $(BIN)/python setup.py -q build --build-base $(COVERED) --build-lib $(COVERED)/lib
	find $(COVERED) -name '*.gcda' -delete && rm -f $(COVERED)/data*
	PYTHONPATH=$(COVERED)/lib:tests/helpers $(BIN)/python -m coverage run -m pytest -p keep_coverage -q -n auto --maxprocesses 8 --dist worksteal -p no:benchmark \
	    $(COVERAGE_TESTS) $(PYTEST_ARGS)
	$(BIN)/python -m coverage combine -q
	$(BIN)/python -m coverage json -q --include='$(COVERED)/lib/*' -o $(COVERED)/coverage.json
	$(BIN)/python tests/helpers/uncovered.py $(COVERED)

# Lines of a room broken on purpose: how many of the breaks its tests notice. ROOM=c takes the portable C files.
ROOM ?= wire
COUNT ?= 40
SEED ?= 1
mutants: $(VENV)/.test $(VENV)/.coverage
	$(PIP) install -q 'setuptools>=77' 'cffi>=1.17'
	$(BIN)/python tests/mutate.py $(ROOM) --count $(COUNT) --seed $(SEED)

# The SDKs of others, newest releases, against the server; those for Node where npm is.
SDKS := build/sdks
test-sdks: $(VENV)/.core
	$(PYTHON) -m venv $(SDKS)/venv
	$(SDKS)/venv/bin/python -m pip --disable-pip-version-check install -q --upgrade -r tests/sdks/requirements.txt
	@mkdir -p $(SDKS)/node && cp tests/sdks/package.json tests/sdks/ask.mjs $(SDKS)/node
	@if command -v npm >/dev/null; then cd $(SDKS)/node && npm install --no-audit --no-fund --silent; \
	    else echo "test-sdks: no npm here, those for Node are skipped"; fi
	$(BIN)/python tests/sdks/run.py $(SDK_PAGE) $(SDKS)/venv/bin/python $$(command -v npm >/dev/null && echo $(SDKS)/node)

# The same, and its tables into the page of the documentation.
sdk-table:
	$(MAKE) test-sdks SDK_PAGE='--page docs/reference/sdks.md'

# The stores themselves: whom they find nearest among what is sent, and what comes back. None of them may be missing.
test-stores: $(VENV)/.test $(VENV)/.stores
	EMBCODEC_TEST_STORES=1 $(BIN)/python -m pytest tests/stores -p no:benchmark $(PYTEST_ARGS)

# The adapters on the packages that they are for, in an environment of their own: they bring much that nothing else needs.
ADAPTERS := build/adapters
test-adapters: $(VENV)/.core
	@test -x $(ADAPTERS)/bin/python || $(PYTHON) -m venv $(ADAPTERS)
	$(ADAPTERS)/bin/python -m pip --disable-pip-version-check install -q --upgrade 'pip>=25.1'
	$(ADAPTERS)/bin/python -m pip --disable-pip-version-check install -q --editable '.[server,tokens]' --group adapters
	$(ADAPTERS)/bin/python -m pytest -q -n auto --maxprocesses 8 -p no:benchmark tests/adapters src/embcodec/adapters \
	    tests/server/test_server_wide.py $(PYTEST_ARGS)

exhaustive:
	$(MAKE) -C tests/exhaustive

# The kernels that read text, by libFuzzer; what takes files, requests and arguments through Python, on the sanitized core.
# INPUTS=30000 tries so many of each instead, the same ones wherever and whenever it runs.
SECONDS ?= 60
fuzz: asan-core
	$(MAKE) -C fuzz run SECONDS=$(SECONDS) INPUTS=$(INPUTS)
	$(WITH_ASAN) fuzz/surfaces_run.py $(if $(INPUTS),--inputs $(INPUTS),--seconds $(SECONDS))

fuzz-coverage:
	$(MAKE) -C fuzz coverage

# The pages, build/docs/index.html; a warning, such as a link that leads nowhere, is an error.
.PHONY: docs
docs: $(VENV)/.docs
	$(BIN)/python -m sphinx --fail-on-warning --keep-going --quiet -b html docs build/docs

dist: $(BIN)/python
	$(PIP) install -q build
	$(BIN)/python -m build

clean:
	rm -rf $(VENV) build dist src/*.egg-info src/embcodec/_kernels.* .pytest_cache .mypy_cache .ruff_cache
