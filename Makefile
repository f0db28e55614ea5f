# Everything runs in .venv, which the first target to need it creates.
PYTHON ?= python3
VENV := .venv
BIN := $(VENV)/bin
PIP := $(BIN)/python -m pip install --quiet --disable-pip-version-check -c constraints.txt

.PHONY: demo test test-all quick check lint imports types weights clean

demo: $(VENV)/.core  ## Fuse the bundled scene and show where the result is
	$(BIN)/mma-unet demo --out demo

test: $(VENV)/.dev  ## Run the test suite, but for what is marked slow
	OMP_NUM_THREADS=1 $(BIN)/python -m pytest -n 2 -m "not slow" $(PYTEST)

test-all: $(VENV)/.dev  ## Run all of it: before a release
	OMP_NUM_THREADS=1 $(BIN)/python -m pytest -n 2 $(PYTEST)

# What is fast and what most changes touch; slow tests and other rooms are for `make test`.
QUICK := tests/models tests/scene tests/test_allocator.py tests/test_check_weights.py \
	tests/test_files.py tests/test_losses.py tests/test_machine.py tests/test_tables.py \
	tests/data/test_images.py tests/data/test_pairs.py tests/data/test_storage.py

quick: $(VENV)/.dev  ## The inner loop: under a minute
	OMP_NUM_THREADS=1 $(BIN)/python -m pytest -n 2 -m "not slow" $(QUICK)

check: lint types imports weights test  ## All that must pass before a commit lands

lint: $(VENV)/.dev
	$(BIN)/ruff check .
	$(BIN)/ruff format --check .

types: $(VENV)/.dev
	$(BIN)/mypy

imports: $(VENV)/.dev
	$(BIN)/lint-imports

weights: $(VENV)/.dev  ## No new weights without a new card
	$(BIN)/python scripts/check_weights.py

$(BIN)/python:
	$(PYTHON) -m venv $(VENV)

$(VENV)/.core: $(BIN)/python pyproject.toml constraints.txt
	$(PIP) -e .
	touch $@

$(VENV)/.dev: $(BIN)/python pyproject.toml constraints.txt
	$(PIP) -e '.[dev]'
	touch $@ $(VENV)/.core

clean:
	rm -rf $(VENV) demo .mypy_cache .ruff_cache .pytest_cache .import_linter_cache
