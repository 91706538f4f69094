# Fuzzing: `make fuzz` for a minute a target, FUZZ_SECONDS=600 for ten, FUZZ=masker for one target alone.
# What it finds is written below fuzz/artifacts/; what it learns stays below target/fuzz-corpus/.

FUZZ_SECONDS ?= 60
FUZZ ?= $(basename $(notdir $(wildcard fuzz/targets/*.rs)))
CARGO_FUZZ := target/tools/bin/cargo-fuzz

# Coverage needs what a stable compiler keeps for itself, so it is told to act as an unstable one; nothing else is
# needed, for no sanitizer is: but for loads of vectors the filter has no unsafe code.
.PHONY: fuzz
fuzz: $(CARGO_FUZZ) ## look for inputs that break a law of the masker or of a framing (FUZZ_SECONDS=60 a target)
	@set -e; mkdir -p target/fuzz; for target in $(FUZZ); do \
	  mkdir -p target/fuzz-corpus/$$target; log=target/fuzz/$$target.log; \
	  RUSTC_BOOTSTRAP=1 PATH="$(CURDIR)/target/tools/bin:$$PATH" cargo fuzz run --sanitizer none --fuzz-dir fuzz --target-dir target/fuzz $$target \
	    target/fuzz-corpus/$$target fuzz/seeds/$$target -- -max_total_time=$(FUZZ_SECONDS) -max_len=4096 -dict=fuzz/words.dict \
	    -print_final_stats=1 >$$log 2>&1 || { tail -60 $$log >&2; echo "fuzz: $$target failed; the whole is in $$log" >&2; exit 1; }; \
	  echo "fuzz: $$target, $(FUZZ_SECONDS) s: $$(sed -n 's/^stat::number_of_executed_units: *//p' $$log) inputs, none breaks a law"; \
	done

$(CARGO_FUZZ):
	cargo install --quiet --locked --root target/tools --version 0.13.2 cargo-fuzz
