//! Masks: what is looked for, and what becomes of it.

use super::grammar::{Fault, Piece, claim_path, split_template};
use super::node::{Entry, Node, Value};
use super::problem::Problem;
use super::read;
use super::set::{Located, Mask, Operator, Scope, ScopePart, Template, Thinking};

/// Keys of an operator that go with one of them alone.
const GOES_WITH: &[(&str, &str)] = &[
    ("keep_first", "mask"),
    ("keep_last", "mask"),
    ("character", "mask"),
    ("key", "pseudonym"),
    ("scope", "pseudonym"),
];

const THINKING: &[(&str, Thinking)] =
    &[("mask", Thinking::Mask), ("exempt", Thinking::Exempt), ("drop", Thinking::Drop)];

pub(super) fn read(node: &Node, problems: &mut Vec<Problem>) -> Mask {
    let entries = node.get("overrides").map(Node::entries).unwrap_or_default();
    let names_values = |node: &Node| word(node) == "pseudonym";
    // A key or scope of the mask may be there for its overrides alone.
    let shared = entries.iter().any(|entry| names_values(&entry.value));
    stray(node, shared, problems);
    let overrides = entries.iter().filter_map(|entry| replaced(entry, node, problems)).collect();
    let operator = operator(node, None, problems).unwrap_or_default();
    let restore = node.get("restore");
    let mask = Mask {
        entities: read::located_texts(node, "entities"),
        operator,
        thinking: read::choice(node, "thinking", THINKING).unwrap_or_default(),
        overrides,
        restore: restore.is_some_and(|node| node.value == Value::Bool(true)),
    };
    if let (true, Some(restore)) = (mask.restore && !can_restore(&mask), restore) {
        let problem = Problem::error(&restore.place, "has nothing that could be put back");
        problems.push(problem.help("values come back where the operator is `replace` or `pseudonym`"));
    }
    mask
}

/// Whether some value gets a name that can be taken back.
fn can_restore(mask: &Mask) -> bool {
    let names = |operator: &Operator| matches!(operator, Operator::Replace | Operator::Pseudonym { .. });
    names(&mask.operator) || mask.overrides.iter().any(|(_, operator)| names(operator))
}

fn replaced(entry: &Entry, mask: &Node, problems: &mut Vec<Problem>) -> Option<(Located<String>, Operator)> {
    stray(&entry.value, false, problems);
    let name = Located { value: entry.key.clone(), place: entry.place.clone() };
    Some((name, operator(&entry.value, Some(mask), problems)?))
}

fn word(node: &Node) -> &str {
    node.get("operator").and_then(Node::text).unwrap_or("replace")
}

/// Reports keys that the operator has no use for.
fn stray(node: &Node, shared: bool, problems: &mut Vec<Problem>) {
    for (key, operator) in GOES_WITH {
        let wanted = word(node) == *operator || shared && *operator == "pseudonym";
        if let (false, Some(stray)) = (wanted, node.get(key)) {
            let problem =
                Problem::error(&stray.place, format!("has no effect with `operator: {}`", word(node)));
            problems.push(problem.help(format!("it goes with `operator: {operator}`")));
        }
    }
}

/// An operator; what it lacks of key and scope is the `mask`'s around it.
fn operator(node: &Node, mask: Option<&Node>, problems: &mut Vec<Problem>) -> Option<Operator> {
    let from = |key: &str| node.get(key).or_else(|| mask?.get(key));
    match word(node) {
        "replace" => Some(Operator::Replace),
        "mask" => Some(Operator::Mask {
            keep_first: read::count(node, "keep_first").unwrap_or_default(),
            keep_last: read::count(node, "keep_last").unwrap_or_default(),
            character: node.get("character").and_then(Node::text).and_then(first).unwrap_or(b'*'),
        }),
        "pseudonym" => {
            let Some(key) = from("key") else {
                let problem = Problem::error(&node.place, "needs the key `key`");
                problems.push(
                    problem
                        .help("pseudonyms are made under a secret: `key: ${env:NAME}`, of 16 bytes or more"),
                );
                return None;
            };
            let key: Template = read::template(key)?;
            let parts = from("scope").and_then(Node::text).and_then(|text| scope(text).ok());
            Some(Operator::Pseudonym { key, scope: Scope { parts: parts.unwrap_or_default() } })
        }
        "redact" => Some(Operator::Redact),
        "block" => Some(Operator::Block),
        "flag" => Some(Operator::Flag),
        _ => None,
    }
}

