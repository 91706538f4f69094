//! The operators over whole texts and streams, by every cut.
use std::cell::RefCell;
use std::rc::Rc;

use proptest::prelude::*;
use proptest::sample::{Index, select};

use super::prompt::{Names, PromptMask};
use super::restore::{Restoration, Restoring};
use super::*;
use crate::mask::text::{Masks, TextMask};
use crate::mask::{Catalogue, Plan};

const KEY: &[u8] = b"0123456789abcdef";

/// What comes out of a text, what was found in it, and where it was blocked.
#[derive(Default, Debug, PartialEq, Eq, Clone)]
struct Out {
    text: Vec<u8>,
    found: Vec<Entity>,
    blocked: bool,
}

struct Writer<'a> {
    source: &'a [u8],
    at: usize,
    out: Out,
}

impl Writer<'_> {
    fn write(&mut self, len: usize, with: Option<&[u8]>) {
        let kept = &self.source[self.at..self.at + len];
        self.at += len;
        if !self.out.blocked {
            self.out.text.extend_from_slice(with.unwrap_or(kept));
        }
    }
}

impl Sink for Writer<'_> {
    fn keep(&mut self, len: usize) {
        self.write(len, None);
    }
    fn replace(&mut self, len: usize, entity: Entity, with: &[u8]) {
        self.out.found.push(entity);
        self.write(len, Some(with));
    }
    fn swallow(&mut self, len: usize) {
        self.write(len, Some(b""));
    }
    fn flag(&mut self, len: usize, entity: Entity) {
        self.out.found.push(entity);
        self.keep(len);
    }
    fn block(&mut self, len: usize, entity: Entity) {
        self.out.blocked = true;
        self.replace(len, entity, b"");
    }
    fn restore(&mut self, len: usize, with: &[u8]) {
        self.write(len, Some(with));
    }
}

fn known() -> Catalogue {
    Catalogue::built_in()
}

fn streamed<M: Masks>(masks: &M, text: &[u8], cuts: &[usize]) -> Out {
    let mut writer = Writer { source: text, at: 0, out: Out::default() };
    let (mut mask, mut from) = (masks.begin(), 0);
    for &cut in cuts {
        mask.push(&text[from..cut], false, &mut writer);
        assert_eq!(writer.at + mask.held(), cut, "every byte is decided or held");
        from = cut;
    }
    mask.push(&text[from..], true, &mut writer);
    assert_eq!((writer.at, mask.held()), (text.len(), 0));
    writer.out
}

fn plan(operators: Operators) -> Plan {
    Plan::new(&known(), known().usual(), vec![b"upstream-key-1".to_vec()]).with_operators(Rc::new(operators))
}

fn of(operator: Operator, text: &str) -> String {
    String::from_utf8(streamed(&plan(Operators::new(operator)), text.as_bytes(), &[]).text).unwrap()
}

fn pseudonym() -> Operator {
    Operator::Pseudonym(Pseudonyms::new(KEY, ""))
}

fn last4() -> Operator {
    Operator::Mask(Partial { keep_last: 4, ..Partial::default() })
}

#[test]
fn each_operator_puts_its_own_in_the_place_of_a_value() {
    let text = "card 4111 1111 1111 1111, ok";
    assert_eq!(of(Operator::Replace, text), "card <CREDIT_CARD>, ok");
    assert_eq!(of(last4(), text), "card **** **** **** 1111, ok");
    assert_eq!(of(Operator::Redact, text), "card , ok");
    assert_eq!(of(Operator::Flag, text), text);
    assert_eq!(of(Operator::Block, text), "card ");
    let named = of(pseudonym(), text);
    let hex = named.strip_prefix("card <CREDIT_CARD_").and_then(|rest| rest.strip_suffix(">, ok")).unwrap();
    assert!(hex.len() == 12 && hex.bytes().all(|b| b.is_ascii_hexdigit()), "{named}");
    assert_eq!(named, of(pseudonym(), "card 4111-1111-1111-1111, ok"));
}

