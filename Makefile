# Two commands do everything on a fresh machine with Python 3.11: `make demo` and `make test`.

PYTHON ?= $(shell command -v python3.11 || command -v python3)
VENV := .venv
BIN := $(VENV)/bin
TORCH ?= torch==2.13.0
# Both ends of LiteLLM's range in pyproject.toml; the environment itself has what pip chooses between them.
LITELLM_OLDEST := 1.106.2
LITELLM_NEWEST := 1.109.1

export LITELLM_LOCAL_MODEL_COST_MAP := True
export HF_HUB_OFFLINE := 1
export PIP_DISABLE_PIP_VERSION_CHECK := 1

.PHONY: help setup demo test fuzz test-litellm-oldest test-litellm-newest lint format bench clean

help:
	@echo "make demo    set up, then run the demonstration (no keys, no network beyond the package index)"
	@echo "make test    set up, then pass the tests"
	@echo "make fuzz    the laws again, on examples that no run drew before"
	@echo "make lint    ruff and mypy"
	@echo "make bench   time the stages on the demonstration's requests"
	@echo "make clean   remove the virtual environment"

setup: $(VENV)/.installed

$(VENV)/.installed: pyproject.toml
	@$(PYTHON) -c "import sys; sys.exit(sys.version_info[:2] < (3, 11))" || { echo "Python 3.11 is wanted: make PYTHON=/path/to/python3.11 …"; exit 1; }
	test -x $(BIN)/python || $(PYTHON) -m venv $(VENV)
	$(BIN)/pip install --quiet --upgrade pip
	$(BIN)/pip install --quiet "$(TORCH)"
	$(BIN)/pip install --quiet --editable ".[local,proxy,dev,llmlingua]"
	$(BIN)/tokenopt warmup
	@touch $@

demo: setup
	$(BIN)/python examples/demo.py $(ARGS)

test: setup
	$(BIN)/python -m pytest $(ARGS)

fuzz: setup
	$(BIN)/python -m pytest -m hypothesis --hypothesis-profile=fuzz $(ARGS)

$(VENV)/litellm-%: pyproject.toml | setup
	$(BIN)/pip install --quiet --no-deps --upgrade --target $@ litellm==$*
	@touch $@

test-litellm-oldest: setup $(VENV)/litellm-$(LITELLM_OLDEST)
	PYTHONPATH=$(VENV)/litellm-$(LITELLM_OLDEST) $(BIN)/python -m pytest tests/adapters $(ARGS)

test-litellm-newest: setup $(VENV)/litellm-$(LITELLM_NEWEST)
	PYTHONPATH=$(VENV)/litellm-$(LITELLM_NEWEST) $(BIN)/python -m pytest tests/adapters $(ARGS)

lint: setup
	$(BIN)/ruff check .
	$(BIN)/ruff format --check .
	$(BIN)/mypy

format: setup
	$(BIN)/ruff check --fix .
	$(BIN)/ruff format .

bench: setup
	$(BIN)/python examples/bench.py $(ARGS)

clean:
	rm -rf $(VENV)
