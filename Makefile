# Law: each target does its own set-up on a fresh Debian 12, and a second run of it costs nothing. Nothing is
# installed outside $(VENV), save Debian packages, and those only by root (.ci/packages). The install is not
# editable: a checkout on the path would lose against another distribution's `events`.

PYTHON ?= python3
VENV ?= .venv
JOBS ?= 2
SECONDS ?= 60
ONLY ?=
DEMO ?= replay/data/demo.pcapng

BIN := $(VENV)/bin
PIP := $(BIN)/python -m pip --disable-pip-version-check -q
# Directories are listed too: a file that was removed touches its folder only.
SOURCES := $(shell find events pvdcore adapters replay -name __pycache__ -prune -o -print 2>/dev/null)
# Scripts under tests/ see the checkout first and not their own folder, whose rooms are named as the packages are.
SCRIPT := PYTHONPATH=$(CURDIR) $(BIN)/python -P

RUNTIME := $(VENV)/.stamps/runtime
DEV := $(VENV)/.stamps/dev
PROJECT := $(VENV)/.stamps/project

.DEFAULT_GOAL := help
.DELETE_ON_ERROR:
.PHONY: run test lint format bench bench-live soak lab fuzz mutants conformance packages clean help

run: $(PROJECT)  ## replay a bundled capture: its PvDs, then their history
	$(BIN)/pvdctl replay -r $(DEMO)
	$(BIN)/pvdctl history -r $(DEMO)

test: packages lint $(PROJECT)  ## lint, then every test (JOBS=2 at a time)
	$(BIN)/python -m pytest -n $(JOBS)

lint: $(DEV)  ## ruff, its format check and mypy --strict
	$(BIN)/ruff check .
	$(BIN)/ruff format --check .
	$(BIN)/mypy

format: $(DEV)  ## let ruff sort the imports and lay out the code
	$(BIN)/ruff check --fix --select I .
	$(BIN)/ruff format .

bench: $(DEV) $(PROJECT)  ## measure the targets for speed, replayed and (as root) live
	$(SCRIPT) tests/bench/bench.py
	@test $$(id -u) -ne 0 || $(SCRIPT) tests/bench/live.py

bench-live: $(DEV) $(PROJECT)  ## measure from an RA on the wire to a default route, as root
	$(SCRIPT) tests/bench/live.py

soak: $(DEV) $(PROJECT)  ## measure what a flood and a thousand PvDs cost, as root (a minute or two)
	$(SCRIPT) tests/bench/soak.py

lab: packages $(DEV) $(PROJECT)  ## watch pvdd among real routers and servers in namespaces, as root, until ^C
	$(SCRIPT) tests/live/show.py

# atheris stands apart: it has no wheel for every machine, and without it the changes are random.
fuzz: $(DEV) $(PROJECT)  ## fuzz each decoder (SECONDS=60 for each)
	$(PIP) install --only-binary :all: 'atheris>=3,<4' || true
	$(SCRIPT) tests/fuzz/run.py --seconds $(SECONDS)

mutants: $(DEV)  ## change the code by one thing at a time; list what no test notices (ONLY='pvdcore.leases*')
	$(SCRIPT) tests/mutants.py --jobs $(JOBS) $(ONLY)

conformance: $(DEV) $(PROJECT)  ## list each requirement row with the tests that cover it
	$(SCRIPT) tests/conformance.py

packages:  ## install the Debian packages that the tests use (as root, the missing ones only)
	@.ci/packages test

clean:  ## remove the venv, caches and build output
	@test ! -e $(VENV)/pyvenv.cfg || rm -rf $(VENV)
	rm -rf build dist .mutants tests/output .coverage .coverage.* htmlcov
	rm -rf .hypothesis .import_linter_cache .mypy_cache .pytest_cache .ruff_cache
	find . -name .git -prune -o -name __pycache__ -type d -prune -exec rm -rf {} +

help:  ## show this list
	@sed -n 's/^\([a-z-]*\):.*  ## /\1\t/p' Makefile | expand -t 14

# bin/pip, not bin/python: a venv that failed for want of python3-venv has the one and not the other.
$(BIN)/pip:
	@PYTHON=$(PYTHON) .ci/packages run
	$(PYTHON) -m venv $(VENV)

$(RUNTIME): pyproject.toml | $(BIN)/pip
	$(PIP) install 'hatchling>=1.27,<2' .
	@mkdir -p $(@D) && touch $@

$(DEV): pyproject.toml | $(RUNTIME)
	$(PIP) install --no-build-isolation '.[dev]'
	@touch $@

# Last, also after the two above: from here on a changed source costs one build without isolation, 1-2 s.
$(PROJECT): $(SOURCES) pyproject.toml | $(RUNTIME)
	$(PIP) install --no-build-isolation --no-deps --force-reinstall .
	@touch $@