#[test]
fn a_secret_of_a_few_characters_shows_none_of_them() {
    for (entity, text, expected) in [
        ("CREDIT_CARD_CVV", "CVV: 123", "***: ***"),
        ("CREDIT_CARD_CVV", "cvc code 9876", "*** **** ****"),
        ("PIN", "PIN code 471100", "*** **** ******"),
    ] {
        let plan = Plan::new(&known(), known().resolve(entity).unwrap(), vec![]);
        let plan = plan.with_operators(Rc::new(Operators::new(last4())));
        assert_eq!(String::from_utf8(streamed(&plan, text.as_bytes(), &[]).text).unwrap(), expected);
    }
}

#[test]
fn operators_hold_for_disguised_values_too_however_the_text_is_cut() {
    let card = "\u{ff14}\u{ff11}\u{ff11}\u{ff11} 1111\u{200b} 1111 1111";
    let text = format!("card {card}, ok");
    let expected = [
        (Operator::Replace, "card <CREDIT_CARD>, ok".to_owned(), false),
        (last4(), "card **** **** **** 1111, ok".to_owned(), false),
        (Operator::Redact, "card , ok".to_owned(), false),
        (Operator::Block, "card ".to_owned(), true),
        (Operator::Flag, text.clone(), false),
    ];
    let cards = known().resolve("CREDIT_CARD").unwrap();
    for (operator, out, blocked) in expected {
        let plan = Plan::new(&known(), cards, vec![]).with_operators(Rc::new(Operators::new(operator)));
        for cut in 0..=text.len() {
            let seen = streamed(&plan, text.as_bytes(), &[cut]);
            assert_eq!(
                (String::from_utf8(seen.text).unwrap(), seen.blocked),
                (out.clone(), blocked),
                "{cut}"
            );
            assert_eq!(seen.found, cards.iter().collect::<Vec<_>>(), "{cut}");
        }
    }
}

#[test]
fn the_first_that_was_said_of_an_entity_counts_and_the_credential_is_always_replaced() {
    let card = known().resolve("CREDIT_CARD").unwrap();
    let pii = known().resolve("PII").unwrap();
    let operators = Operators::new(Operator::Flag).except(card, last4()).except(pii, Operator::Redact);
    let out = streamed(&plan(operators), b"4111111111111111 a@b.co ghp_ upstream-key-1", &[]);
    assert_eq!(String::from_utf8(out.text).unwrap(), "************1111  ghp_ <UPSTREAM_CREDENTIAL>");
}

#[test]
fn of_a_value_longer_than_the_memory_no_operator_shows_a_part() {
    let text = format!("x ghp_{} y", "aB3d".repeat(400));
    for operator in [last4(), pseudonym(), Operator::Replace] {
        assert_eq!(of(operator, &text), "x <GITHUB_TOKEN> y");
    }
    assert_eq!(of(Operator::Redact, &text), "x  y");
    assert_eq!(of(Operator::Block, &text), "x ");
    assert_eq!(of(Operator::Flag, &text), text);
}

#[test]
fn names_that_stand_for_values_are_no_values_themselves() {
    let everything = plan(Operators::default());
    for entity in known().usual().iter() {
        for tail in ["", "_1", "_000000000000", "_411111111111", "_7f3a9c12ab34_2"] {
            let name = format!("a <{}{tail}> b", known().name(entity));
            assert_eq!(streamed(&everything, name.as_bytes(), &[]).found, [], "{name}");
        }
    }
}

fn prompt(plan: &Plan, operator: &Operator, texts: &[&str]) -> (Vec<String>, Restoration) {
    let names = Rc::new(RefCell::new(Names::beside(&texts.join("\n"))));
    let operators = Rc::new(Operators::new(operator.clone()));
    let mask = PromptMask::new(plan, operators, Some(Rc::clone(&names)));
    let masked =
        texts.iter().map(|text| String::from_utf8(streamed(&mask, text.as_bytes(), &[]).text).unwrap());
    let masked = masked.collect();
    drop(mask);
    (masked, Rc::into_inner(names).unwrap().into_inner().restoration())
}

