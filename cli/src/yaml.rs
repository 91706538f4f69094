//! YAML to trees that know their places.
//!
//! What a set has no use for is refused rather than interpreted: tags, anchors, aliases, keys that are not text.

use std::rc::Rc;

use portcullis::config::Problem;
use portcullis::config::list::Items;
use portcullis::config::node::{Entry, MAX_DEPTH, MAX_INTEGER, Node, Value};
use portcullis::config::set::Place;
use saphyr_parser::{Event, Parser, ScalarStyle, Span};

/// What to do, by what the parser says.
const HELP: [(&str, &str); 3] = [
    ("found a tab", "indent with spaces"),
    ("tabs disallowed", "indent with spaces"),
    ("trailing content after", "put the whole condition in single quotes, as `'\"a\" in identity.groups'`"),
];

/// Reads the documents of a file; empty ones are left out.
///
/// # Errors
/// What the file has that is not YAML, or not the YAML of policy sets.
pub fn read(file: &str, text: &str) -> Result<Vec<Node>, Vec<Problem>> {
    let mut reader =
        Reader { file: file.into(), documents: Vec::new(), open: Vec::new(), problems: Vec::new() };
    for event in Parser::new_from_str(text) {
        match event {
            Ok((event, span)) => {
                if !reader.event(event, span) {
                    break;
                }
            }
            Err(error) => {
                let place = reader.place_of(error.marker().line(), error.marker().col());
                let problem = Problem::error(&place, format!("is not YAML: {}", error.info()));
                let help = HELP.iter().find(|(said, _)| error.info().contains(said));
                reader.problems.push(Problem { help: help.map(|(_, help)| (*help).to_owned()), ..problem });
                break;
            }
        }
    }
    if reader.problems.is_empty() { Ok(reader.documents) } else { Err(reader.problems) }
}

struct Reader {
    file: Rc<str>,
    documents: Vec<Node>,
    open: Vec<Open>,
    problems: Vec<Problem>,
}

/// A list or map that is being read.
enum Open {
    List(Place, Items),
    Map(Place, Vec<Entry>, Option<(String, Place)>),
}

impl Reader {
    fn place_of(&self, line: usize, column: usize) -> Place {
        let number = |n: usize| u32::try_from(n).unwrap_or(u32::MAX);
        Place {
            file: Rc::clone(&self.file),
            line: number(line),
            column: number(column.saturating_add(1)),
            ..Place::default()
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
                return self.open(Open::List(place.clone(), Items::default()), &place);
            }
            Event::MappingStart(anchor, tag) => {
                self.plain(&place, anchor, tag.is_some());
                return self.open(Open::Map(place.clone(), Vec::new(), None), &place);
            }
            Event::SequenceEnd | Event::MappingEnd => match self.open.pop() {
                Some(Open::List(place, items)) => self.value(Node::new(items.into_value(), place)),
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

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    #[test]
    fn plain_scalars_mean_what_the_core_schema_says() {
        let text = |text: &str| Value::Text(text.to_owned());
        for (written, meant) in [
            ("", Value::Null),
            ("~", Value::Null),
            ("true", Value::Bool(true)),
            ("yes", text("yes")),
            ("on", text("on")),
            ("10", Value::Integer(10)),
            ("-10", Value::Integer(-10)),
            ("0x1F", Value::Integer(31)),
            ("0o17", Value::Integer(15)),
            ("0x", text("0x")),
            ("1.5", Value::Float(1.5)),
            ("1e3", Value::Integer(1000)),
            (".5", Value::Float(0.5)),
            ("1.2.3", text("1.2.3")),
            ("-", text("-")),
            ("30s", text("30s")),
            ("1e999", Value::Float(f64::INFINITY)),
            ("99999999999999999999", Value::Integer(MAX_INTEGER + 1)),
        ] {
            assert_eq!(resolve(written), meant, "{written}");
        }
    }

    #[test]
    fn each_value_knows_its_place() {
        let documents = read("f", "a: 1\nb:\n  - é: x\n    k: 'y'\n--- {c: }\n").unwrap();
        let at = |node: &Node| (node.place.line, node.place.column);
        assert_eq!(at(documents[0].get("a").unwrap()), (1, 4));
        let item = &documents[0].get("b").unwrap().items()[0];
        assert_eq!(at(item.get("é").unwrap()), (3, 8));
        assert_eq!(at(item.get("k").unwrap()), (4, 8));
        assert_eq!((item.entries()[1].place.line, item.entries()[1].place.column), (4, 5));
        assert_eq!(at(documents[1].get("c").unwrap()), (5, 6), "nothing stands where its key does");
    }

    proptest! {
        #[test]
        fn no_text_panics(text in ".{0,64}", odd in "[\\-\\[\\]{}:,#&*!|>'\"%@` \n\ta1]{0,64}") {
            let _ = read("f", &text);
            let _ = read("f", &odd);
        }

        #[test]
        fn what_json_says_yaml_says_too(text in "[ -~é\u{2028}]{0,20}", number in -1000_i64..1000) {
            let json = serde_json::json!({ "text": text, "list": [number, true, null, { "a": text }] }).to_string();
            let documents = read("f", &json).unwrap();
            prop_assert_eq!(serde_json::to_value(&documents[0]).unwrap(), serde_json::from_str::<serde_json::Value>(&json).unwrap());
        }
    }
}
