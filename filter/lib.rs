//! Portcullis: policy as code on the data path between callers, language models and vector stores.
//!
//! The filter runs inside Envoy as a WebAssembly module; the same core links natively into the command line.
//! Dependencies point one way: `plugin` -> [`exchange`] -> everything else. Only `plugin` knows Envoy.
//!
//! | room | holds |
//! |---|---|
//! | `plugin` (wasm only) | the proxy-wasm contexts: Envoy's callbacks in, [`host::Host`] out |
//! | [`host`] | what the filter may ask of its proxy |
//! | [`exchange`] | one request with its response, as a state machine: the only place that orders the steps |
//! | [`config`] | the policy set: parse, check, bundle |
//! | [`identity`] | tokens, key sets, discovery, claims |
//! | [`policy`] | conditions, rules, decisions |
//! | [`protocol`] | what the bytes of each API mean, and the framings they share |
//! | [`mask`] | detectors, the streaming masker, operators |
//! | [`audit`] | records, chain, delivery |
//! | `order` | sorting that is compiled once |
//! | `heap` (wasm only) | memory for small blocks |
//! | `copying` (wasm only) | bytes copied, filled and compared without leaving WebAssembly |
//! | [`texts`] | many short texts kept as one |
//! | [`secret`] | a secret that a service keeps: got, refreshed, and kept while the service is down |
//! | [`urlpath`] | whether a path says the same to everybody who reads it |
//! | `plain` | where JSON begins to be written otherwise than it is meant |
//! | `pages` (tests only) | the pages that are kept in step with the code |
//!
//! What runs once, when a set is loaded, is marked `inline(never)` where one large function would be made of it: V8 needs
//! more memory for that than for its parts, and Envoy keeps it. `tools/wasm` prints the largest functions.
#![cfg_attr(test, allow(clippy::arithmetic_side_effects, clippy::string_slice))]

pub mod audit;
pub mod config;
#[cfg(any(test, all(target_arch = "wasm32", target_os = "wasi")))]
mod copying;
pub mod exchange;
#[cfg(any(test, all(feature = "allocator", target_arch = "wasm32", target_os = "wasi")))]
mod heap;
pub mod host;
pub mod identity;
pub mod mask;
mod order;
#[cfg(test)]
mod pages;
mod plain;
pub mod policy;
pub mod protocol;
pub mod secret;
pub mod texts;
pub mod urlpath;

#[cfg(all(target_arch = "wasm32", target_os = "wasi"))]
mod plugin;