#[test]
fn values_of_a_prompt_get_names_of_their_own_that_are_not_taken() {
    let texts = ["a@b.co and c@d.ee, a@b.co", "<EMAIL_ADDRESS_2> is not c@d.ee"];
    let (masked, restoration) = prompt(&plan(Operators::default()), &Operator::Replace, &texts);
    assert_eq!(
        masked,
        [
            "<EMAIL_ADDRESS_1> and <EMAIL_ADDRESS_3>, <EMAIL_ADDRESS_1>",
            "<EMAIL_ADDRESS_2> is not <EMAIL_ADDRESS_3>"
        ]
    );
    let back = Restoring::new(Plan::new(&known(), Entities::NONE, Vec::new()), Rc::new(restoration));
    assert_eq!(streamed(&back, masked[1].as_bytes(), &[]).text, texts[1].as_bytes());
}

#[test]
fn two_spellings_of_one_value_have_two_names_where_they_are_taken_back() {
    let texts = ["a@b.co a@B.CO a@b.co"];
    let (masked, restoration) = prompt(&plan(Operators::default()), &pseudonym(), &texts);
    let names: Vec<&str> = masked[0].split(' ').collect();
    assert_eq!(names[1], names[0].replace('>', "_2>"));
    assert_eq!(names[2], names[0]);
    assert_eq!(names[0], of(pseudonym(), "a@b.co"), "the first is the pseudonym that answers have");
    let back = Restoring::new(Plan::new(&known(), Entities::NONE, Vec::new()), Rc::new(restoration));
    assert_eq!(streamed(&back, masked[0].as_bytes(), &[]).text, texts[0].as_bytes());
}

#[test]
fn a_prompt_full_of_spellings_and_taken_names_is_named_in_one_go() {
    // Tried from the first on for each, this would take as many tries as there are spellings, squared.
    let spellings = (0..4_000u32).map(|spelling| {
        let domain: String = "examplecorporat"
            .char_indices()
            .map(|(at, c)| if spelling >> at & 1 == 1 { c.to_ascii_uppercase() } else { c })
            .collect();
        format!("a@{domain}{}.org ", if spelling >> 15 & 1 == 1 { "X" } else { "x" })
    });
    let taken = (0..4_000).map(|number| format!("<EMAIL_ADDRESS_{number}> "));
    let text: String = taken.chain(spellings).collect();
    for operator in [Operator::Replace, pseudonym()] {
        let (masked, restoration) = prompt(&plan(Operators::default()), &operator, &[&text]);
        let back = Restoring::new(Plan::new(&known(), Entities::NONE, Vec::new()), Rc::new(restoration));
        assert!(streamed(&back, masked[0].as_bytes(), &[]).text == text.as_bytes());
    }
}

fn restoring(text_mask: Operators) -> Restoring {
    let names = [("<EMAIL_ADDRESS_1>", "jane@example.com"), ("<EMAIL_ADDRESS_12>", "joe@example.com")];
    let names = names.map(|(name, value)| (name.as_bytes().to_vec(), value.as_bytes().to_vec()));
    Restoring::new(plan(text_mask), Rc::new(Restoration::new(names)))
}

#[test]
fn what_is_taken_back_is_not_masked_and_everything_else_is() {
    let text = "Dear <EMAIL_ADDRESS_1>, <EMAIL_ADDRESS_12>/<EMAIL_ADDRESS_2>: x@y.co<EMAIL_ADDRESS_1>";
    let out = streamed(&restoring(Operators::default()), text.as_bytes(), &[]);
    assert_eq!(
        String::from_utf8(out.text).unwrap(),
        "Dear jane@example.com, joe@example.com/<EMAIL_ADDRESS_2>: <EMAIL_ADDRESS>jane@example.com"
    );
    assert_eq!(out.found.len(), 1, "what is taken back is no find");
}

#[test]
fn only_what_may_become_a_name_is_held() {
    let back = Restoring::new(
        Plan::new(&known(), Entities::NONE, Vec::new()),
        Rc::new(Restoration::new([(b"<A_1>".to_vec(), b"x".to_vec())])),
    );
    for (text, held) in [("a < b", 0), ("a <", 1), ("a <A_1", 4), ("a <A_2", 0), ("a <A_1>", 0), ("<<A", 2)] {
        let mut mask = back.begin();
        mask.push(
            text.as_bytes(),
            false,
            &mut Writer { source: text.as_bytes(), at: 0, out: Out::default() },
        );
        assert_eq!(mask.held(), held, "{text}");
    }
}

