# PayMentor: every command a person needs. `make help` lists them.
SHELL := /bin/bash
.SHELLFLAGS := -eu -o pipefail -c
.DEFAULT_GOAL := help
.DELETE_ON_ERROR:

PYTHON ?= python3.11
VENV := .venv
BIN := $(VENV)/bin
DBT_SOURCES := $(shell find dbt_project -type f \( -name '*.sql' -o -name '*.yml' -o -name '*.csv' \) -not -path '*/target/*' -not -path '*/logs/*' 2>/dev/null)

export DO_NOT_TRACK := 1
export DBT_SEND_ANONYMOUS_USAGE_STATS := false
export MLFLOW_DISABLE_TELEMETRY := true
# Each command is a new process: without cached bytecode half of a short run is compiling.
unexport PYTHONDONTWRITEBYTECODE

.PHONY: help
help: ## List the targets
	@grep -hE '^[a-z-]+:.*## ' $(MAKEFILE_LIST) | awk -F ':.*## ' '{printf "  make %-8s %s\n", $$1, $$2}'

.PHONY: setup
setup: $(VENV)/setup.stamp dbt_project/target/manifest.json ## Create .venv, install the hashed lock, parse the dbt project

$(VENV)/uv.stamp: requirements-bootstrap.lock
	@echo "Creating $(VENV) …"
	@$(PYTHON) -m venv $(VENV)
	@$(BIN)/python -m pip install --quiet --disable-pip-version-check --require-hashes -r requirements-bootstrap.lock
	@touch $@

$(VENV)/setup.stamp: $(VENV)/uv.stamp requirements.lock pyproject.toml
	@echo "Installing the locked packages …"
	@$(BIN)/uv pip install --quiet --python $(BIN)/python --require-hashes -r requirements.lock
	@$(BIN)/uv pip install --quiet --python $(BIN)/python --no-deps --no-build-isolation -e .
	@touch $@

$(VENV)/dev.stamp: $(VENV)/setup.stamp requirements-dev.lock
	@echo "Installing the locked development packages …"
	@$(BIN)/uv pip install --quiet --python $(BIN)/python --require-hashes -r requirements-dev.lock
	@touch $@

dbt_project/target/manifest.json: $(VENV)/setup.stamp $(DBT_SOURCES)
	@echo "Parsing the dbt project …"
	@cd dbt_project && ../$(BIN)/dbt --quiet parse --target platform
	@touch $@

.PHONY: demo
demo: setup ## A synthetic lender, from files to messages and back
	@$(BIN)/paymentor demo $(ARGS)

.PHONY: dev
dev: setup ## Open the Dagster UI, with sensors on
	@PAYMENTOR_AUTOMATION=on $(BIN)/paymentor dev

.PHONY: test
# In order of collection, which puts the long integration files first and the short unit ones last.
test: dev-setup browser postgres lint ## Lint, type-check, validate and test everything that CI does
	@echo "Testing …"
	@$(BIN)/python -m pytest -n 2 --dist loadfile --no-loadscope-reorder -q

.PHONY: dev-setup
dev-setup: setup $(VENV)/dev.stamp

.PHONY: lint
lint: dev-setup ## Format check, lint, strict types, SQL layout, dbt rules, definitions
	@$(BIN)/ruff format --check --quiet .
	@$(BIN)/ruff check --quiet .
	@$(BIN)/mypy
	@$(BIN)/sqlfluff lint dbt_project/models --processes 2 --nocolor --disable-progress-bar
	@cd dbt_project && ../$(BIN)/dbt-bouncer run --config-file dbt-bouncer.yml
	@scripts_home=$$(mktemp -d); trap 'rm -rf "$$scripts_home"' EXIT; \
	  PAYMENTOR_ENV=test PAYMENTOR_HOME="$$scripts_home" DAGSTER_HOME="$$scripts_home" \
	  $(BIN)/dagster definitions validate -w workspace.yaml 2>&1 | grep -E 'Validation|ERROR|Error|rror:' ; \
	  exit $${PIPESTATUS[0]}

# The screenshot test needs a browser, the dispatch test a PostgreSQL server. Where this user may
# install Debian packages they are installed; elsewhere the tests say that they are skipped.
.PHONY: browser postgres
browser:
	@deploy/install-if-allowed.sh chromium chromium

postgres:
	@deploy/install-if-allowed.sh /usr/lib/postgresql postgresql

.PHONY: format
format: dev-setup ## Format the code
	@$(BIN)/ruff format --quiet .
	@$(BIN)/ruff check --fix --quiet .

.PHONY: lock
lock: $(VENV)/uv.stamp ## Renew the hashed locks from pyproject.toml
	@$(BIN)/uv pip compile -q --universal --generate-hashes --no-header --no-annotate --python-version 3.11 --extra setup pyproject.toml -o requirements.lock
	@$(BIN)/uv pip compile -q --universal --generate-hashes --no-header --no-annotate --python-version 3.11 --extra setup --extra dev -c requirements.lock pyproject.toml -o requirements-dev.lock

.PHONY: proof
proof: dev-setup ## Kill ingestions, take in 10,000 spoiled files, judge models; writes docs/
	@$(BIN)/python -m tests.proof
	@$(BIN)/python -m tests.real_data.protocol

.PHONY: bench
bench: dev-setup ## Measure against bare kernels; writes docs/results/
	@$(BIN)/python -m benchmarks

.PHONY: clean
clean: ## Delete .venv and all local state
	@rm -rf $(VENV) .paymentor dbt_project/target dbt_project/logs
