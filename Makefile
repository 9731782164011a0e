# Two commands do everything on a fresh machine: `make demo` and `make test`.
PYTHON ?= python3
BIN := .venv/bin

# The tests start the program hundreds of times: without its byte code each start takes a quarter of a second more.
unexport PYTHONDONTWRITEBYTECODE

.PHONY: help demo notebook test test-slow lint bench coverage soak clean

help:
	@echo "make demo       a real export against the embedded portal, into output/"
	@echo "make notebook   the notebooks, in JupyterLab"
	@echo "make test       every test that needs Python alone"
	@echo "make test-slow  the slow and the special ones"
	@echo "make lint       format, lint, types, import directions"
	@echo "make bench      the benchmarks' short form"

# The environment is made anew whenever pyproject.toml is newer than its stamp. Warnings are off where setuptools
# explains to everybody what an editable installation is.
.venv/.ready: pyproject.toml
	@$(PYTHON) -m venv .venv
	@$(BIN)/python -m pip install --quiet --disable-pip-version-check --upgrade 'pip>=25.1'
	@PYTHONWARNINGS=ignore $(BIN)/python -m pip install --quiet --disable-pip-version-check --editable '.[all]' --group dev
	@touch $@

demo: .venv/.ready
	@$(BIN)/amoot-etl export --demo --out output

notebook: .venv/.ready
	@$(BIN)/jupyter lab notebooks

test: .venv/.ready
	@$(BIN)/python -m pytest -n 2

test-slow: .venv/.ready
	@$(BIN)/python -m pytest -n 2 -m slow

lint: .venv/.ready
	@$(BIN)/ruff format --check --quiet .
	@$(BIN)/ruff check --quiet .
	@$(BIN)/mypy
	@$(BIN)/lint-imports --no-cache

bench: .venv/.ready
	@$(BIN)/python -m benchmarks

coverage: .venv/.ready
	@$(BIN)/python -m pytest -n 2 --cov --cov-report=term

# Whole matrices, long stories and thousands of kills: an hour or more.
soak: .venv/.ready
	@AMOOT_TEST_KILLS=1000 $(BIN)/python -m pytest -m "soak or slow" tests/kill tests/pipeline tests/test_faults_matrix.py --timeout 7200

clean:
	rm -rf .venv build *.egg-info .coverage* .mypy_cache .pytest_cache .ruff_cache .hypothesis
