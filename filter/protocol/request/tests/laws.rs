//! Laws of views and masks, for bodies that are made from the tables themselves: of each string it is known whether it is
//! text, because it is known at which place it was put.

use std::cell::Cell;
use std::collections::BTreeMap;
use std::rc::Rc;

use proptest::prelude::*;
use serde_json::{Map, Value, json};

use super::super::table::{Fact, Object, OnKey, OnNumber, OnString, Place, Request};
use super::super::{RequestView, mask_prompt};
use super::tables::{requests, roots};
use crate::mask::text::{Entity, Masks, Sink, TextMask};

/// Replaces every text with another, so that no key comes twice for it.
#[derive(Clone, Default)]
struct Everything(Rc<Cell<usize>>);

impl Masks for Everything {
    type Text = Self;

    fn begin(&self) -> Self {
        self.clone()
    }
}

impl TextMask for Everything {
    fn push(&mut self, text: &[u8], _: bool, sink: &mut dyn Sink) {
        if !text.is_empty() {
            self.0.set(self.0.get() + 1);
            sink.replace(text.len(), Entity(0), format!("<{}>", self.0.get()).as_bytes());
        }
    }

    fn held(&self) -> usize {
        0
    }
}

/// Makes a body, and writes down what of it is text and what is kept.
struct Maker {
    dice: u64,
    model: &'static str,
    /// Numbers what is made, so that nothing is made twice.
    made: usize,
    texts: Vec<String>,
    kept: Vec<String>,
}

impl Maker {
    fn roll(&mut self, below: usize) -> usize {
        self.dice = self.dice.wrapping_mul(0x5851_f42d_4c95_7f2d).wrapping_add(0x1405_7b7e_f767_814f);
        (self.dice >> 33) as usize % below
    }

    /// Something with spaces, quotes and other letters: no word and no identifier.
    fn text(&mut self) -> String {
        self.made += 1;
        format!("a \"té\\xt\" #{}#\n", self.made)
    }

    fn name(&mut self) -> String {
        self.made += 1;
        format!("name-{}", self.made)
    }

    fn a_text(&mut self) -> Value {
        let text = self.text();
        self.texts.push(text.clone());
        text.into()
    }

    fn a_kept(&mut self, text: String) -> Value {
        self.kept.push(text.clone());
        text.into()
    }

    fn value(&mut self, place: &'static Place, depth: usize) -> Value {
        let mut makes: Vec<fn(&mut Self, &'static Place, usize) -> Value> = Vec::new();
        if place.string != OnString::Refused {
            makes.push(|maker, place, _| maker.string(place));
        }
        if place.number != OnNumber::Refused {
            makes.push(|maker, place, _| maker.number(place));
        }
        if place.items.is_some() && depth < 12 {
            makes.push(|maker, place, depth| {
                let count = maker.roll(3);
                let items = place.items.unwrap();
                (0..count).map(|_| maker.value(items, depth + 1)).collect()
            });
        }
        if place.single && depth < 12 {
            makes.push(|maker, place, depth| maker.object(place.items.unwrap().object.unwrap(), depth + 1));
        }
        if place.object.is_some() && (depth < 12 || makes.is_empty()) {
            makes.push(|maker, place, depth| maker.object(place.object.unwrap(), depth + 1));
        }
        if makes.is_empty() {
            // A boolean, or something that nothing may stand in the place of.
            return if place.why.is_empty() { false.into() } else { Value::Null };
        }
        let which = self.roll(makes.len());
        makes[which](self, place, depth)
    }

    fn string(&mut self, place: &'static Place) -> Value {
        let name = self.name();
        match place.string {
            OnString::Refused => Value::Null,
            OnString::Text => self.a_text(),
            OnString::Json => self.json(),
            OnString::Word | OnString::Label if self.roll(2) == 0 => self.a_text(),
            OnString::Word | OnString::Label => self.a_kept(name),
            OnString::Data | OnString::Reference => {
                let text = self.text();
                self.a_kept(text)
            }
            OnString::Image if self.roll(2) == 0 => self.a_text(),
            OnString::Image => self.a_kept(format!("data:image/png;base64,{name}")),
            OnString::Read(Fact::ToolName) => self.a_text(),
            OnString::Read(Fact::SameModel) => format!("models/{}", self.model).into(),
            OnString::Read(_) => {
                let text = self.text();
                self.a_kept(text)
            }
        }
    }

    fn json(&mut self) -> Value {
        if self.roll(3) == 0 {
            // No JSON, but for readers who stop at the first word.
            let text = format!("as said {}", self.text().replace(['"', '\\', '\n'], "-"));
            self.texts.push(text.clone());
            return text.into();
        }
        let (key, value, item) = (self.text(), self.text(), self.text());
        let number = self.unique();
        self.texts.extend([key.clone(), value.clone(), item.clone(), number.to_string()]);
        json!({ key: [value, { "": item }], "-": number }).to_string().into()
    }

    fn unique(&mut self) -> u64 {
        self.made += 1;
        900_000 + self.made as u64
    }

    fn number(&mut self, place: &'static Place) -> Value {
        let number = self.unique();
        match place.number {
            OnNumber::Text => self.texts.push(number.to_string()),
            _ => self.kept.push(number.to_string()),
        }
        number.into()
    }

    fn object(&mut self, mut object: &'static Object, depth: usize) -> Value {
        let (mut fields, mut absent) = (Map::new(), Vec::new());
        while let Some(kinds) = object.kinds {
            let rows = kinds.rows.len() + usize::from(kinds.missing.is_some());
            let which = self.roll(rows);
            object = match kinds.rows.get(which) {
                Some((name, object)) => {
                    fields.insert(kinds.key.to_owned(), name.replace('*', "some").into());
                    object
                }
                None => {
                    absent.push(kinds.key);
                    kinds.missing.unwrap()
                }
            };
        }
        for (name, place) in object.fields {
            // A tool must say what it is called.
            let names = matches!(place.string, OnString::Read(Fact::ToolName | Fact::ToolKind));
            let required = names || object.required.contains(name);
            if fields.contains_key(*name) || absent.contains(name) || !(required || self.roll(2) == 0) {
                continue;
            }
            let before = (self.texts.len(), self.kept.len());
            let value = self.value(place, depth);
            if value.is_null() || (!required && depth >= 12) {
                self.texts.truncate(before.0);
                self.kept.truncate(before.1);
                continue;
            }
            fields.insert((*name).to_owned(), value);
        }
        let unknown = if depth < 12 && object.other.why.is_empty() { self.roll(2) } else { 0 };
        for _ in 0..unknown {
            let key = self.text();
            match object.keys {
                OnKey::Text => self.texts.push(key.clone()),
                OnKey::Label => self.texts.push(key.clone()),
            }
            let value = self.value(object.other, depth);
            fields.insert(key, value);
        }
        fields.into()
    }
}

fn counts(texts: impl IntoIterator<Item = String>) -> BTreeMap<String, usize> {
    let mut counts = BTreeMap::new();
    texts.into_iter().for_each(|text| *counts.entry(text).or_default() += 1);
    counts
}

/// Names of models that choose each of a request's bodies.
fn models(request: &'static Request) -> Vec<&'static str> {
    let named = |maker: &'static str| if maker.is_empty() { "some-model" } else { maker };
    roots(request).into_iter().map(|(maker, _)| named(maker)).collect()
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(32))]

