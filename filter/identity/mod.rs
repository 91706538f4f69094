//! Who calls: tokens, the keys that signed them, and what they say of the caller.
//!
//! A token passes through these rooms, each of which can be read alone:
//!
//! | file | idea |
//! |---|---|
//! | [`bearer`] | where in a request a token may come, and what of a request never goes upstream |
//! | [`token`] | one strict reading of a compact JWS (RFC 7515) with JWT claims (RFC 7519) |
//! | [`keys`] | an issuer's key set (RFC 7517), and which key fits a token |
//! | [`signature`] | one verdict on a signature, by the proxy's cryptography or by ours |
//! | [`provider`] | getting an issuer's keys and keeping them fresh, as a state machine |
//! | [`round`] | what of that all workers of a proxy share |
//! | [`metadata`] | claims that a filter of the proxy verified, out of its dynamic metadata |
//! | [`verify`] | all of it together: token in, [`Identity`] or [`Refusal`] out |
//! | [`introspection`] | what an issuer answers about a token that nobody else can read (RFC 7662) |
//! | [`answers`] | such answers of a moment ago |
//! | [`cache`] | tokens verified a moment ago |
//! | [`patience`] | how much time tokens that do not hold may take |
//!
//! Nothing here does I/O or reads a clock: time comes in as nanoseconds since 1970, calls to an identity provider
//! go out as values ([`provider::Fetch`]) and their answers come back as values.
//!
//! Invariants: a token is read by one parser alone, and nothing is believed of it before its signature held;
//! the key decides which algorithms may be used with it; symmetric algorithms and `none` do not exist here;
//! no error carries a piece of the token.

mod algorithm;
pub mod answers;
mod base64url;
pub mod bearer;
pub mod cache;
mod discovery;
mod groups;
pub mod introspection;
mod json;
pub mod keys;
pub mod metadata;
pub mod patience;
pub mod provider;
pub mod query;
pub mod recent;
pub mod round;
pub mod signature;
pub mod token;
pub mod verify;

#[cfg(test)]
mod testing;

pub use algorithm::{Algorithm, Digest};
pub use answers::Answers;
pub use cache::Cache;
pub use keys::KeySet;
pub use provider::Provider;
pub use token::TokenError;
pub use verify::{Identity, Issuer, Proof, Refusal, Verifier, Vouched};
