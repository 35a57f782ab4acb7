# SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception

# `make demo` and `make test` need a Python of at least 3.11, make and a package index; each sets up
# what it uses in .venv.  PYTHON=python3.12 picks the interpreter, PYTEST_ARGS reaches pytest.

PYTHON ?= python3
VENV ?= .venv
PYTEST_ARGS ?=

BIN := $(VENV)/bin
DIGITS := examples/digits

.PHONY: demo test fuzz circuits conformance malformed physics aihwkit bench docs clean

demo: $(VENV)/.installed
	@mkdir -p build
	$(BIN)/cmc compile $(DIGITS)/digits.onnx -o build/digits.mlir
	$(BIN)/cmc run build/digits.mlir --input $(DIGITS)/digits_test.npz \
	  --model $(DIGITS)/digits.onnx --check

test: $(VENV)/.installed-test
	$(BIN)/python -m pytest -n 2 --dist worksteal $(PYTEST_ARGS)

# Tests of random examples, five times as many as in `make test` and others in every run, and tests
# that are left out there because others are much like them.
fuzz: $(VENV)/.installed-test
	CMC_FUZZ=5 $(BIN)/python -m pytest -n 2 -m "hypothesis or thorough" $(PYTEST_ARGS)

# The usual tests, in which the times of all networks are explained, and what explains them tested.
circuits: $(VENV)/.installed-test
	CMC_CIRCUITS=1 $(BIN)/python -m pytest -n 2 --dist worksteal $(PYTEST_ARGS)

# All of onnx's tests of operators, for docs/operators.md.
conformance: $(VENV)/.installed-test
	$(BIN)/python -m pytest -n 2 --page $(PYTEST_ARGS) test/conformance/node_tests.py

# Thousands of models that are damaged: each ends in a result, or in an error of one line.
malformed: $(VENV)/.installed-test
	$(BIN)/python -m pytest -n 2 $(PYTEST_ARGS) test/malformed/mutants.py

# What crossbars really compute, of every trained network.
physics: $(VENV)/.installed-test
	CMC_FUZZ=1 $(BIN)/python -m pytest -n 2 $(PYTEST_ARGS) test/test_physics_networks.py \
	  test/test_random_physics.py

# Devices beside those of aihwkit, which needs PyTorch and a compiler for C++, in an environment of
# its own.
aihwkit: $(VENV)/.installed-test
	test -x build/aihwkit/bin/python || $(PYTHON) -m venv build/aihwkit
	build/aihwkit/bin/python -m pip install --quiet --disable-pip-version-check aihwkit
	build/aihwkit/bin/python test/aihwkit/draw.py build/aihwkit.npz
	CMC_AIHWKIT=build/aihwkit.npz $(BIN)/python -m pytest $(PYTEST_ARGS) test/aihwkit/compare.py

bench: $(VENV)/.installed-test
	$(BIN)/python -m cmc.tools.bench

# The documentation as a site, in build/docs: reference pages are written from the code.
docs: $(VENV)/.installed-test
	$(BIN)/python -m sphinx -q -W docs build/docs
	@echo build/docs/index.html

clean:
	rm -rf $(VENV) build *.egg-info .pytest_cache .ruff_cache .hypothesis

$(BIN)/python:
	@$(PYTHON) -c 'import sys; sys.exit(sys.version_info < (3, 11))' \
	  || { echo '$(PYTHON) is older than Python 3.11: make PYTHON=python3.12'; exit 1; }
	$(PYTHON) -m venv $(VENV)

# The stamps are newer than pyproject.toml when the environment is up to date.
$(VENV)/.installed: pyproject.toml | $(BIN)/python
	$(BIN)/python -m pip install --quiet --disable-pip-version-check -e .
	@touch $@

$(VENV)/.installed-test: pyproject.toml | $(BIN)/python
	$(BIN)/python -m pip install --quiet --disable-pip-version-check -e '.[test]'
	@touch $@ $(VENV)/.installed
