//! A stream of AWS event frames: the bytes as they are, or what they hold in frames with their check sums.
#![no_main]
use libfuzzer_sys::fuzz_target;
use portcullis::protocol::rewrite::BodyKind;

fuzz_target!(|input: &[u8]| {
    let Some((head, body)) = input.split_at_checked(9) else { return };
    match body.split_first() {
        Some((b'>', records)) => {
            portcullis_fuzz::answer(BodyKind::AwsFrames, &[head, &portcullis_fuzz::framed(records)].concat());
        }
        _ => portcullis_fuzz::answer(BodyKind::AwsFrames, input),
    }
});
