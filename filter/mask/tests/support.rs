//! What the tests share.
use std::ops::Range;

use crate::mask::text::{Entity, Masks, Sink, TextMask};
use crate::mask::{Catalogue, Entities, Plan};

/// A row of the table, as it is written.
#[derive(Default)]
pub struct Row {
    pub entity: &'static str,
    pub tier: &'static str,
    pub pattern: &'static str,
    pub not_after: &'static [u8],
    pub not_before: &'static [u8],
    pub validator: Option<fn(&[u8]) -> bool>,
    pub context: &'static [&'static str],
    pub about: &'static str,
    pub longest_only: bool,
    pub matches: &'static [&'static str],
    pub misses: &'static [&'static str],
}

pub fn rows() -> Vec<Row> {
    use crate::mask::validators;
    Vec::from(include!(concat!(env!("OUT_DIR"), "/mask_examples.rs")))
}

thread_local! {
    static KNOWN: Catalogue = Catalogue::built_in();
}

/// The built-in entities.
pub fn known() -> Catalogue {
    KNOWN.with(Catalogue::clone)
}

/// The entities that a name stands for.
pub fn named(name: &str) -> Entities {
    known().resolve(name).unwrap()
}

/// The name of an entity.
pub fn name(entity: Entity) -> String {
    known().name(entity).to_owned()
}

pub fn plan(entities: Entities) -> Plan {
    Plan::new(&known(), entities, Vec::new())
}

/// Everything the table finds.
pub fn everything() -> Plan {
    plan(known().all())
}

/// One masked value: where, what, and whether a replacement stands for it.
pub type Span = (Range<usize>, Entity);

/// Collects the masked spans, and checks that every byte is decided once.
#[derive(Default)]
pub struct Spans {
    pub spans: Vec<Span>,
    pub at: usize,
}

impl Sink for Spans {
    fn keep(&mut self, len: usize) {
        self.at += len;
    }

    fn replace(&mut self, len: usize, entity: Entity, with: &[u8]) {
        assert!(with.starts_with(b"<") && with.ends_with(b">"));
        self.spans.push((self.at..self.at + len, entity));
        self.at += len;
    }

    fn swallow(&mut self, len: usize) {
        let (range, _) = self.spans.last_mut().expect("nothing is swallowed before it is replaced");
        assert_eq!(range.end, self.at, "what is swallowed follows what was replaced");
        self.at += len;
        range.end = self.at;
    }
}

pub fn whole(plan: &Plan, text: &[u8]) -> Vec<Span> {
    streamed(plan, text, &[]).0
}

/// Masks the text cut at the given places; gives the spans and the most that was ever held.
pub fn streamed(plan: &Plan, text: &[u8], cuts: &[usize]) -> (Vec<Span>, usize) {
    let (mut masker, mut sink, mut from, mut most) = (plan.begin(), Spans::default(), 0, 0);
    for &cut in cuts {
        masker.push(&text[from..cut], false, &mut sink);
        assert_eq!(sink.at + masker.held(), cut, "every byte is decided or held");
        (from, most) = (cut, most.max(masker.held()));
    }
    masker.push(&text[from..], true, &mut sink);
    assert_eq!((sink.at, masker.held()), (text.len(), 0), "after the end nothing is held");
    (sink.spans, most)
}

/// Expands `{ab*3}` to `ababab` and takes the «marks» out: the text, and the marked ranges.
pub fn example(written: &str) -> (Vec<u8>, Vec<Range<usize>>) {
    let (mut text, mut marks, mut start) = (String::new(), Vec::new(), 0);
    let mut rest = written;
    while let Some(c) = rest.chars().next() {
        rest = &rest[c.len_utf8()..];
        match c {
            '«' => start = text.len(),
            '»' => marks.push(start..text.len()),
            '{' if rest.find('}').is_some_and(|end| rest[..end].contains('*')) => {
                let (inner, after) = rest.split_once('}').unwrap();
                let (unit, times) = inner.rsplit_once('*').unwrap();
                text.push_str(&unit.repeat(times.parse().unwrap()));
                rest = after;
            }
            c => text.push(c),
        }
    }
    (text.into_bytes(), marks)
}
