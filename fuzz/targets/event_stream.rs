//! A stream of server-sent events.
#![no_main]
use libfuzzer_sys::fuzz_target;
use portcullis::protocol::rewrite::BodyKind;

fuzz_target!(|input: &[u8]| portcullis_fuzz::answer(BodyKind::EventStream, input));
