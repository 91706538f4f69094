//! Whether a place stands near any word that a plan's detectors ask for, told before anything is walked.
//!
//! Most detectors that count only after a word begin like any word or any digits. Walking them all and asking for the
//! word at the end costs ten times what reading costs. But the words before a place are known when the place is: so
//! they are read first, each once per stretch of text, and where none of them is asked for, those detectors are not
//! tried, nor is anything held for them. A place may pass for near where it is not (another detector's word stands
//! there, or the last two words of a phrase of three), never the other way round; and that too is told by the bytes
//! before the place alone, however the text is cut.
use super::context::{Context, KEPT, Kind, REACH, last};

/// Slots by which most words are known not to be asked for: so many bits of a hash.
const SLOT_BITS: u32 = 12;
/// What a slot says of the words that have it: that one may be asked for alone, or as the last of a phrase.
const ALONE: u8 = 1;
const LAST: u8 = 2;

/// Wanted words that are remembered.
const MOST_WANTED: usize = 1 << 10;

/// The words, and the last two words of phrases, that some detector asks for.
pub struct Wanted {
    /// Their hashes, in order.
    hashes: Vec<u64>,
    /// What the slots of single and of last words say.
    slots: Box<[u8]>,
}

/// What was read of a text. Places are counted from the first of the [`KEPT`] bytes before the piece.
#[derive(Default, Clone)]
pub struct Heard {
    /// Places before this one were read.
    to: usize,
    /// Of places from this one on it is known what stands before them.
    from: usize,
    /// The byte that was read last; 0: none.
    last: u8,
    /// The word that is being read: of which kind it is, where it starts, and its hash so far.
    word: Option<(Kind, usize, u64)>,
    /// The word before it, in the same way.
    previous: (usize, u64),
    /// The wanted words that were read and may be within reach of a place that is asked for: where each starts, and the
    /// place from which it is known to be over. Both grow.
    wanted: Vec<(usize, usize)>,
}

impl Wanted {
    pub fn new<'a>(contexts: impl Iterator<Item = &'a Context>) -> Self {
        let mut wanted = Self { hashes: Vec::new(), slots: vec![0; 1 << SLOT_BITS].into() };
        for phrase in contexts.flat_map(|context| context.0.iter()) {
            let mut hashes = phrase.iter().rev().map(|word| hash(word.as_bytes()));
            let Some(last) = hashes.next() else { continue };
            let before = hashes.next();
            if let Some(says) = wanted.slots.get_mut(slot(last)) {
                *says |= if before.is_some() { LAST } else { ALONE };
            }
            wanted.hashes.push(before.map_or(last, |before| pair(before, last)));
        }
        wanted.hashes.sort_unstable();
        wanted.hashes.dedup();
        wanted
    }

    /// Where what is asked for starts, if a word is, or one after another.
    #[inline(always)]
    fn start(&self, previous: (usize, u64), word: (usize, u64)) -> Option<usize> {
        let says = self.slots.get(slot(word.1)).copied().unwrap_or(0);
        if says == 0 { None } else { self.surely(says, previous, word) }
    }

    #[inline(never)]
    fn surely(&self, says: u8, previous: (usize, u64), word: (usize, u64)) -> Option<usize> {
        let holds = |hash: u64| self.hashes.binary_search(&hash).is_ok();
        if says & ALONE != 0 && holds(word.1) {
            return Some(word.0);
        }
        (says & LAST != 0 && holds(pair(previous.1, word.1))).then_some(previous.0)
    }
}

impl Heard {
    /// Whether a wanted word stands within the reach before a place of a piece, after the text that has passed.
    pub fn near(&mut self, wanted: &Wanted, past: &[u8], piece: &[u8], at: usize) -> bool {
        let place = at.saturating_add(KEPT);
        if place < self.from {
            return Self::default().near(wanted, past, piece, at);
        }
        if place >= self.to {
            self.read_to(wanted, past, piece, at);
        }
        self.reaches(place)
    }

    /// Reads up to a place, and the byte there.
    fn read_to(&mut self, wanted: &Wanted, past: &[u8], piece: &[u8], at: usize) {
        // What stands before the reach says whether the first word is whole: one that starts there is out of reach.
        if self.to < at {
            *self = Self { to: at, from: at.saturating_add(KEPT), ..Self::default() };
        }
        if self.to < KEPT {
            self.read_passed(wanted, past);
        }
        self.read(wanted, self.to, piece.get(self.to.saturating_sub(KEPT)..=at).unwrap_or_default());
        self.to = at.saturating_add(KEPT).saturating_add(1);
    }

    /// Reads what has passed. It is counted up to the piece, and what is kept of it stands last.
    fn read_passed(&mut self, wanted: &Wanted, past: &[u8]) {
        let passed = last(past);
        let first = KEPT.saturating_sub(passed.len());
        let passed = passed.get(self.to.saturating_sub(first)..).unwrap_or_default();
        if !passed.is_empty() {
            self.read(wanted, KEPT.saturating_sub(passed.len()), passed);
        }
        self.to = KEPT;
    }

    /// So many bytes have passed: places are counted from there on.
    pub fn pass(&mut self, len: usize) {
        let back = |place: usize| place.checked_sub(len);
        let (Some(to), word) = (back(self.to), self.word) else {
            *self = Self::default();
            return;
        };
        // What started before all that is kept is out of any reach, and whether it was a word of its own does not matter.
        (self.to, self.from) = (to, self.from.saturating_sub(len));
        self.word = word.map(|(kind, start, hash)| (kind, start.saturating_sub(len), hash));
        self.previous.0 = self.previous.0.saturating_sub(len);
        self.wanted.retain_mut(|(start, over)| match (back(*start), back(*over)) {
            (Some(from), Some(to)) => {
                (*start, *over) = (from, to);
                true
            }
            _ => false,
        });
    }

