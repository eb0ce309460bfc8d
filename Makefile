# `make help` lists the targets. Each prepares .venv by itself; the second time that takes no time.

.DEFAULT_GOAL := help
.PHONY: help setup demo serve test lint fast sqlite postgresql screenshots card breakages clean

BIN := .venv/bin
PYTHON_IN_VENV := $(BIN)/python
READY := .venv/.ready
# pytest-xdist; two workers halve the time on two cores, more gain little before the databases do.
WORKERS ?= 2

help: ## List the targets
	@awk 'BEGIN { FS = ":.*## " } /^[a-z]+:.*## / { printf "  make %-11s %s\n", $$1, $$2 }' $(MAKEFILE_LIST)

demo: $(READY) ## Play two weeks of the shop, every journey, and judge what arrived
	@$(PYTHON_IN_VENV) -m sandbox.demo

serve: $(READY) ## Run the sandbox shop, its engine and everybody's phone; opens http://127.0.0.1:8000/outbox/
	@$(PYTHON_IN_VENV) manage.py serve_shop

test: lint sqlite postgresql ## Everything: linters, types, checks, tests on SQLite and PostgreSQL

lint: $(READY) ## Linters, types, import contracts, migrations and system checks
	$(BIN)/ruff check .
	$(BIN)/ruff format --check .
	$(BIN)/mypy
	$(BIN)/lint-imports
	$(PYTHON_IN_VENV) manage.py makemigrations --check --dry-run
	$(PYTHON_IN_VENV) manage.py check --fail-level WARNING

fast: $(READY) ## The inner loop: linter and quick tests on SQLite, about half a minute
	$(BIN)/ruff check .
	$(PYTHON_IN_VENV) -m pytest -n $(WORKERS) -q -m "not slow" --hypothesis-profile fast

sqlite: $(READY) ## All tests on SQLite
	$(PYTHON_IN_VENV) -m pytest -n $(WORKERS)

# One server for both: all migrations, Oscar's too, on an empty database; then the tests that
# may end otherwise there (`ONCE` in tests/conftest.py says which do not).
postgresql: $(READY) ## All migrations and the tests on a real PostgreSQL
	$(PYTHON_IN_VENV) tests/postgres.py sh -c '\
		$(PYTHON_IN_VENV) manage.py migrate --verbosity 0 && \
		$(PYTHON_IN_VENV) -m pytest -n $(WORKERS) --vendor postgresql'

screenshots: $(READY) ## Make the README's pictures anew, in docs/screenshots
	@$(PYTHON_IN_VENV) -m tests.browser.screenshots

card: $(READY) ## Write docs/guarantees.md anew from the tests' marks
	@$(PYTHON_IN_VENV) -m tests.rules.card

breakages: $(READY) ## Break every promise on purpose, in a copy; its tests must notice (half an hour)
	@$(PYTHON_IN_VENV) -m tests.rules.breakages
	@$(PYTHON_IN_VENV) -m tests.rules.card

setup: $(READY) ## Only prepare .venv

clean: ## Forget the sandbox's data and all caches, but not .venv
	rm -rf sandbox/var .mypy_cache .pytest_cache .ruff_cache .hypothesis .import_linter_cache build dist

$(READY): pyproject.toml .ci/setup
	@PYTHON="$(PYTHON)" .ci/setup
	@touch $@
