# The commands of this project; `make` alone lists them.
SHELL := /bin/bash
.SHELLFLAGS := -eu -o pipefail -c
.DEFAULT_GOAL := help
MAKEFLAGS += --no-print-directory

# The Airflow version: 3.3 or 2.11. `make test` runs both unless one is named.
AIRFLOW ?=
VENVS ?= .venvs
PYTHON ?=
PYTEST_ARGS ?=
# of `make simulate`: for how long, and the first seed
MINUTES ?= 60
FIRST ?= 0
# of `make mutants`: of processor time, for each
SECONDS ?= 60
# what each InfluxDB of the tests may use, such as 2G; empty: no limit
SERVER_MEMORY ?=
export VENVS PYTHON

VERSIONS := $(if $(AIRFLOW),$(AIRFLOW),3.3 2.11)
ONE := $(firstword $(VERSIONS))
TOOLS := $(VENVS)/tools
CACHE := $(or $(XDG_CACHE_HOME),$(HOME)/.cache)/airflow-provider-influx-rollup
RUN_TESTS := $(TOOLS)/bin/python dev/run_tests.py --venvs $(VENVS) $(if $(SERVER_MEMORY),--memory $(SERVER_MEMORY))
# live tests that run without a server too, by what it has answered once
RECORDED := $(shell grep -l 'pytest\.mark\.recorded' tests/live/test_*.py)
UNIT := tests/unit tests/architecture tests/property tests/simulation $(RECORDED) --replay -m "not airflow and not bench and not slow"
PURE := lifecycle ledger flux windows aggregates archive validation
COVERED := $(addprefix --cov=airflow_provider_influx_rollup.,$(PURE)) --cov-branch --cov-report=term-missing:skip-covered
# percent, of lines and branches
COVERAGE_FLOOR := 90
WITHOUT_NETWORK := --disable-socket --allow-unix-socket --timeout 10
SOAK := tests/property tests/simulation/test_neighbours.py tests/simulation/test_every_pair.py $(addprefix tests/live/test_,always_right.py rollup_partitions.py series_key_orders.py tiers.py \
  window_claims.py shared_points.py stragglers.py hung_runs.py erase_claims.py erase_stragglers.py purge_given_up.py \
  interleavings.py query_shapes.py lifecycle_texts.py any_name.py erase_validations.py)
environment = $(foreach version,$(1),$(VENVS)/airflow-$(version)/.stamp)

.PHONY: help env check unit coverage recordings live airflow test stores demo bench scale faults executors soak simulate mutants page docs lint format lock clean clean-cache

help: ## list the commands
	@awk -F ':.*## ' '/^[a-z-]+:.*## / {printf "  make %-12s %s\n", $$1, $$2}' $(MAKEFILE_LIST)

env: $(TOOLS)/.stamp $(call environment,3.3 2.11) ## make the environments: .venvs/airflow-3.3, .venvs/airflow-2.11, .venvs/tools

$(TOOLS)/.stamp: requirements/tools.txt
	@dev/make_env.sh tools

$(VENVS)/airflow-%/.stamp: requirements/airflow-%.txt pyproject.toml airflow_provider_influx_rollup/__init__.py $(TOOLS)/.stamp
	@dev/make_env.sh airflow-$*

check: ## lint and the tests that need no server: a minute, no network
	@HYPOTHESIS_PROFILE=check $(MAKE) --jobs 2 --output-sync=target lint unit

unit: $(call environment,$(ONE)) ## the tests that need no server and no Airflow, and no network (AIRFLOW=3.3)
	@$(VENVS)/airflow-$(ONE)/bin/python -m pytest $(UNIT) --numprocesses 2 $(WITHOUT_NETWORK) $(PYTEST_ARGS)

coverage: $(call environment,$(ONE)) ## what the tests of make check reach in the pure packages; fails below the floor (AIRFLOW=3.3)
	@HYPOTHESIS_PROFILE=check $(MAKE) unit PYTEST_ARGS='$(COVERED) --cov-fail-under=$(COVERAGE_FLOOR) --timeout 60 $(PYTEST_ARGS)'

recordings: $(call environment,$(ONE)) ## keep again what a real InfluxDB answers to the tests with the mark "recorded" (AIRFLOW=3.3)
	@$(RUN_TESTS) $(ONE) -- $(RECORDED) --record -p no:randomly -m "not slow" $(PYTEST_ARGS)

live: $(call environment,$(ONE)) ## the tests on a real InfluxDB that touch no Airflow (AIRFLOW=3.3)
	@$(RUN_TESTS) --no-airflow $(ONE) -- tests/live -m "not faults and not slow and not bench and not stores and not executors" $(PYTEST_ARGS)

airflow: $(call environment,$(VERSIONS)) ## the tests that touch Airflow, on both (AIRFLOW=2.11 or 3.3: on one)
	@$(RUN_TESTS) $(VERSIONS) -- -m "airflow and not faults and not slow and not bench and not stores and not executors" $(PYTEST_ARGS)

test: $(call environment,$(VERSIONS)) ## all tests with a real InfluxDB, on both Airflows (AIRFLOW=2.11 or 3.3: on one) and without
	@$(RUN_TESTS) $(VERSIONS) --no-airflow $(ONE) -- -m "not faults and not slow and not bench and not stores and not executors" $(PYTEST_ARGS)

faults: $(call environment,$(ONE)) ## kill workers, servers and connections (AIRFLOW=3.3)
	@$(RUN_TESTS) $(ONE) --profiled -- -m faults $(PYTEST_ARGS)

