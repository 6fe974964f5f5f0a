# Everything a newcomer needs: `make demo` and `make test` set up what they need themselves.

PYTHON ?= python3.11
VENV := .venv
BIN := $(VENV)/bin
ROWS ?= 100000
# spark or sail: see deputies_lake/docs/engines.md.
ENGINE ?= $(DEPUTIES_LAKE_ENGINE)

# What is installed, by version and hash: for users and deployments; besides for the engine Sail, and for developers.
LOCK := deputies_lake/requirements.lock
SAIL_LOCK := requirements-sail.lock
DEV_LOCK := requirements-dev.lock
INSTALL = $(BIN)/pip install --quiet --disable-pip-version-check --no-deps --require-hashes
COMPILE = $(BIN)/uv pip compile --quiet --universal --python-version 3.11 --generate-hashes --no-header --no-annotate \
  --upgrade
# What every machine got of the files installed before is left out. What only some got, such as Windows, is not.
NOT_OF = $$(sed -n 's/^\([a-z0-9][^ =]*\)==[^ ;]* .$$/--no-emit-package \1/p' $(1))
# Each has a Spark of its own, so memory sets the limit: 4 GB for one.
TEST_PROCESSES ?= 2

.DEFAULT_GOAL := help

##@ Start here

demo: $(VENV)/installed $(if $(filter sail,$(ENGINE)),$(VENV)/installed-sail) ## Build the lake of what lies in lake/landing or INPUT=DIR; of invented data where nothing does
	@$(if $(ENGINE),DEPUTIES_LAKE_ENGINE=$(ENGINE)) $(BIN)/deputies-lake demo --rows $(ROWS) $(if $(INPUT),--input "$(INPUT)")

test: $(VENV)/installed-dev ## Lint, check types and run all tests
	@$(BIN)/ruff check . && $(BIN)/ruff format --check . && $(BIN)/mypy
	@$(BIN)/pytest -n $(TEST_PROCESSES) --dist loadfile --no-loadscope-reorder

##@ Work with the lake

dev: $(VENV)/installed ## Open Dagster's UI on http://localhost:3000
	@DAGSTER_HOME="$$($(BIN)/python -c 'from deputies_lake.environments import provide_dagster_home as home; print(home())')" $(BIN)/dagster dev

validate: $(VENV)/installed ## Load the definitions of every environment, without a network
	@for environment in local staging prod; do \
	  DEPUTIES_LAKE_ENVIRONMENT=$$environment $(BIN)/dagster definitions validate || exit 1; done

aws-demo: $(VENV)/installed-dev ## Play docs/aws.md on an emulated AWS: infrastructure, a run on EMR, removal
	@$(BIN)/python -m deputies_lake_tests.aws.page

##@ Work on the code

bench: $(VENV)/installed-dev ## Compare both engines with plain PySpark, the predecessor's way and DuckDB on 3 million rows
	@$(BIN)/python -m deputies_lake_tests.bench --memory --arrivals 5 --write deputies_lake/docs/benchmark.md

aws-bench: $(VENV)/installed-dev ## Count EMR steps and measure the launcher, on the emulated AWS
	@$(BIN)/python -m deputies_lake_tests.aws.measure --write deputies_lake/docs/aws_costs.md

format: $(VENV)/installed-dev ## Format the code
	@$(BIN)/ruff check --fix . ; $(BIN)/ruff format .

clean: ## Remove the environment and what tools left; the lake stays
	@rm -rf $(VENV) .mypy_cache .pytest_cache .ruff_cache *.egg-info

help: ## This list
	@awk 'BEGIN {FS = ":.*## "} /^##@/ {printf "\n%s\n", substr($$0, 5)} /^[a-z-]+:.*## / {printf "  make %-10s %s\n", $$1, $$2}' $(MAKEFILE_LIST)

lock: $(VENV)/installed-dev ## Write the lock files anew, with the newest versions that pyproject.toml allows
	@$(BIN)/pip install --quiet --disable-pip-version-check uv
	@$(COMPILE) --extra deployment --output-file $(LOCK) pyproject.toml
	@$(COMPILE) --extra sail --constraint $(LOCK) --output-file $(SAIL_LOCK) $(call NOT_OF,$(LOCK)) pyproject.toml
	@$(COMPILE) --extra dev --constraint $(LOCK) --constraint $(SAIL_LOCK) --output-file $(DEV_LOCK) \
	  $(call NOT_OF,$(LOCK) $(SAIL_LOCK)) pyproject.toml

$(VENV)/installed: pyproject.toml $(LOCK)
	@echo "Setting up $(VENV); the first time this takes two or three minutes"
	@$(PYTHON) -m venv $(VENV)
	@$(INSTALL) --requirement $(LOCK)
	@$(BIN)/pip install --quiet --disable-pip-version-check --no-deps --editable .
	@touch $@

$(VENV)/installed-sail: $(VENV)/installed $(SAIL_LOCK)
	@$(INSTALL) --requirement $(SAIL_LOCK)
	@touch $@

$(VENV)/installed-dev: $(VENV)/installed-sail $(DEV_LOCK)
	@$(INSTALL) --requirement $(DEV_LOCK)
	@touch $@

.PHONY: demo test dev validate aws-demo bench aws-bench format lock clean help
