//! An answer that came compressed.
#![no_main]
use libfuzzer_sys::fuzz_target;
use portcullis::protocol::coding::Coding;

fuzz_target!(|input: &[u8]| portcullis_fuzz::coded_answer(Coding::Deflate, input));
