# Everything goes through .venv, which `make setup` makes and every other target calls for.
#   make demo           the whole chain on real text: a table and a figure, in minutes
#   make test           the test suite
#   make lint           ruff and mypy
#   make bench          every tokenizer beside its peers in one run: results/bench.md
#   make benchmarks     all other measurements of speed and memory
#   make pretrained     the ready-made artefacts of equinfo/pretrained, from their corpora (hours)
#   make table1 ...     one table or figure: table1 table2 table3 table12 fig3 fig4 sweep seeds; SCALE=tiny
SHELL := /bin/bash
PYTHON ?= python3
SCALE ?= tiny
BIN := .venv/bin
EXPERIMENTS := table1 table2 table3 table12 fig3 fig4 sweep seeds

.PHONY: setup demo test lint bench benchmarks pretrained clean $(EXPERIMENTS)

setup: .venv/ready

.venv/ready: pyproject.toml constraints.txt
	$(PYTHON) -c 'import sys; sys.exit(sys.version_info < (3, 11) and "equinfo needs Python 3.11 or newer: make PYTHON=python3.12")'
	test -x $(BIN)/python || $(PYTHON) -m venv .venv
	$(BIN)/python -m pip install --quiet --disable-pip-version-check -c constraints.txt -e '.[dev]'
	touch $@

demo: setup
	$(BIN)/python -m experiments demo --scale $(SCALE)

$(EXPERIMENTS): setup
	$(BIN)/python -m experiments $@ --scale $(SCALE)

test: setup
	$(BIN)/python -m pytest -n auto

lint: setup
	$(BIN)/ruff check .
	$(BIN)/ruff format --check .
	$(BIN)/mypy

bench: setup
	$(BIN)/python -m pip install --quiet --disable-pip-version-check -c constraints.txt -e '.[dev,bench]'
	$(BIN)/python benchmarks/encoders.py --out results/bench

benchmarks: setup
	for file in $(filter-out benchmarks/encoders.py,$(wildcard benchmarks/*.py)); do echo "== $$file"; $(BIN)/python $$file || exit 1; done

pretrained: setup
	$(BIN)/python -m experiments.pretrained

clean:
	rm -rf .venv runs build dist .pytest_cache .mypy_cache .ruff_cache
