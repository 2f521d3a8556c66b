# Everything happens in .venv; the first target that needs it makes it from the locked versions.
VENV := .venv
BIN := $(VENV)/bin
PYTHON ?= python3
# Test processes: much of a test's time is waiting, so three keep two cores busy; in the order of the folders, because
# the acceptance tests take longest and must not come last, each on its own. PYTEST_ARGS=-n0 for a debugger.
PYTEST_ARGS ?= -n 3 --dist loadfile --no-loadscope-reorder

UV_COMPILE = $(BIN)/uv pip compile -q --universal --python-version 3.11 --generate-hashes --no-header --no-emit-index-url pyproject.toml

.PHONY: demo test check bench bench-peers lock clean

$(VENV)/installed: pyproject.toml requirements.lock
	@$(PYTHON) -c 'import sys; sys.exit(sys.version_info < (3, 11))' || { echo "Twinfeed needs Python 3.11 or newer (PYTHON=python3.12 make …)"; exit 1; }
	@test -x $(BIN)/python || $(PYTHON) -m venv $(VENV) || { rm -rf $(VENV); \
	  if [ "$$(id -u)" = 0 ] && command -v apt-get >/dev/null; then \
	    apt-get update -q && apt-get install -y -q python3-venv && $(PYTHON) -m venv $(VENV); \
	  else echo "Python's venv module is missing: sudo apt-get install python3-venv"; exit 1; fi; }
	$(BIN)/python -m pip install -q --disable-pip-version-check --require-hashes -r requirements.lock
	$(BIN)/python -m pip install -q --disable-pip-version-check --no-build-isolation --no-deps -e .
	@test -e twin/viewer/dist/built-from || echo "The web pages were not built: is npm's registry in reach? Then: touch pyproject.toml, and make again."
	@touch $@

$(VENV)/installed-dev: $(VENV)/installed requirements-dev.lock
	$(BIN)/python -m pip install -q --disable-pip-version-check --require-hashes -r requirements-dev.lock
	@touch $@

demo: $(VENV)/installed   ## a sample plant on the embedded database
	$(BIN)/twinfeed demo $(DEMO_ARGS)

test: $(VENV)/installed-dev   ## all tests; with TWINFEED_TEST_DATABASE_URL those that reach a database, on that server
	$(BIN)/python -m pytest $(PYTEST_ARGS)

check: $(VENV)/installed-dev   ## lint, types, tests of layout and docs, locked versions against known vulnerabilities
	$(BIN)/ruff check .
	$(BIN)/ruff format --check .
	$(BIN)/mypy
	$(BIN)/python -m pytest -q tests/test_layout.py tests/test_docs.py
	$(BIN)/python .ci/audit.py requirements.lock requirements-dev.lock

bench: $(VENV)/installed-dev   ## throughput and latency, as ratios against references in the same run
	$(BIN)/python -m tests.bench $(BENCH_ARGS)

bench-peers: $(VENV)/installed   ## beside InfluxDB, VictoriaMetrics and raw COPY; BENCH_ARGS="--only stored" and so on for the long loads
	$(BIN)/python -m tests.bench.peers $(BENCH_ARGS)

lock: $(VENV)/installed   ## resolve both lock files anew from pyproject.toml
	$(BIN)/python -m pip install -q --disable-pip-version-check uv
	$(UV_COMPILE) --extra build --extra dev -o requirements-dev.lock
	$(UV_COMPILE) --extra build -c requirements-dev.lock -o requirements.lock

clean:
	rm -rf $(VENV) .pytest_cache .mypy_cache .ruff_cache .hypothesis
