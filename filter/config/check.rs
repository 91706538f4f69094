//! Holds a tree against the tables of the format: unknown keys, missing keys, wrong types, values outside a grammar.

use std::time::Duration;

use super::grammar::{self, Fault};
use super::list::TextList;
use super::node::{Entry, Node, Value};
use super::problem::{Problem, near, one_of, shown};
use super::schema::{Form, Key, Kind, Need, Section, TEMPLATE, TEXT_TEMPLATE};
use super::set::Place;

/// Reports everything in which `node` departs from `section`.
pub(super) fn section(node: &Node, section: &Section, problems: &mut Vec<Problem>) {
    Check { problems }.section(node, section);
}

const WHOLE: &str = "a whole number";
const DURATION: &str = "a duration such as `30s`";
const LIST: &str = "a list";
const FLAG: &str = "`true` or `false`";

fn is_required(key: &Key) -> bool {
    matches!(key.need, Need::Required)
}

fn is_list(node: &Node) -> bool {
    matches!(node.value, Value::List(_))
}

/// What a key takes, in a few words.
fn expected(kind: &Kind) -> String {
    match kind {
        Kind::Text(form) => form.name.to_owned(),
        Kind::Choice(words) | Kind::ChoiceOr(words, _) => one_of(words.iter().copied()),
        Kind::List(_) | Kind::OneOrMany(_) => "a list of at least one".to_owned(),
        Kind::Version => format!("`{}`", super::tables::VERSION),
        Kind::Count(..) => WHOLE.to_owned(),
        Kind::Flag => FLAG.to_owned(),
        Kind::Share => "a number between 0 and 1".to_owned(),
        Kind::Duration(..) => DURATION.to_owned(),
        Kind::Size(..) => "a size such as `1Mi`".to_owned(),
        Kind::KeySet => "a key set".to_owned(),
        Kind::Section(_) | Kind::Named(..) | Kind::Map | Kind::Headers | Kind::Fields | Kind::Digests => {
            "a map".to_owned()
        }
    }
}

struct Check<'a> {
    problems: &'a mut Vec<Problem>,
}

