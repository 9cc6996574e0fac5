# Targets: a comment after ## is the help that `make` prints.
PYTHON ?= python3
VENV := .venv
BIN := $(VENV)/bin
READY := $(VENV)/.ready

.DEFAULT_GOAL := help
.PHONY: help install demo test docs bench lint types lock clean

help:  ## show this help
	@grep -E '^[a-z]+:.*##' $(MAKEFILE_LIST) | sed -E 's/^([a-z]+):.*## */\1\t/' | expand -t 12

install: $(READY)  ## make .venv and install everything from requirements.lock

# torch is pinned without a hash, as its build differs by platform; pip checks hashes for all or for none, hence twice.
$(READY): requirements.lock pyproject.toml
	$(PYTHON) -m venv $(VENV)
	grep '^torch==' requirements.lock > $(VENV)/torch.lock
	grep -v '^torch==' requirements.lock > $(VENV)/others.lock
	$(BIN)/pip install -q --no-compile --disable-pip-version-check -r $(VENV)/torch.lock
	$(BIN)/pip install -q --no-compile --disable-pip-version-check --no-deps --require-hashes -r $(VENV)/others.lock
	$(BIN)/pip install -q --disable-pip-version-check --no-deps --no-build-isolation -e .
	touch $@

demo: $(READY)  ## prune the embedded models by three language mixes and show which languages pay
	$(BIN)/mbs -m experiment=demo outputs=outputs/demo
	$(BIN)/mbs -m experiment=demo outputs=outputs/demo pruner=magnitude,sparsegpt mix=mbs seed=0
	$(BIN)/python -m mbs.report outputs/demo

test: $(READY)  ## run the tests with coverage
	$(BIN)/pytest --cov --cov-report=term

docs: $(READY)  ## build these pages into site/
	NO_MKDOCS_2_WARNING=1 $(BIN)/mkdocs build --strict

bench: $(READY)  ## measure the engine against this machine's limit and plain renderings (15 minutes)
	$(BIN)/python experiments/benchmarks/engine.py

lint: $(READY)  ## check style
	$(BIN)/ruff check .
	$(BIN)/ruff format --check .

types: $(READY)  ## check types
	$(BIN)/mypy

lock:  ## resolve requirements.lock anew (needs uv)
	echo "torch==2.13.0" > torch.pin
	uv pip compile pyproject.toml --extra dev --extra docs --universal --python-version 3.11 --generate-hashes --no-header \
	  --no-emit-package torch --constraint torch.pin -o requirements.body
	{ echo "# Made by \`make lock\`; torch has no hash because its build differs by platform."; \
	  cat torch.pin requirements.body; } > requirements.lock
	rm requirements.body torch.pin

clean:  ## remove what tools left (outputs stay)
	rm -rf $(VENV) dist site .coverage .hypothesis .mypy_cache .pytest_cache .ruff_cache
	find . -name __pycache__ -type d -prune -exec rm -rf {} +
