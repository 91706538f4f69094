//! An array whose items are events.
#![no_main]
use libfuzzer_sys::fuzz_target;
use portcullis::protocol::rewrite::BodyKind;

fuzz_target!(|input: &[u8]| portcullis_fuzz::answer(BodyKind::JsonArray, input));
