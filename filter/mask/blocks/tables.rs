//! Sets of bytes, widened to what their halves allow.
use super::super::grammar::Set;

/// For each half of a byte, sets of bytes as bits.
pub struct Table {
    pub low: [u8; 16],
    pub high: [u8; 16],
}

impl Table {
    pub const EMPTY: Self = Self { low: [0; 16], high: [0; 16] };

    /// Adds a set under some bits: no more bytes than it holds are told apart where there are too few of them, but
    /// others that share halves with them are `joined`.
    pub fn add(&mut self, set: &Set, bits: std::ops::Range<u32>, joined: fn(u16, u16) -> u16) {
        let most = bits.len();
        bits.zip(rectangles(set, most, joined)).for_each(|(bit, rectangle)| self.put(bit, rectangle));
    }

    /// Adds a set under one bit, with the bytes that share halves with its own.
    pub fn widen(&mut self, set: &Set, bit: u32) {
        rectangles(set, usize::MAX, |a, b| a | b).into_iter().for_each(|rectangle| self.put(bit, rectangle));
    }

    fn put(&mut self, bit: u32, Rectangle { low, high }: Rectangle) {
        let bit = 1u8.wrapping_shl(bit);
        for (halves, table) in [(low, &mut self.low), (high, &mut self.high)] {
            let held = table.iter_mut().zip(0u32..).filter(|(_, half)| halves.wrapping_shr(*half) & 1 == 1);
            held.for_each(|(entry, _)| *entry |= bit);
        }
    }

    pub fn of(&self, byte: u8) -> u8 {
        let half = |table: &[u8; 16], at: u8| table.get(usize::from(at)).copied().unwrap_or(0);
        half(&self.low, byte & 15) & half(&self.high, byte >> 4)
    }
}

/// Bytes that share their low halves: those of which both halves are in the sets.
#[derive(Clone, Copy)]
struct Rectangle {
    low: u16,
    high: u16,
}

/// At most so many rectangles that make up a set; where it has more, what is `joined` of some.
fn rectangles(set: &Set, most: usize, joined: fn(u16, u16) -> u16) -> Vec<Rectangle> {
    let holds = |byte: u32| set_holds(set, u8::try_from(byte).unwrap_or(0));
    let mut all: Vec<Rectangle> = Vec::new();
    for high in 0..16u32 {
        let low =
            (0..16).filter(|low| holds(high << 4 | low)).fold(0, |lows, low| lows | 1u16.wrapping_shl(low));
        let bit = 1u16.wrapping_shl(high);
        match all.iter_mut().find(|known| known.low == low) {
            _ if low == 0 => {}
            Some(known) => known.high |= bit,
            None => all.push(Rectangle { low, high: bit }),
        }
    }
    while all.len() > most {
        let Some(last) = all.pop() else { break };
        if let Some(other) = all.last_mut() {
            *other = Rectangle { low: joined(other.low, last.low), high: other.high | last.high };
        }
    }
    all
}

fn set_holds(set: &Set, byte: u8) -> bool {
    set.get(usize::from(byte >> 6)).is_some_and(|word| word.wrapping_shr(u32::from(byte & 63)) & 1 == 1)
}

/// The bytes of which something holds.
pub fn set(is: impl Fn(u8) -> bool) -> Set {
    let mut set = [0u64; 4];
    for byte in (0..=255u8).filter(|&byte| is(byte)) {
        if let Some(word) = set.get_mut(usize::from(byte >> 6)) {
            *word |= 1u64.wrapping_shl(u32::from(byte & 63));
        }
    }
    set
}

/// The bytes whose halves are those of some in a set.
pub fn widened(set: &Set) -> Set {
    let mut table = Table::EMPTY;
    table.widen(set, 0);
    self::set(|byte| table.of(byte) != 0)
}
