# One file of tooling. Everything runs in an environment of its own, made from pyproject.toml and the tested set in constraints.txt.
PYTHON ?= python3
VENV ?= .venv
BIN := $(VENV)/bin
STAMP := $(VENV)/.installed

.PHONY: help install demo up jsforce test soak check format bench docs docs-serve clean

help:            ## What can be typed here
	@grep -E '^[a-z-]+:.*##' $(MAKEFILE_LIST) | sed -E 's/:[^#]*## */\t/' | expand -t 12

$(STAMP): pyproject.toml constraints.txt
	@$(PYTHON) -c 'import sys; sys.exit(0 if sys.version_info >= (3, 11) else "marketsync needs Python 3.11 or newer; this is " + sys.version.split()[0] + ". Try: make PYTHON=python3.12 ...")'
	@test -x $(BIN)/python || $(PYTHON) -m venv $(VENV)
	@echo "Installing marketsync and what it needs into $(VENV) (once, a minute or two) ..."
	@$(BIN)/python -m pip install --quiet --disable-pip-version-check --constraint constraints.txt --editable '.[postgres,dev]'
	@touch $(STAMP)

install: $(STAMP)  ## Make the environment

demo: $(STAMP)   ## A whole initial sync against a local SugarCRM sandbox, in about a minute
	@$(BIN)/marketsync demo

up: $(STAMP)     ## Server, deployments and a worker here, until Ctrl-C (marketsync.toml in this folder; ARGS="--port 4201")
	@$(BIN)/marketsync up $(ARGS)

jsforce:         ## Install the npm client that the tests run against the Salesforce sandbox (they do it themselves when it is missing)
	@cd tests/adapters/sandbox/salesforce/jsforce && npm install --no-audit --no-fund --no-package-lock --ignore-scripts --silent

test: $(STAMP)   ## Run every test
	@$(BIN)/python -m pytest -n 2 --dist loadfile --no-loadscope-reorder

soak: $(STAMP)   ## Thousands of random scripts against the reference and against a fresh sync: hours
	@HYPOTHESIS_PROFILE=soak MARKETSYNC_SCRIPTS=$(or $(SCRIPTS),2000) MARKETSYNC_FIRST_SCRIPT=$(or $(FIRST),1) $(BIN)/python -m pytest -n 2 tests/reference

check: $(STAMP)  ## Formatter, linter, types
	@$(BIN)/ruff format --check .
	@$(BIN)/ruff check .
	@$(BIN)/mypy

format: $(STAMP) ## Let the formatter and the linter mend what they can
	@$(BIN)/ruff format .
	@$(BIN)/ruff check --fix .

bench: $(STAMP)  ## Measure speed, memory and pushes; writes bench/results/
	@$(BIN)/python -m bench
	@$(BIN)/python -m bench.pushing
	@$(BIN)/python -m bench.idle

$(VENV)/.docs: $(STAMP)
	@$(BIN)/python -m pip install --quiet --disable-pip-version-check --constraint constraints.txt --editable '.[docs]'
	@touch $@

docs: $(VENV)/.docs  ## The documentation as a site, in site/; a broken link fails
	@NO_MKDOCS_2_WARNING=1 $(BIN)/python -m mkdocs build --quiet
	@echo "Open site/index.html"

docs-serve: $(VENV)/.docs ## The same while you write, on this machine's port 8000
	@NO_MKDOCS_2_WARNING=1 $(BIN)/python -m mkdocs serve --dev-addr 127.0.0.1:8000

clean:           ## Remove the environment and what the demo made
	rm -rf $(VENV) demo site