    fn reaches(&self, place: usize) -> bool {
        let before = self.wanted.partition_point(|(_, over)| *over <= place);
        let last = before.checked_sub(1).and_then(|at| self.wanted.get(at));
        last.is_some_and(|(start, _)| start.saturating_add(REACH) >= place)
    }

    fn remember(&mut self, start: usize, over: usize) {
        if self.wanted.len() >= MOST_WANTED {
            let mut forgotten = self.wanted.drain(..MOST_WANTED / 2);
            let last = forgotten.next_back().map_or(0, |(start, _)| start);
            self.from = self.from.max(last.saturating_add(KEPT));
        }
        self.wanted.push((start, over));
    }

    /// Reads bytes that stand at a place and behind it.
    fn read(&mut self, wanted: &Wanted, place: usize, bytes: &[u8]) {
        for (&byte, at) in bytes.iter().zip(place..) {
            let kind = Kind::of(self.last, byte);
            self.last = byte;
            if let Some((known, _, hash)) = &mut self.word {
                if *known == kind {
                    *hash = grown(*hash, byte.to_ascii_lowercase());
                    continue;
                }
                self.end_word(wanted, at);
            }
            if kind != Kind::Apart {
                self.word = Some((kind, at, grown(0, byte.to_ascii_lowercase())));
            }
        }
    }

    /// The word that was being read is over, as is known at a place.
    fn end_word(&mut self, wanted: &Wanted, at: usize) {
        let Some((_, start, hash)) = self.word.take() else { return };
        if let Some(start) = wanted.start(self.previous, (start, hash)) {
            self.remember(start, at);
        }
        self.previous = (start, hash);
    }
}

fn hash(word: &[u8]) -> u64 {
    word.iter().fold(0, |hash, &byte| grown(hash, byte))
}

#[inline(always)]
fn grown(hash: u64, folded: u8) -> u64 {
    hash.rotate_left(7) ^ u64::from(folded)
}

#[inline(always)]
fn pair(first: u64, second: u64) -> u64 {
    first.wrapping_mul(0x9e37_79b9_7f4a_7c15) ^ second
}

#[inline(always)]
fn slot(hash: u64) -> usize {
    usize::try_from(hash.wrapping_mul(0x9e37_79b9_7f4a_7c15).wrapping_shr(64 - SLOT_BITS)).unwrap_or(0)
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::mask::context::Before;
    use proptest::prelude::*;
    use proptest::sample::{Index, select};

    fn context() -> Context {
        let phrases = ["ssn", "tax id", "numéro de série", "id"];
        Context(phrases.iter().map(|phrase| Context::phrase(phrase).into()).collect())
    }

    fn near(text: &[u8], cut: usize, at: usize) -> bool {
        Heard::default().near(&Wanted::new([&context()].into_iter()), &text[..cut], &text[cut..], at - cut)
    }

    #[test]
    fn a_place_is_near_a_word_in_reach() {
        for (text, expected) in [
            ("my SSN is |1", true),
            ("my ssn|1", false),
            ("my ssn|-1", true),
            ("my assn |1", false),
            ("my tax  ID |1", true),
            ("my tax |1", false),
        ] {
            let at = text.find('|').unwrap();
            assert_eq!(near(text.replace('|', "").as_bytes(), 0, at), expected, "{text}");
        }
        for (gap, expected) in [(REACH - 3, true), (REACH - 2, false)] {
            let text = format!("a ssn{}1", " ".repeat(gap));
            assert_eq!(near(text.as_bytes(), 0, text.len() - 1), expected, "{gap}");
        }
    }

    #[test]
    fn what_was_heard_long_ago_is_told_again_where_it_was_forgotten() {
        let text = "a ssn 1 and what is far from it, for it is a word of no kind, nor is any other "
            .repeat(2 * MOST_WANTED);
        let wanted = Wanted::new([&context()].into_iter());
        let mut heard = Heard::default();
        assert!(!heard.near(&wanted, &[], text.as_bytes(), text.len() - 1));
        assert!(heard.wanted.len() <= MOST_WANTED);
        for at in (0..text.len()).step_by(509) {
            assert_eq!(heard.near(&wanted, &[], text.as_bytes(), at), near(text.as_bytes(), 0, at), "{at}");
        }
    }

    fn text() -> impl Strategy<Value = Vec<u8>> {
        const WORDS: &[&str] = &["ssn", "SSN", "tax", "Id", "numéro", "de", "série", "x", "other", "1"];
        const GAPS: &[&str] = &[" ", "-", "", ", ", "           ", "\n"];
        let word = (select(WORDS), select(GAPS)).prop_map(|(word, gap)| format!("{word}{gap}"));
        proptest::collection::vec(word, 1..40).prop_map(|words| words.concat().into_bytes())
    }

    proptest! {
        #[test]
        fn no_word_is_missed_and_nothing_else_counts(
            text in text(), cut in any::<Index>(), places in proptest::collection::vec(any::<Index>(), 1..12),
        ) {
            let cut = cut.index(text.len());
            let piece = &text[cut..];
            let wanted = Wanted::new([&context()].into_iter());
            let past = last(&text[..cut]);
            let mut heard = Heard::default();
            for place in places {
                let place = place.index(piece.len());
                let told = heard.near(&wanted, past, piece, place);
                prop_assert_eq!(told, near(&text, 0, cut + place), "of {} at {}", text.escape_ascii(), cut + place);
                let holds = Before::new(past, piece, place).holds(&context());
                prop_assert!(told || !holds, "{} at {}", text.escape_ascii(), cut + place);
            }
        }
    }
}
