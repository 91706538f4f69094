//! Words, held against a reading of the text that knows no automaton.
use proptest::prelude::*;
use proptest::sample::{Index, select};

use super::*;
use crate::mask::text::Entity;

type Span = Range<usize>;

fn finder() -> Finder {
    Finder { entity: Entity(0), order: 0, context: None }
}

/// Words whose automaton ends after a few states, so that the rest is told by the words themselves.
fn shallow(words: &[&str], ignore_case: bool, states: usize) -> Lexicon {
    let words = Sorted::new(words.iter().map(|word| word.as_bytes()), ignore_case);
    Lexicon::within(words, ignore_case, finder(), states).unwrap()
}

fn lexicon(words: &[&str], ignore_case: bool) -> Lexicon {
    Lexicon::new(words.iter().map(|word| word.as_bytes()), ignore_case, finder()).unwrap()
}

/// Reads a text in pieces, as the masker does: the words found, and what was held after each piece.
fn read(lexicon: &Lexicon, pieces: &[&[u8]]) -> (Vec<Span>, Vec<Span>) {
    let (mut spans, mut holds) = (Vec::new(), Vec::new());
    let (mut text, mut gone, mut before) = (Vec::new(), 0, b'\n');
    let mut walk = None;
    for (number, piece) in pieces.iter().enumerate() {
        text.extend_from_slice(piece);
        let (mut at, end) = (0, number + 1 == pieces.len());
        loop {
            let Some(place) = (if walk.is_some() { Some(at) } else { lexicon.next(&text, at, before, end) })
            else {
                at = text.len();
                break;
            };
            at = place;
            let going = walk.get_or_insert_with(|| lexicon.walk());
            lexicon.go(going, &text[at..], end);
            let Some(found) = going.found() else { break };
            walk = None;
            match found {
                0 => at += 1,
                len => {
                    spans.push(gone + at..gone + at + len);
                    at += len;
                }
            }
        }
        holds.push(gone + at..gone + text.len());
        before = at.checked_sub(1).map_or(before, |last| text[last]);
        gone += at;
        text.drain(..at);
    }
    (spans, holds)
}

/// What the words mean: at each place the longest that stands there whole.
fn reference(words: &[&str], ignore_case: bool, text: &[u8]) -> Vec<Span> {
    let same = |a: &[u8], b: &[u8]| if ignore_case { a.eq_ignore_ascii_case(b) } else { a == b };
    let (mut spans, mut at) = (Vec::new(), 0);
    while at < text.len() {
        let glued = at > 0 && inner(text[at - 1]) && inner(text[at]);
        let stands = |word: &&&str| {
            let end = at + word.len();
            let edge = word.bytes().last().is_some_and(inner);
            text.get(at..end).is_some_and(|value| same(value, word.as_bytes()))
                && !(edge && text.get(end).is_some_and(|next| goes_on(*next)))
        };
        match words.iter().filter(stands).map(|word| word.len()).max().filter(|_| !glued) {
            Some(len) => {
                spans.push(at..at + len);
                at += len;
            }
            None => at += 1,
        }
    }
    spans
}

const WORDS: &[&str] = &[
    "Jon",
    "Jon Doe",
    "Jon Doe Senior",
    "Jona",
    "jon",
    "Zoë",
    "C++",
    "C++ builder",
    "ab",
    "abc",
    "abcdefgh",
    "abcdefgh-1",
    "abcdefgh-2",
    "#12",
    "#123",
    "12",
    "Ros\u{e9}",
    "--",
    "---",
    "a b c d e f g h i j",
    "aa aa",
    "aa aa aa",
    "aaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaa",
];

