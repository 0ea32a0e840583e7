# One command each; `make help` lists them. Everything lives in .venv, nothing is installed outside.

PYTHON ?= python3
VENV := .venv
BIN := $(VENV)/bin
STAMP := $(VENV)/.installed
FAULTS := tests/acceptance/cluster/faults
NATIVE := $(shell find groundswell/cext -name '*.pyx' -o -name '*.pxd' -o -name '*.[ch]') setup.py

.PHONY: help build run test test-sanitized test-browser test-stack fuzz faults check format docs bench clean

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

test-sanitized: build ## the native tests under the address, undefined behaviour and thread sanitizers
	scripts/test-sanitized address
	scripts/test-sanitized thread

test-browser: build ## two pages of a real browser against a real server
	scripts/install-chromium
	$(BIN)/python -m pytest -q -m browser

test-stack: build ## contracts, acceptance and short faults on real engines, started for it
	$(PYTHON) -m deploy.local install
	scripts/with-stack sh -ec '\
		$(BIN)/python -m pytest -q -s -m stack --ignore=$(FAULTS); \
		$(BIN)/python -m pytest -q -s -m stack $(FAULTS)'

SECONDS ?= 60
fuzz: build ## parser, hub and handshake under libFuzzer and the sanitizers, SECONDS=60; installs clang if root
	scripts/fuzz $(SECONDS)

faults: build ## every fault ten times under load, and the table in docs/faults.md (about 2 hours)
	$(PYTHON) -m deploy.local install
	rm -rf .cache/faults
	GROUNDSWELL_FAULT_CYCLES=10 GROUNDSWELL_TEST_SCALE=10 scripts/with-stack \
		$(BIN)/python -m pytest -q -s -m stack $(FAULTS); status=$$?; \
	$(BIN)/python scripts/fault_table.py .cache/faults/results.jsonl && exit $$status

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

bench: build ## fan-out and ingest beside the limit and peers, as ratios (about 8 minutes)
	$(BIN)/groundswell bench ingest
	$(BIN)/groundswell bench fanout

.PHONY: stack stack-down stack-status
stack: ## start Kafka, Cassandra, Redis and PostgreSQL on this machine, one node each
	$(PYTHON) -m deploy.local up
	$(PYTHON) -m deploy.local env

stack-down: ## end them and keep their data
	$(PYTHON) -m deploy.local down

stack-status: ## show their state, memory and logs
	$(PYTHON) -m deploy.local status

clean: ## remove what was built
	-[ ! -d .cache/stack ] || $(PYTHON) -m deploy.local down
	rm -rf $(VENV) build .cache groundswell/cext/*.so
