//! What a record holds of prompt and answer.
//!
//! Texts are cut into pieces, each with the number of its text: pieces of one number, in the order of the chain, are the
//! text. A body may have many texts, and those of a stream come by turns. What is too long for one record goes out in
//! `.part` records before the one that closes it: the start record for a prompt, the end record for an answer.

use super::fields::{Field, Fields, Value};
use super::names::Place;
use super::record::record;
use super::seal::{Random, Seal};
use super::value::{Count, Name, Text};

/// Most bytes of texts in one record of one side.
pub const PART_BYTES: usize = 16 << 10;
/// Most `.part` records of one exchange; what is longer is cut.
pub const MOST_PARTS: u64 = 1024;
/// What a piece counts beside its text.
const PIECE: usize = 32;

/// Pieces of texts.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Pieces(Vec<(u64, String)>);

impl Pieces {
    /// Pieces with the numbers of their texts.
    pub fn new(pieces: Vec<(u64, String)>) -> Self {
        Self(pieces)
    }

    /// The pieces with the numbers of their texts.
    pub fn into_inner(self) -> Vec<(u64, String)> {
        self.0
    }

    /// Whether there is none.
    pub fn is_empty(&self) -> bool {
        self.0.is_empty()
    }

    /// The pieces.
    pub fn iter(&self) -> impl Iterator<Item = (Count, &str)> {
        self.0.iter().map(|(text, piece)| (Count::from(*text), piece.as_str()))
    }

    /// The same in portions of at most `most` bytes, of which all but the last are as full as characters allow.
    pub fn portions(self, most: usize) -> Vec<Self> {
        let (mut portions, mut last, mut room) = (Vec::new(), Vec::new(), most);
        for (text, piece) in self.0 {
            let mut rest = piece.as_str();
            loop {
                let fits = room.saturating_sub(PIECE);
                let (now, later) = rest.split_at_checked(floor(rest, fits)).unwrap_or((rest, ""));
                if !now.is_empty() {
                    last.push((text, now.to_owned()));
                    room = fits.saturating_sub(now.len());
                }
                if later.is_empty() {
                    break;
                }
                // A portion that holds nothing takes one character, whatever it says.
                if last.is_empty() {
                    last.push((text, rest.to_owned()));
                    break;
                }
                portions.push(Self(std::mem::take(&mut last)));
                (rest, room) = (later, most);
            }
        }
        portions.push(Self(last));
        portions
    }
}

/// The last place at or before `at` that is between characters.
fn floor(text: &str, at: usize) -> usize {
    let mut at = at.min(text.len());
    while !text.is_char_boundary(at) {
        at = at.saturating_sub(1);
    }
    at
}

/// Pieces that auditors alone can read: an age file in base64.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Sealed(String);

impl Sealed {
    /// Seals pieces; `None`: there is no chance to be had.
    pub fn of(pieces: &Pieces, seal: &Seal, random: &Random<'_>) -> Option<Self> {
        seal.seal(Value::Pieces(pieces).json().as_bytes(), random).map(Self)
    }

    /// The file.
    pub fn as_str(&self) -> &str {
        &self.0
    }
}

record! {
    /// What is kept of prompt and answer.
    Captured {
        /// How texts are kept: `masked` (by `audit.mask`), or `full` (as they came, sealed).
        "portcullis.capture" capture: Option<Name>,
        /// Texts of the prompt: pieces, each with its `text` and the number of the text that it is `of`. In the body alone.
        "portcullis.prompt.texts" prompt: Pieces,
        /// The same, as they came, sealed to `audit.recipients`: an age file in base64, which `portcullis audit open` opens. In
        /// the body alone.
        "portcullis.prompt.sealed" prompt_sealed: Option<Sealed>,
        /// Of a prompt that is not text: `sha256:` digest of its bytes.
        "portcullis.prompt.digest" prompt_digest: Option<Text>,
        /// Why the prompt's texts end before it does: `bound` (it is longer than records hold), `size` (it is larger than
        /// the policy reads), `unreadable` (it is not what it is said to be), `unfinished` (its end did not come),
        /// `unsealed` (the proxy had no chance to seal it with).
        "portcullis.prompt.cut" prompt_cut: Option<Name>,
        /// Texts of the answer, in the same way.
        "portcullis.response.texts" response: Pieces,
        /// The same, sealed in the same way.
        "portcullis.response.sealed" response_sealed: Option<Sealed>,
        /// Of an answer that is not text: `sha256:` digest of its bytes, as far as they came.
        "portcullis.response.digest" response_digest: Option<Text>,
        /// Why the answer's texts end before it does, in the same way.
        "portcullis.response.cut" response_cut: Option<Name>,
        /// How many `.part` records the exchange has had; absent: none.
        "portcullis.parts" parts: Option<Count>,
    }
}

record! {
    /// Which part it is.
    Part {
        /// Number of the part within its exchange, from 1.
        "portcullis.part" number: Count,
    }
}

/// A piece of a prompt or an answer that is too long for one record.
#[derive(Debug, Clone, Default)]
pub struct PartRecord {
    /// Id of the exchange.
    pub exchange: Text,
    /// Which part.
    pub part: Part,
    /// The texts.
    pub captured: Captured,
}

impl PartRecord {
    pub(super) fn put_all<'a>(&'a self, out: &mut Fields<'a>) {
        self.exchange.put(const { Place::of("portcullis.exchange") }, out);
        self.part.put(out);
        self.captured.put(out);
    }
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    proptest! {
        #[test]
        fn portions_are_bounded_and_hold_everything_in_order(
            pieces in prop::collection::vec((1u64..4, "(a|é|😀){0,60}"), 0..6),
            most in 40usize..120,
        ) {
            let all: String = pieces.iter().map(|(_, piece)| piece.as_str()).collect();
            let whole = Pieces::new(pieces);
            let portions = whole.clone().portions(most);
            let size = |portion: &Pieces| portion.iter().map(|(_, piece)| piece.len() + PIECE).sum::<usize>();
            prop_assert!(portions.iter().all(|portion| size(portion) <= most));
            let (_, full) = portions.split_last().unwrap();
            prop_assert!(full.iter().all(|portion| size(portion) + PIECE + 4 > most));
            let joined: String = portions.iter().flat_map(Pieces::iter).map(|(_, piece)| piece).collect();
            prop_assert_eq!(joined, all);
            for number in 1..4 {
                let of = |all: &Pieces| -> String {
                    all.iter().filter(|(of, _)| of.get() == number).map(|(_, piece)| piece.to_owned()).collect()
                };
                prop_assert_eq!(portions.iter().map(of).collect::<String>(), of(&whole));
            }
        }
    }
}
