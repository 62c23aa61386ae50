# Thin on purpose: what happens is decided in Python, in infra/local/ and infra/cli/.

PYTHON ?= $(shell for python in python3 python3.13 python3.12 python3.11; do \
	$$python -c 'import sys; sys.exit(not (3, 11) <= sys.version_info[:2] <= (3, 13))' 2>/dev/null \
	&& echo $$python && break; done)
BIN := .venv/bin
FAST := not cluster and not vllm and not slow
COVERED := $(addprefix --cov=,infra/spec infra/plan infra/render policies) --cov-branch --cov-fail-under=95

.PHONY: help up serve down test check schemas docs catalog golden setup tools

help: ## list these commands
	@sed -n 's/^\([a-z]*\):.*## /\1	/p' $(MAKEFILE_LIST) | expand -t 10

up: setup ## everything: environment, tools, local cluster, the local stack; a table when all is Healthy
	@$(BIN)/modelunits local up --deploy

serve: setup ## call the local stack's endpoints on this machine: the gateway and real vLLM, until Ctrl-C
	@$(BIN)/modelunits local serve local

down: ## take everything away again, but the cache folder
	@if [ -x $(BIN)/modelunits ]; then $(BIN)/modelunits local down --all; fi
	@$(or $(PYTHON),python3) infra/local/virtual_environment.py --remove

test: tools ## every test; 95 % of the branches of specs, plans, manifests and rules
	$(BIN)/pytest -q -n auto -m "$(FAST)" $(COVERED) --cov-report=term:skip-covered
	$(BIN)/pytest -q -n 2 --dist loadscope -m "cluster or vllm or slow" --durations=15

check: setup ## the fast loop: style, types, layers, unit tests
	$(BIN)/ruff check
	$(BIN)/ruff format --check
	$(BIN)/mypy
	$(BIN)/lint-imports
	$(BIN)/pytest -q -n auto -m "$(FAST)"

schemas: setup ## generate schemas/*.json
	$(BIN)/modelunits schemas

docs: setup ## generate docs/reference/
	$(BIN)/python -m infra.cli.reference

catalog: setup ## generate curves, and from them the performance tables of templates/
	$(BIN)/python tools/curves.py
	$(BIN)/python tools/performance_tables.py

golden: setup ## rewrite golden files; read the diff before you commit it
	$(BIN)/pytest -q -m "$(FAST)" --update-golden
	git --no-pager diff --stat -- tests

setup: ## the Python environment alone
	@if [ -z "$(PYTHON)" ]; then echo "Python 3.11, 3.12 or 3.13 is needed; none was found" >&2; exit 1; fi
	@$(PYTHON) infra/local/virtual_environment.py

tools: setup ## the programs that the local cluster and the tests need
	@$(BIN)/modelunits local tools
