# `make demo` and `make test` are all that a newcomer needs; the rest are a developer's shortcuts.
PYTHON ?= python3
VENV := .venv
BIN := $(VENV)/bin
UI := modelyard/web/ui

.PHONY: demo test dev pages install lint types layers ui unit clean help

help:  ## show this list
	@grep -E '^[a-z]+:.*##' $(MAKEFILE_LIST) | sed -E 's/:.*## /\t/'

demo:  ## the whole main job: train, register, promote, deploy, predict, notify; leaves the server running
	$(PYTHON) examples/demo/start.py

test: install  ## every check that CI runs
	$(BIN)/tox -q run

install: $(BIN)/.installed

$(BIN)/.installed: setup.cfg pyproject.toml
	$(PYTHON) -m venv $(VENV)
	$(BIN)/python -m pip install --quiet --upgrade pip
	$(BIN)/python -m pip install --quiet 'tox>=4.25' setuptools wheel
	MODELYARD_BUILD_UI=skip $(BIN)/python -m pip install --quiet --editable '.[dev]'
	touch $@

pages: $(UI)/dist/index.html  ## build the web pages

$(UI)/dist/index.html: $(UI)/package-lock.json $(shell find $(UI)/src -type f 2>/dev/null) $(UI)/index.html
	cd $(UI) && npm ci --no-audit --no-fund && npm run build

dev: install  ## the server, and Vite with hot reload in front of it
	@[ -d $(UI)/node_modules ] || (cd $(UI) && npm ci --no-audit --no-fund)
	@$(BIN)/modelyard serve --reload & server=$$!; trap 'kill $$server 2>/dev/null; wait $$server' EXIT; cd $(UI) && npm run dev

lint: install  ## ruff, and dead code
	$(BIN)/tox -q run -e lint

types: install  ## mypy strict
	$(BIN)/tox -q run -e types

layers: install  ## who may import whom
	$(BIN)/tox -q run -e layers

ui:  ## the pages' own checks
	cd $(UI) && npm ci --no-audit --no-fund && npm run check

unit: install  ## the Python tests without browser and demo
	$(BIN)/python -m pytest -q -n 2 -m 'not e2e and not demo'

clean:  ## remove what is made by the above
	rm -rf $(VENV) .tox .demo build dist $(UI)/node_modules $(UI)/dist tests/parts/node_modules
