# `make help` lists the targets. Everything runs in .venv, which is made when it is missing.
PYTHON ?= python3
VENV ?= .venv
BIN := $(VENV)/bin
STAMP := $(VENV)/.installed
OLD := .venv-4.44
RUN_DIR ?= results/runs
CPU_TESTS ?= tests/rerankers tests/eval/runner tests/eval/replay tests/eval/verify
TORCH = $(shell sed -n "s/^\(torch==[0-9.]*\).*/\1/p" constraints.txt)

.DEFAULT_GOAL := help
.PHONY: help quickstart test test-all test-fast coverage cpus docs site wheel constraints oracles parity architectures fuzz lint install bench-load

help: ## list the targets
	@grep -E '^[a-z-]+:.*##' $(MAKEFILE_LIST) | sed -E 's/:.*## /\t/' | expand -t 18

install: $(STAMP) ## make .venv and install everything from the package index

$(STAMP): pyproject.toml constraints.txt
	@echo ">> making $(VENV) with $$($(PYTHON) --version) and installing rerankbench (a few minutes the first time)"
	@test -x $(BIN)/python || $(PYTHON) -m venv $(VENV)
	@$(BIN)/python -m pip install --quiet --upgrade "pip>=25.1" "setuptools>=77"
	@echo ">> installing $(TORCH)"
	@$(BIN)/python -m pip install --quiet -c constraints.txt torch
	@echo ">> installing the rest"
	@$(BIN)/python -m pip install --quiet -c constraints.txt -e ".[quickstart,plots]" --group test --group lint
	@touch $@

quickstart: $(STAMP) ## retrieve, rerank and print the table, with a small real model
	$(BIN)/rerankbench run quickstart --out $(RUN_DIR)/quickstart
	@$(BIN)/rerankbench pareto $(RUN_DIR)/quickstart --dataset mean --plot $(RUN_DIR)/quickstart/pareto.svg
	@$(BIN)/rerankbench report $(RUN_DIR)/quickstart -o $(RUN_DIR)/quickstart/report.html
	@echo ">> written:" && find $(RUN_DIR)/quickstart -maxdepth 1 ! -name ".*" ! -path $(RUN_DIR)/quickstart | sort

test: $(STAMP) ## run the tests on every core, without those marked slow
	OMP_NUM_THREADS=1 $(BIN)/python -m pytest -n auto --dist worksteal -m "not slow"

test-all: $(STAMP) ## run every test: browsers, whole reproductions, killed clusters, sentence-transformers beside us
	OMP_NUM_THREADS=1 $(BIN)/python -m pytest -n auto --dist worksteal

test-fast: $(STAMP) ## under a minute: the rules of the house, metrics, data, tables, and one golden of each family
	OMP_NUM_THREADS=1 $(BIN)/python -m pytest -n auto --dist worksteal tests/test_house.py tests/eval/metrics tests/eval/data \
	  tests/eval/tables/test_latex.py tests/eval/board tests/rerankers/test_tiny_scores.py tests/rerankers/adapters/test_base.py

coverage: $(STAMP) ## make test with the share of lines that it runs; fails below the floor of pyproject.toml
	OMP_NUM_THREADS=1 $(BIN)/python -m pytest -n auto --dist worksteal -m "not slow" --cov --cov-report=term:skip-covered

cpus: $(STAMP) ## the tests under the instruction sets of other processors, one after the other
	@for isa in AVX2 AVX512_CORE ALL; do \
	  aten=$$([ $$isa = AVX2 ] && echo avx2 || echo avx512); echo ">> oneDNN up to $$isa, ATen up to $$aten"; \
	  ONEDNN_MAX_CPU_ISA=$$isa ATEN_CPU_CAPABILITY=$$aten OMP_NUM_THREADS=1 \
	    $(BIN)/python -m pytest -n auto --dist worksteal $(CPU_TESTS) || exit 1; done

docs: $(STAMP) ## run the commands of README.md and docs/ that are marked so
	$(BIN)/python tests/docs/run_blocks.py

site: $(STAMP) ## build the documentation's site in site/, a warning being an error
	@$(BIN)/python -m pip install --quiet -c constraints.txt --group docs
	$(BIN)/python .ci/site.py
	$(BIN)/python -m zensical build --strict

wheel: $(STAMP) ## build sdist and wheel and try the wheel on every Python that is found; WHEEL=--lowest, --newest
	@$(BIN)/python -m pip install --quiet --group release
	$(BIN)/python .ci/wheel.py $(WHEEL)

constraints: $(STAMP) ## write constraints.txt: one release of everything that any extra or group needs, for every Python
	@$(BIN)/python -m pip install --quiet --group release
	$(BIN)/uv pip compile pyproject.toml --output-file constraints.txt --quiet --upgrade --universal --python-version 3.10 \
	  --no-annotate --all-extras $(addprefix --group ,test lint docs oracles release) --custom-compile-command "make constraints"

oracles: $(STAMP) ## tests that ask mteb, ranx, ir_measures, junitparser, TeX, trackers and other programs
	@$(BIN)/python -m pip install --quiet -c constraints.txt --group oracles
	$(BIN)/python -m pytest tests/test_ci.py tests/docs/test_tour.py tests/eval/exchange/test_export.py tests/eval/exchange/test_trackers.py \
	  tests/eval/gate tests/eval/experiment tests/eval/data tests/eval/tables/test_latex.py tests/rerankers/adapters/test_peers_drive.py

# the release that the golden scores were made with; what rerankers/ needs and no more
$(OLD)/.installed: pyproject.toml constraints.txt
	@echo ">> making $(OLD) with transformers 4.44.2"
	@test -x $(OLD)/bin/python || $(PYTHON) -m venv $(OLD)
	@$(OLD)/bin/python -m pip install --quiet --upgrade "pip>=25.1" "setuptools>=77"
	@$(OLD)/bin/python -m pip install --quiet $(TORCH) transformers==4.44.2 safetensors numpy pydantic PyYAML pytest hypothesis
	@$(OLD)/bin/python -m pip install --quiet --no-deps -e .
	@touch $@

parity: $(STAMP) $(OLD)/.installed ## scores against the reference's, with transformers 4.44.2 and the installed one
	@for python in $(OLD)/bin/python $(BIN)/python; do \
	  $$python -c 'import torch, transformers; print(">> transformers", transformers.__version__, "torch", torch.__version__)' && \
	  $$python -m pytest tests/rerankers -k "golden or parity" || exit 1; done

architectures: $(STAMP) ## every sequence classifier of transformers, and every key of every native model type, beside the library's
	PYTHONPATH=tests/support $(BIN)/python tests/support/architecture_matrix.py
	PYTHONPATH=tests/support $(BIN)/python tests/support/config_cases.py
	HF_HUB_OFFLINE=1 PYTHONPATH=tests/support $(BIN)/python tests/support/file_cases.py

fuzz: $(STAMP) ## 2,000 mutated inputs through the command line, and what became of each
	OMP_NUM_THREADS=1 PYTHONPATH=tests/support $(BIN)/python tests/attacks/fuzz.py --cases 2000

bench-load: $(STAMP) ## peak memory of loading a checkpoint, as a multiple of its size
	$(BIN)/python benchmarks/load_memory.py

lint: $(STAMP) ## ruff, spelling and basedpyright
	$(BIN)/ruff check .
	$(BIN)/ruff format --check .
	$(BIN)/codespell
	$(BIN)/basedpyright
