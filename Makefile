# `make` alone lists what there is. Everything works from a bare checkout and installs what it needs below target/.

PYTHON := target/parts/venv/bin/python
# Tests and demo take the command as cargo test builds it anyway; `make cli` builds the one to ship.
PORTCULLIS := $(CURDIR)/target/debug/portcullis
PYTEST_ARGS ?=
# Each Envoy compiles the module by one thread, and most of a test run is that: files are tried two at a time. 0: one
# after the other, in this process.
PYTEST_WORKERS ?= 2
VECTORS := $(CURDIR)/target/wycheproof.jsonl
CONSOLE := collector/console
CONSOLE_SOURCES := $(wildcard $(CONSOLE)/*.json $(CONSOLE)/*.ts $(CONSOLE)/*.js $(CONSOLE)/*.html) $(shell find $(CONSOLE)/src -type f)

.DEFAULT_GOAL := help
.PHONY: help wasm cli cli-debug test-build vectors collector console parts demo test test-unit test-wasm test-e2e test-console lint fmt clean

help: ## this list
	@sed -n 's/^\([a-z0-9-]*\):[^#]*## \(.*\)/\1\t\2/p' $(MAKEFILE_LIST) | while IFS="$$(printf '\t')" read -r name what; do printf '  make %-12s %s\n' "$$name" "$$what"; done

wasm: ## build the filter: dist/portcullis.wasm
	@tools/wasm

cli: ## build the command: target/release/portcullis
	cargo build --release --package portcullis-cli

# Where there is no Node it is built without the console, and its page says so.
collector: $(if $(shell command -v npm),console) ## build the audit store: target/server/portcullis-collector
	cargo build --profile server --package portcullis-collector

console: $(CONSOLE)/dist/index.html ## build the page that the collector serves; the next build of the collector holds it

$(CONSOLE)/dist/index.html: $(CONSOLE_SOURCES)
	@python3 tools/parts/install.py console
	@find $(CONSOLE)/dist -mindepth 1 ! -name .gitignore -delete
	@cd $(CONSOLE) && npm run --silent build -- --logLevel warn

cli-debug:
	@cargo build --quiet --package portcullis-cli --package portcullis-collector

parts: ## install the real parts (Envoy, identity provider, model, collector) below target/parts
	@python3 tools/parts/install.py

demo: wasm console cli-debug ## start everything, play the story, print it (MODEL=real: a small model that really speaks; COLLECTOR=rotel)
	@python3 tools/parts/install.py base node $(if $(filter real,$(MODEL)),real-model)
	@PORTCULLIS=$(PORTCULLIS) $(PYTHON) tools/demo/demo.py $(if $(MODEL),--model $(MODEL)) $(if $(COLLECTOR),--collector $(COLLECTOR))

test: console test-unit test-wasm test-e2e test-console ## everything below

test-unit: ## unit and property tests, natively
	@python3 tools/parts/install.py postgres
	cargo test --workspace

test-wasm: ## the pure parts as WebAssembly in Node, by wasm-bindgen-test
	@tools/test-wasm

# Everything that tests run, as one build: whoever asks cargo for a part of it builds most of it twice.
test-build:
	@cargo test --quiet --workspace --no-run

# Tokens made of signature vectors, which the real Envoy must judge as the tests of the core do.
vectors: test-build
	@target/debug/examples/wycheproof > $(VECTORS)

test-e2e: wasm test-build vectors parts ## end to end: a real Envoy among real parts (PYTEST_ARGS="-k name", PYTEST_WORKERS=0)
	@cd tests/e2e && PORTCULLIS=$(PORTCULLIS) VECTORS=$(VECTORS) ../../$(PYTHON) -m pytest -n $(PYTEST_WORKERS) --dist loadfile $(PYTEST_ARGS)

test-console: console test-build ## the console in a real Chromium, on a real collector
	@python3 tools/parts/install.py node console chromium
	@cd $(CONSOLE) && npm run --silent check
	@cd $(CONSOLE) && npm run --silent test

lint: ## formatting, clippy (natively and for the filter's own target), Python, shell
	cargo fmt --all --check
	cargo fmt --manifest-path benches/copy-filter/Cargo.toml --check
	cargo fmt --manifest-path benches/load/Cargo.toml --check
	cargo clippy --workspace --all-targets -- -D warnings
	@tools/wasm check
	@python3 tools/parts/install.py lint
	@target/parts/venv/bin/ruff check --quiet . && target/parts/venv/bin/ruff format --quiet --check .
	@target/parts/venv/bin/shellcheck --external-sources tools/wasm tools/test-wasm benches/masker-v8 .ci/run
	@echo "lint: clean"

fmt: ## format everything
	cargo fmt --all
	cargo fmt --manifest-path benches/copy-filter/Cargo.toml
	cargo fmt --manifest-path benches/load/Cargo.toml
	@python3 tools/parts/install.py lint
	@target/parts/venv/bin/ruff check --quiet --fix . ; target/parts/venv/bin/ruff format --quiet .

include benches/bench.mk
include fuzz/fuzz.mk

clean: ## remove target/ and dist/
	rm -rf target dist benches/copy-filter/target $(CONSOLE)/node_modules $(CONSOLE)/dist/index.html $(CONSOLE)/dist/assets
