//! The buckets whose keys fall together, as the bytes that all workers of a proxy share.
//!
//! A proxy's shared data has keys that are never freed, so there is a fixed number of slots, and a key's hash says which
//! is its own. Within a slot each key has a bucket of its own while it lacks anything; a bucket that is full again
//! is as good as none, and is left out. Where a slot has no room for one more, whoever comes is refused: nobody is
//! charged for another, and nothing is forgotten that was taken.

use sha2::{Digest, Sha256};

use super::bucket::{Bucket, Rate};

/// Slots that a proxy keeps.
pub const SLOTS: u16 = 2048;
/// Buckets in one slot, at most.
pub const BUCKETS: usize = 24;

/// Bytes of a bucket: fingerprint, limit, per, debt, time.
const SIZE: usize = 8 + 8 + 8 + 16 + 8;

/// What tells a bucket from all others: of which budget it is, and for which key.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub struct Fingerprint {
    /// The slot it is in.
    pub slot: u16,
    key: u64,
}

impl Fingerprint {
    /// Of parts that are told apart, however their texts run together. 64 bits beside the slot: two keys of one
    /// proxy do not meet by chance, nor by a caller's doing: all workers must come to the same, so there is no key that
    /// is a secret, and only a hash for which nobody finds a second text will do.
    pub fn of(parts: &[&str]) -> Self {
        let mut hash = Sha256::new();
        for part in parts {
            hash.update(u64::try_from(part.len()).unwrap_or(u64::MAX).to_le_bytes());
            hash.update(part.as_bytes());
        }
        let digest = hash.finalize();
        let mut bytes = digest.iter().copied();
        let mut number =
            |len: usize| bytes.by_ref().take(len).fold(0_u64, |sum, byte| sum << 8 | u64::from(byte));
        let key = number(8);
        let slot = u16::try_from(number(2)).unwrap_or_default() & SLOTS.wrapping_sub(1);
        Self { slot, key }
    }
}

/// A slot has no room for one more bucket.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
#[error("too many keys share this place; the next is free in {} s", .free_in / 1_000_000_000)]
pub struct SlotFull {
    /// Nanoseconds until the first of its buckets is full, and leaves.
    pub free_in: u64,
}

/// A slot.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Slot {
    buckets: Vec<(u64, Bucket)>,
}

impl Slot {
    /// Reads a slot, and brings it up to date. Bytes that are no slot are an empty one.
    pub fn read(bytes: &[u8], now: u64) -> Self {
        let mut buckets = Vec::with_capacity(BUCKETS);
        for bytes in bytes.chunks_exact(SIZE).take(BUCKETS) {
            let Some((key, mut bucket)) = read(bytes) else { continue };
            bucket.advance(now);
            if !bucket.is_full() {
                buckets.push((key, bucket));
            }
        }
        Self { buckets }
    }

    /// Its bytes.
    pub fn write(&self) -> Vec<u8> {
        let mut bytes = Vec::with_capacity(self.buckets.len().saturating_mul(SIZE));
        for (key, bucket) in self.buckets.iter().filter(|(_, bucket)| !bucket.is_full()) {
            for number in [*key, bucket.rate.limit(), bucket.rate.per()] {
                bytes.extend_from_slice(&number.to_le_bytes());
            }
            bytes.extend_from_slice(&bucket.debt.to_le_bytes());
            bytes.extend_from_slice(&bucket.at.to_le_bytes());
        }
        bytes
    }

    /// A key's bucket, which is given this rate.
    ///
    /// # Errors
    /// It has none, and there is no room for it.
    pub fn bucket(&mut self, of: Fingerprint, rate: Rate, now: u64) -> Result<&mut Bucket, SlotFull> {
        let bucket = self.kept(of, rate, now)?;
        bucket.retune(rate);
        Ok(bucket)
    }

    /// A key's bucket at the rate that it has; this one, where there is none yet.
    ///
    /// # Errors
    /// As of [`Self::bucket`].
    pub fn kept(&mut self, of: Fingerprint, rate: Rate, now: u64) -> Result<&mut Bucket, SlotFull> {
        let at = match self.buckets.iter().position(|(key, _)| *key == of.key) {
            Some(at) => at,
            None if self.buckets.len() >= BUCKETS => {
                let free_in = self.buckets.iter().map(|(_, bucket)| bucket.until_full()).min();
                return Err(SlotFull { free_in: free_in.unwrap_or_default() });
            }
            None => {
                self.buckets.push((of.key, Bucket::full(rate, now)));
                self.buckets.len().saturating_sub(1)
            }
        };
        self.buckets.get_mut(at).map(|(_, bucket)| bucket).ok_or(SlotFull { free_in: 0 })
    }
}

