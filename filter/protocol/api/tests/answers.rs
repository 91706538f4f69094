//! The page's table of what answers keep, written from the tables that read them.

use std::collections::BTreeSet;

use super::*;
use crate::protocol::json::table::{OnNumber, OnText, Place};

/// Names of values by what becomes of them; what is in none is masked.
#[derive(Default)]
struct Kinds {
    kept: BTreeSet<&'static str>,
    numbers: BTreeSet<&'static str>,
    left_out: BTreeSet<&'static str>,
    seen: BTreeSet<usize>,
}

impl Kinds {
    /// Sorts in what stands below `place`, which is the value of the key `name` or an item of it.
    fn walk(&mut self, name: &'static str, place: &'static Place) {
        let kind = match (place.drop, place.text, place.number) {
            (Some(_), ..) => Some(&mut self.left_out),
            (None, OnText::Keep | OnText::Read(_), _) => Some(&mut self.kept),
            (None, _, OnNumber::Keep | OnNumber::Read(_)) => Some(&mut self.numbers),
            _ => None,
        };
        if let Some(kind) = kind.filter(|_| !name.is_empty()) {
            kind.insert(name);
        }
        if place.drop.is_some() || !self.seen.insert(std::ptr::from_ref(place) as usize) {
            return;
        }
        for (name, place) in place.fields {
            self.walk(name, place);
        }
        for (_, place) in place.kinds {
            self.walk(name, place);
        }
        self.walk(name, place.items);
        self.walk(name, place.other);
    }
}

fn row(api: &'static Api) -> Vec<String> {
    let mut kinds = Kinds::default();
    let own = api.operations.iter().filter_map(|operation| operation.answers);
    for table in std::iter::once(api.answers).chain(own) {
        kinds.walk("", table.root);
        kinds.walk("", table.event);
    }
    let numbers: Vec<_> = kinds.numbers.difference(&kinds.kept).copied().collect();
    vec![
        code(api.name),
        pages::words(kinds.kept.iter().copied()),
        pages::words(numbers),
        pages::words(kinds.left_out.iter().copied()),
    ]
}

#[test]
fn the_page_lists_what_answers_keep() {
    let heads = ["`protocol`", "kept", "numbers kept", "left out"];
    let table = pages::table(&heads, APIS.into_iter().map(row).collect::<Vec<_>>());
    pages::keep("protocols.md", &[("answers", table)]);
}
