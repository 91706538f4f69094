# Everything measured in one run of under 6 minutes; BENCH_QUICK=1 for a look in under 90 seconds.

.PHONY: bench
bench: wasm cli-debug ## the numbers: beside a bare Envoy, its own filters, and a filter that only copies (BENCH_QUICK=1)
	@python3 tools/parts/install.py base
	@tools/wasm build benches/copy-filter
	@cargo build --quiet --release --manifest-path benches/load/Cargo.toml --target-dir target/bench-load
	@test -n "$(BENCH_QUICK)" || { cargo bench --quiet --no-run --bench masker && benches/masker-v8 build; }
	@PYTHONPATH=tools:benches $(PYTHON) -m harness --portcullis $(PORTCULLIS)
