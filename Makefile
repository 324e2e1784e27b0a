# The verbs of this repository. `make` lists them.

PYTHON ?= python3
PYTHON312 ?= python3.12
BIN := .venv/bin
PIP := $(BIN)/python -m pip install --quiet --disable-pip-version-check --no-compile --no-deps
TOOLS := setuptools mypy mypy-extensions typing-extensions pathspec librt ast-serialize
CORE := $(shell find compiled -name "*.py")
.DEFAULT_GOAL := help
.PHONY: help setup native demo run test plain lint bench simulate mutants soak peers lock docs picture clean

help:  ## list the verbs
	@grep -hE '^[a-z]+:.*##' $(MAKEFILE_LIST) | sed -E 's/:.*## /\t/' | expand -t 12

setup: .venv/.ready  ## prepare .venv with everything the project needs

.venv/.tools: constraints.txt
	@test -x $(BIN)/python || $(PYTHON) -m venv .venv
	@sh .ci/pins $(TOOLS) >.venv/tools.txt
	@$(PIP) --require-hashes --requirement .venv/tools.txt
	@touch $@

.venv/.ready: pyproject.toml .venv/.tools
	@$(PIP) --require-hashes --requirement constraints.txt
	@PATANG_NATIVE=0 $(PIP) --no-build-isolation --editable .
	@$(BIN)/python -m pip --disable-pip-version-check check >/dev/null || { $(BIN)/python -m pip check; exit 1; }
	@touch $@

native: build/native/.ready  ## compile the core into build/native

build/native/.ready: .venv/.tools setup.py $(CORE)
	@sh .ci/native

demo: setup native  ## the workstation on the local exchange (without a terminal: a whole day, headless)
	@$(BIN)/patang demo $(ARGS)

run: setup native  ## the workstation with ./config.toml
	@$(BIN)/patang run $(ARGS)

lint: setup  ## style, types, import contracts, pins
	@$(BIN)/python .ci/pinned.py
	@$(BIN)/ruff format --check --quiet . || { echo 'not formatted: run .venv/bin/ruff format .'; exit 1; }
	@$(BIN)/ruff check --quiet .
	@$(BIN)/mypy
	@$(BIN)/lint-imports --no-logo 2>&1 | tail -n 8

test:  ## the whole gate: lint, types, contracts, tests interpreted and native
	@$(MAKE) --no-print-directory -k -j2 native plain; built=$$?; sh .ci/tests native && exit $$built

plain: lint
	@sh .ci/tests plain

simulate: setup native  ## tell the simulated day SEED, or run DAYS of them from SEED on (LIES=1: the network lies, DISKS=1: bad disks, OWNER=1: the owner acts, MOODS=1: the broker has moods, HANDS=1: somebody acts on the positions)
	@PYTHONPATH=build/native:. $(BIN)/python -P -m tests.simulation $(or $(SEED),1) $(or $(DAYS),1) $(if $(LIES),lies) $(if $(DISKS),disks) $(if $(OWNER),owner) $(if $(MOODS),moods) $(if $(HANDS),hands)

mutants: setup native  ## break the code on purpose, and see that it is noticed (ARGS='part of a name')
	@PYTHONPATH=. $(BIN)/python tests/mutants/hunt.py $(ARGS)

soak: setup native  ## the long proofs
	@PYTHONPATH=build/native PATANG_EXPECT_NATIVE=1 $(BIN)/pytest -m soak --timeout 7200
	@PYTHONPATH=. PATANG_EXPECT_NATIVE=0 $(BIN)/pytest -m 'not soak' tests/brokers/sandbox tests/desk/test_replay.py

peers: setup native  ## the tests against a real Chromium, Postgres and S3 server, which are installed where there is none
	@sh .ci/browser
	@sh .ci/postgres
	@sh .ci/timescale
	@sh .ci/oracles
	@sh .ci/moto
	@PYTHONPATH=build/native:. $(BIN)/pytest -m peers tests/peers

bench: setup native .venv-bench/.ready  ## measure against the peers, into docs/benchmarks.md (ARGS=--quick: a minute)
	@$(BIN)/patang bench --write $(ARGS)

.venv-bench/.ready: tests/bench/peers.txt tests/bench/peers-312.txt
	@PYTHON312=$(PYTHON312) sh .ci/peers

lock:  ## pin everything that is installed anew, with hashes (ARGS='--upgrade-package NAME')
	@sh .ci/lock $(ARGS)

docs: setup  ## write the generated pages anew
	@sh .ci/docs

clean:  ## remove what was built
	@rm -rf build .venv .venv-bench .venv-bench-312 .venv-oracles .mypy_cache .ruff_cache .pytest_cache .hypothesis

picture: setup native  ## take the pictures of the screens from a running demo
	@PYTHONPATH=build/native:. $(BIN)/python .ci/picture.py docs
