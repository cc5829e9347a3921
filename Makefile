# `make study` and `make test` work on a fresh machine that has python3 and make.
PYTHON ?= python3
BIN := .venv/bin
STUDY ?= ablations/factorization.yaml
# Processes of pytest: one more than cores, since tests wait for SLURM and for processes of their own.
WORKERS ?= 3

# The digests of requirements.lock are those of Linux; HASHES=no leaves pip to choose files of the
# versions in constraints.txt, which another system needs, or a torch that PyPI does not have.
HASHES ?= $(if $(filter Linux,$(shell uname -s)),yes,no)

.PHONY: study test slurm slow soak check format install audit lock

study: install  ## train and measure the factorization study; report in results/factorization/
	$(BIN)/python run_study.py $(STUDY)

test: install  ## the default tests; those on SLURM say that they are skipped where there is none
	$(BIN)/python -m pytest -q -rs -n $(WORKERS) --dist loadfile --no-loadscope-reorder -m "not slow" --durations 15

slurm: install  ## the tests on SLURM alone, on a cluster of two nodes that is started here (root)
	tests/slurm/with_cluster.sh $(BIN)/python -m pytest -q -m "slurm and not slow" tests/slurm

slow: install  ## the long tests alone, on such a cluster too (root)
	tests/slurm/with_cluster.sh $(BIN)/python -m pytest -q -rs -m slow

soak: install  ## what takes long of docs/internals/reliability.md: fuzzing, kills, scale; at most 40 minutes
	$(BIN)/python -m pytest -q -m slow tests/study/test_spec_mutations.py tests/study/test_record_mutations.py \
		tests/vlf/data/test_list_mutations.py tests/vlf/data/test_video_mutations.py tests/command/test_two_runs.py
	$(BIN)/python benchmarks/scale.py
	$(BIN)/python benchmarks/kill.py --kills 200 --minutes 30

check: install  ## everything that CI runs; starts a SLURM for its tests (root)
	$(BIN)/ruff check .
	$(BIN)/ruff format --check .
	$(BIN)/mypy
	$(MAKE) audit
	tests/slurm/with_cluster.sh $(MAKE) test
	rm -rf build/ci && $(BIN)/python run_study.py ablations/factorization.yaml --quick --results build/ci

audit: install  ## whether a pinned version has a known vulnerability; RECORD=--record notes an answer
	-$(MAKE) build/tools/installed
	$(BIN)/python tools/audit.py build/tools/bin/pip-audit $(RECORD)

LOCK = CUSTOM_COMPILE_COMMAND="make lock" build/tools/bin/python tools/lock.py --quiet --generate-hashes \
	--allow-unsafe --strip-extras --no-emit-options --newline lf

lock: build/tools/installed  ## requirements.lock anew, of the versions in constraints.txt
	$(LOCK) --constraint constraints.txt --extra dev --output-file requirements.lock pyproject.toml
	$(LOCK) --constraint constraints.txt --output-file tools/build.lock tools/build.in
	$(LOCK) --output-file tools/requirements.lock tools/requirements.in

build/tools/installed: tools/requirements.lock  # what is run by make, apart from what the project needs
	test -x build/tools/bin/python || $(PYTHON) -m venv build/tools
	build/tools/bin/python -m pip install --quiet --disable-pip-version-check --require-hashes --requirement $<
	touch $@

format: install  ## put the code into the house's format
	$(BIN)/ruff check --fix .
	$(BIN)/ruff format .

install: .venv/installed  ## make .venv and install the files that requirements.lock names by digest

PIP = $(BIN)/python -m pip install --quiet --disable-pip-version-check

.venv/installed: pyproject.toml constraints.txt requirements.lock tools/build.lock
	$(PYTHON) -c 'import sys; sys.exit(0 if sys.version_info >= (3, 11) else "python 3.11 or newer is needed: make PYTHON=python3.11 ...")'
	test -x $(BIN)/python || $(PYTHON) -m venv .venv
ifeq ($(HASHES),yes)
	$(PIP) --require-hashes --requirement tools/build.lock
	$(PIP) --require-hashes --no-build-isolation --requirement requirements.lock
	$(PIP) --no-deps --no-build-isolation --editable .
else
	$(PIP) --constraint constraints.txt --editable '.[dev]'
endif
	touch $@
