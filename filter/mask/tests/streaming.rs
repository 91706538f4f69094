//! The law of the masker: however a text is cut, what is masked is what the reference masks in the whole.
use proptest::prelude::*;
use proptest::sample::{Index, select};

use super::reference::Reference;
use super::support::{everything, example, known, named, plan, rows, streamed, whole};
use crate::mask::{Entities, Plan};

const KEY: &[u8] = b"Zq8!literal-Zq8!";
const OTHER_KEY: &[u8] = b"Zq8!literal-Zq8!literal+";

fn with_literals() -> Plan {
    Plan::new(&known(), known().all(), vec![KEY.to_vec(), OTHER_KEY.to_vec()])
}

thread_local! {
    static SHARED: (Plan, Plan, Reference) = (everything(), with_literals(), Reference::new());
}

#[test]
fn every_way_of_cutting_a_short_text_masks_the_same() {
    let texts: &[&[u8]] = &[
        b"a@b.co x@y.d",
        b"@a@b.co@c.de",
        b"a.b@c.d.ef,g",
        b"536-90-4399 ",
        b"x 10.0.0.1.2",
        b"fe80::1:zz",
        b"fe80:::1 a::",
        b"10.0.0.256 1",
        b"sk-sk-ant-sk",
        b"\xc3\xa9a@b.co\xff",
        b"\\na@b.co\\r",
        b"\\u0061@b.co",
        b"\x1b[1ma@b.co",
        b"+12125552671",
        b"eyJ.eyJ.eyJ.",
        b"ghp_a@b.coxx",
        b"1::10.0.0.1",
        b"a-a@-b.co@b.",
        b"00:1A:2B:3C:",
        b"-----BEGIN P",
        b"DE89 3704 00",
    ];
    let reference = Reference::new();
    let plan = everything();
    for text in texts {
        let expected = reference.spans(known().all(), &[], text);
        for chosen in 0..1u32 << (text.len() - 1) {
            let cuts: Vec<usize> = (1..text.len()).filter(|at| chosen >> (at - 1) & 1 == 1).collect();
            let (spans, _) = streamed(&plan, text, &cuts);
            assert_eq!(spans, expected, "{} cut at {cuts:?}", text.escape_ascii());
        }
    }
}

#[test]
fn every_way_of_cutting_a_literal_masks_the_same() {
    let plan = Plan::new(
        &known(),
        Entities::NONE,
        vec![b"abcabcab".to_vec(), b"abcabcabcd".to_vec(), b"short".to_vec()],
    );
    for text in [&b"abcabcabcabc"[..], b"aabcabcabcde", b"abcabcabcabcd", b"short abcabc", b"xabcabcabd"] {
        let expected = whole(&plan, text);
        for chosen in 0..1u32 << (text.len() - 1) {
            let cuts: Vec<usize> = (1..text.len()).filter(|at| chosen >> (at - 1) & 1 == 1).collect();
            assert_eq!(streamed(&plan, text, &cuts).0, expected, "{} cut at {cuts:?}", text.escape_ascii());
        }
    }
    assert_eq!(whole(&plan, b"aabcabcabcde")[0].0, 1..11, "the longest of two");
    assert_eq!(whole(&plan, b"abcabcabcabc")[0].0, 0..8, "the shorter, where the longer does not end");
    assert_eq!(whole(&plan, b"short short"), [], "too short a literal masks nothing");
}

/// With literals there are more detectors than rows, so that some share one.
#[test]
fn detectors_that_share_a_row_start_only_where_each_may() {
    let (plan, text) = (with_literals(), b"44 53-43945.536-90-43945");
    let expected = Reference::new().spans(known().all(), &[KEY, OTHER_KEY], text);
    for first in 0..=text.len() {
        for second in first..=text.len() {
            assert_eq!(streamed(&plan, text, &[first, second]).0, expected, "at {first}, {second}");
        }
    }
}

#[test]
fn every_two_cuts_of_the_examples_mask_the_same() {
    let plan = everything();
    for row in rows() {
        let (text, _) = example(row.matches[0]);
        let expected = whole(&plan, &text);
        for first in (0..=text.len()).step_by(1 + text.len() / 60) {
            for second in (first..=text.len()).step_by(1 + text.len() / 16) {
                assert_eq!(
                    streamed(&plan, &text, &[first, second]).0,
                    expected,
                    "{} at {first}, {second}",
                    row.entity
                );
            }
        }
    }
}

/// A piece of an adversarial text.
fn piece() -> impl Strategy<Value = Vec<u8>> {
    let examples: Vec<Vec<u8>> = rows()
        .iter()
        .flat_map(|row| row.matches.iter().chain(row.misses))
        .map(|written| example(written).0)
        .filter(|text| text.len() < 150)
        .collect();
    let whole_example = select(examples.clone());
    let short: Vec<Vec<u8>> = examples.iter().filter(|text| text.len() < 50).cloned().collect();
    let whole_piece = select(short);
    let truncated =
        (select(examples.clone()), any::<Index>(), any::<Index>()).prop_map(|(text, from, to)| {
            let (from, to) = (from.index(text.len()), to.index(text.len()));
            text[from.min(to)..from.max(to)].to_vec()
        });
    let mutated = (select(examples), any::<Index>(), noise_byte()).prop_map(|(mut text, at, byte)| {
        let at = at.index(text.len());
        text[at] = byte;
        text
    });
    let disguised = (whole_piece.clone(), proptest::collection::vec(0u8..10, 1..60))
        .prop_map(|(text, how)| disguised(&text, &how));
    let filler = select(vec![
        "é", "你", "😀", " ", "\n", ".", "@", ":", "-", ",", "a@", "sk-", "00:", "4111 ", "word ", "eyJ",
        "+1", "\u{a0}", "%40", "%", "%3", "\u{200b}", "\u{ad}", "４", "＠", "–", "\\n", "\\", "\\/",
        "\\u0041", "\\u00", "\\u200b", "\x1b[31m", "\x1b[", "“", "的", "SSN ",
    ]);
    let literal = select(vec![KEY, OTHER_KEY, &KEY[..9], &OTHER_KEY[5..]]).prop_map(<[u8]>::to_vec);
    prop_oneof![
        4 => whole_example,
        4 => disguised,
        3 => truncated,
        3 => mutated,
        4 => filler.prop_map(|text| text.as_bytes().to_vec()),
        1 => literal,
        1 => proptest::collection::vec(noise_byte(), 1..6),
    ]
}

