# `make study` and `make test` work on a fresh machine that has python3 and make.
PYTHON ?= python3
BIN := .venv/bin
STUDY ?= ablations/factorization.yaml

.PHONY: study test install check format slow

study: install  ## train and measure the factorization study; report in results/factorization/
	$(BIN)/python run_study.py $(STUDY)

test: install  ## the default tests
	$(BIN)/python -m pytest -q -n 2 --dist loadfile -m "not slow and not slurm"

slow: install  ## the long tests alone
	$(BIN)/python -m pytest -q -m slow

check: install  ## everything that CI runs
	$(BIN)/ruff check .
	$(BIN)/ruff format --check .
	$(BIN)/mypy
	$(MAKE) test
	rm -rf build/ci && $(BIN)/python run_study.py ablations/factorization.yaml --quick --results build/ci

format: install  ## put the code into the house's format
	$(BIN)/ruff check --fix .
	$(BIN)/ruff format .

install: .venv/installed  ## make .venv and install the exact versions of constraints.txt

.venv/installed: pyproject.toml constraints.txt
	$(PYTHON) -c 'import sys; sys.exit(0 if sys.version_info >= (3, 11) else "python 3.11 or newer is needed: make PYTHON=python3.11 ...")'
	test -x $(BIN)/python || $(PYTHON) -m venv .venv
	$(BIN)/python -m pip install --quiet --disable-pip-version-check --constraint constraints.txt --editable '.[dev]'
	touch $@