fn piece() -> impl Strategy<Value = Vec<u8>> {
    let parts =
        [" ", "_", "é", "x", "\n", "-", "JON", "a", "aa ", "Doe", "C+", "abcdefgh", "                "];
    let parts = select([WORDS, &parts].concat());
    prop_oneof![
        8 => parts.prop_map(|part| part.as_bytes().to_vec()),
        2 => any::<(Index, Index)>().prop_map(|(word, end)| {
            let word = WORDS[word.index(WORDS.len())].as_bytes();
            word[..end.index(word.len() + 1)].to_vec()
        }),
        1 => any::<u8>().prop_map(|byte| vec![byte]),
    ]
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(3000))]

    #[test]
    fn words_are_found_as_they_are_meant_under_every_cut(
        chosen in proptest::collection::vec(select(WORDS), 1..16),
        ignore_case: bool,
        states in 1usize..120,
        pieces in proptest::collection::vec(piece(), 0..16),
        cuts in proptest::collection::vec(any::<Index>(), 0..6),
    ) {
        let lexicon = shallow(&chosen, ignore_case, states);
        let text = pieces.concat();
        let expected = reference(&chosen, ignore_case, &text);
        prop_assert_eq!(&read(&lexicon, &[&text]).0, &expected);
        let mut cuts: Vec<usize> = cuts.iter().map(|cut| cut.index(text.len() + 1)).collect();
        cuts.sort_unstable();
        let (mut some, mut from) = (Vec::new(), 0);
        for cut in cuts {
            some.push(&text[from..cut]);
            from = cut;
        }
        some.push(&text[from..]);
        prop_assert_eq!(&read(&lexicon, &some).0, &expected);
        let mut every: Vec<&[u8]> = text.chunks(1).collect();
        every.push(&[]);
        let (spans, holds) = read(&lexicon, &every);
        prop_assert_eq!(&spans, &expected);
        // What is held is the beginning of some word, and could be that word.
        let like = |held: &[u8], word: &[u8]| if ignore_case { held.eq_ignore_ascii_case(word) } else { held == word };
        for held in holds.iter().filter(|held| !held.is_empty()) {
            let held = &text[held.clone()];
            let may = |word: &&str| {
                let word = word.as_bytes();
                word.get(..held.len()).is_some_and(|beginning| like(held, beginning))
                    && (word.len() > held.len() || word.last().copied().is_some_and(inner))
            };
            prop_assert!(chosen.iter().any(may), "{} is held for nothing", held.escape_ascii());
        }
    }

    #[test]
    fn how_deep_the_automaton_is_does_not_show(
        words in proptest::collection::vec("[ab]{2,9}( [ab]{1,3})?", 1..40),
        text in "[abAB ]{0,80}", ignore_case: bool, states in 1usize..60,
    ) {
        let words: Vec<&str> = words.iter().map(String::as_str).collect();
        let expected = reference(&words, ignore_case, text.as_bytes());
        prop_assert_eq!(&read(&shallow(&words, ignore_case, states), &[text.as_bytes()]).0, &expected);
        prop_assert_eq!(&read(&lexicon(&words, ignore_case), &[text.as_bytes()]).0, &expected);
    }
}

#[test]
fn a_large_dictionary_takes_little_more_than_its_words() {
    let words: Vec<String> =
        (0..100_000u32).map(|at| format!("customer-{:08x}", at.wrapping_mul(0x9e37_79b1))).collect();
    let words: Vec<&str> = words.iter().map(String::as_str).collect();
    let lexicon = lexicon(&words, false);
    let bytes: usize = words.iter().map(|word| word.len()).sum();
    assert!(lexicon.bytes() < 2 * bytes, "{}", lexicon.bytes());
    assert!(lexicon.beginnings.depth() < 17, "the automaton has beginnings alone");
    for word in words.iter().step_by(997) {
        let text = format!("about {word}, customer-xx {word}0");
        assert_eq!(
            read(&lexicon, &[text.as_bytes()]).0,
            std::iter::once(6..6 + word.len()).collect::<Vec<_>>()
        );
    }
}

#[test]
fn a_small_dictionary_is_an_automaton_as_a_whole() {
    let lexicon = lexicon(&["Bluebird", "Nightjar"], true);
    assert_eq!(lexicon.beginnings.depth(), 8);
    assert_eq!(
        read(&lexicon, &[b"a BLUE", b"BIRD, nightjars"]).0,
        std::iter::once(2..10).collect::<Vec<_>>()
    );
}
