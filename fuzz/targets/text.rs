//! An answer that calls itself text and may be anything: its first bytes are given as one piece, as the filter does.
#![no_main]
use libfuzzer_sys::fuzz_target;
use portcullis::protocol::rewrite::BodyKind;

fuzz_target!(|input: &[u8]| portcullis_fuzz::whole_answer(BodyKind::Text, input));
