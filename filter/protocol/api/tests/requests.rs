//! The page's table of what requests keep, written from the tables that read them.

use std::collections::BTreeSet;

use super::*;
use crate::protocol::request::table::{Body, Mark, Object, OnNumber, OnString, Place};

/// Names of values by what becomes of them; what is in none is text.
#[derive(Default)]
struct Kinds {
    kept: BTreeSet<&'static str>,
    numbers: BTreeSet<&'static str>,
    references: BTreeSet<&'static str>,
    seen: BTreeSet<usize>,
}

impl Kinds {
    /// Sorts in what stands below `place`, which is the value of the key `name` or an item of it.
    fn walk(&mut self, name: &'static str, place: &'static Place) {
        let kind = match (place.string, place.number) {
            (OnString::Reference, _) => Some(&mut self.references),
            _ if place.mark == Some(Mark::Reference) => Some(&mut self.references),
            (OnString::Word | OnString::Label | OnString::Data, _) => Some(&mut self.kept),
            (_, OnNumber::Keep) => Some(&mut self.numbers),
            _ => None,
        };
        if let Some(kind) = kind.filter(|_| !name.is_empty()) {
            kind.insert(name);
        }
        if !self.seen.insert(std::ptr::from_ref(place) as usize) {
            return;
        }
        place.items.into_iter().for_each(|items| self.walk(name, items));
        place.object.into_iter().for_each(|object| self.object(object));
    }

    fn object(&mut self, object: &'static Object) {
        if !self.seen.insert(std::ptr::from_ref(object) as usize) {
            return;
        }
        object.fields.iter().for_each(|(name, place)| self.walk(name, place));
        self.walk("", object.other);
        if let Some(kinds) = object.kinds {
            kinds
                .rows
                .iter()
                .map(|(_, object)| *object)
                .chain(kinds.missing)
                .for_each(|object| self.object(object));
        }
    }
}

fn row(api: &'static Api) -> Vec<String> {
    let mut kinds = Kinds::default();
    for request in api.operations.iter().filter_map(|operation| operation.view) {
        match request.body {
            Body::One(place) => kinds.walk("", place),
            Body::ByMaker(makers, _) => makers.iter().for_each(|(_, place)| kinds.walk("", place)),
        }
    }
    let numbers = kinds.numbers.difference(&kinds.kept).copied();
    vec![
        code(api.name),
        pages::words(kinds.kept.iter().copied()),
        pages::words(numbers),
        pages::words(kinds.references.iter().copied()),
    ]
}

/// Where the operations of an API get their bound, one row for each way of it.
fn bounds(api: &'static Api) -> Vec<Vec<String>> {
    let mut rows: Vec<Vec<String>> = Vec::new();
    for operation in api.operations {
        let bounded = operation.view.map_or(&[][..], |request| request.bounded);
        for bound in bounded.iter().filter(|bound| !bound.keys.is_empty()) {
            let models = match (bound.models, bounded.len()) {
                ("", 1) => "all".to_owned(),
                ("", _) => "all others".to_owned(),
                (models, _) => code(models),
            };
            let also = bound.also.iter().map(|name| code(name)).collect::<Vec<_>>().join(", ");
            let row = vec![code(api.name), code(operation.name), models, code(&bound.keys.join(".")), also];
            if !rows.contains(&row) {
                rows.push(row);
            }
        }
    }
    rows
}

#[test]
fn the_page_says_where_bounds_are_put() {
    let heads = [
        "`protocol`",
        "operation",
        "models, by a part of the name (`^`: its beginning)",
        "what is set",
        "unless it is given, or this is",
    ];
    let rows = APIS.into_iter().flat_map(bounds).collect::<Vec<_>>();
    pages::keep("protocols.md", &[("bounds", pages::table(&heads, rows))]);
}

#[test]
fn the_page_lists_what_requests_keep() {
    let heads = ["`protocol`", "words, ids, data", "numbers", "what the provider keeps"];
    let apis = APIS.into_iter().filter(|api| api.family == Family::Model);
    pages::keep("protocols.md", &[("requests", pages::table(&heads, apis.map(row).collect::<Vec<_>>()))]);
}
