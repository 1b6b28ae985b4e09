# `make demo` and `make test` do all their own set-up: a virtual environment, the pinned packages, the model,
# and (as root, on Debian) the servers that the tests start. Needed beforehand: Python 3.11 or newer, make.
PYTHON ?= python3
VENV := .venv
BIN := $(VENV)/bin
STAMPS := $(VENV)/.stamps
EXAMPLES := $(wildcard classifiers/examples/*.jsonl)
HOLDOUT := $(wildcard classifiers/holdout/*.jsonl)
# what a model is made by; its certificate also rests on the rules that answer
MODEL_CODE := $(addprefix src/mailflow/,learning.py $(addprefix adapters/,spacy_training.py training_data.py \
  cross_fitting.py fitting.py thresholds.py heads.py features.py encoder.py memory.py intents.py action.py model_folder.py))
RULES := $(wildcard classifiers/intents/*.yaml) src/mailflow/core/policy.py src/mailflow/core/certify.py

.PHONY: help demo test lint format model setup servers bench faults fuzz clean
help:  ## show this
	@grep -E '^[a-z]+:.*##' $(MAKEFILE_LIST) | sed 's/:.*## /\t/' | expand -t 10

demo: setup model  ## see mailflow answer sample mail on an embedded mail server
	@$(BIN)/mailflow demo

test: setup model servers  ## run all tests, on real Dovecot, Exim and PostgreSQL
	$(BIN)/python -m pytest $(PYTEST)

lint: setup  ## ruff, mypy --strict, import-linter
	$(BIN)/ruff check .
	$(BIN)/ruff format --check .
	$(BIN)/mypy
	$(BIN)/lint-imports

format: setup  ## put the code into ruff's form
	$(BIN)/ruff check --fix .
	$(BIN)/ruff format .

model: classifiers/model/certificate.json  ## train and certify the classifier, if what it rests on changed
classifiers/model/meta.json: $(EXAMPLES) classifiers/config.cfg $(MODEL_CODE) | setup
	$(BIN)/mailflow train
classifiers/model/certificate.json: classifiers/model/meta.json $(HOLDOUT) $(RULES)
	@[ -f $@ ] && [ -z "$$(find $^ -newer $@)" ] || $(BIN)/mailflow certify

bench: setup model servers  ## CPU per mail beside a plain floor; the others are in docs/benchmarks.md
	$(BIN)/python benchmarks/parse.py
	$(BIN)/python -m benchmarks.whole_way --mails 400

KILLS ?= 1000
FAULTS ?= 200
faults: setup servers  ## the fault bench at length, writes docs/faults.md (half an hour), KILLS=1000 FAULTS=200
	$(BIN)/python -m tests.faults.record --kills $(KILLS) --faults $(FAULTS)

FUZZ_SECONDS ?= 600
fuzz: setup  ## coverage-guided fuzzing of reading (Python 3.11 on Linux), FUZZ_SECONDS=600
	$(BIN)/python -m pip install -q --disable-pip-version-check --require-hashes -r requirements-fuzz.lock
	$(BIN)/python -m fuzz.reading -max_total_time=$(FUZZ_SECONDS)

setup: $(STAMPS)/installed  ## the virtual environment with the pinned packages
$(STAMPS)/installed: requirements.lock pyproject.toml
	@$(PYTHON) -c 'import sys; sys.exit(sys.version_info < (3, 11) and "mailflow needs Python 3.11 or newer; set PYTHON=")'
	@test -x $(BIN)/python || $(PYTHON) -m venv $(VENV) || { \
	  if [ "$$(id -u)" = 0 ]; then apt-get update -qq && apt-get install -y -qq python3-venv && $(PYTHON) -m venv $(VENV); \
	  else echo "no virtual environment could be made: install the Debian package python3-venv" >&2; exit 1; fi; }
	@echo "installing the pinned packages (about a minute the first time)"
	@$(BIN)/python -m pip install -q --disable-pip-version-check --require-hashes -r requirements.lock
	@$(BIN)/python -m pip install -q --disable-pip-version-check --no-deps --no-build-isolation -e .
	@mkdir -p $(STAMPS) && touch $@

servers:  ## the Debian packages of the servers that tests start
	@sh tools/debian-packages.sh

clean:  ## remove what was built
	rm -rf $(VENV) classifiers/model var .mypy_cache .ruff_cache .pytest_cache .hypothesis .import_linter_cache