impl Check<'_> {
    fn section(&mut self, node: &Node, section: &Section) {
        let Value::Map(entries) = &node.value else {
            return self.wrong(node, "a map");
        };
        for entry in entries {
            match section.keys.iter().find(|key| key.name == entry.key) {
                Some(key) if is_required(key) && entry.value.items().is_empty() && is_list(&entry.value) => {
                    let problem = Problem::error(&entry.value.place, "is an empty list");
                    self.problems.push(problem.help("it must hold at least one"));
                }
                Some(key) => self.value(&entry.value, &key.kind),
                None => self.problems.push(unknown(entry, section)),
            }
        }
        for key in section.keys {
            if is_required(key) && node.get(key.name).is_none() {
                let message = format!("needs the key `{}`", key.name);
                let help = format!("add `{}`: {}", key.name, expected(&key.kind));
                self.problems.push(Problem::error(&node.place, message).help(help));
            }
        }
    }

    fn value(&mut self, node: &Node, kind: &Kind) {
        match kind {
            Kind::Section(section) => self.section(node, section),
            Kind::List(item) => self.list(node, item, LIST),
            Kind::OneOrMany(item) if matches!(node.value, Value::List(_) | Value::Texts(_)) => {
                self.list(node, item, LIST)
            }
            Kind::OneOrMany(item) => self.value(node, item),
            Kind::ChoiceOr(_, section) if matches!(node.value, Value::Map(_)) => self.section(node, section),
            Kind::ChoiceOr(words, _) | Kind::Choice(words) => self.choice(node, words),
            Kind::Text(form) => self.text(node, form),
            Kind::Duration(least, most) => self.duration(node, *least, *most),
            Kind::Size(least, most) => self.size(node, *least, *most),
            Kind::Share => match node.value {
                Value::Integer(0 | 1) => {}
                Value::Float(share) if (0.0..=1.0).contains(&share) => {}
                _ => self.wrong(node, "a number between 0 and 1"),
            },
            Kind::Count(least, most) => self.count(node, *least, *most),
            Kind::Named(form, section) => self.named(node, form, section),
            Kind::Version => match &node.value {
                Value::Integer(_) => {}
                _ => self.wrong(node, WHOLE),
            },
            Kind::Flag => match &node.value {
                Value::Bool(_) => {}
                _ => self.wrong(node, FLAG),
            },
            Kind::Map => match &node.value {
                Value::Map(_) => {}
                _ => self.wrong(node, "a map"),
            },
            Kind::Headers => self.headers(node),
            Kind::Fields => self.fields(node),
            Kind::Digests => self.digests(node),
            Kind::KeySet => self.key_set(node),
        }
    }

    fn text(&mut self, node: &Node, form: &Form) {
        let Some(text) = node.text() else {
            return match form.secret {
                true => {
                    self.problems.push(Problem::error(
                        &node.place,
                        format!("expected text, found {}", node.value.kind()),
                    ));
                }
                false => self.wrong_type(node, form.name, true),
            };
        };
        if let Err(fault) = (form.check)(text) {
            self.problems.push(told(&node.place, if form.secret { "" } else { text }, fault));
        }
    }

    fn list(&mut self, node: &Node, item: &Kind, expected: &str) {
        let items = match &node.value {
            Value::List(items) => items,
            Value::Texts(texts) => return self.texts(node, texts, item),
            _ => return self.wrong(node, expected),
        };
        if items.is_empty() {
            self.problems
                .push(Problem::error(&node.place, "is an empty list").help("leave the key out, or fill it"));
        }
        let mut texts = std::collections::HashSet::new();
        for node in items {
            self.value(node, item);
            if let Some(text) = node.text()
                && !texts.insert(text)
            {
                self.problems
                    .push(Problem::error(&node.place, format!("{} stands in the list twice", shown(text))));
            }
        }
    }

    /// A list of nothing but texts, of which a place is made only where one is at fault.
    fn texts(&mut self, node: &Node, list: &TextList, item: &Kind) {
        match item {
            Kind::Text(form) => {
                for (at, text) in list.texts().iter().enumerate() {
                    if let Err(fault) = (form.check)(text) {
                        let place = list.place(at, &node.place);
                        self.problems.push(told(&place, if form.secret { "" } else { text }, fault));
                    }
                }
            }
            _ => node.each().for_each(|node| self.value(&node, item)),
        }
        let mut seen = std::collections::HashSet::with_capacity(list.texts().len());
        for (at, text) in list.texts().iter().enumerate() {
            if !seen.insert(text) {
                let place = list.place(at, &node.place);
                self.problems
                    .push(Problem::error(&place, format!("{} stands in the list twice", shown(text))));
            }
        }
    }

    fn choice(&mut self, node: &Node, words: &[&'static str]) {
        let Some(text) = node.text() else {
            return self.wrong(node, &one_of(words.iter().copied()));
        };
        if words.contains(&text) {
            return;
        }
        let problem = Problem::error(&node.place, format!("{} is not known here", shown(text)));
        let all = format!("use {}", one_of(words.iter().copied()));
        let help = near(text, words.iter().copied()).map_or(all, |word| format!("did you mean `{word}`?"));
        self.problems.push(problem.help(help));
    }

    fn duration(&mut self, node: &Node, least: Duration, most: Duration) {
        let Some(text) = node.text() else {
            return self.wrong(node, DURATION);
        };
        match grammar::duration(text) {
            Ok(duration) if (least..=most).contains(&duration) => {}
            Ok(_) => {
                let (least, most) = (grammar::write_duration(least), grammar::write_duration(most));
                let message = format!("{} is not between {least} and {most}", shown(text));
                self.problems.push(Problem::error(&node.place, message));
            }
            Err(fault) => self.problems.push(told(&node.place, text, fault)),
        }
    }

    fn size(&mut self, node: &Node, least: u64, most: u64) {
        let text = match &node.value {
            Value::Text(text) => text.clone(),
            Value::Integer(number) => number.to_string(),
            _ => return self.wrong(node, "a size such as `1Mi`"),
        };
        match grammar::size(&text) {
            Ok(size) if (least..=most).contains(&size) => {}
            Ok(_) => {
                let (least, most) = (grammar::write_size(least), grammar::write_size(most));
                let message = format!("{} is not between {least} and {most}", shown(&text));
                self.problems.push(Problem::error(&node.place, message));
            }
            Err(fault) => self.problems.push(told(&node.place, &text, fault)),
        }
    }

    fn count(&mut self, node: &Node, least: u64, most: u64) {
        let Value::Integer(number) = node.value else {
            return self.wrong(node, WHOLE);
        };
        if !u64::try_from(number).is_ok_and(|number| (least..=most).contains(&number)) {
            let message = format!("`{number}` is not between {least} and {most}");
            self.problems.push(Problem::error(&node.place, message));
        }
    }

    fn named(&mut self, node: &Node, form: &Form, section: &Section) {
        let Value::Map(entries) = &node.value else {
            return self.wrong(node, "a map");
        };
        if entries.is_empty() {
            let problem = Problem::error(&node.place, "is an empty map");
            self.problems.push(problem.help("leave the key out, or fill it"));
        }
        for entry in entries {
            if let Err(fault) = (form.check)(&entry.key) {
                self.problems.push(told(&entry.place, &entry.key, fault));
            }
            self.section(&entry.value, section);
        }
    }

    fn fields(&mut self, node: &Node) {
        let Value::Map(entries) = &node.value else {
            return self.wrong(node, "a map from fields to text");
        };
        if entries.is_empty() {
            let problem = Problem::error(&node.place, "is an empty map");
            self.problems.push(problem.help("leave the key out, or fill it"));
        }
        for entry in entries {
            if let Err(fault) = grammar::field(&entry.key) {
                self.problems.push(told(&entry.place, &entry.key, fault));
            }
            self.text(&entry.value, &TEXT_TEMPLATE);
        }
    }

    fn headers(&mut self, node: &Node) {
        let Value::Map(entries) = &node.value else {
            return self.wrong(node, "a map from header names to values");
        };
        let mut names = std::collections::HashSet::new();
        for entry in entries {
            match grammar::header(&entry.key) {
                Ok(name) => {
                    if !names.insert(name) {
                        self.problems.push(Problem::error(&entry.place, "is given twice, but for capitals"));
                    }
                }
                Err(fault) => self.problems.push(told(&entry.place, &entry.key, fault)),
            }
            self.text(&entry.value, &TEMPLATE);
        }
    }

    fn digests(&mut self, node: &Node) {
        let Value::Map(entries) = &node.value else {
            return self.wrong(node, "a map from policy names to digests");
        };
        for entry in entries {
            if entry.value.text().is_none() {
                self.wrong(&entry.value, "text");
            }
        }
    }

    fn key_set(&mut self, node: &Node) {
        let mut keys = node.get("keys").into_iter().flat_map(Node::each).peekable();
        if keys.peek().is_none() {
            let problem = Problem::error(&node.place, "is not a key set");
            return self.problems.push(problem.help("write `{ keys: [ { kty: … } ] }`"));
        }
        for key in keys {
            let Some(kind) = key.get("kty").and_then(Node::text) else {
                self.problems.push(Problem::error(&key.place, "is not a JSON Web Key: it has no `kty`"));
                continue;
            };
            if kind == "oct" || key.get("d").is_some() || key.get("k").is_some() {
                let problem = Problem::error(&key.place, "is a secret key; a set holds public keys only");
                self.problems
                    .push(problem.help("take it out of the repository and replace it at the issuer"));
            }
        }
    }

    fn wrong(&mut self, node: &Node, expected: &str) {
        self.wrong_type(node, expected, false);
    }

    fn wrong_type(&mut self, node: &Node, expected: &str, is_text: bool) {
        let found = match &node.value {
            Value::Bool(value) => format!("`{value}`"),
            Value::Integer(value) => format!("`{value}`"),
            Value::Float(value) => format!("`{value}`"),
            Value::Text(text) => shown(text),
            other => other.kind().to_owned(),
        };
        let problem = Problem::error(&node.place, format!("expected {expected}, found {found}"));
        self.problems.push(Problem { help: meant(&node.value, expected, is_text), ..problem });
    }
}

