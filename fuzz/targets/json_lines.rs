//! A stream of documents in lines.
#![no_main]
use libfuzzer_sys::fuzz_target;
use portcullis::protocol::rewrite::BodyKind;

fuzz_target!(|input: &[u8]| portcullis_fuzz::answer(BodyKind::JsonLines, input));
