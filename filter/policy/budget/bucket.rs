//! One token bucket, in whole numbers.
//!
//! A bucket is what it lacks to be full, its *debt*. Taking a unit adds `per` to the debt, and every nanosecond takes `limit`
//! from it, so that `limit` units come back in `per`: no division, and nothing is lost to rounding however often a
//! bucket is looked at.

/// A clock that went back by no more than this was read by two workers at once; one that went further was set.
const SKEW: u64 = 1_000_000_000;

/// How many units a bucket holds, and how long an empty one takes to be full.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Rate {
    limit: u64,
    per: u64,
}

impl Rate {
    /// Most units of a rate.
    pub const MAX_LIMIT: u64 = 1 << 40;
    /// Longest time of a rate, in nanoseconds: 31 days.
    pub const MAX_PER: u64 = 31 * 24 * 3600 * 1_000_000_000;

    /// `limit` units in `per` nanoseconds, each at least 1 and at most what the constants say.
    pub fn new(limit: u64, per: u64) -> Self {
        Self { limit: limit.clamp(1, Self::MAX_LIMIT), per: per.clamp(1, Self::MAX_PER) }
    }

    /// Units of a full bucket.
    pub fn limit(self) -> u64 {
        self.limit
    }

    /// Nanoseconds in which an empty bucket is full again.
    pub fn per(self) -> u64 {
        self.per
    }

    fn of(self, units: u64) -> u128 {
        u128::from(units).saturating_mul(u128::from(self.per))
    }
}

/// A bucket. Before it is asked anything, it is brought [up to date](Self::advance).
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Bucket {
    pub(super) rate: Rate,
    pub(super) debt: u128,
    pub(super) at: u64,
}

impl Bucket {
    /// A full one. `now`: nanoseconds since 1970, here and below.
    pub fn full(rate: Rate, now: u64) -> Self {
        Self { rate, debt: 0, at: now }
    }

    /// Its rate.
    pub fn rate(&self) -> Rate {
        self.rate
    }

    /// Refills it for the time that has passed. Where the clock has gone back nothing is refilled.
    pub fn advance(&mut self, now: u64) {
        let passed = now.saturating_sub(self.at);
        let refilled = u128::from(passed).saturating_mul(u128::from(self.rate.limit));
        self.debt = self.debt.saturating_sub(refilled);
        if now >= self.at || self.at.saturating_sub(now) > SKEW {
            self.at = now;
        }
    }

    /// Gives it another rate; what was taken from it stays taken, as far as it can owe it then.
    pub fn retune(&mut self, rate: Rate) {
        if rate == self.rate {
            return;
        }
        let per = u128::from(self.rate.per.max(1));
        let taken = self.debt.div_ceil(per);
        self.rate = rate;
        self.debt = taken.saturating_mul(u128::from(rate.per)).min(self.most());
    }

    /// The largest debt: a bucket owes at most what it holds, beyond being empty.
    fn most(&self) -> u128 {
        self.rate.of(self.rate.limit).saturating_mul(2)
    }

    /// Units that can be taken: those that are not owed, be it in part. What is owed is mostly little, so that it is
    /// divided quickly, which what is left of a large bucket is not.
    pub fn left(&self) -> u64 {
        self.rate.limit.saturating_sub(quotient_up(self.debt, self.rate.per))
    }

    /// Takes units, all or none; whether they were there.
    pub fn take(&mut self, units: u64) -> bool {
        if units > self.left() {
            return false;
        }
        self.debt = self.debt.saturating_add(self.rate.of(units));
        true
    }

    /// Takes units that were used already, though they may not be there: the bucket then owes them.
    pub fn charge(&mut self, units: u64) {
        self.debt = self.debt.saturating_add(self.rate.of(units)).min(self.most()).max(self.debt);
    }

    /// Puts units back that were taken and not used. What has been refilled since is not put back twice.
    pub fn give_back(&mut self, units: u64) {
        self.debt = self.debt.saturating_sub(self.rate.of(units));
    }