    #[test]
    fn a_view_has_the_texts_and_a_mask_masks_them_and_nothing_else(seed: u64) {
        for (name, request) in requests() {
            for model in models(request) {
                let mut maker = Maker { dice: seed, model, made: 0, texts: vec![], kept: vec![] };
                let body = maker.value(request.root(model), 0);
                prop_assume!(body.is_object() || body.is_array());
                let body = body.to_string();
                let parts = RequestView::parts(request, model, body.as_bytes());
                let parts = parts.unwrap_or_else(|error| panic!("{name} {model}: {error} in {body}"));
                let (seen, made) = (counts(parts.iter().map(|part| part.text.clone())), counts(maker.texts.clone()));
                // Of JSON within JSON the keys that were made with it are text too.
                let known = |text: &&String| !matches!(text.as_str(), "-");
                let seen: BTreeMap<_, _> = seen.iter().filter(|(text, _)| known(text)).collect();
                let made: BTreeMap<_, _> = made.iter().collect();
                prop_assert_eq!(&seen, &made, "{} {}: {}", name, model, body);

                let view = RequestView::read(request, model, body.as_bytes()).unwrap();
                let joined: Vec<&str> = parts.iter().map(|part| part.text.as_str()).collect();
                let texts: Vec<&str> = view.requests().iter().map(|one| one.text.as_str()).collect();
                let texts: Vec<&str> = texts.into_iter().filter(|text| !text.is_empty()).collect();
                prop_assert_eq!(texts.join("\n"), joined.join("\n"));
                prop_assert_eq!(view.prompt_chars, joined.iter().map(|text| text.chars().count() as u64).sum::<u64>());
                prop_assert!(view.text.capacity() <= body.len());

                let masked = mask_prompt(request, model, body.as_bytes(), &Everything::default()).unwrap();
                let masked = String::from_utf8(masked.body).unwrap();
                for text in &maker.texts {
                    let own = text.trim_end_matches(['\n', '-']).rsplit(' ').next().unwrap();
                    prop_assert!(!masked.contains(own), "{}: {} in {}", name, text, masked);
                }
                let strings = strings_of(&masked);
                for kept in &maker.kept {
                    prop_assert!(strings.contains(kept), "{}: {} in {}", name, kept, masked);
                }
            }
        }
    }

    #[test]
    fn a_mask_that_finds_nothing_changes_no_byte(seed: u64) {
        for (name, request) in requests() {
            for model in models(request) {
                let mut maker = Maker { dice: seed, model, made: 0, texts: vec![], kept: vec![] };
                let body = serde_json::to_string_pretty(&maker.value(request.root(model), 0)).unwrap();
                let masked = mask_prompt(request, model, body.as_bytes(), &crate::protocol::testing::Nothing);
                prop_assert_eq!(String::from_utf8(masked.unwrap().body).unwrap(), body, "{}", name);
            }
        }
    }
}

/// The strings and numbers of a document.
fn strings_of(document: &str) -> Vec<String> {
    let mut strings = Vec::new();
    let mut stack = vec![serde_json::from_str::<Value>(document).unwrap()];
    while let Some(value) = stack.pop() {
        match value {
            Value::String(text) => strings.push(text),
            Value::Number(number) => strings.push(number.to_string()),
            Value::Array(items) => stack.extend(items),
            Value::Object(fields) => stack.extend(fields.into_iter().map(|(_, value)| value)),
            _ => {}
        }
    }
    strings
}
