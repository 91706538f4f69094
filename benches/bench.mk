# Everything measured in one run of twenty minutes; BENCH_QUICK=1 for a look in a few minutes.

.PHONY: bench
bench: wasm cli-debug ## the numbers: beside a bare Envoy, its own filters, and a filter that only copies (BENCH_QUICK=1)
	@python3 tools/parts/install.py base presidio
	@tools/wasm build benches/copy-filter
	@cargo build --quiet --release --manifest-path benches/load/Cargo.toml --target-dir target/bench-load
	@cargo bench --quiet --no-run --bench masker --bench policies && benches/masker-v8 build && benches/masker-v8 build policies
	@PYTHONPATH=tools:benches $(PYTHON) -m harness --portcullis $(PORTCULLIS)

.PHONY: bench-memory
bench-memory: wasm cli-debug ## memory over time: an hour of deltas, an endless event, 10,000 streams (MEMORY_HOURS, STREAMS, BENCH_QUICK=1)
	@python3 tools/parts/install.py base
	@cargo build --quiet --release --manifest-path benches/load/Cargo.toml --target-dir target/bench-load
	@PYTHONPATH=tools:benches $(PYTHON) -m harness.memory --portcullis $(PORTCULLIS)

.PHONY: bench-policies
bench-policies: parts ## what policy costs alone: loading sets, reading requests, conditions, budgets (a part of `make bench`)
	@benches/masker-v8 build policies
	@PYTHONPATH=tools:benches $(PYTHON) -m harness.policies

.PHONY: bench-callers
bench-callers: wasm cli-debug parts ## who calls and how much: tokens by algorithm, bad ones, budgets (a part of `make bench`)
	@cargo build --quiet --release --manifest-path benches/load/Cargo.toml --target-dir target/bench-load
	@PYTHONPATH=tools:benches $(PYTHON) -m harness.callers --portcullis $(PORTCULLIS)

.PHONY: bench-plot
bench-plot: ## write what the last `make bench` and its parts measured into docs/numbers.md, with its plots
	@PYTHONPATH=tools:benches $(PYTHON) -m harness.page

.PHONY: bench-store
bench-store: collector ## the audit store: records a second, first pages of searches in ten million records (RECORDS=1000000)
	@python3 tools/parts/install.py base postgres
	@PYTHONPATH=tools:benches $(PYTHON) -m harness.store
