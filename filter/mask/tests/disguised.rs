//! Values whose bytes do not show them.
use super::streaming::disguised;
use super::support::{everything, name, named, plan, rows, streamed, whole};
use crate::mask::text::{Masks, TextMask};
use crate::mask::{Found, mask_whole};

fn masked(text: &str) -> String {
    let masked = mask_whole(&everything(), text.as_bytes(), &mut Found::default());
    masked.map_or(text.to_owned(), |masked| String::from_utf8(masked).unwrap())
}

#[test]
fn values_in_other_characters_are_found() {
    for (written, meant) in [
        ("card ４１１１ １１１１ １１１１ １１１１.", "card <CREDIT_CARD>."),
        ("𝟒𝟏𝟏𝟏𝟏𝟏𝟏𝟏𝟏𝟏𝟏𝟏𝟏𝟏𝟏𝟏", "<CREDIT_CARD>"),
        ("4111\u{a0}1111\u{202f}1111\u{2009}1111", "<CREDIT_CARD>"),
        ("4111‑1111–1111−1111", "<CREDIT_CARD>"),
        ("ｊａｎｅ＠ｅｘａｍｐｌｅ．ｃｏｍ!", "<EMAIL_ADDRESS>!"),
        ("?to=jane%40example.com&x", "?<EMAIL_ADDRESS>&x"),
        ("%34%31%31%31111111111111", "<CREDIT_CARD>"),
        ("٤١١١ ١١١١ ١١١١ ١١١١", "<CREDIT_CARD>"),
    ] {
        assert_eq!(masked(written).replace("to=<", "<"), meant, "{written}");
    }
}

/// A model that is asked for JSON writes its escapes into the text.
#[test]
fn escapes_of_json_hide_nothing_and_stay_escapes() {
    for (written, meant) in [
        (
            r#"{"t":"Card:\n4111111111111111\nSSN\n536-90-4399"}"#,
            r#"{"t":"Card:\n<CREDIT_CARD>\nSSN\n<US_SSN>"}"#,
        ),
        (r#"{"t":"Contact:\njane.doe@example.com"}"#, r#"{"t":"Contact:\n<EMAIL_ADDRESS>"}"#),
        (r"jane.doe\u0040example.com", "<EMAIL_ADDRESS>"),
        (r"\u0034111111111111111", "<CREDIT_CARD>"),
        (r"\u00e94111111111111111\u00e9", r"\u00e9<CREDIT_CARD>\u00e9"),
        (r"a \u003cjane.doe@example.com\u003e", r"a \u003c<EMAIL_ADDRESS>\u003e"),
        (r"key\tAKIAIOSFODNN7EXAMPLE\t", r"key\t<AWS_ACCESS_KEY>\t"),
    ] {
        assert_eq!(masked(written), meant, "{written}");
    }
    for text in [r"C:\temp\new \d+ \", r"a\", r"\u12", r"\x", "\\\\"] {
        assert_eq!(masked(text), text);
    }
}

#[test]
fn colours_of_a_terminal_hide_nothing() {
    assert_eq!(
        masked("\x1b[01;31m\x1b[K4111111111111111\x1b[m\x1b[K x"),
        "\x1b[01;31m\x1b[K<CREDIT_CARD>\x1b[m\x1b[K x"
    );
    assert_eq!(masked("4111\x1b[31m111111111111"), "<CREDIT_CARD>");
    assert_eq!(masked("\x1b[31"), "\x1b[31");
    assert_eq!(masked("\x1b"), "\x1b");
}

#[test]
fn what_takes_no_room_hides_nothing_and_glues_nothing() {
    let card = "4111\u{200b}1111\u{ad}1111\u{2060}1111";
    assert_eq!(masked(&format!("a {card} b")), "a <CREDIT_CARD> b");
    assert_eq!(masked("word\u{200b}4111111111111111\u{200b}word"), "word\u{200b}<CREDIT_CARD>\u{200b}word");
    assert_eq!(
        masked("\u{feff}j\u{200b}ane@exa\u{ad}mple.com\u{feff} x"),
        "\u{feff}<EMAIL_ADDRESS>\u{feff} x"
    );
    let apart = |count| format!("4111{}111111111111", "\u{200b}".repeat(count));
    assert_eq!(masked(&apart(8)), "<CREDIT_CARD>");
    assert_eq!(masked(&apart(9)), apart(9));
}

#[test]
fn what_is_kept_goes_out_as_it_came() {
    for text in [
        "10–12 %41 ４ \u{200b}\u{200b} caf\u{e9}\u{a0}: 100%",
        "%",
        "%4",
        "a\u{200b}",
        "\u{200b}",
        "😀\u{fe0f} ok",
    ] {
        assert_eq!(masked(text), text);
    }
}

#[test]
fn a_percent_sign_before_a_value_hides_nothing() {
    assert_eq!(masked("100%4111111111111111"), "100%<CREDIT_CARD>");
}

#[test]
fn a_character_that_is_cut_is_held_and_no_more() {
    let mut masker = plan(named("CREDIT_CARD")).begin();
    let mut sink = super::support::Spans::default();
    masker.push(b"so \xef\xbc", false, &mut sink);
    assert_eq!((sink.at, masker.held()), (3, 2));
    masker.push(b"\x81!", false, &mut sink);
    assert_eq!((sink.at, masker.held()), (7, 0));
    masker.push(b" x%", false, &mut sink);
    assert_eq!((sink.at, masker.held()), (9, 1));
    masker.push(b"", true, &mut sink);
    assert_eq!((sink.at, masker.held(), sink.spans.len()), (10, 0, 0));
}

#[test]
fn endless_invisible_text_is_not_held() {
    let text = format!("4111 {}", "\u{200b}".repeat(2000));
    let cuts: Vec<usize> = (0..text.len()).collect();
    let (spans, most) = streamed(&everything(), text.as_bytes(), &cuts);
    assert!(spans.is_empty() && most < 64, "{most} bytes held");
}

#[test]
fn a_long_disguised_value_is_swallowed() {
    let text = format!("a g\u{200b}hp_{} b", "aB3d\u{ad}".repeat(500));
    for size in [1, 7, 1000, 9000] {
        let cuts: Vec<usize> = (0..text.len()).step_by(size).collect();
        let (spans, most) = streamed(&everything(), text.as_bytes(), &cuts);
        let found: Vec<_> = spans.iter().map(|(range, entity)| (range.clone(), name(*entity))).collect();
        // The last soft hyphen stands at the value's edge.
        assert_eq!(found, [(2..text.len() - 4, "GITHUB_TOKEN".to_owned())], "pieces of {size}");
        assert!(most < 1300, "{most} bytes held");
    }
}

#[test]
fn every_example_is_found_in_other_characters() {
    for row in rows() {
        let plan = plan(named(row.entity));
        for written in row.matches {
            let (text, marks) = super::support::example(written);
            if text.len() > 200 || text.contains(&b'%') || !text.is_ascii() {
                continue;
            }
            for how in 1..=5u8 {
                let found = whole(&plan, &disguised(&text, &[how, 0])).len();
                assert!(found >= marks.len(), "{written} in way {how}");
            }
        }
    }
}
