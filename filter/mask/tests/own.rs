//! A policy set's own detectors: what they find, what is refused, and the law.
use std::rc::Rc;

use proptest::prelude::*;
use proptest::sample::{Index, select};

use super::reference::Reference;
use super::support::{streamed, whole};
use crate::mask::text::{Masks, TextMask};
use crate::mask::{Catalogue, Entities, Finds, Found, OwnDetector, Part, Plan, mask_whole};

fn pattern(name: &str, pattern: &str, context: &[&str]) -> OwnDetector {
    let finds = Finds::Pattern { pattern: pattern.into(), not_after: None, not_before: None };
    detector(name, finds, context)
}

fn between(name: &str, not_after: &str, pattern: &str, not_before: &str) -> OwnDetector {
    let (not_after, not_before) = (Some(not_after.into()), Some(not_before.into()));
    detector(name, Finds::Pattern { pattern: pattern.into(), not_after, not_before }, &[])
}

fn words(name: &str, words: &[&str], ignore_case: bool, context: &[&str]) -> OwnDetector {
    let words = Rc::new(words.iter().collect());
    detector(name, Finds::Words { words, ignore_case }, context)
}

fn detector(name: &str, finds: Finds, context: &[&str]) -> OwnDetector {
    OwnDetector { name: name.into(), finds, context: context.iter().map(|&word| word.to_owned()).collect() }
}

fn compiled(own: &[OwnDetector]) -> Catalogue {
    let (known, faults) = Catalogue::with_own(own);
    assert_eq!(faults, []);
    known
}

fn masked(own: &[OwnDetector], text: &str) -> String {
    let known = compiled(own);
    let plan = Plan::new(&known, known.all(), Vec::new());
    let masked = mask_whole(&plan, text.as_bytes(), &mut Found::default());
    masked.map_or(text.to_owned(), |masked| String::from_utf8(masked).unwrap())
}

fn refused(own: &[OwnDetector]) -> (usize, Part, String) {
    let fault = Catalogue::with_own(own).1.into_iter().next().unwrap_or_else(|| panic!("{own:?} passed"));
    (fault.detector, fault.part, fault.why)
}

#[test]
fn a_pattern_finds_whole_values() {
    let own = [pattern("EMPLOYEE_ID", "EMP-[0-9]{6}", &[])];
    assert_eq!(masked(&own, "see EMP-123456."), "see <EMPLOYEE_ID>.");
    assert_eq!(masked(&own, "xEMP-123456 EMP-1234567 EMP-12345"), "xEMP-123456 EMP-1234567 EMP-12345");
    let own = [pattern("BADGE", "(?:A|B)(-|/)(?i:x|y)[0-9]{4}", &[])];
    assert_eq!(masked(&own, "A-x1234, B/Y1234, C-x1234"), "<BADGE>, <BADGE>, C-x1234");
    let own = [between("TICKET", "", "#[0-9]{1,3}", "[0-9]")];
    assert_eq!(masked(&own, "bug#1 is #23x"), "bug<TICKET> is <TICKET>x");
}

#[test]
fn a_short_value_is_found_at_the_very_end() {
    let own = [pattern("ROOM", "R[0-9]", &[])];
    assert_eq!(masked(&own, "R1"), "<ROOM>");
    assert_eq!(masked(&own, "R1,R2 and R3"), "<ROOM>,<ROOM> and <ROOM>");
}

#[test]
fn a_word_is_found_whole() {
    let own = [words("CODENAME", &["Bluebird", "Night Jar", "C++", "Jos", "Zoë"], false, &[])];
    assert_eq!(masked(&own, "Bluebird, bluebird, Bluebirds"), "<CODENAME>, bluebird, Bluebirds");
    assert_eq!(masked(&own, "my_Bluebird Night Jar NightJar"), "my_Bluebird <CODENAME> NightJar");
    assert_eq!(
        masked(&own, "C++ C++x xC++ Jos José Zoë’s"),
        "<CODENAME> <CODENAME>x xC++ <CODENAME> José <CODENAME>’s"
    );
    let own = [words("CODENAME", &["BlueBird"], true, &[])];
    assert_eq!(masked(&own, "bluebird BLUEBIRD"), "<CODENAME> <CODENAME>");
}