fn read(bytes: &[u8]) -> Option<(u64, Bucket)> {
    let number = |at: usize| Some(u64::from_le_bytes(bytes.get(at..at.checked_add(8)?)?.try_into().ok()?));
    let debt = u128::from_le_bytes(bytes.get(24..40)?.try_into().ok()?);
    let rate = Rate::new(number(8)?, number(16)?);
    Some((number(0)?, Bucket { rate, debt, at: number(40)? }))
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    const SECOND: u64 = 1_000_000_000;

    fn key(number: usize) -> Fingerprint {
        Fingerprint { slot: 0, key: number as u64 }
    }

    #[test]
    fn keys_of_a_slot_have_a_bucket_each_and_full_ones_are_forgotten() {
        let (one, other) = (Rate::new(10, 10 * SECOND), Rate::new(4, 2 * SECOND));
        let mut slot = Slot::default();
        assert!(slot.bucket(key(1), one, 0).unwrap().take(7));
        assert!(slot.bucket(key(2), other, 0).unwrap().take(4));
        let mut slot = Slot::read(&slot.write(), SECOND);
        assert_eq!(slot.bucket(key(1), one, SECOND).unwrap().left(), 4);
        assert_eq!(slot.bucket(key(2), other, SECOND).unwrap().left(), 2);
        assert_eq!(Slot::read(&slot.write(), 2 * SECOND).write().len(), SIZE);
        assert_eq!(Slot::read(&slot.write(), 7 * SECOND).write(), b"");
    }

    #[test]
    fn a_slot_without_room_refuses_and_forgets_nobody() {
        let rate = Rate::new(10, 10 * SECOND);
        let mut slot = Slot::default();
        for number in 0..BUCKETS {
            assert!(slot.bucket(key(number), rate, 0).unwrap().take(if number == 5 { 1 } else { 3 }));
        }
        assert_eq!(slot.bucket(key(99), rate, 0), Err(SlotFull { free_in: SECOND }));
        let mut slot = Slot::read(&slot.write(), SECOND);
        assert_eq!(slot.bucket(key(99), rate, SECOND).unwrap().left(), 10);
        assert_eq!(slot.bucket(key(0), rate, SECOND).unwrap().left(), 8);
    }

    #[test]
    fn a_bucket_keeps_its_rate_for_who_gives_it_none() {
        let (small, large) = (Rate::new(10, 10 * SECOND), Rate::new(1000, 10 * SECOND));
        let mut slot = Slot::default();
        assert!(slot.bucket(key(1), large, 0).unwrap().take(700));
        let kept = slot.kept(key(1), small, 0).unwrap();
        assert_eq!((kept.rate(), kept.left()), (large, 300));
        assert_eq!(slot.kept(key(2), small, 0).unwrap().rate(), small);
    }

    #[test]
    fn parts_of_a_fingerprint_do_not_run_together() {
        assert_ne!(Fingerprint::of(&["p", "ab", "c"]), Fingerprint::of(&["p", "a", "bc"]));
        assert_eq!(Fingerprint::of(&["p", "b", "alice"]), Fingerprint::of(&["p", "b", "alice"]));
        let slots: std::collections::BTreeSet<u16> =
            (0..20_000).map(|number| Fingerprint::of(&[&number.to_string()]).slot).collect();
        assert!(slots.iter().all(|slot| *slot < SLOTS) && slots.len() > 2000, "{}", slots.len());
    }

    proptest! {
        #[test]
        fn no_bytes_panic(bytes in proptest::collection::vec(any::<u8>(), 0..200), now in any::<u64>(), units in any::<u64>()) {
            let mut slot = Slot::read(&bytes, now);
            if let Ok(bucket) = slot.bucket(key(1), Rate::new(10, SECOND), now) {
                let _ = (bucket.take(units), bucket.until(units), bucket.until_full());
                bucket.charge(units);
                bucket.give_back(units);
            }
            prop_assert_eq!(Slot::read(&slot.write(), now), Slot::read(&slot.write(), now));
        }
    }
}
