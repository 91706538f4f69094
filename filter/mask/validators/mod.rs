//! What a pattern cannot say: checksums, number plans, dates that exist, addresses that really parse.
//!
//! Each validator takes the whole value as it stands in the text, separators included, and is named by a row of
//! `detectors.toml`. Most national numbers are rows of one table (`numbers`) over one small engine (`rule`): weights, a
//! modulus, the check character for each remainder, the place of a date. What has a scheme of its own stands in
//! `nationals`, `payment`, `crypto` and so on. Nothing here keeps anything, and no value can make it fail.

mod addresses;
mod crypto;
mod dates;
mod devices;
mod digits;
mod nationals;
mod numbers;
mod payment;
mod phone;
mod phone_plans;
mod rule;
mod tokens;

pub use addresses::*;
pub use crypto::*;
pub use dates::{birth_date, date};
pub use devices::*;
pub use nationals::*;
pub use numbers::*;
pub use payment::*;
pub use phone::*;
pub use tokens::*;

/// Asserts what a validator accepts and what it refuses.
#[cfg(test)]
fn table(valid: fn(&[u8]) -> bool, good: &[&'static str], bad: &[&'static str]) {
    let wrongly = |values: &[&'static str], taken: bool| -> Vec<&'static str> {
        values.iter().copied().filter(|value| valid(value.as_bytes()) != taken).collect()
    };
    assert_eq!(
        (wrongly(good, true), wrongly(bad, false)),
        (vec![], vec![]),
        "refused though good, taken though bad"
    );
}
