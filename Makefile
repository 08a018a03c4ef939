# Everything goes through .venv, which `make setup` fills and every target but demo and the last two calls for.
#   make demo           the whole chain on real text: a table and a figure, in six minutes; installs no more than it needs
#   make test           the test suite
#   make lint           ruff and mypy
#   make docs           the documentation, as a site: site/index.html
#   make bench          every tokenizer beside its peers in one run: results/bench.md
#   make benchmarks     all other measurements of speed and memory
#   make pretrained     the ready-made artefacts of equinfo/pretrained, from their corpora (hours)
#   make paper          every table and figure; prints its plan, in hours, first; SCALE=tiny, cpu, small or paper
#   make queue          the next of those runs, inside BUDGET=540 seconds; SCALE=small, DEVICE=cpu or cuda
#   make background     the queue for days, niced, JOBS=2 of one thread, from a worktree at this commit: TREE=runs/tree
#   make status         how far it is, in a line
#   make table1 ...     one table or figure, by its name in the paper; all names: python -m experiments --help
#   make smoke          all of it at scale tiny, from nothing, in a folder of its own
#   make chinchilla     a law of loss through published points, EQUINFO_CHINCHILLA=FILE or fetched: results/chinchilla
#   make report         the pages of docs/results, all tables and figures, from the rows of scale cpu
#   make other-transformers    tests/hf with TRANSFORMERS=4.57.6, in an environment of its own
#   make soak           hostile inputs by the million, damage, kills, full disks: results/soak.jsonl; goes on where it was
#   make audit          known vulnerabilities of what .venv holds
#   make wheel-check    the wheel in fresh environments outside this folder, with each set of extras
SHELL := /bin/bash
PYTHON ?= python3
SCALE ?= tiny
BUDGET ?= 540
JOBS ?= 2
TREE ?= runs/tree
DEVICE ?=
TRANSFORMERS ?= 4.57.6
BIN := .venv/bin
RUN := $(BIN)/python -m experiments
ON := $(if $(DEVICE),--device $(DEVICE))
TABLES := $(foreach n,1 2 3 4 5 6 7 8 9 10 11 12 13 14 15 16 17,table$(n))
FIGURES := $(foreach n,2 3 4 5 6 7 8 9 10 11 12 13 14 15 16 17,fig$(n))
EXPERIMENTS := $(TABLES) $(FIGURES) sec5_1 a1 d5 context overfit appendix_b place latency harness sweep blocks large equal_bytes cards beyond fig-beyond depths upcycled natural

.PHONY: setup demo test other-transformers wheel-check soak audit lint docs bench benchmarks pretrained paper queue background status smoke report chinchilla clean $(EXPERIMENTS)

INSTALL := $(BIN)/python -m pip install --disable-pip-version-check -c constraints.txt

setup: .venv/ready

.venv/ready: .venv/demo-ready
	@echo "== installing what tests, documentation and Hugging Face need, into .venv: minutes"
	$(INSTALL) -e '.[dev]'
	touch $@

.venv/demo-ready: pyproject.toml constraints.txt
	@$(PYTHON) -c 'import sys; sys.exit(sys.version_info < (3, 11) and "equinfo needs Python 3.11 or newer: make PYTHON=python3.12")'
	@echo "== installing torch, numba, scipy and matplotlib into .venv: two minutes, torch is most of them"
	test -x $(BIN)/python || $(PYTHON) -m venv .venv
	$(INSTALL) --no-compile -e '.[experiments]'
	touch $@

demo: .venv/demo-ready
	@echo "== M1, four tokenizers and an M2 on each: three minutes on two cores"
	$(RUN) demo

$(EXPERIMENTS): setup
	$(RUN) $@ --scale $(SCALE) $(ON)

chinchilla: setup
	$(BIN)/python -m experiments.chinchilla $(EQUINFO_CHINCHILLA)

paper: setup
	$(RUN) paper --scale $(SCALE) $(ON)

queue: SCALE = small
queue: setup
	$(RUN) queue --scale $(SCALE) --budget $(BUDGET) $(ON)

# What is edited here never touches a run there; rows are appended to results/ here as they finish.
background: SCALE = cpu
background: setup
	test -d $(TREE) || git worktree add --detach $(TREE) HEAD
	cd $(TREE) && PYTHONPATH=$$PWD EQUINFO_CORPORA=$(abspath $(or $(EQUINFO_CORPORA),data/corpora)) nohup nice -n 10 $(abspath $(BIN))/python \
	    -m experiments queue --scale $(SCALE) --budget inf --jobs $(JOBS) $(ON) \
	    --results $(abspath results) --work $(abspath runs) >> $(abspath runs)/queue.log 2>&1 &

status: SCALE = cpu
status: setup
	$(RUN) status --scale $(SCALE)

smoke: setup
	rm -rf runs/smoke runs/smoke-work
	$(RUN) paper --scale tiny --jobs 2 --results runs/smoke --work runs/smoke-work $(ON)

report: setup
	$(RUN) report

test: setup
	$(BIN)/python -m pytest -n auto --dist loadfile

other-transformers:
	PYTHON=$(PYTHON) tests/hf/other_transformers.sh $(TRANSFORMERS)

wheel-check:
	PYTHON=$(PYTHON) tests/wheel.sh

soak: setup
	$(INSTALL) -e '.[dev,soak]'
	$(BIN)/python -m benchmarks.soak --jobs $(JOBS)

audit: setup
	$(BIN)/python tests/audit.py

lint: setup
	$(BIN)/ruff check .
	$(BIN)/ruff format --check .
	$(BIN)/mypy

docs: setup
	$(BIN)/mkdocs build --strict --quiet

bench: setup
	$(INSTALL) -e '.[dev,bench]'
	$(BIN)/python -m benchmarks.encoders --out results/bench

benchmarks: setup
	for name in $(filter-out encoders common train_speed trials,$(basename $(notdir $(wildcard benchmarks/*.py)))); do echo "== $$name"; $(BIN)/python -m benchmarks.$$name || exit 1; done

pretrained: setup
	$(BIN)/python -m experiments.pretrained

clean:
	rm -rf .venv runs build dist .pytest_cache .mypy_cache .ruff_cache
