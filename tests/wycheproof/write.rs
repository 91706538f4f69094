//! Writes the tokens that vectors became to standard output, one JSON object a line, for a real proxy to judge.
#![allow(missing_docs, clippy::unwrap_used, clippy::indexing_slicing, clippy::arithmetic_side_effects)]
#![allow(clippy::string_slice)]

#[cfg(not(target_arch = "wasm32"))]
mod tokens;
#[cfg(not(target_arch = "wasm32"))]
mod vectors;

#[cfg(target_arch = "wasm32")]
fn main() {}

#[cfg(not(target_arch = "wasm32"))]
fn main() {
    let moved = vectors::all();
    let cases = moved.iter().filter_map(tokens::of).chain(tokens::edwards());
    for case in cases {
        let line = serde_json::json!({
            "name": case.name,
            "flags": case.flags,
            "algorithm": case.algorithm.name(),
            "jwk": case.jwk,
            "token": case.token,
            "holds": case.holds,
        });
        println!("{line}");
    }
}