stores: $(call environment,$(ONE)) ## archives on servers that speak Google Cloud Storage and Azure Blob Storage (AIRFLOW=3.3)
	@$(TOOLS)/bin/python -m dev.emulators
	@$(RUN_TESTS) $(ONE) -- -m stores $(PYTEST_ARGS)

executors: $(call environment,executors) ## a backfill over Celery workers, one of them killed, and the pod template; needs redis-server and postgresql
	@$(RUN_TESTS) executors -- -m executors $(PYTEST_ARGS)

page: $(call environment,$(VERSIONS)) ## build the windows page again and look at it in Chromium, on both Airflows (AIRFLOW=2.11 or 3.3: on one)
	@cd dev/windows_page && npm ci --no-fund --no-audit && npm run --silent check && npm run --silent build
	@git diff --exit-code --stat -- airflow_provider_influx_rollup/page/static
	@$(RUN_TESTS) $(VERSIONS) -- -m browser --timeout 600 $(PYTEST_ARGS)

soak: $(call environment,$(ONE)) ## the property tests with thousands of examples, and random interleavings: hours (AIRFLOW=3.3)
	@$(RUN_TESTS) $(ONE) -- $(SOAK) --hypothesis-profile=soak $(PYTEST_ARGS)

simulate: $(call environment,$(ONE)) ## schedules of verbs, writers and faults on a simulated InfluxDB, for an hour (MINUTES=60, FIRST=0; AIRFLOW=3.3)
	@$(VENVS)/airflow-$(ONE)/bin/python -m tests.simulation run --minutes $(MINUTES) --first $(FIRST)

mutants: $(call environment,$(ONE)) ## break the package in one place at a time, and see that the simulator finds each, for at most SECONDS=60 (AIRFLOW=3.3)
	@$(VENVS)/airflow-$(ONE)/bin/python -m tests.simulation.mutation --seconds $(SECONDS)

demo: $(call environment,$(ONE)) ## a DAG, backfilled over telemetry on a real InfluxDB (AIRFLOW=3.3)
	@$(VENVS)/airflow-$(ONE)/bin/python -m dev.demo

bench: $(call environment,3.3) ## measure the rollup against the ways people write it
	@$(VENVS)/airflow-3.3/bin/python -m dev.bench

scale: $(call environment,3.3) ## measure sizes, workers, many pipelines and a month through Airflow, for an hour
	@$(VENVS)/airflow-3.3/bin/python -m dev.bench.sizes
	@$(VENVS)/airflow-3.3/bin/python -m dev.bench.workers
	@$(VENVS)/airflow-3.3/bin/python -m dev.bench.pipelines
	@$(VENVS)/airflow-3.3/bin/python -m dev.bench.backfill 30 1000 raw

docs: $(TOOLS)/.stamp ## build the documentation into site/
	@NO_MKDOCS_2_WARNING=1 $(TOOLS)/bin/mkdocs build --strict --quiet

lint: $(TOOLS)/.stamp $(call environment,3.3) ## ruff, mypy, codespell, vulture and the import contracts
	@$(TOOLS)/bin/ruff check .
	@$(TOOLS)/bin/ruff format --check .
	@$(TOOLS)/bin/codespell
	@$(TOOLS)/bin/vulture
	@$(TOOLS)/bin/mypy --python-executable $(VENVS)/airflow-3.3/bin/python
	@$(VENVS)/airflow-3.3/bin/lint-imports

format: $(TOOLS)/.stamp ## let ruff put the code in order
	@$(TOOLS)/bin/ruff check --fix .
	@$(TOOLS)/bin/ruff format .

COMPILE := uv pip compile --universal --python-version 3.11 --no-emit-index-url --upgrade --quiet --custom-compile-command "make lock"
lock: $(TOOLS)/.stamp ## resolve the lockfiles in requirements/ again
	$(TOOLS)/bin/$(COMPILE) requirements/tools.in --output-file requirements/tools.txt
	$(TOOLS)/bin/$(COMPILE) requirements/go.in --output-file requirements/go.txt
	$(TOOLS)/bin/$(COMPILE) pyproject.toml requirements/airflow-3.3.in --group test --group demo --extra sketches --output-file requirements/airflow-3.3.txt
	$(TOOLS)/bin/$(COMPILE) pyproject.toml requirements/airflow-2.11.in --group test --group demo --extra sketches --output-file requirements/airflow-2.11.txt
	$(TOOLS)/bin/$(COMPILE) pyproject.toml requirements/airflow-executors.in --group test --group demo --group executors --extra sketches --constraint requirements/airflow-3.3.txt --output-file requirements/airflow-executors.txt

clean: ## remove environments, servers' data and outputs from this checkout
	@if [ -x dev/influx ]; then dev/influx stop; fi
	@rm -rf $(VENVS) .influx .demo .test-logs site build dist .bench .coverage htmlcov .hypothesis
	@find . -name node_modules -prune -o \( -name __pycache__ -o -name .mypy_cache -o -name .ruff_cache -o -name .pytest_cache -o -name .import_linter_cache \) -prune -exec rm -rf {} +
	@echo "The InfluxDB server that was built stays in $(CACHE) (make clean-cache removes it)."

clean-cache: ## remove the InfluxDB server that was built, from the user's cache
	@rm -rf "$(CACHE)"
	@echo "Removed $(CACHE)."
