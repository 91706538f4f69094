//! Bodies that two readers could read differently, or that nobody can read.

use proptest::prelude::*;

use super::super::table::{ANY, OnString, Request, request};
use super::super::{RequestError, RequestView};
use super::reference::{self, Wrong};
use super::tables::requests;

static EVERYTHING: Request = request(&ANY);

fn read(body: &[u8]) -> Result<RequestView, RequestError> {
    RequestView::read(&EVERYTHING, "", body)
}

fn duplicate(body: &str) -> String {
    match read(body.as_bytes()) {
        Err(RequestError::Duplicate { path }) => path,
        other => panic!("{other:?}"),
    }
}

fn wrong(body: &[u8]) -> Option<Wrong> {
    match read(body) {
        Err(RequestError::Duplicate { .. }) => Some(Wrong::Duplicate),
        Err(RequestError::Malformed { .. }) => Some(Wrong::Malformed),
        Err(other) => panic!("{other:?}"),
        Ok(_) => None,
    }
}

#[test]
fn a_key_that_comes_twice_is_refused_at_every_depth_and_in_every_spelling() {
    assert_eq!(duplicate(r#"{"model":"a","model":"b"}"#), "model");
    assert_eq!(duplicate(r#"{"model":"a","mod\u0065l":"b"}"#), "model");
    assert_eq!(duplicate(r#"{"messages":[{},{"a":{"role":1,"role":1}}]}"#), "messages[1].a.role");
    assert_eq!(duplicate(r#"[[],[{"x":[0,{"y":1,"y":2}]}]]"#), "[1][0].x[1].y");
    // What may be the caller's text is not shown.
    assert_eq!(duplicate(r#"{"a b@c":1,"a b@c":1}"#), "*");
}

#[test]
fn a_key_that_comes_twice_is_found_among_many() {
    for (first, second) in [("k0", "k999"), ("k7", "k8"), ("k500", "k\\u0039")] {
        let keys = (0..1000).map(|at| format!("\"k{at}\":{{\"in\":1}}"));
        let body = format!("{{\"x\":{{{}}}}}", keys.collect::<Vec<_>>().join(","));
        assert_eq!(wrong(body.as_bytes()), None);
        let twice = body.replace(&format!("\"{first}\":"), &format!("\"{second}\":"));
        assert_eq!(duplicate(&twice).split('.').next(), Some("x"), "{first} {second}");
    }
}

#[test]
fn keys_are_bounded() {
    let body = |count: usize| {
        let keys = (0..count).map(|at| format!("\"k{at}\":1"));
        format!("{{{}}}", keys.collect::<Vec<_>>().join(","))
    };
    assert_eq!(wrong(body(16_384).as_bytes()), None);
    assert_eq!(wrong(body(16_385).as_bytes()), Some(Wrong::Malformed));
}

#[test]
fn what_is_no_json_is_refused_with_its_place() {
    for (body, at) in [
        (&b"{"[..], 0),
        (b"", 0),
        (b"{}x", 2),
        (b"{} {}", 3),
        (b"{\n\"a\":01}", 6),
        (b"{\"a\":\"\xff\"}", 6),
        (b"{\"a\":NaN}", 5),
    ] {
        match read(body) {
            Err(RequestError::Malformed { offset, .. }) => {
                assert!(offset.abs_diff(at) <= 1, "{body:?}: {offset}");
            }
            other => panic!("{body:?}: {other:?}"),
        }
    }
    for body in [r#""\ud800""#, r#""\udc00\ud800""#, "1e999", "-1e999", "\u{feff}{}"] {
        assert_eq!(wrong(body.as_bytes()), Some(Wrong::Malformed), "{body}");
    }
}

#[test]
fn nesting_is_bounded_where_other_parsers_have_their_bound() {
    for n in [100, 127, 128, 129, 200] {
        for (open, close) in [("[", "]"), ("{\"a\":", "}")] {
            let body = open.repeat(n) + "1" + &close.repeat(n);
            let expected = reference::parse(body.as_bytes()).err();
            assert_eq!(wrong(body.as_bytes()), expected, "{n} {open}");
        }
    }
    assert_eq!(wrong("{\"a\":".repeat(1_000_000).as_bytes()), Some(Wrong::Malformed));
}

fn token() -> impl Strategy<Value = &'static str> {
    prop::sample::select(vec![
        "{",
        "}",
        "[",
        "]",
        ",",
        ":",
        " ",
        "\n",
        "\"a\"",
        "\"b\"",
        "\"\\u0061\"",
        "\"é\"",
        "\"\\ud83d\\ude00\"",
        "\"\\ud83d\"",
        "\"\\x\"",
        "\"\t\"",
        "1",
        "-0",
        "01",
        "1.5",
        "1e3",
        "1e400",
        "true",
        "nul",
        "null",
        "\u{7f}",
        "\u{feff}",
        "{\"a\":1}",
        "[1,2]",
        "\"a\":",
        ",\"b\":",
    ])
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(4000))]

    #[test]
    fn what_another_strict_parser_takes_is_taken_and_nothing_else(tokens in prop::collection::vec(token(), 0..12)) {
        let body = tokens.concat();
        prop_assert_eq!(wrong(body.as_bytes()), reference::parse(body.as_bytes()).err(), "{}", body);
    }

    #[test]
    fn the_same_of_any_bytes(body in prop::collection::vec(prop::sample::select(b"{}[]:,\"\\ua01.eE+-tfn \n\xc3\xa9\x01".to_vec()), 0..24)) {
        prop_assert_eq!(wrong(&body), reference::parse(&body).err());
    }
}

#[test]
fn a_body_that_is_null_asks_for_nothing_and_is_refused() {
    let mut refused = 0;
    for (name, request) in requests() {
        let read = RequestView::read(request, "some-model", b" null ");
        if request.root("some-model").string == OnString::Refused {
            assert!(matches!(read, Err(RequestError::Schema { .. })), "{name}: {read:?}");
            refused += 1;
        }
    }
    assert!(refused > 10, "{refused}");
}