#[test]
fn the_longest_of_all_words_wins_where_it_ends_whole() {
    let own = [words("NAME", &["Jon", "Jon Doe", "Jon Doe Senior"], false, &[])];
    assert_eq!(
        masked(&own, "Jon Doe Senior; Jon Doe Sen; Jon Does; Jone"),
        "<NAME>; <NAME> Sen; <NAME> Does; Jone"
    );
}

#[test]
fn a_context_is_asked_of_patterns_and_words() {
    let own =
        [pattern("STAFF", "[0-9]{5}", &["staff number"]), words("MASCOT", &["Fox"], false, &["mascot"])];
    assert_eq!(masked(&own, "staff number: 12345, 12345"), "staff number: <STAFF>, <STAFF>");
    assert_eq!(masked(&own, "staff 12345 a Fox"), "staff 12345 a Fox");
    assert_eq!(masked(&own, "Mascot: Fox"), "Mascot: <MASCOT>");
}

#[test]
fn several_detectors_may_find_one_entity_also_a_built_in_one() {
    let own = [
        pattern("CASE", "CASE-[0-9]{4}", &[]),
        words("CASE", &["Orion"], false, &[]),
        pattern("EMAIL_ADDRESS", "user:[a-z]{3}", &[]),
    ];
    let known = compiled(&own);
    assert_eq!(known.all().len(), Catalogue::built_in().all().len() + 1);
    assert_eq!(
        masked(&own, "CASE-1234 Orion user:abc a@b.co"),
        "<CASE> <CASE> <EMAIL_ADDRESS> <EMAIL_ADDRESS>"
    );
    let only = Plan::new(&known, known.resolve("CASE").unwrap(), Vec::new());
    assert_eq!(mask_whole(&only, b"a@b.co Orion", &mut Found::default()).unwrap(), b"a@b.co <CASE>");
    assert_eq!(only.entities(), known.resolve("CASE").unwrap());
}

#[test]
fn of_equals_the_built_in_detector_wins_and_then_the_first() {
    let own = [
        words("FIRST", &["Wolf"], false, &[]),
        pattern("SECOND", "[A-Z]olf", &[]),
        words("THIRD", &["Wolf"], true, &[]),
    ];
    assert_eq!(masked(&own, "Wolf wolf"), "<FIRST> <THIRD>");
    let own = [words("MINE", &["jane@example.com"], false, &[])];
    assert_eq!(masked(&own, "jane@example.com"), "<EMAIL_ADDRESS>");
}

#[test]
fn what_is_not_asked_for_holds_nothing() {
    let own = [words("NAME", &["Jonathan"], false, &[]), pattern("TICKET", "ID-[0-9]{3}", &[])];
    let known = compiled(&own);
    let held = |name: &str, text: &str| {
        let mut masker = Plan::new(&known, known.resolve(name).unwrap(), Vec::new()).begin();
        masker.push(text.as_bytes(), false, &mut super::support::Spans::default());
        masker.held()
    };
    assert_eq!((held("TICKET", "a Jona"), held("NAME", "a Jona"), held("NAME", "an ID-1")), (0, 4, 0));
    assert_eq!((held("NAME", "a Jonathan"), held("NAME", "a Jonathan,"), held("NAME", "a Jonx")), (8, 0, 0));
    assert_eq!((held("TICKET", "an ID-1"), held("TICKET", "an ID-x")), (4, 0));
}

