//! Buckets that all workers of a proxy share: read, changed and put back, if nobody was faster; else again.

use crate::host::Host;
use crate::policy::budget::slot::SLOTS;
use crate::policy::budget::{Bucket, Fingerprint, Rate, Slot, SlotFull};

/// How often a change is tried. Each time that it does not get through, another worker's did.
const TRIES: u32 = 64;

/// Why a bucket could not be changed.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
pub(super) enum BucketError {
    /// No room for one more.
    #[error(transparent)]
    Full(#[from] SlotFull),
    /// Others were faster, again and again; or the proxy shares nothing.
    #[error("the proxy's shared data could not be changed")]
    Contended,
}

/// The key of a slot, with the version of its bytes.
fn name(slot: u16) -> String {
    ["portcullis.budgets.1.", itoa::Buffer::new().format(slot)].concat()
}

/// Makes all slots before any is used: a proxy knows no "set it if it is missing", and two workers that found one
/// missing would both set it. It is the main thread that comes here first, before any worker has a call.
pub(super) fn prepare(host: &dyn Host) {
    for slot in 0..SLOTS {
        let name = name(slot);
        if host.shared(&name).is_none() {
            host.share(&name, &[], None);
        }
    }
}

/// At which rate a bucket is changed.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Tune {
    /// At this one, which it has from now on.
    To(Rate),
    /// At the one that it has; this one, where there is no bucket yet. For calls of a set that may have been replaced: a
    /// bucket that went back to its rate could not owe what others took of the larger one since.
    Kept(Rate),
}

/// Changes a bucket; `act` may be called several times, and what it gives last is what was done.
///
/// # Errors
/// Nothing was changed.
pub(super) fn change<T>(
    host: &dyn Host,
    of: Fingerprint,
    tune: Tune,
    mut act: impl FnMut(&mut Bucket) -> T,
) -> Result<T, BucketError> {
    let name = name(of.slot);
    for _ in 0..TRIES {
        let now = host.now();
        let (bytes, seen) = match host.shared(&name) {
            Some((bytes, seen)) => (bytes, Some(seen)),
            None => (Vec::new(), None),
        };
        let mut slot = Slot::read(&bytes, now);
        let bucket = match tune {
            Tune::To(rate) => slot.bucket(of, rate, now)?,
            Tune::Kept(rate) => slot.kept(of, rate, now)?,
        };
        let before = *bucket;
        let done = act(bucket);
        let same = *bucket == before;
        if same || host.share(&name, &slot.write(), seen) {
            return Ok(done);
        }
    }
    Err(BucketError::Contended)
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::host::memory::Memory;

    const MINUTE: u64 = 60_000_000_000;

    #[test]
    fn whoever_is_overtaken_looks_again() {
        let (host, rate) = (Memory::default(), Rate::new(10, MINUTE));
        prepare(&host);
        let of = Fingerprint::of(&["p", "b", "alice"]);
        assert_eq!(change(&host, of, Tune::To(rate), |bucket| bucket.take(4)), Ok(true));
        host.raced.set(3);
        assert_eq!(
            change(&host, of, Tune::To(rate), |bucket| (bucket.take(4), bucket.left())),
            Ok((true, 2))
        );
        assert_eq!(host.raced.get(), 0);
        host.raced.set(1000);
        assert_eq!(change(&host, of, Tune::To(rate), |bucket| bucket.take(1)), Err(BucketError::Contended));
        host.raced.set(0);
        assert_eq!(change(&host, of, Tune::To(rate), |bucket| bucket.left()), Ok(2));
    }

    #[test]
    fn preparing_again_forgets_nothing() {
        let (host, rate) = (Memory::default(), Rate::new(10, MINUTE));
        prepare(&host);
        let of = Fingerprint::of(&["p", "b", "alice"]);
        assert_eq!(change(&host, of, Tune::To(rate), |bucket| bucket.take(4)), Ok(true));
        prepare(&host);
        assert_eq!(change(&host, of, Tune::To(rate), |bucket| bucket.left()), Ok(6));
        assert_eq!(host.shared.borrow().len(), usize::from(SLOTS));
    }
}
