use super::*;
use proptest::prelude::*;
use proptest::sample::select;

fn set(bytes: impl Iterator<Item = u8>) -> Set {
    let bytes: Vec<u8> = bytes.collect();
    tables::set(|byte| bytes.contains(&byte))
}

/// After letters and loud no value starts but one that begins with `x` and two digits.
fn blocks(long: bool) -> Blocks {
    let words = set((0..=255u8).filter(u8::is_ascii_alphanumeric));
    let digits = || set(b'0'..=b'9');
    let one = |bytes: &[u8]| set(bytes.iter().copied());
    let outside = Beginning { bucket: 2, within: false, sets: [one(b"ab"), digits(), one(b" "), digits()] };
    let within = Beginning { bucket: 5, within: true, sets: [one(b"x"), digits(), digits(), one(b",")] };
    let mut blocks = Blocks::new(&words, long, &[outside, within]);
    assert_eq!(blocks.nth.len(), 2);
    // Whichever tell most, these are asked here.
    (blocks.nth, blocks.buckets) = ([0, 2], [Table::EMPTY; 2]);
    [(2, one(b"ab"), one(b" ")), (5, one(b"x"), digits())].into_iter().for_each(|(bucket, first, third)| {
        blocks.buckets[0].widen(&first, bucket);
        blocks.buckets[1].widen(&third, bucket);
    });
    blocks
}

/// What the module's head says, one place after the other.
fn is_told(text: &[u8], place: usize, long: bool) -> Told {
    let closed = text[place - 1].is_ascii_alphanumeric();
    let rest = &text[place..];
    let mild = |byte: &u8| !is_quiet(*byte) && !is_loud(*byte);
    let letters = rest.iter().take_while(|byte| mild(byte)).count();
    let digit = |at: usize| rest.get(at).is_some_and(u8::is_ascii_digit);
    let loud = |at: usize| rest.get(at).is_some_and(|byte| is_loud(*byte));
    let run = if long { LONG } else { 8 };
    let word = rest.len() >= run && !rest[..run].iter().any(|byte| is_quiet(*byte));
    let bucket = matches!(rest, [b'a' | b'b', _, b' ', ..]);
    let within = matches!(rest, [b'x', ..]) && digit(2);
    Told {
        sure: !closed && (letters < AHEAD && loud(letters) || word || bucket) || within,
        may: !closed && loud(letters),
    }
}

/// Whether a place is told, and whether it may be: a loud byte that is far is seen from some places of a block.
struct Told {
    sure: bool,
    may: bool,
}

fn told(blocks: &Blocks, text: &[u8]) -> Vec<usize> {
    let (mut all, mut at) = (Vec::new(), 1);
    while at < text.len() {
        let mut found = blocks.find(text, at);
        if found.is_empty() && found.to < text.len() {
            found = blocks.last(text, found.to);
        }
        all.extend(found);
        assert!(found.to > at);
        at = found.to;
    }
    all
}

fn text() -> impl Strategy<Value = Vec<u8>> {
    let word = select(vec![
        "the",
        "a1 2",
        "x12,",
        "-",
        "well-known",
        " ",
        ", ",
        "é",
        "AKIA",
        "0",
        "@",
        "somethingquitelong",
        ".",
    ]);
    proptest::collection::vec(word, 1..80).prop_map(|words| words.concat().into_bytes())
}

proptest! {
    #[test]
    fn no_place_is_missed_and_within_a_text_no_other_is_told(text in text(), long: bool) {
        let told = told(&blocks(long), &text);
        for place in 1..text.len() {
            let seen = told.contains(&place);
            let Told { sure, may } = is_told(&text, place, long);
            prop_assert!(seen || !sure, "{place} of {}", text.escape_ascii());
            // What comes after the text may be anything.
            let inside = place + AHEAD < text.len();
            prop_assert!(sure || may || !seen || !inside, "{place} of {}", text.escape_ascii());
        }
    }

    #[test]
    fn vectors_see_what_single_bytes_show(
        bytes in proptest::collection::vec(prop_oneof![any::<u8>(), 0x20u8..0x7b], BLOCK),
        closing in any::<[u64; 4]>(), sets in any::<[[u64; 4]; NEAR]>(), long: bool, any: bool,
    ) {
        let one = Beginning { bucket: 1, within: true, sets };
        let other = Beginning { bucket: 4, within: false, sets: sets.map(|set| set.map(|word| !word)) };
        let some = [one, other];
        let blocks = Blocks::new(&closing, long, if any { &some } else { &[] });
        let block: &[u8; BLOCK] = bytes.first_chunk().unwrap();
        prop_assert_eq!(blocks.places(block), blocks.told(block, &blocks.kinds_plain(block)));
    }
}

proptest! {
    #[test]
    fn few_places_are_told_as_many_are(text in text(), long: bool, cut in any::<prop::sample::Index>()) {
        let blocks = blocks(long);
        let cut = 1 + cut.index(text.len());
        let text = &text[..cut.min(text.len())];
        let from = 1 + text.len().saturating_sub(60);
        let open = |last: u8, byte: u8| !last.is_ascii_alphanumeric() || byte == b'x';
        let told = blocks.few(text, from..text.len(), text[0], open);
        for place in from..text.len() {
            let Told { sure, may } = is_told(text, place, long);
            let seen = told >> (place - from) & 1 == 1;
            prop_assert!(seen || !sure, "{place} of {}", text.escape_ascii());
            // What comes after the text may be anything.
            let inside = text[place..].iter().any(|byte| is_quiet(*byte)) && place + 2 < text.len();
            prop_assert!(sure || may || !seen || !inside, "{place} of {}", text.escape_ascii());
        }
    }
}

#[test]
fn buckets_are_told_by_the_bytes_that_are_rarest_in_prose() {
    let letters = set(b'a'..=b'z');
    let sets = [letters, set([b' '].into_iter()), set([b'x'].into_iter()), set([b'#'].into_iter())];
    assert_eq!(telling(&[Beginning { bucket: 0, within: false, sets }]), [2, 3]);
    let sets = [sets[3], letters, sets[2], letters];
    assert_eq!(telling(&[Beginning { bucket: 0, within: false, sets }]), [0, 2]);
}
