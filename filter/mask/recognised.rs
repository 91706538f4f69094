//! Values that somebody else found: spans of texts, applied to a document in a second reading.
//!
//! A model that knows names and places reads whole texts, takes its time, and runs elsewhere. So a document is read
//! twice by the same table: first [`Texts`] hands every text over and changes nothing; when the spans have come back,
//! [`Recognised`] masks them. Both readings meet the same texts in the same order, which is all that ties a span to
//! its place: a document is never built.
//!
//! Offsets count bytes of the decoded text here. A recogniser that counts characters is translated where it is asked
//! ([`Texts::spans`]).
use std::cell::{Cell, RefCell};
use std::rc::Rc;

use super::plan::Plan;
use super::text::{Entity, Masks, Sink, TextMask};
use crate::order;

/// What stands between two texts when they are read as one: a paragraph's end, so that no name reaches over it.
const BETWEEN: &str = "\n\n";

/// Collects the texts of a document and keeps every byte.
#[derive(Clone, Default)]
pub struct Texts(Rc<RefCell<Vec<Vec<u8>>>>);

/// One text on its way into [`Texts`].
pub struct Collecting {
    texts: Texts,
    at: usize,
}

/// A value within one text: bytes `from..to`.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Span {
    /// First byte.
    pub from: usize,
    /// The byte after its last.
    pub to: usize,
    /// What it is.
    pub entity: Entity,
}

/// A value within the texts as [`Texts::joined`] gives them, in characters.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Finding {
    /// First character.
    pub start: usize,
    /// The character after its last.
    pub end: usize,
    /// What it is.
    pub entity: Entity,
}

impl Masks for Texts {
    type Text = Collecting;

    fn begin(&self) -> Collecting {
        let mut texts = self.0.borrow_mut();
        texts.push(Vec::new());
        Collecting { texts: self.clone(), at: texts.len().saturating_sub(1) }
    }
}

impl TextMask for Collecting {
    fn push(&mut self, text: &[u8], _end: bool, sink: &mut dyn Sink) {
        if let Some(own) = self.texts.0.borrow_mut().get_mut(self.at) {
            own.extend_from_slice(text);
        }
        if !text.is_empty() {
            sink.keep(text.len());
        }
    }

    fn held(&self) -> usize {
        0
    }
}

impl Texts {
    /// The texts as one, for a recogniser. Those without a letter (numbers, empty ones) are left out.
    pub fn joined(&self) -> String {
        let mut joined = String::new();
        for text in self.0.borrow().iter().filter(|text| worth_reading(text)) {
            if !joined.is_empty() {
                joined.push_str(BETWEEN);
            }
            joined.push_str(&String::from_utf8_lossy(text));
        }
        joined
    }

    /// What was found in [`Texts::joined`], by text. A finding that reaches over several texts is in each of them; of
    /// findings that overlap the first counts, and of those the longest.
    pub fn spans(&self, findings: &[Finding]) -> Vec<Vec<Span>> {
        let mut sorted = findings.to_vec();
        order::sort_by(&mut sorted, |a, b| a.start.cmp(&b.start).then(b.end.cmp(&a.end)));
        let mut first = 0usize;
        let texts = self.0.borrow();
        texts
            .iter()
            .map(|text| {
                if !worth_reading(text) {
                    return Vec::new();
                }
                let places = Places::of(text);
                let spans = places.within(&sorted, first);
                first = first.saturating_add(places.len()).saturating_add(BETWEEN.len());
                spans
            })
            .collect()
    }
}

fn worth_reading(text: &[u8]) -> bool {
    text.iter().any(|byte| byte.is_ascii_alphabetic() || !byte.is_ascii())
}

/// Where each character of a text begins, in bytes; and where the text ends.
struct Places(Vec<usize>);

