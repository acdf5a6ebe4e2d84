# Every target sets up what it needs on a machine with Python 3.11 and pip.
PYTHON ?= python3
BIN := .venv/bin
RUN := out/demo

.PHONY: demo test lint docs page clean

.venv/demo: pyproject.toml constraints.txt
	test -d .venv || $(PYTHON) -m venv .venv
	$(BIN)/python -m pip install --quiet --disable-pip-version-check -c constraints.txt -e '.[bench]'
	touch $@

.venv/dev: pyproject.toml constraints.txt
	test -d .venv || $(PYTHON) -m venv .venv
	$(BIN)/python -m pip install --quiet --disable-pip-version-check -c constraints.txt torch
	$(BIN)/python -m pip install --quiet --disable-pip-version-check -c constraints.txt -e '.[math,bench,tasks,torch,code,logic,serve,prob,trust,causal,search,docs,dev]'
	touch $@

# A real model answers a question, then three methods are compared on times tables.
demo: .venv/demo
	$(BIN)/ponder pull smollm2
	$(BIN)/ponder ask "What is 7 * 8?" --method "sample(16) | vote()" --budget "600 tokens" --max-tokens 24 \
	  --example "What is 3 * 4? => 3 * 4 = 12" --example "What is 9 * 6? => 9 * 6 = 54" --example "What is 5 * 11? => 5 * 11 = 55"
	$(BIN)/ponder bench times-tables --limit 30 --max-tokens 24 --out $(RUN) \
	  --method "sample(1)" --method "sample(16) | vote()" --method "rpc(16)"

# Two processes: much of the time tests wait, for servers, browsers and the sandbox.
test: .venv/dev
	$(BIN)/pytest -n 2 --dist loadfile

lint: .venv/dev
	$(BIN)/ruff check src tests benchmarks
	$(BIN)/ruff format --check src tests benchmarks
	$(BIN)/pyright
	$(BIN)/lint-imports

docs: .venv/dev
	$(BIN)/mkdocs build --strict

# The page's one front-end module, as published, with its licence; a test checks their hashes.
LIT := lit-html@3.3.3
VENDOR := src/ponder/serve/page/static/vendor
page:
	rm -rf build/page && mkdir -p build/page
	cd build/page && npm pack --silent $(LIT) && tar xzf *.tgz
	cp build/page/package/lit-html.js $(VENDOR)/lit-html.js
	cp build/page/package/LICENSE $(VENDOR)/lit-html.LICENSE

clean:
	rm -rf .venv site out build dist
