//! A policy set, and the plugin configuration that carries one: whatever comes is read and compiled, or refused with a reason.
#![no_main]
use libfuzzer_sys::fuzz_target;
use portcullis::config::set::{Bundle, HostPromises};
use portcullis::config::{Problem, json};
use portcullis::exchange::guard::Guard;

/// A set as it stands, past the digests that a bundle has of it.
fn load(text: &[u8]) -> Result<(), Vec<Problem>> {
    let mut root = json::read(text).map_err(|problem| vec![problem])?;
    let problems = root.settle();
    if !problems.is_empty() {
        return Err(problems);
    }
    let (bundle, _) = Bundle::of(&root, "r", HostPromises { body_before_headers: true })?;
    Guard::compile(&bundle, None).map(drop)
}

fuzz_target!(|input: &[u8]| {
    for told in [load(input).err(), Bundle::parse(input).err()] {
        assert!(told.is_none_or(|problems| !problems.is_empty()), "a refusal has a reason");
    }
});