impl Places {
    fn of(text: &[u8]) -> Self {
        let mut places = Vec::with_capacity(text.len().saturating_add(1));
        let mut at = 0usize;
        // What is no UTF-8 was sent as one replacement character for each faulty part, and is counted so.
        for chunk in text.utf8_chunks() {
            for char in chunk.valid().chars() {
                places.push(at);
                at = at.saturating_add(char.len_utf8());
            }
            if !chunk.invalid().is_empty() {
                places.push(at);
                at = at.saturating_add(chunk.invalid().len());
            }
        }
        places.push(at);
        Self(places)
    }

    fn len(&self) -> usize {
        self.0.len().saturating_sub(1)
    }

    /// The findings within this text, whose first character is number `first` of all. They come sorted.
    fn within(&self, findings: &[Finding], first: usize) -> Vec<Span> {
        let mut spans: Vec<Span> = Vec::new();
        for finding in findings {
            let from = finding.start.saturating_sub(first);
            let to = finding.end.saturating_sub(first).min(self.len());
            let (Some(&from), Some(&to)) = (self.0.get(from), self.0.get(to)) else { continue };
            let free = spans.last().is_none_or(|last| last.to <= from);
            if from < to && free {
                spans.push(Span { from, to, entity: finding.entity });
            }
        }
        spans
    }
}

/// Masks the spans of each text, in the order of the texts.
#[derive(Clone)]
pub struct Recognised {
    values: Rc<Vec<Vec<Value>>>,
    next: Rc<Cell<usize>>,
}

/// A value and what stands for it; `None`: it stays.
struct Value {
    span: Span,
    with: Option<Vec<u8>>,
}

/// One text whose spans are known.
pub struct Spanned {
    of: Recognised,
    text: usize,
    /// The next span, and the bytes taken.
    span: usize,
    at: usize,
}

impl Recognised {
    /// Masks what was found in the texts, as the plan's operators have it.
    pub fn new(texts: &Texts, findings: &[Finding], plan: &Plan) -> Self {
        let spans = texts.spans(findings);
        let texts = texts.0.borrow();
        let valued = texts.iter().zip(spans).map(|(text, spans)| {
            let value = |span: Span| {
                let bytes = text.get(span.from..span.to).unwrap_or_default();
                Value { span, with: plan.instead(span.entity, bytes) }
            };
            spans.into_iter().map(value).collect()
        });
        Self { values: Rc::new(valued.collect()), next: Rc::default() }
    }
}

impl Masks for Recognised {
    type Text = Spanned;

    fn begin(&self) -> Spanned {
        let text = self.next.get();
        self.next.set(text.saturating_add(1));
        Spanned { of: self.clone(), text, span: 0, at: 0 }
    }
}

impl TextMask for Spanned {
    fn push(&mut self, text: &[u8], _end: bool, sink: &mut dyn Sink) {
        let end = self.at.saturating_add(text.len());
        while self.at < end {
            let value = self.of.values.get(self.text).and_then(|values| values.get(self.span));
            let Some(Value { span, with }) = value.filter(|value| value.span.from < end) else {
                sink.keep(end.saturating_sub(self.at));
                self.at = end;
                return;
            };
            if span.from > self.at {
                sink.keep(span.from.saturating_sub(self.at));
                self.at = span.from;
            }
            let to = span.to.min(end);
            let len = to.saturating_sub(self.at);
            match with {
                None => sink.keep(len),
                Some(with) if self.at == span.from => sink.replace(len, span.entity, with),
                Some(_) => sink.swallow(len),
            }
            self.at = to;
            if to == span.to {
                self.span = self.span.saturating_add(1);
            }
        }
    }

    fn held(&self) -> usize {
        0
    }
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;
    use crate::mask::Catalogue;

    struct Out(Vec<u8>, Vec<u8>);

    impl Sink for Out {
        fn keep(&mut self, len: usize) {
            self.1.extend(self.0.drain(..len));
        }
        fn replace(&mut self, len: usize, _: Entity, with: &[u8]) {
            self.swallow(len);
            self.1.extend_from_slice(with);
        }
        fn swallow(&mut self, len: usize) {
            self.0.drain(..len);
        }
    }