fn first(text: &str) -> Option<u8> {
    text.bytes().next()
}

/// What covers letters and digits.
pub(super) fn character(text: &str) -> Result<(), Fault> {
    match text.as_bytes() {
        [b'<' | b'>'] => Err(Fault::new("is what names of entities stand in")),
        [byte] if byte.is_ascii_graphic() && !byte.is_ascii_digit() => Ok(()),
        _ => Err(Fault::new("is not one character that covers")
            .help("write one printable ASCII character that is no digit, such as `*`, `#` or `X`")),
    }
}

/// Where a pseudonym holds.
pub(super) fn scope(text: &str) -> Result<Vec<ScopePart>, Fault> {
    let mut parts = Vec::new();
    for piece in split_template(text)? {
        match piece {
            Piece::Text(text) if text.is_empty() => {}
            Piece::Text(text) => parts.push(ScopePart::Text(text)),
            Piece::Expression(inner) => parts.push(expression(inner.trim())?),
        }
    }
    if parts.is_empty() { Err(Fault::new("is empty")) } else { Ok(parts) }
}

fn expression(inner: &str) -> Result<ScopePart, Fault> {
    if inner.starts_with("env:") {
        return Err(Fault::new("holds `${env:…}` where no secret belongs")
            .help("a scope is no secret: the key is, and stands in `key`"));
    }
    let name = |byte: u8| byte.is_ascii_alphanumeric() || byte == b'_';
    match inner.strip_prefix("identity.") {
        Some("id") => Ok(ScopePart::Id),
        Some("subject") => Ok(ScopePart::Subject),
        Some("issuer") => Ok(ScopePart::Issuer),
        Some(rest) if rest.strip_prefix("claims.").is_some_and(|path| path.bytes().all(|b| name(b) || b == b'.')) => {
            Ok(ScopePart::Claim(claim_path(rest.strip_prefix("claims.").unwrap_or_default())?))
        }
        _ => Err(Fault::new("holds a `${…}` that no scope knows").help(
            "write `${identity.claims.NAME}`, `${identity.subject}`, `${identity.issuer}` or `${identity.id}`",
        )),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_scope_is_text_and_what_the_token_says() {
        let text = |text: &str| ScopePart::Text(text.to_owned());
        let claim = |path: &[&str]| ScopePart::Claim(path.iter().map(|&name| name.to_owned()).collect());
        assert_eq!(scope("acme"), Ok(vec![text("acme")]));
        assert_eq!(scope("t/${identity.claims.org.id}"), Ok(vec![text("t/"), claim(&["org", "id"])]));
        assert_eq!(scope("${identity.claims.claims.x}"), Ok(vec![claim(&["claims", "x"])]));
        assert_eq!(
            scope("${ identity.subject }${identity.issuer}"),
            Ok(vec![ScopePart::Subject, ScopePart::Issuer])
        );
        assert_eq!(scope("$${a}"), Ok(vec![text("${a}")]));
        for refused in [
            "",
            "${identity}",
            "${env:A}",
            "${identity.claims.}",
            "${identity.claims}",
            "${prompt.text}",
            "${",
            "${identity.groups[0]}",
        ] {
            assert!(scope(refused).is_err(), "{refused}");
        }
    }

    #[test]
    fn what_covers_is_one_character_and_no_digit() {
        for good in ["*", "#", "X", "."] {
            assert_eq!(character(good), Ok(()));
        }
        for bad in ["", "**", "0", "é", " ", "\n", "<", ">"] {
            assert!(character(bad).is_err(), "{bad}");
        }
    }
}
