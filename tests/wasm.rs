//! The pure parts, compiled to WebAssembly and run in Node: what holds natively must hold where `usize` has 32 bits.
#![cfg(all(target_arch = "wasm32", target_os = "unknown"))]
#![allow(missing_docs)]

use wasm_bindgen_test::wasm_bindgen_test;

use portcullis::host::{Call, CallError, Level, Reply};
use std::time::Duration;

#[wasm_bindgen_test]
fn log_levels_are_ordered_by_loudness() {
    assert!(Level::Debug < Level::Info && Level::Info < Level::Warn && Level::Warn < Level::Error);
}

#[wasm_bindgen_test]
fn a_call_keeps_its_timeout_and_body() {
    let call = Call {
        cluster: "idp".into(),
        headers: vec![(":path".into(), "/keys".into())],
        body: vec![0xff; 70_000],
        timeout: Duration::from_secs(5),
    };
    assert_eq!(call.clone().body.len(), 70_000);
    assert_eq!(call.timeout.as_millis(), 5_000);
}

#[wasm_bindgen_test]
fn a_broken_reply_is_not_an_answer() {
    let answer = Reply::Answer { status: 200, headers: vec![], body: vec![] };
    assert_ne!(answer, Reply::Broken);
    assert!(CallError::UnknownCluster.to_string().contains("cluster"));
}
