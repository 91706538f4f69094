//! An answer that came compressed: the bytes as they are, or what they hold with its check sum.
#![no_main]
use libfuzzer_sys::fuzz_target;
use portcullis::protocol::coding::Coding;

fuzz_target!(|input: &[u8]| {
    let Some((head, body)) = input.split_at_checked(8) else { return };
    match body.split_first() {
        Some((b'>', text)) => {
            portcullis_fuzz::coded_answer(Coding::Gzip, &[head, &portcullis_fuzz::gzipped(text)].concat());
        }
        _ => portcullis_fuzz::coded_answer(Coding::Gzip, input),
    }
});
