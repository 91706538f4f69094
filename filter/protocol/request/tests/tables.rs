//! What holds for every table.

use std::collections::BTreeSet;

use super::super::table::{Body, Mark, Object, OnNumber, OnString, Place, Request};
use crate::protocol::api::APIS;
use crate::protocol::store::Documents;

/// Every request that an API reads.
pub fn requests() -> Vec<(String, &'static Request)> {
    let mut requests: Vec<(String, &'static Request)> = Vec::new();
    for api in APIS {
        for operation in api.operations {
            let Some(request) = operation.view else { continue };
            if !requests.iter().any(|(_, known)| std::ptr::eq(*known, request)) {
                requests.push((format!("{} {}", api.name, operation.path), request));
            }
        }
    }
    requests
}

/// The places of a request's bodies, by what the body is.
pub fn roots(request: &'static Request) -> Vec<(&'static str, &'static Place)> {
    match request.body {
        Body::One(place) => vec![("", place)],
        Body::ByMaker(makers, other) => makers.iter().copied().chain([("", other)]).collect(),
    }
}

fn address<T>(of: &'static T) -> usize {
    std::ptr::from_ref(of) as usize
}

/// Walks all places and objects below a place.
#[derive(Default)]
struct Walk {
    seen: BTreeSet<usize>,
    objects: Vec<&'static Object>,
    places: Vec<&'static Place>,
}

impl Walk {
    fn place(&mut self, place: &'static Place) {
        if !self.seen.insert(address(place)) {
            return;
        }
        self.places.push(place);
        place.items.into_iter().for_each(|items| self.place(items));
        place.object.into_iter().for_each(|object| self.object(object));
    }

    fn object(&mut self, object: &'static Object) {
        if !self.seen.insert(address(object)) {
            return;
        }
        self.objects.push(object);
        object.fields.iter().for_each(|(_, place)| self.place(place));
        self.place(object.other);
        let kinds = object.kinds.into_iter();
        kinds
            .flat_map(|kinds| kinds.rows.iter().map(|(_, object)| *object).chain(kinds.missing))
            .for_each(|object| self.object(object));
    }
}

fn walks() -> Vec<(String, Walk)> {
    let mut walks = Vec::new();
    for (name, request) in requests() {
        for (maker, root) in roots(request) {
            let mut walk = Walk::default();
            walk.place(root);
            walks.push((format!("{name} {maker}"), walk));
        }
    }
    for api in APIS {
        for operation in api.operations {
            let Some(asks) = operation.asks else { continue };
            let roots = match asks.body {
                Documents::None => continue,
                Documents::One(root) | Documents::Optional(root) | Documents::Lines(root) => vec![root],
                Documents::Pairs(first, second) | Documents::Actions(first, second, _) => vec![first, second],
            };
            let mut walk = Walk::default();
            roots.into_iter().for_each(|root| walk.place(root));
            walks.push((format!("{} {}", api.name, operation.path), walk));
        }
    }
    assert!(walks.len() > 60);
    walks
}

#[test]
fn an_object_has_few_fields_and_each_once_and_has_those_that_it_requires() {
    for (name, walk) in walks() {
        for object in walk.objects {
            let names: BTreeSet<&str> = object.fields.iter().map(|(name, _)| *name).collect();
            assert!(names.len() == object.fields.len() && names.len() <= 64, "{name}: {names:?}");
            assert!(object.required.iter().all(|name| names.contains(name)), "{name}: {names:?}");
            let folded: BTreeSet<String> = names.iter().map(|name| name.to_ascii_lowercase()).collect();
            assert_eq!(folded.len(), names.len(), "{name}: {names:?}");
        }
    }
}

#[test]
fn the_key_that_says_what_an_object_is_is_one_of_its_fields() {
    fn settled(object: &'static Object, key: &str, name: &str) {
        assert!(
            object.kinds.is_some() || object.fields.iter().any(|(field, _)| *field == key),
            "{name}: {key} among {:?}",
            object.fields.iter().map(|(name, _)| name).collect::<Vec<_>>()
        );
        if let Some(kinds) = object.kinds {
            for object in kinds.rows.iter().map(|(_, object)| *object).chain(kinds.missing) {
                settled(object, key, name);
                settled(object, kinds.key, name);
            }
        }
    }
    for (name, walk) in walks() {
        for object in walk.objects {
            if let Some(kinds) = object.kinds {
                assert!(object.fields.is_empty(), "{name}: the kinds have the fields");
                kinds.rows.iter().for_each(|(_, object)| settled(object, kinds.key, &name));
                kinds.missing.into_iter().for_each(|object| settled(object, kinds.key, &name));
            }
        }
    }
}

/// The objects that are one of several, below an object.
fn below(object: &'static Object) -> Walk {
    let mut below = Walk::default();
    let kinds = object.kinds.into_iter();
    kinds
        .flat_map(|kinds| kinds.rows.iter().map(|(_, object)| *object).chain(kinds.missing))
        .for_each(|object| below.object(object));
    below
}

/// What an object is is looked for ahead of reading it: within one another without end, that would take the square of a
/// body's length.
#[test]
fn objects_that_are_one_of_several_stand_in_one_another_a_few_times_at_most() {
    fn depth(object: &'static Object, name: &str) -> usize {
        let below = below(object);
        assert!(!below.seen.contains(&address(object)), "{name}");
        let inner = below.objects.into_iter().filter(|object| object.kinds.is_some());
        inner.map(|object| depth(object, name)).max().unwrap_or_default() + 1
    }
    for (name, walk) in walks() {
        for object in walk.objects.into_iter().filter(|object| object.kinds.is_some()) {
            assert!(depth(object, &name) <= 6, "{name}");
        }
    }
}

#[test]
fn a_tool_can_be_told_by_a_name_and_a_message_is_counted() {
    for (name, walk) in walks() {
        for place in walk.places.iter().filter(|place| place.mark == Some(Mark::Tool)) {
            let mut below = Walk::default();
            place.object.into_iter().for_each(|object| below.object(object));
            let named = |place: &Place| matches!(place.string, OnString::Read(_));
            assert!(below.places.iter().any(|place| named(place)), "{name}");
        }
        for place in walk.places {
            let counted = matches!(place.number, OnNumber::Read(_));
            assert!(
                !counted || matches!(place.string, OnString::Refused | OnString::Read(_)),
                "{name}: a bound that may be text"
            );
        }
    }
}
