//! The example numbers of each country that has telephone numbers of its own here.
use super::support::{name, named, plan, whole};
use crate::mask::Plan;

const EXAMPLES: &str = include_str!("phone_examples.txt");

/// Numbers that are not found as they are dialled within their country, and why.
const UNFOUND: &[(&str, &str)] = &[("4004-1234", "eight digits without an area code are anything")];

/// One example: its country, and how it is dialled there and from abroad.
struct Example {
    region: &'static str,
    national: &'static str,
    international: &'static str,
}

fn examples() -> impl Iterator<Item = Example> {
    EXAMPLES.lines().filter(|line| !line.starts_with('#')).map(|line| {
        let [region, _kind, national, international] =
            line.split('|').collect::<Vec<_>>().try_into().expect("four columns");
        Example { region, national, international }
    })
}

/// What is found in a number between words, where that is not the number itself.
fn instead(plan: &Plan, number: &str) -> Option<(String, Vec<String>)> {
    let text = format!("call {number} now");
    let found = whole(plan, text.as_bytes());
    let right = matches!(&*found, [(range, entity)]
        if text.get(range.clone()) == Some(number) && name(*entity).starts_with("PHONE_NUMBER"));
    let named = |(range, entity): (std::ops::Range<usize>, _)| format!("{} {}", name(entity), &text[range]);
    (!right).then(|| (number.to_owned(), found.into_iter().map(named).collect()))
}

#[test]
fn example_numbers_are_found_by_their_countrys_set() {
    let wrong: Vec<_> = examples()
        .filter(|example| !UNFOUND.iter().any(|(number, _)| *number == example.national))
        .filter_map(|example| instead(&plan(named(example.region)), example.national))
        .collect();
    assert!(wrong.is_empty(), "{wrong:#?}");
    let found = |(number, _): &&(&str, &str)| {
        examples().any(|example| {
            example.national == *number && instead(&plan(named(example.region)), number).is_none()
        })
    };
    assert_eq!(UNFOUND.iter().find(found), None, "it is found");
}

#[test]
fn example_numbers_are_found_as_they_are_dialled_from_abroad() {
    let plan = plan(named("PHONE_NUMBER"));
    let wrong: Vec<_> = examples()
        .flat_map(|example| {
            let digits: String = example.international.chars().filter(char::is_ascii_digit).collect();
            [instead(&plan, example.international), instead(&plan, &format!("+{digits}"))]
        })
        .flatten()
        .collect();
    assert!(wrong.is_empty(), "{wrong:#?}");
}

#[test]
fn every_country_with_numbers_of_its_own_has_examples() {
    let known = super::support::known();
    let missing: Vec<_> = known
        .names(known.all())
        .filter_map(|name| name.strip_prefix("PHONE_NUMBER_"))
        .filter(|region| !examples().any(|example| example.region == *region))
        .collect();
    assert!(missing.is_empty(), "{missing:?}");
}
