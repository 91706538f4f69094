//! What is known of the bytes of a block, a bit for each, the first one's the highest.

/// Bytes after a place in which a word shows that it is worth a look.
pub const AHEAD: usize = 16;
/// The bits of as many bytes.
pub const OF_AHEAD: u64 = (1 << AHEAD) - 1;
/// A bit for each place of a block, and for each byte ahead.
#[derive(Default, Clone, Copy)]
pub struct Bits {
    pub places: u64,
    /// The lowest sixteen.
    pub ahead: u64,
}

impl Bits {
    /// Those so many bytes further on.
    #[inline(always)]
    pub fn on<const BY: u32>(self) -> Self {
        const { assert!(BY < AHEAD as u32) };
        let last = self.ahead.wrapping_shr((AHEAD as u32).wrapping_sub(BY));
        Self { places: self.places << BY | last, ahead: self.ahead << BY & OF_AHEAD }
    }

    #[inline(always)]
    pub fn and(self, other: Self) -> Self {
        Self { places: self.places & other.places, ahead: self.ahead & other.ahead }
    }

    /// Neither the one nor the other.
    #[inline(always)]
    pub fn nor(self, other: Self) -> Self {
        Self { places: !(self.places | other.places), ahead: !(self.ahead | other.ahead) & OF_AHEAD }
    }

    /// The places in runs that end right before one of the others.
    #[inline(always)]
    pub fn runs_before(self, other: Self) -> u64 {
        let last = other.on::<1>().and(self);
        let ahead = self.ahead.wrapping_add(last.ahead).wrapping_shr(AHEAD as u32);
        self.places & !self.places.wrapping_add(last.places).wrapping_add(ahead)
    }
}
