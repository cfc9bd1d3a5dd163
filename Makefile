# Two commands matter: `make run` serves on http://127.0.0.1:8000, `make test` runs every check.
PYTHON ?= python3
BIN := .venv/bin

.PHONY: run test bench quality gates year fuzz properties conformance mutants pages

run: .venv/installed
	CDS_DEVELOPMENT=true $(BIN)/cds-service db upgrade
	CDS_DEVELOPMENT=true $(BIN)/cds-service train --if-none
	CDS_DEVELOPMENT=true exec $(BIN)/cds-service serve

test: .venv/tested
	$(BIN)/ruff check .
	$(BIN)/ruff format --check .
	$(BIN)/mypy
	$(BIN)/pytest -q -n auto --dist loadfile

bench: .venv/installed
	$(BIN)/python -m benchmarks.latency

quality: .venv/installed
	$(BIN)/python -m benchmarks.quality --search

gates: .venv/installed
	$(BIN)/python -m benchmarks.gates

year: .venv/installed
	$(BIN)/python -m benchmarks.year --null-chunks

pages: .venv/tested
	$(BIN)/pytest -q -s tests/pages/test_weight_and_paint.py

fuzz: .venv/tested
	$(BIN)/python -m tests.support.fuzzer

properties: .venv/tested
	CDS_TEST_PROPERTIES=search $(BIN)/pytest -q -n auto tests/property

mutants: .venv/tested
	$(BIN)/python -m tests.spec.mutants

conformance: .venv/tested
	$(BIN)/python -m tests.spec.requirements

.PHONY: .venv
.venv: .venv/installed

.venv/installed: requirements.lock pyproject.toml
	@$(PYTHON) -c 'import sys; sys.exit(sys.version_info < (3, 11))' \
	  || { echo "cds-service needs Python 3.11 or later; $(PYTHON) is older. Try: make PYTHON=python3.11"; exit 1; }
	$(PYTHON) -m venv .venv
	$(BIN)/pip install --quiet --require-hashes -r requirements.lock
	$(BIN)/pip install --quiet --no-deps --no-build-isolation --editable .
	@touch $@

.venv/tested: .venv/installed requirements-test.lock
	$(BIN)/pip install --quiet --require-hashes -r requirements-test.lock
	@touch $@
