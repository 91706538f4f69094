//! A record as a list of named fields, and its canonical JSON.
//!
//! The body is one flat object whose names are the attributes' names. Each field stands at its name's place
//! ([`super::names`]), so the text is canonical (RFC 8785) without a second pass.

use std::borrow::Cow;

use super::canonical::{is_plain, list, number, object, string, within};
use super::captured::{Pieces, Sealed};
use super::loss::Losses;
use super::names::{COUNT, Place};
use super::record::{Decision, Outcome};
use super::trace::{TraceParent, to_hex};
use super::value::{Count, Members, Name, Path, Seconds, Tally, Text, Texts};

/// The value of a field.
#[derive(Debug)]
pub enum Value<'a> {
    /// Text.
    Text(Cow<'a, str>),
    /// A number of things.
    Count(Count),
    /// A length of time.
    Seconds(Seconds),
    /// Yes or no.
    Flag(bool),
    /// A list of texts.
    List(Vec<String>),
    /// Names with counts; as an attribute, the names alone.
    Tally(&'a Tally),
    /// Names with JSON values; as an attribute, the names alone.
    Members(&'a Members),
    /// Losses; in the body alone.
    Losses(&'a Losses),
    /// Texts of bodies; in the body alone.
    Pieces(&'a Pieces),
    /// Texts of bodies that are sealed; in the body alone.
    Sealed(&'a Sealed),
}

/// The fields of one record: for each name its value, if it has one.
#[derive(Debug)]
pub struct Fields<'a>(Vec<Option<Value<'a>>>);

impl Default for Fields<'_> {
    fn default() -> Self {
        let mut none = Vec::new();
        none.resize_with(COUNT, || None);
        Self(none)
    }
}

impl<'a> Fields<'a> {
    /// Sets a field.
    pub fn put(&mut self, place: Place, value: Value<'a>) {
        if let Some(slot) = self.0.get_mut(place.index()) {
            *slot = Some(value);
        }
    }

    /// Sets a field to a text.
    pub fn text(&mut self, place: Place, text: impl Into<Cow<'a, str>>) {
        self.put(place, Value::Text(text.into()));
    }

    /// Values with their places, in order.
    pub fn iter(&self) -> impl Iterator<Item = (Place, &Value<'a>)> {
        Place::all().zip(&self.0).filter_map(|(place, value)| Some((place, value.as_ref()?)))
    }

    /// Their canonical JSON.
    pub fn body(&self) -> String {
        let mut out = String::with_capacity(2048);
        self.write(&mut out, ["{\"", ",\"", "\":"], Value::write);
        out
    }

    /// Writes the same as it stands within a string. Nearly all of its escapes are the quotes of names and plain values:
    /// to write these is cheaper than to find them in the whole.
    pub fn body_within(&self, out: &mut String) {
        self.write(out, ["{\\\"", ",\\\"", "\\\":"], Value::write_within);
    }

    /// Writes an object: what stands before the first name, before every other, and behind each, is given. Our own names
    /// need no escapes.
    fn write(
        &self,
        out: &mut String,
        [first, next, behind]: [&str; 3],
        value_of: fn(&Value<'a>, &mut String),
    ) {
        let mut before = first;
        for (place, value) in self.iter() {
            out.push_str(before);
            out.push_str(place.name());
            out.push_str(behind);
            value_of(value, out);
            before = next;
        }
        out.push('}');
    }
}

impl Value<'_> {
    /// Its canonical JSON.
    pub(super) fn json(&self) -> String {
        let mut out = String::new();
        self.write(&mut out);
        out
    }

    /// Writes its canonical JSON as it stands within a string.
    fn write_within(&self, out: &mut String) {
        match self {
            Self::Text(text) if is_plain(text) => {
                out.push_str("\\\"");
                out.push_str(text);
                out.push_str("\\\"");
            }
            Self::Count(_) | Self::Seconds(_) | Self::Flag(_) => self.write(out),
            _ => within(out, &self.json()),
        }
    }

    fn write(&self, out: &mut String) {
        match self {
            Self::Text(text) => string(out, text),
            Self::Count(count) => number(out, count.get()),
            Self::Seconds(seconds) => out.push_str(&seconds.decimal()),
            Self::Flag(flag) => out.push_str(if *flag { "true" } else { "false" }),
            Self::List(items) => list(out, items, |out, item| string(out, item)),
            Self::Tally(tally) => object(out, tally.iter(), |out, count| number(out, count.get())),
            Self::Members(claims) => {
                let entries = claims.entries();
                object(out, entries.iter().map(|(name, json)| (name.as_str(), json)), |out, json| {
                    out.push_str(json)
                });
            }
            Self::Pieces(pieces) => list(out, pieces.iter(), |out, (of, text)| {
                out.push_str(&format!(r#"{{"of":{},"text":"#, of.get()));
                string(out, text);
                out.push('}');
            }),
            Self::Sealed(sealed) => string(out, sealed.as_str()),
            Self::Losses(losses) => list(out, losses.ranges(), |out, range| {
                let (count, first, last) = (range.count, range.first, range.last);
                let why = range.why.name();
                out.push_str(&format!(
                    r#"{{"count":{count},"first":{first},"last":{last},"reason":"{why}"}}"#
                ));
            }),
        }
    }
}

/// A type of field: what is absent or empty is left out.
pub(super) trait Field {
    fn put<'a>(&'a self, place: Place, out: &mut Fields<'a>);
}

impl<T: Field> Field for Option<T> {
    fn put<'a>(&'a self, place: Place, out: &mut Fields<'a>) {
        if let Some(value) = self {
            value.put(place, out);
        }
    }
}

macro_rules! field {
    ($($type:ty: |$value:ident| $made:expr, if $there:expr;)*) => {
        $(impl Field for $type {
            fn put<'a>(&'a self, place: Place, out: &mut Fields<'a>) {
                let $value = self;
                if $there {
                    out.put(place, $made);
                }
            }
        })*
    };
}

field! {
    Text: |it| Value::Text(it.as_str().into()), if true;
    Path: |it| Value::Text(it.as_text().as_str().into()), if true;
    Name: |it| Value::Text((*it).into()), if true;
    Decision: |it| Value::Text(it.name().into()), if true;
    Outcome: |it| Value::Text(it.name().into()), if true;
    Count: |it| Value::Count(*it), if true;
    Seconds: |it| Value::Seconds(*it), if true;
    bool: |it| Value::Flag(*it), if true;
    Texts: |it| Value::List(it.items()), if !it.is_empty();
    Vec<Name>: |it| Value::List(it.iter().map(|name| (*name).to_owned()).collect()), if !it.is_empty();
    Tally: |it| Value::Tally(it), if !it.is_empty();
    Members: |it| Value::Members(it), if !it.is_empty();
    Losses: |it| Value::Losses(it), if !it.is_empty();
    Pieces: |it| Value::Pieces(it), if !it.is_empty();
    Sealed: |it| Value::Sealed(it), if true;
}

impl Field for TraceParent {
    /// Three fields, named as OpenTelemetry names them in logs outside OTLP.
    fn put<'a>(&'a self, place: Place, out: &mut Fields<'a>) {
        out.text(place, to_hex(&self.trace_id));
        out.text(const { Place::of("span_id") }, to_hex(&self.span_id));
        out.text(const { Place::of("trace_flags") }, to_hex(&[self.flags]));
    }
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;
    use serde_json::Value as Json;

    use crate::audit::captured::{Captured, Pieces};
    use crate::audit::projection::APART;
    use crate::audit::queue::Limits;
    use crate::audit::record::{Answered, EndRecord, Record};
    use crate::audit::samples_tests::{self as samples, SECOND, START, log_records};
    use crate::audit::value::{Count, Members, Path, Seconds, Tally, Text};

    fn log_record(record: &Record) -> Json {
        let mut recorder = samples::recorder(Limits::default());
        recorder.record(START, record);
        log_records(&recorder.next_batch(START + SECOND).unwrap().body).remove(0)
    }

    fn body(record: &Record) -> String {
        log_record(record)["body"]["stringValue"].as_str().unwrap().to_owned()
    }

    /// What the attribute of a body's member must be.
    fn projected(value: &Json) -> Json {
        let texts = |items: Vec<Json>| serde_json::json!({"arrayValue": {"values": items}});
        match value {
            Json::String(text) => serde_json::json!({"stringValue": text}),
            Json::Bool(flag) => serde_json::json!({"boolValue": flag}),
            Json::Array(items) => texts(items.iter().map(projected).collect()),
            Json::Object(members) => {
                let mut names: Vec<_> = members.keys().collect();
                names.sort_by(|a, b| a.encode_utf16().cmp(b.encode_utf16()));
                texts(names.iter().map(|name| serde_json::json!({"stringValue": name})).collect())
            }
            Json::Number(number) if number.is_u64() => serde_json::json!({"intValue": number.to_string()}),
            Json::Number(number) => serde_json::json!({"doubleValue": number}),
            Json::Null => panic!("a record holds no null"),
        }
    }

    fn assert_projection(record: &Json) {
        let text = record["body"]["stringValue"].as_str().unwrap();
        let body: Json = serde_json::from_str(text).unwrap();
        let mut attributes: std::collections::BTreeMap<_, _> = record["attributes"]
            .as_array()
            .unwrap()
            .iter()
            .map(|attribute| (attribute["key"].as_str().unwrap().to_owned(), attribute["value"].clone()))
            .collect();
        assert_eq!(attributes.len(), record["attributes"].as_array().unwrap().len(), "no key twice");
        let hash = serde_json::json!({ "stringValue": crate::audit::chain::hash(text) });
        assert_eq!(attributes.remove("portcullis.chain.hash"), Some(hash));
        let shared = body.as_object().unwrap().iter().filter(|(name, _)| !APART.contains(&name.as_str()));
        for (name, value) in shared {
            let attribute = attributes.remove(name).unwrap_or_else(|| panic!("no attribute {name}"));
            let seconds =
                ["portcullis.duration", "portcullis.first_byte", "gen_ai.response.time_to_first_chunk"];
            if seconds.contains(&name.as_str()) {
                assert_eq!(attribute["doubleValue"].as_f64(), value.as_f64());
            } else {
                assert_eq!(attribute, projected(value), "{name}");
            }
        }
        assert!(attributes.is_empty(), "attributes that the body lacks: {attributes:?}");
    }

    fn anything() -> impl Strategy<Value = Record> {
        let text = || ".{0,40}";
        let json = prop_oneof![
            any::<f64>().prop_map(|n| serde_json::json!(n)),
            any::<i64>().prop_map(|n| serde_json::json!(n)),
            any::<u64>().prop_map(|n| serde_json::json!(n)),
            ".{0,1500}".prop_map(|s| serde_json::json!(s)),
            (".{0,5}", ".{0,5}").prop_map(|(a, b)| serde_json::json!({a: 1, b: [null, true]})),
        ];
        let claims = proptest::collection::vec((text(), json), 0..8);
        let tally = proptest::collection::vec((text(), any::<u64>()), 0..8);
        let numbers = (any::<u64>(), any::<u64>(), any::<u64>());
        (proptest::collection::vec(text(), 6), claims, tally, numbers).prop_map(
            |(texts, claims, tally, numbers)| {
                let mut facts = samples::facts();
                facts.user_id = Some(Text::from(texts[0].as_str()));
                facts.path = Some(Path::of(texts[1].as_bytes()));
                facts.groups = texts.iter().map(String::as_str).collect();
                facts.messages = Some(Count::from(numbers.0));
                facts.model = None;
                facts.claims = Members::default();
                claims.iter().for_each(|(path, value)| facts.claims.insert(path, value));
                facts.prompt_entities = Tally::default();
                tally.iter().for_each(|(name, count)| facts.prompt_entities.add(name, *count));
                let answered = Answered {
                    duration: Some(Seconds::from_nanos(numbers.1)),
                    first_byte: Some(Seconds::from_nanos(numbers.2)),
                    ..Answered::default()
                };
                let pieces = texts.iter().map(|text| (numbers.0, text.clone())).collect();
                let captured = Captured { response: Pieces::new(pieces), ..Captured::default() };
                Record::End(Box::new(EndRecord { facts, answered, captured }))
            },
        )
    }

    #[test]
    fn the_samples_are_canonical_and_project_wholly() {
        for record in [samples::start(), samples::part(), samples::end(), samples::refusal()] {
            let body = body(&record);
            assert_eq!(serde_json_canonicalizer::pipe(&body).unwrap(), body);
            assert_projection(&log_record(&record));
        }
    }

    #[test]
    fn absent_fields_are_left_out() {
        let empty = EndRecord::default();
        let body: Json = serde_json::from_str(&body(&Record::End(Box::new(empty)))).unwrap();
        let names: Vec<_> = body.as_object().unwrap().keys().cloned().collect();
        let always = ["event.name", "portcullis.chain.id", "portcullis.chain.seq"];
        let more = ["portcullis.exchange", "portcullis.record", "time"];
        assert_eq!(names, always.into_iter().chain(more).collect::<Vec<_>>());
    }

    proptest! {
        #![proptest_config(ProptestConfig::with_cases(150))]

        #[test]
        fn any_record_is_canonical_stable_and_projects_wholly(record in anything()) {
            let body = body(&record);
            prop_assert_eq!(serde_json_canonicalizer::pipe(&body).unwrap(), body.clone());
            prop_assert_eq!(body, self::body(&record));
            assert_projection(&log_record(&record));
        }
    }
}
