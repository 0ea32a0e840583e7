# One command each; `make help` lists them. Everything lives in .venv, nothing is installed outside.

PYTHON ?= python3
VENV := .venv
BIN := $(VENV)/bin
STAMP := $(VENV)/.installed
NATIVE := $(shell find groundswell/cext -name '*.pyx' -o -name '*.pxd') setup.py

.PHONY: help build run test test-browser test-stack check format docs bench clean

help: ## show this list
	@grep -E '^[a-z-]+:.*##' $(MAKEFILE_LIST) | sed -E 's/:.*## /\t/' | expand -t 16

$(STAMP): pyproject.toml requirements.lock $(NATIVE)
	$(PYTHON) -c 'import sys; sys.exit("Python 3.11 or newer is needed") if sys.version_info < (3, 11) else None'
	$(PYTHON) -m venv $(VENV)
	$(BIN)/python -m pip install --quiet --disable-pip-version-check --requirement requirements.lock
	BUILD_EXTENSION=yes $(BIN)/python -m pip install --quiet --disable-pip-version-check \
		--no-deps --no-build-isolation --editable .
	touch $@

build: $(STAMP) ## make .venv with the native extension and .venv/bin/groundswell

run: build ## serve a live room with a simulated crowd on http://127.0.0.1:8080
	$(BIN)/groundswell serve --demo

test: build ## unit, contract and property tests
	$(BIN)/python -m pytest -q -m 'not browser and not stack'

test-browser: build ## two pages of a real browser against a real server
	scripts/install-chromium
	$(BIN)/python -m pytest -q -m browser

test-stack: build ## the acceptance suite over real sockets against separate server processes
	@echo 'The acceptance suite runs against the embedded engines: the cluster engines are not here yet.'
	$(BIN)/python -m pytest -q -s -m stack

check: build ## format, lint, types, layering, generated files
	$(BIN)/ruff format --check .
	$(BIN)/ruff check .
	$(BIN)/mypy
	$(BIN)/python -m pytest -q tests/test_layering.py tests/test_generated.py

format: build ## let ruff format and fix
	$(BIN)/ruff format .
	$(BIN)/ruff check --fix .

docs: build ## write the generated pages anew
	$(BIN)/groundswell config docs > docs/settings.md
	$(BIN)/python scripts/protocol_tables.py

bench: build ## fan-out and ingest beside the limit and a naive server, as ratios (about 5 minutes)
	$(BIN)/python -m groundswell.bench ingest
	$(BIN)/python -m groundswell.bench fanout

clean: ## remove what was built
	rm -rf $(VENV) build .cache groundswell/cext/*.so
