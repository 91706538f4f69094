//! The tables that build.rs made of `detectors.toml`, behind accessors that cannot fail.
//!
//! States are numbers; [`DEAD`] is the state from which nothing matches, [`STARTS`] the ones before a value's
//! first byte (of detectors without and with an anchor). Sets of detectors are bits of a `u64`, in the order of the table: a lower bit wins a tie.
use super::text::Entity;
use super::validators;

include!(concat!(env!("OUT_DIR"), "/mask_tables.rs"));

/// A row of the table, as far as the masker needs it.
pub struct Detector {
    pub entity: Entity,
    pub validator: Option<fn(&[u8]) -> bool>,
}

/// The bytes that a detector's values begin with: four sets of bytes, as bits.
pub struct Fingerprint {
    /// Detectors with like beginnings share a bucket.
    pub bucket: u32,
    pub sets: [[u64; 4]; 4],
}

/// A byte that every value of a detector holds, and what may stand between the value's start and its first such byte.
pub struct Anchor {
    pub detector: u32,
    pub byte: u8,
    /// The bytes that may come before it.
    pub run: [bool; 256],
    /// How many of them at most.
    pub longest: usize,
}

pub const DEAD: u16 = 0;
pub const STARTS: [u16; 2] = [1, 2];
/// The number of states.
pub const STATES: usize = MASKS_OF.len();

/// The state after one more byte.
#[inline(always)]
pub fn step(state: u16, byte: u8) -> u16 {
    let class = BYTE_CLASS.get(usize::from(byte)).copied().unwrap_or(0);
    let at = usize::from(state).wrapping_mul(CLASSES).wrapping_add(usize::from(class));
    NEXT.get(at).copied().unwrap_or(DEAD)
}

/// The detectors that accept in a state, and those that may accept after it.
#[inline]
pub fn masks(state: u16) -> (u64, u64) {
    let at = MASKS_OF.get(usize::from(state)).copied().unwrap_or(0);
    MASKS.get(usize::from(at)).copied().unwrap_or((0, 0))
}

/// The signature of the byte before a value: which detectors may start after it.
#[inline(always)]
pub fn after(byte: u8) -> u8 {
    AFTER.get(usize::from(byte)).copied().unwrap_or(0)
}

/// The detectors that may start under a signature.
#[inline]
pub fn startable(signature: u8) -> u64 {
    SIGNATURES.get(usize::from(signature)).copied().unwrap_or(0)
}

/// The detectors that may end before a byte.
#[inline]
pub fn before(byte: u8) -> u64 {
    BEFORE.get(usize::from(byte)).copied().unwrap_or(0)
}
