//! However a text is cut, the same of it is masked.
#![no_main]
use libfuzzer_sys::fuzz_target;
use portcullis_fuzz::{everything, mask, pieces, split};

fuzz_target!(|input: &[u8]| {
    let Some((seed, text)) = split(input) else { return };
    let plan = everything();
    assert_eq!(mask(&plan, text, &pieces(seed, text)), mask(&plan, text, &[text]), "the cut shows");
});