#[test]
fn what_the_engine_does_not_hold_is_refused_with_a_reason() {
    let cases = [
        ("a{65}", "a repeat counted above 64"),
        ("caf\u{e9}", "bytes beyond ASCII"),
        ("ab.c", "bytes beyond ASCII"),
        ("ab[^c]", "bytes beyond ASCII"),
        ("ab\\b", "look-around"),
        ("^ab", "look-around"),
        ("a", "matches fewer than 2 bytes"),
        ("a*", "matches fewer than 2 bytes"),
        ("(ab", "unclosed group"),
        ("(?P<x>ab", "unclosed group"),
        ("ab\\pL", "Unicode"),
        ("a[ab-]*c", "goes on without end over -"),
        ("[ab]*a[ab]{20}", "states"),
        ("A(?:[0-9]{64}){6}", "385 bytes"),
        ("A[0-9]{2}(?:-[0-9]{64}){0,6}", "393 bytes"),
        ("A(?:[0-9]{64}){6}[a-z]+", "386 bytes"),
        ("(?:(?:[ab]{64}){64}){64}", "places"),
    ];
    for (written, why) in cases {
        let (detector, part, told) = refused(&[pattern("X", written, &[])]);
        assert_eq!((detector, part), (0, Part::Pattern), "{written}: {told}");
        assert!(told.contains(why), "{written}: {told}");
    }
}

#[test]
fn names_words_and_contexts_are_checked_each_at_its_place() {
    let fine = pattern("FINE", "FINE-[0-9]", &[]);
    let told = |own: OwnDetector| {
        let (detector, part, why) = refused(&[fine.clone(), own]);
        assert_eq!(detector, 1);
        (part, why)
    };
    assert_eq!(told(pattern("PII", "ab", &[])).0, Part::Name);
    assert_eq!(told(pattern("UPSTREAM_CREDENTIAL", "ab", &[])).0, Part::Name);
    assert_eq!(told(between("X", "ab", "ab", "")).0, Part::NotAfter);
    assert_eq!(told(between("X", "[\\n]", "ab", "")).0, Part::NotAfter);
    assert_eq!(told(between("X", "", "ab", "(")).0, Part::NotBefore);
    let (part, why) = told(between("X", "[a-z]", "[a-z]{4,}", "[a-z]"));
    assert!(part == Part::NotBefore && why.contains("goes on over a"), "{why}");
    assert_eq!(told(words("X", &["ab", "c"], false, &[])).0, Part::Word(1));
    assert_eq!(told(words("X", &[" ab"], false, &[])).0, Part::Word(0));
    assert_eq!(told(words("X", &["a\nb"], false, &[])).0, Part::Word(0));
    assert_eq!(told(words("X", &[&"a".repeat(257)], false, &[])).0, Part::Word(0));
    assert_eq!(told(pattern("X", "ab", &["ok", "--"])).0, Part::Context(1));
    let many = vec!["word"; 100_001];
    assert_eq!(told(words("X", &many, false, &[])).0, Part::Words);
}

#[test]
fn too_many_are_refused() {
    let patterns: Vec<_> = (0..129).map(|at| pattern("X", &format!("N{at}-[0-9]"), &[])).collect();
    compiled(&patterns[..128]);
    assert_eq!(refused(&patterns).0, 128);
    let entities: Vec<_> = (0..129).map(|at| words(&format!("E{at}"), &["ab"], false, &[])).collect();
    assert_eq!((refused(&entities).0, refused(&entities).1), (16, Part::Words), "sixteen lists of words");
}

#[test]
fn large_patterns_are_spread_over_groups_and_refused_where_they_need_too_many() {
    let large = |at: usize| pattern("X", &format!("{at}:[ab]*a[ab]{{8}}c"), &[]);
    let some: Vec<_> = (0..12).map(large).collect();
    let known = compiled(&some);
    let plan = Plan::new(&known, known.resolve("X").unwrap(), Vec::new());
    assert_eq!(whole(&plan, b"3:abababababac 11:babbbbbbbbc").len(), 2);
    let (_, faults) = Catalogue::with_own(&(0..64).map(large).collect::<Vec<_>>());
    assert!(faults.len() == 1 && faults[0].why.contains("too large together"), "{faults:?}");
}