    /// Whether it is as if nothing had ever been taken.
    pub fn is_full(&self) -> bool {
        self.debt == 0
    }

    /// Nanoseconds until so many units can be taken, if nobody else takes any; `None`: it never holds so many.
    pub fn until(&self, units: u64) -> Option<u64> {
        let room = self.rate.of(self.rate.limit.checked_sub(units)?);
        Some(self.nanoseconds(self.debt.saturating_sub(room)))
    }

    /// Nanoseconds until it is full, if nobody takes anything.
    pub fn until_full(&self) -> u64 {
        self.nanoseconds(self.debt)
    }

    fn nanoseconds(&self, debt: u128) -> u64 {
        quotient_up(debt, self.rate.limit)
    }
}

/// How often a divisor is in a number, rounded up.
fn quotient_up(number: u128, by: u64) -> u64 {
    quotient(number.saturating_add(u128::from(by.saturating_sub(1))), by)
}

/// The same rounded down. Most numbers fit 64 bits; to divide 128 takes a hundred times as long.
fn quotient(number: u128, by: u64) -> u64 {
    match u64::try_from(number) {
        Ok(number) => number.checked_div(by).unwrap_or_default(),
        Err(_) => {
            let quotient = number.checked_div(u128::from(by)).unwrap_or_default();
            u64::try_from(quotient).unwrap_or(u64::MAX)
        }
    }
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    const SECOND: u64 = 1_000_000_000;

    #[test]
    fn an_empty_bucket_is_half_full_after_half_its_time() {
        let mut bucket = Bucket::full(Rate::new(10, 60 * SECOND), 0);
        assert!(bucket.take(10) && !bucket.take(1));
        bucket.advance(30 * SECOND);
        assert_eq!((bucket.left(), bucket.until(5), bucket.until(6)), (5, Some(0), Some(6 * SECOND)));
        assert_eq!((bucket.until(11), bucket.until_full()), (None, 30 * SECOND));
    }

    #[test]
    fn a_clock_that_was_set_back_stops_no_refill_and_gives_nothing_away() {
        let mut bucket = Bucket::full(Rate::new(10, 10 * SECOND), 1_000 * SECOND);
        assert!(bucket.take(10));
        bucket.advance(10 * SECOND);
        assert_eq!(bucket.left(), 0);
        bucket.advance(13 * SECOND);
        assert_eq!(bucket.left(), 3);
    }

    #[test]
    fn what_was_used_beyond_a_bucket_is_owed_up_to_its_size() {
        let mut bucket = Bucket::full(Rate::new(10, 10 * SECOND), 0);
        bucket.charge(u64::MAX);
        assert_eq!((bucket.left(), bucket.until(1)), (0, Some(11 * SECOND)));
    }

    #[test]
    fn a_charge_never_takes_from_what_is_owed() {
        let rate = Rate::new(10, 10 * SECOND);
        let mut bucket = Bucket { rate, debt: rate.of(50), at: 0 };
        bucket.charge(1);
        assert_eq!(bucket.debt, rate.of(50));
    }

    #[test]
    fn another_rate_keeps_what_was_taken() {
        let mut bucket = Bucket::full(Rate::new(10, 60 * SECOND), 0);
        assert!(bucket.take(4));
        bucket.retune(Rate::new(100, 3600 * SECOND));
        assert_eq!(bucket.left(), 96);
        bucket.retune(Rate::new(3, SECOND));
        assert_eq!(bucket.left(), 0);
    }

    fn rates() -> impl Strategy<Value = Rate> {
        let limit = prop_oneof![1_u64..20, 1..=Rate::MAX_LIMIT];
        let per = prop_oneof![1_u64..100, SECOND..100 * SECOND, 1..=Rate::MAX_PER];
        (limit, per).prop_map(|(limit, per)| Rate::new(limit, per))
    }

    proptest! {
        #[test]
        fn what_is_left_is_what_fits_into_the_room(rate in rates(), owed in 0.0..2.5_f64) {
            let whole = u128::from(rate.limit) * u128::from(rate.per);
            let debt = (whole as f64 * owed) as u128;
            let left = whole.saturating_sub(debt) / u128::from(rate.per);
            prop_assert_eq!(u128::from(Bucket { rate, debt, at: 0 }.left()), left);
        }

        #[test]
        fn a_quotient_is_exact_however_long_the_number(number in prop_oneof![any::<u64>().prop_map(u128::from), any::<u128>()], by in 1_u64..) {
            let exact = u64::try_from(number / u128::from(by)).unwrap_or(u64::MAX);
            prop_assert_eq!(quotient(number, by), exact);
        }

        /// Whatever is taken, put back and settled, and however the clock jumps: what was granted and kept is never more
        /// than a full bucket and what the time that passed refilled.
        #[test]
        fn never_more_is_granted_than_the_bucket_and_its_refill(
            rate in rates(),
            steps in proptest::collection::vec((0_u8..3, any::<u64>(), -3_000_000_000_i64..10_000_000_000), 1..60),
        ) {
            let (mut now, mut passed, mut kept) = (1_u64 << 60, 0_u128, 0_u128);
            let mut bucket = Bucket::full(rate, now);
            let mut open: Vec<u64> = Vec::new();
            for (what, amount, step) in steps {
                passed += u128::from(step.max(0).unsigned_abs());
                now = now.saturating_add_signed(step);
                bucket.advance(now);
                let units = amount % (bucket.left() + 2);
                match what {
                    0 | 1 if bucket.take(units) => {
                        kept += u128::from(units);
                        open.push(units);
                    }
                    2 => if let Some(units) = open.pop() {
                        bucket.give_back(units);
                        kept -= u128::from(units);
                    }
                    _ => prop_assert!(units > bucket.left()),
                }
                let refill = passed * u128::from(rate.limit()) / u128::from(rate.per());
                prop_assert!(kept <= u128::from(rate.limit()) + refill + 1);
            }
        }

        /// However often a bucket is looked at, it refills the same, to the last part of a unit.
        #[test]
        fn looking_changes_nothing(rate in rates(), taken in any::<u64>(), looks in proptest::collection::vec(0_u64..SECOND, 1..50)) {
            let mut often = Bucket::full(rate, 0);
            often.charge(taken);
            let mut once = often;
            let mut now = 0;
            for step in looks {
                now += step;
                often.advance(now);
            }
            once.advance(now);
            prop_assert_eq!(often, once);
        }

        #[test]
        fn the_refill_is_linear(rate in rates(), part in 0_u64..=1000) {
            let mut bucket = Bucket::full(rate, 0);
            prop_assert!(bucket.take(rate.limit()));
            let now = u64::try_from(u128::from(rate.per()) * u128::from(part) / 1000).unwrap();
            bucket.advance(now);
            let due = u128::from(rate.limit()) * u128::from(now) / u128::from(rate.per());
            prop_assert_eq!(u128::from(bucket.left()), due);
        }

        #[test]
        fn what_is_put_back_at_once_was_never_taken(rate in rates(), before in any::<u64>(), units in any::<u64>()) {
            let mut bucket = Bucket::full(rate, 0);
            bucket.charge(before % rate.limit());
            let was = bucket;
            if bucket.take(units % rate.limit()) {
                bucket.give_back(units % rate.limit());
            }
            prop_assert_eq!(bucket, was);
        }

        /// To the nanosecond: not before.
        #[test]
        fn after_the_time_that_is_told_the_units_are_there(rate in rates(), taken in any::<u64>(), units in any::<u64>()) {
            let mut bucket = Bucket::full(rate, 0);
            bucket.charge(taken);
            let units = 1 + units % rate.limit();
            let wait = bucket.until(units).unwrap();
            let mut early = bucket;
            bucket.advance(wait);
            prop_assert!(bucket.take(units));
            if wait > 0 {
                early.advance(wait - 1);
                prop_assert!(!early.take(units));
            }
        }
    }
}