fn piece() -> impl Strategy<Value = String> {
    let values = select(vec![
        "jane@example.com",
        "joe@Example.com",
        "4111 1111 1111 1111",
        "536-90-4399",
        "upstream-key-1",
        "+1 415 555 2671",
        "<EMAIL_ADDRESS_1>",
        "<EMAIL_ADDRESS_12>",
        "<EMAIL_ADDRESS_2>",
        "<CREDIT_CARD_1>",
        "<EMAIL_ADD",
        "<",
        ">",
        "<<",
        "RESS_1>",
        "é",
        "😀",
        " ",
        ", ",
        "word",
        "2001:db8::8a2e:370:7334",
    ]);
    let cut = (select(vec!["jane@example.com", "4111 1111 1111 1111", "<EMAIL_ADDRESS_12>"]), any::<Index>())
        .prop_map(|(text, at)| text[..at.index(text.len())].to_owned());
    let long = (300usize..700).prop_map(|len| format!("ghp_{}", "a".repeat(len)));
    prop_oneof![8 => values.prop_map(str::to_owned), 2 => cut, 1 => long]
}

fn text() -> impl Strategy<Value = String> {
    proptest::collection::vec(piece(), 0..9).prop_map(|pieces| pieces.concat())
}

fn operators() -> impl Strategy<Value = Operators> {
    let one = || {
        select(vec![
            Operator::Replace,
            last4(),
            pseudonym(),
            Operator::Redact,
            Operator::Flag,
            Operator::Block,
        ])
    };
    (one(), one(), one()).prop_map(|(all, emails, cards)| {
        Operators::new(all)
            .except(known().resolve("EMAIL_ADDRESS").unwrap(), emails)
            .except(known().resolve("CREDIT_CARD").unwrap(), cards)
    })
}

fn cuts(text: &str, seeds: &[Index]) -> Vec<usize> {
    let mut cuts: Vec<usize> = seeds.iter().map(|seed| seed.index(text.len() + 1)).collect();
    cuts.sort_unstable();
    cuts
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(400))]

    #[test]
    fn a_stream_is_the_masked_whole_for_every_operator(text in text(), operators in operators(), seeds in proptest::collection::vec(any::<Index>(), 0..12)) {
        let plan = plan(operators.clone());
        let whole = streamed(&plan, text.as_bytes(), &[]);
        prop_assert_eq!(&streamed(&plan, text.as_bytes(), &cuts(&text, &seeds)), &whole);
        let restoring = restoring(operators);
        let whole = streamed(&restoring, text.as_bytes(), &[]);
        prop_assert_eq!(&streamed(&restoring, text.as_bytes(), &cuts(&text, &seeds)), &whole);
        let every: Vec<usize> = (0..text.len()).collect();
        prop_assert_eq!(&streamed(&restoring, text.as_bytes(), &every), &whole);
    }

    #[test]
    fn taking_back_gives_what_was_taken(texts in proptest::collection::vec(text(), 1..4), numbered: bool, seeds in proptest::collection::vec(any::<Index>(), 0..12)) {
        let plan = Plan::new(&known(), known().usual(), Vec::new());
        let texts: Vec<&str> = texts.iter().map(String::as_str).collect();
        let operator = if numbered { Operator::Replace } else { pseudonym() };
        let (masked, restoration) = prompt(&plan, &operator, &texts);
        let back = Restoring::new(Plan::new(&known(), Entities::NONE, Vec::new()), Rc::new(restoration));
        for (masked, text) in masked.iter().zip(texts) {
            let out = streamed(&back, masked.as_bytes(), &cuts(masked, &seeds)).text;
            prop_assert_eq!(String::from_utf8(out).unwrap(), text);
        }
    }

    #[test]
    fn a_value_has_one_pseudonym_wherever_it_stands(before in "[ .,a-z]{0,9}", after in "[ .,]{1,9}", digits in 1000u32..9999) {
        let value = format!("jane.{digits}@example.com");
        let name = of(pseudonym(), &value);
        prop_assert_eq!(of(pseudonym(), &format!("{before} {value}{after}")), format!("{before} {name}{after}"));
    }
}