#[test]
fn a_long_own_value_is_swallowed() {
    let own = [pattern("BLOB", "blob[a-z]{4,}", &[])];
    let known = compiled(&own);
    let plan = Plan::new(&known, known.all(), Vec::new());
    let text = format!("a blob{} b", "xyz".repeat(1000));
    for size in [1, 100, 5000] {
        let cuts: Vec<usize> = (0..text.len()).step_by(size).collect();
        let (spans, most) = streamed(&plan, text.as_bytes(), &cuts);
        assert!(spans.len() == 1 && spans[0].0 == (2..text.len() - 2), "{spans:?}");
        assert!(most <= 320);
    }
}

fn some() -> Vec<OwnDetector> {
    vec![
        pattern("EMPLOYEE_ID", "EMP-[0-9]{4}", &[]),
        pattern("STAFF", "[0-9]{5}", &["staff number", "personal"]),
        between("TICKET", "[#]", "#[0-9]{1,3}", ""),
        between("ROOM", "[0-9A-Za-z_]", "R[0-9]|B[ab]+", "[0-9]"),
        words("NAME", &["Jon", "Jon Doe", "Jon Doe Senior", "Zoë", "C++", "ab", "#12"], false, &[]),
        words("NAME", &["jON dOE", "Ros\u{e9}", "abc"], true, &[]),
        words("MASCOT", &["Fox", "12345"], true, &["mascot", "team animal"]),
    ]
}

fn piece() -> impl Strategy<Value = Vec<u8>> {
    let parts = select(vec![
        "EMP-",
        "1234",
        "12345",
        "staff number",
        "Personal",
        " ",
        " ",
        ":",
        "#",
        "#12",
        "R1",
        "Bab",
        "Jon",
        "Doe",
        " Senior",
        "jon doe",
        "Zoë",
        "C++",
        "ab",
        "abc",
        "Ros\u{e9}",
        "mascot",
        "TEAM animal",
        "Fox",
        "_",
        "é",
        "x",
        "\n",
        "a@b.co",
        "4111 1111 1111 1111",
        "                                   ",
    ]);
    prop_oneof![8 => parts.prop_map(|part| part.as_bytes().to_vec()), 1 => any::<u8>().prop_map(|byte| vec![byte])]
}

thread_local! {
    static SHARED: (Plan, Catalogue, Entities, Reference) = {
        let known = compiled(&some());
        let reference = Reference::with_own(&some(), &known);
        let built_in = Catalogue::built_in().all();
        let own = known.all().without(built_in).union(known.resolve("EMAIL_ADDRESS").unwrap());
        let entities = own.union(known.resolve("CREDIT_CARD").unwrap());
        (Plan::new(&known, entities, Vec::new()), known, entities, reference)
    };
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(600))]

    #[test]
    fn own_detectors_obey_the_law(
        pieces in proptest::collection::vec(piece(), 1..14),
        seeds in proptest::collection::vec(any::<Index>(), 0..12),
    ) {
        SHARED.with(|(plan, _, entities, reference)| {
            let text = pieces.concat();
            let expected = reference.spans(*entities, &[], &text);
            prop_assert_eq!(&whole(plan, &text), &expected);
            let mut cuts: Vec<usize> = seeds.iter().map(|seed| seed.index(text.len() + 1)).collect();
            cuts.sort_unstable();
            prop_assert_eq!(&streamed(plan, &text, &cuts).0, &expected);
            let every: Vec<usize> = (0..text.len()).collect();
            prop_assert_eq!(&streamed(plan, &text, &every).0, &expected);
            Ok(())
        })?;
    }

    #[test]
    fn any_choice_of_own_entities_obeys_the_law(
        pieces in proptest::collection::vec(piece(), 1..14),
        chosen in proptest::collection::vec(any::<bool>(), 512),
        size in 1usize..9,
    ) {
        SHARED.with(|(_, known, entities, reference)| {
            let text = pieces.concat();
            let entities = entities.iter().filter(|entity| chosen[usize::from(entity.0)]).collect();
            let plan = Plan::new(known, entities, Vec::new());
            let expected = reference.spans(entities, &[], &text);
            let cuts: Vec<usize> = (0..text.len()).step_by(size).collect();
            prop_assert_eq!(&streamed(&plan, &text, &cuts).0, &expected);
            Ok(())
        })?;
    }
}
