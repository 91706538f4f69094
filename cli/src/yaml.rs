//! YAML to trees that know their places.
//!
//! What a set has no use for is refused rather than interpreted: tags, anchors, aliases, keys that are not text.

use portcullis::config::Problem;
use portcullis::config::node::{Entry, MAX_DEPTH, MAX_INTEGER, Node, Value};
use portcullis::config::set::Place;
use saphyr_parser::{Event, Parser, ScalarStyle, Span};

/// Reads the documents of a file; empty ones are left out.
///
/// # Errors
/// What the file has that is not YAML, or not the YAML of policy sets.
pub fn read(file: &str, text: &str) -> Result<Vec<Node>, Vec<Problem>> {
    let mut reader = Reader { file, documents: Vec::new(), open: Vec::new(), problems: Vec::new() };
    for event in Parser::new_from_str(text) {
        match event {
            Ok((event, span)) => {
                if !reader.event(event, span) {
                    break;
                }
            }
            Err(error) => {
                let place = reader.place_of(error.marker().line(), error.marker().col());
                let message = format!("is not YAML: {}", error.info());
                reader.problems.push(Problem::error(&place, message));
                break;
            }
        }
    }
    if reader.problems.is_empty() { Ok(reader.documents) } else { Err(reader.problems) }
}

struct Reader<'a> {
    file: &'a str,
    documents: Vec<Node>,
    open: Vec<Open>,
    problems: Vec<Problem>,
}

/// A list or map that is being read.
enum Open {
    List(Place, Vec<Node>),
    Map(Place, Vec<Entry>, Option<(String, Place)>),
}

impl Reader<'_> {
    fn place_of(&self, line: usize, column: usize) -> Place {
        let number = |n: usize| u32::try_from(n).unwrap_or(u32::MAX);
        Place {
            file: self.file.to_owned(),
            line: number(line),
            column: number(column.saturating_add(1)),
            key: String::new(),
        }
    }

    fn error(&mut self, place: &Place, message: &str, help: &str) {
        self.problems.push(Problem::error(place, message).help(help));
    }

    /// Takes one event; `false` where nothing more can be made of the file.
    fn event(&mut self, event: Event<'_>, span: Span) -> bool {
        let place = self.place_of(span.start.line(), span.start.col());
        match event {
            Event::Alias(_) => {
                self.error(&place, "is an alias, which a policy set cannot hold", "write the value out");
                self.scalar("", Value::Null, place);
            }
            Event::Scalar(text, style, anchor, tag) => {
                self.plain(&place, anchor, tag.is_some());
                let value = match style {
                    ScalarStyle::Plain => resolve(&text),
                    _ => Value::Text(text.clone().into_owned()),
                };
                self.scalar(&text, value, place);
            }
            Event::SequenceStart(anchor, tag) => {
                self.plain(&place, anchor, tag.is_some());
                return self.open(Open::List(place.clone(), Vec::new()), &place);
            }
            Event::MappingStart(anchor, tag) => {
                self.plain(&place, anchor, tag.is_some());
                return self.open(Open::Map(place.clone(), Vec::new(), None), &place);
            }
            Event::SequenceEnd | Event::MappingEnd => match self.open.pop() {
                Some(Open::List(place, items)) => self.value(Node::new(Value::List(items), place)),
                Some(Open::Map(place, entries, _)) => self.value(Node::new(Value::Map(entries), place)),
                None => {}
            },
            Event::Nothing
            | Event::StreamStart
            | Event::StreamEnd
            | Event::DocumentStart(_)
            | Event::DocumentEnd => {}
        }
        true
    }

    fn open(&mut self, open: Open, place: &Place) -> bool {
        if self.open.len() >= MAX_DEPTH {
            let message = format!("is nested more than {MAX_DEPTH} deep");
            self.problems.push(Problem::error(place, message));
            return false;
        }
        self.open.push(open);
        true
    }

    fn plain(&mut self, place: &Place, anchor: usize, tagged: bool) {
        if anchor > 0 {
            self.error(
                place,
                "has an anchor, which a policy set cannot hold",
                "write values out where they belong",
            );
        }
        if tagged {
            self.error(place, "has a tag, which a policy set cannot hold", "quote what should be text");
        }
    }

    /// A scalar: the key that a map waits for, or a value.
    fn scalar(&mut self, text: &str, value: Value, place: Place) {
        match self.open.last_mut() {
            Some(Open::Map(_, _, waiting @ None)) => *waiting = Some((text.to_owned(), place)),
            _ => self.value(Node::new(value, place)),
        }
    }

    fn value(&mut self, mut node: Node) {
        match self.open.last_mut() {
            None if node.value == Value::Null => {}
            None => self.documents.push(node),
            Some(Open::List(_, items)) => items.push(node),
            Some(Open::Map(_, entries, waiting)) => match waiting.take() {
                Some((key, place)) => {
                    // Nothing stands nowhere: point at the key that has it.
                    if node.value == Value::Null {
                        node.place = place.clone();
                    }
                    entries.push(Entry { key, place, value: node });
                }
                None => {
                    *waiting = Some((String::new(), node.place.clone()));
                    self.error(&node.place, "is a key that is not text", "write keys as plain text");
                }
            },
        }
    }
}

/// What a plain scalar means (YAML 1.2.2, 10.3.2: the core schema).
fn resolve(text: &str) -> Value {
    match text {
        "" | "~" | "null" | "Null" | "NULL" => return Value::Null,
        "true" | "True" | "TRUE" => return Value::Bool(true),
        "false" | "False" | "FALSE" => return Value::Bool(false),
        ".nan" | ".NaN" | ".NAN" | ".inf" | ".Inf" | ".INF" | "+.inf" | "+.Inf" | "+.INF" => {
            return Value::Float(f64::NAN);
        }
        "-.inf" | "-.Inf" | "-.INF" => return Value::Float(f64::NAN),
        _ => {}
    }
    integer(text).or_else(|| float(text)).unwrap_or_else(|| Value::Text(text.to_owned()))
}

fn integer(text: &str) -> Option<Value> {
    let digits = text.strip_prefix(['+', '-']).unwrap_or(text);
    let parsed = match (text.strip_prefix("0x"), text.strip_prefix("0o")) {
        (Some(hex), _) if all(hex, |byte| byte.is_ascii_hexdigit()) => i64::from_str_radix(hex, 16),
        (_, Some(octal)) if all(octal, |byte| matches!(byte, b'0'..=b'7')) => i64::from_str_radix(octal, 8),
        _ if all(digits, |byte| byte.is_ascii_digit()) => text.parse(),
        _ => return None,
    };
    // What does not fit is refused when the tree is settled, like anything above 2^53.
    Some(Value::Integer(parsed.unwrap_or(MAX_INTEGER.saturating_add(1))))
}

fn all(text: &str, test: fn(u8) -> bool) -> bool {
    !text.is_empty() && text.bytes().all(test)
}

fn float(text: &str) -> Option<Value> {
    let digits = text.strip_prefix(['+', '-']).unwrap_or(text);
    let starts = digits.strip_prefix('.').unwrap_or(digits).starts_with(|first: char| first.is_ascii_digit());
    let plain =
        digits.bytes().all(|byte| byte.is_ascii_digit() || matches!(byte, b'.' | b'e' | b'E' | b'+' | b'-'));
    if !(starts && plain) {
        return None;
    }
    text.parse().ok().map(Value::number)
}