/// How to write what was meant by a value of another type than is expected.
fn meant(value: &Value, expected: &str, is_text: bool) -> Option<String> {
    match value {
        // YAML reads a bare `true` as something else than text.
        Value::Bool(_) | Value::Integer(_) if is_text => Some("put it in quotes".to_owned()),
        Value::Integer(number) if expected == DURATION => Some(format!("write `{number}s`")),
        // And a number or a `true` in quotes as text.
        Value::Text(text)
            if expected == WHOLE && text.parse::<i64>().is_ok()
                || expected == FLAG && matches!(text.as_str(), "true" | "false") =>
        {
            Some(format!("write {text} without quotes"))
        }
        Value::Text(text) if expected == WHOLE => {
            grammar::size(text).ok().map(|number| format!("write {number}"))
        }
        Value::Text(text) if expected == LIST && is_plain(text) => Some(format!("write `[{text}]`")),
        _ => None,
    }
}

/// Whether a text stands in a list of YAML as it is.
fn is_plain(text: &str) -> bool {
    let plain = |byte: u8| byte.is_ascii_alphanumeric() || matches!(byte, b'-' | b'_' | b'.' | b':' | b'/');
    text.len() <= 60 && text.bytes().all(plain)
}

fn told(place: &Place, text: &str, fault: Fault) -> Problem {
    let message = if text.is_empty() { fault.message } else { format!("{} {}", shown(text), fault.message) };
    Problem { help: fault.help, ..Problem::error(place, message) }
}

fn unknown(entry: &Entry, section: &Section) -> Problem {
    let names = || section.keys.iter().map(|key| key.name);
    let problem = Problem::error(&entry.place, format!("{} is not a key here", shown(&entry.key)));
    let all = format!("use {}", one_of(names()));
    problem.help(near(&entry.key, names()).map_or(all, |name| format!("did you mean `{name}`?")))
}