    fn collected(texts: &[&[u8]]) -> Texts {
        let all = Texts::default();
        for text in texts {
            all.begin().push(text, true, &mut Out(text.to_vec(), Vec::new()));
        }
        all
    }

    fn masked(texts: &[&str], findings: &[Finding], piece: usize) -> Vec<String> {
        let all = collected(&texts.iter().map(|text| text.as_bytes()).collect::<Vec<_>>());
        let catalogue = Catalogue::built_in().naming(["PERSON"].into_iter());
        let person = catalogue.number("PERSON").unwrap();
        let findings: Vec<_> = findings.iter().map(|found| Finding { entity: person, ..*found }).collect();
        let plan = Plan::new(&catalogue, person.into(), Vec::new());
        let masks = Recognised::new(&all, &findings, &plan);
        let mask = |text: &&str| {
            let mut out = Out(text.as_bytes().to_vec(), Vec::new());
            let mut mask = masks.begin();
            text.as_bytes().chunks(piece).for_each(|piece| mask.push(piece, false, &mut out));
            mask.push(b"", true, &mut out);
            String::from_utf8(out.1).unwrap()
        };
        texts.iter().map(mask).collect()
    }

    fn finding(start: usize, end: usize) -> Finding {
        Finding { start, end, entity: Entity(7) }
    }

    #[test]
    fn findings_in_characters_meet_their_bytes_in_each_text() {
        let texts = ["Zoë Müller lives", "42", "", "in 你好 with Bob"];
        assert_eq!(
            collected(&texts.map(str::as_bytes)).joined(),
            "Zoë Müller lives\n\nin 你好 with Bob",
            "what has no letters is not sent"
        );
        let findings = [finding(0, 10), finding(18 + 11, 18 + 14)];
        assert_eq!(masked(&texts, &findings, 3), ["<PERSON> lives", "42", "", "in 你好 with <PERSON>"]);
    }

    #[test]
    fn overlaps_go_to_the_first_and_longest_and_what_is_out_of_bounds_is_cut() {
        let texts = ["Anna Maria Bell", "end"];
        assert_eq!(
            masked(&texts, &[finding(5, 15), finding(0, 10), finding(0, 4)], 100),
            ["<PERSON> Bell", "end"]
        );
        assert_eq!(masked(&texts, &[finding(11, 19)], 100), ["Anna Maria <PERSON>", "<PERSON>d"]);
        assert_eq!(masked(&texts, &[finding(30, 40), finding(9, 9), finding(12, 10)], 1), texts);
        assert_eq!(masked(&texts, &[finding(17, usize::MAX)], 1), ["Anna Maria Bell", "<PERSON>"]);
    }

    #[test]
    fn bytes_that_are_no_text_count_as_the_replacement_characters_they_are_sent_as() {
        let all = collected(&[b"a\xff\xfeb Bob"]);
        assert_eq!(all.joined(), "a\u{fffd}\u{fffd}b Bob");
        assert_eq!(all.spans(&[finding(5, 8)]), [[Span { from: 5, to: 8, entity: Entity(7) }]]);
    }

    proptest! {
        #[test]
        fn any_findings_are_masked_the_same_however_the_texts_are_cut(
            texts in prop::collection::vec("[a-zé你 😀]{0,12}", 0..5),
            findings in prop::collection::vec((0usize..60, 0usize..12), 0..6),
            piece in 1usize..8,
        ) {
            let texts: Vec<&str> = texts.iter().map(String::as_str).collect();
            let findings: Vec<Finding> = findings.into_iter().map(|(at, len)| finding(at, at + len)).collect();
            prop_assert_eq!(masked(&texts, &findings, piece), masked(&texts, &findings, 1000));
        }
    }
}