/// Writes a text with other characters, each byte in the next of these ways.
pub fn disguised(text: &[u8], how: &[u8]) -> Vec<u8> {
    let mut out = Vec::new();
    for (&byte, how) in text.iter().zip(how.iter().cycle()) {
        let wide = |byte: u8| char::from_u32(u32::from(byte) + 0xfee0);
        let other = match (how, byte) {
            (1, b'!'..=b'~') if byte.is_ascii_alphanumeric() || b"@.:".contains(&byte) => wide(byte),
            (2, b'0'..=b'9') => char::from_u32(u32::from(byte - b'0') + 0x1d7ce),
            (3, b'a'..=b'z') => char::from_u32(u32::from(byte - b'a') + 0x1d41a),
            (3, b'0'..=b'9') => char::from_u32(u32::from(byte - b'0') + 0x660),
            (4, b' ') => Some('\u{a0}'),
            (4, b'-') => Some('\u{2011}'),
            _ => None,
        };
        match (other, how) {
            (Some(other), _) => out.extend(other.to_string().bytes()),
            (None, 5) if byte.is_ascii_graphic() => out.extend(format!("%{byte:02x}").bytes()),
            (None, 6) => out.extend("\u{200b}".bytes().chain([byte])),
            (None, 8) if byte.is_ascii_graphic() => out.extend(format!("\\u{byte:04x}").bytes()),
            (None, 7) => out.extend([byte].into_iter().chain("\u{ad}".bytes())),
            (None, _) => out.push(byte),
        }
    }
    out
}

fn noise_byte() -> impl Strategy<Value = u8> {
    prop_oneof![any::<u8>(), select(b"0123456789abcdefABCDEF@:.-_+ /=".to_vec())]
}

fn text() -> impl Strategy<Value = Vec<u8>> {
    proptest::collection::vec(piece(), 1..7).prop_map(|pieces| {
        let mut text = pieces.concat();
        text.truncate(300);
        text
    })
}

fn cuts(text: &[u8], seeds: &[Index]) -> Vec<usize> {
    let mut cuts: Vec<usize> = seeds.iter().map(|seed| seed.index(text.len() + 1)).collect();
    cuts.sort_unstable();
    cuts
}

#[test]
fn what_a_word_at_the_end_may_become_hides_nothing_else_that_starts_there() {
    // Digits at the end of a piece may be a token's first; when they turn out not to be, they are still a number.
    let both = ["TERRAFORM_TOKEN", "PHONE_NUMBER_PT"].map(named);
    let plan = plan(both.into_iter().fold(Entities::NONE, Entities::union));
    let text = b"tel: 213.123.432-1.";
    for size in 1..text.len() {
        let cuts: Vec<usize> = (0..text.len()).step_by(size).collect();
        assert_eq!(streamed(&plan, text, &cuts).0, whole(&plan, text), "pieces of {size}");
    }
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(200))]

    #[test]
    fn whole_and_stream_equal_the_reference(text in text(), seeds in proptest::collection::vec(any::<Index>(), 0..20)) {
        SHARED.with(|(_, plan, reference)| {
            let expected = reference.spans(known().all(), &[KEY, OTHER_KEY], &text);
            prop_assert_eq!(&whole(plan, &text), &expected);
            prop_assert_eq!(&streamed(plan, &text, &cuts(&text, &seeds)).0, &expected);
            let every: Vec<usize> = (0..text.len()).collect();
            prop_assert_eq!(&streamed(plan, &text, &every).0, &expected);
            Ok(())
        })?;
    }

    #[test]
    fn any_choice_of_entities_equals_the_reference(text in text(), chosen in any::<[u64; 8]>(), size in 1usize..9) {
        let entities = known().all().iter().filter(|entity| chosen[usize::from(entity.0 / 64)] >> (entity.0 % 64) & 1 == 1).collect();
        let plan = plan(entities);
        let pieces: Vec<usize> = (0..text.len()).step_by(size).collect();
        SHARED.with(|(_, _, reference)| {
            let expected = reference.spans(entities, &[], &text);
            prop_assert_eq!(&whole(&plan, &text), &expected);
            prop_assert_eq!(&streamed(&plan, &text, &pieces).0, &expected);
            Ok(())
        })?;
    }

    #[test]
    fn long_texts_mask_the_same_in_pieces(pieces in proptest::collection::vec(piece(), 20..60), size in 1usize..1500) {
        SHARED.with(|(_, plan, _)| {
            let text = pieces.concat();
            let cuts: Vec<usize> = (0..text.len()).step_by(size).collect();
            let (spans, most) = streamed(plan, &text, &cuts);
            prop_assert_eq!(&spans, &whole(plan, &text));
            let disguised = text.iter().any(|byte| !byte.is_ascii() || b"%\\\x1b".contains(byte));
            prop_assert!(most <= if disguised { 12_000 } else { 320 }, "{} bytes held", most);
            Ok(())
        })?;
    }
}
