//! JSON paths into answers whose shape only the operator knows, made into a table.
//!
//! A path is a part of RFC 9535: `$`, then names (`.name`, `['any name']`) and wildcards (`.*`, `[*]`, which both take
//! all values of an object and all items of an array). No indexes, slices, filters or descents: what a path selects
//! must not depend on anything but the way to a value.
//!
//! The longest path that leads to a value decides; of a text and a kept one of the same length, the text. A table has a
//! place for each set of paths that a way through a document can still follow.

use std::cell::RefCell;
use std::collections::HashMap;

use super::table::{KEEP, MASK, MASKED, OnNumber, OnText, Place, Table};

/// A step of a path.
#[derive(Debug, Clone, PartialEq, Eq, Hash)]
pub enum Step {
    /// The value of this key.
    Key(String),
    /// All values, all items.
    All,
}

/// Longest path, in steps.
const MAX_STEPS: usize = 32;

/// Most places of a table, and most known keys of one place.
const MAX_PLACES: usize = 1024;
const MAX_KEYS: usize = 64;

/// Why paths make no table.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum PathsError {
    /// No path, and why.
    #[error("{path} is not a path: {reason}")]
    Path {
        /// As written.
        path: String,
        /// What is wrong.
        reason: String,
    },
    /// The same path as text and as kept.
    #[error("{0} is both a text and kept")]
    Both(String),
    /// Too many ways through a document.
    #[error("the paths are too many, or branch too often")]
    TooMany,
}

/// Reads a path.
///
/// # Errors
/// What is wrong, in a few words.
pub fn parse(text: &str) -> Result<Vec<Step>, String> {
    let mut rest = text.strip_prefix('$').ok_or("it does not start with `$`")?;
    let mut steps = Vec::new();
    while !rest.is_empty() {
        let (step, after) = step(rest)?;
        steps.push(step);
        rest = after;
    }
    if steps.len() > MAX_STEPS {
        return Err(format!("it has more than {MAX_STEPS} steps"));
    }
    Ok(steps)
}

fn step(text: &str) -> Result<(Step, &str), String> {
    if text.starts_with("..") {
        return Err("`..` is not supported: name the way to the value".to_owned());
    }
    if let Some(rest) = text.strip_prefix('.') {
        if let Some(rest) = rest.strip_prefix('*') {
            return Ok((Step::All, rest));
        }
        let end = rest.find(['.', '[']).unwrap_or(rest.len());
        let (name, rest) = rest.split_at_checked(end).unwrap_or((rest, ""));
        let plain = |char: char| char.is_ascii_alphanumeric() || char == '_' || !char.is_ascii();
        let starts = name.chars().next().is_some_and(|first| plain(first) && !first.is_ascii_digit());
        if !starts || !name.chars().all(plain) {
            return Err("a name is letters, digits and `_`; write any other as `['name']`".to_owned());
        }
        return Ok((Step::Key(name.to_owned()), rest));
    }
    let inner = text.strip_prefix('[').ok_or("behind a step stands neither `.` nor `[`")?;
    if let Some(rest) = inner.strip_prefix("*]") {
        return Ok((Step::All, rest));
    }
    for quote in ['\'', '"'] {
        let Some(quoted) = inner.strip_prefix(quote) else { continue };
        let (name, rest) = quoted.split_once(quote).ok_or("a quote is not closed")?;
        if name.contains('\\') || name.chars().any(|char| char.is_ascii_control()) {
            return Err("a quoted name holds a backslash or a control character".to_owned());
        }
        let rest = rest.strip_prefix(']').ok_or("behind a quoted name `]` is missing")?;
        return Ok((Step::Key(name.to_owned()), rest));
    }
    Err("in brackets stands `*` or a quoted name; indexes, slices and filters are not supported".to_owned())
}

/// A path and what becomes of the values at it.
type Route = (Vec<Step>, bool);

thread_local! {
    /// Tables live as long as the thread. A configuration that comes again finds its table made.
    static TABLES: RefCell<HashMap<Vec<Route>, &'static Table>> = RefCell::default();
}

/// The table for `text`, which is masked, and `keep`, which is kept. Without any text everything that is not kept is
/// masked; with some, everything else is kept.
///
/// A table is made once and never freed: a few kilobytes for each list of paths that a worker has ever been given.
///
/// # Errors
/// [`PathsError`].
pub fn table<'p>(
    text: impl Iterator<Item = &'p str>,
    keep: impl Iterator<Item = &'p str>,
) -> Result<&'static Table, PathsError> {
    let mut routes: Vec<Route> = Vec::new();
    let all = text.map(|path| (path, true)).chain(keep.map(|path| (path, false)));
    for (path, masked) in all {
        let steps = parse(path).map_err(|reason| PathsError::Path { path: path.to_owned(), reason })?;
        match routes.iter().find(|(known, _)| *known == steps) {
            Some((_, known)) if *known != masked => return Err(PathsError::Both(path.to_owned())),
            Some(_) => {}
            None => routes.push((steps, masked)),
        }
    }
    if let Some(known) = TABLES.with_borrow(|tables| tables.get(&routes).copied()) {
        return Ok(known);
    }
    // Counted first, so that what is refused is not made, for what is made stays.
    Maker { routes: &routes, places: 0, commit: false }.root()?;
    let root = Maker { routes: &routes, places: 0, commit: true }.root()?;
    let table: &'static Table = Box::leak(Box::new(Table { root, event: root }));
    TABLES.with_borrow_mut(|tables| tables.insert(routes, table));
    Ok(table)
}

struct Maker<'r> {
    routes: &'r [Route],
    places: usize,
    /// Whether places are made, or only counted.
    commit: bool,
}

impl Maker<'_> {
    fn root(&mut self) -> Result<&'static Place, PathsError> {
        let any_text = self.routes.iter().any(|(_, masked)| *masked);
        let all: Vec<usize> = (0..self.routes.len()).collect();
        self.place(&all, 0, !any_text)
    }

    /// The place to which `routes` lead with their first `depth` steps; `masked`: what it would be without those that
    /// end here.
    fn place(&mut self, routes: &[usize], depth: usize, masked: bool) -> Result<&'static Place, PathsError> {
        let here = |at: &&usize| self.routes.get(**at).filter(|(steps, _)| steps.len() == depth);
        let mut ends = routes.iter().filter_map(|at| here(&at)).map(|(_, masked)| *masked).peekable();
        let masked = if ends.peek().is_some() { ends.any(|masked| masked) } else { masked };
        let on: Vec<usize> = routes.iter().copied().filter(|at| self.step(*at, depth).is_some()).collect();
        if on.is_empty() {
            return Ok(if masked { &MASK } else { &KEEP });
        }
        self.places = self.places.saturating_add(1);
        if self.places > MAX_PLACES {
            return Err(PathsError::TooMany);
        }
        let deeper = depth.saturating_add(1);
        let mut keys: Vec<&str> = Vec::new();
        for at in &on {
            if let Some(Step::Key(key)) = self.routes.get(*at).and_then(|(steps, _)| steps.get(depth))
                && !keys.contains(&key.as_str())
            {
                keys.push(key);
            }
        }
        if keys.len() > MAX_KEYS {
            return Err(PathsError::TooMany);
        }
        let keys: Vec<String> = keys.into_iter().map(str::to_owned).collect();
        let through = |wanted: Option<&str>, maker: &Self| -> Vec<usize> {
            let takes = |at: &usize| match maker.step(*at, depth) {
                Some(Step::All) => true,
                Some(Step::Key(key)) => Some(key.as_str()) == wanted,
                None => false,
            };
            on.iter().copied().filter(takes).collect()
        };
        let others = self.place(&through(None, self), deeper, masked)?;
        let mut fields: Vec<(&'static str, &'static Place)> = Vec::new();
        for key in keys {
            let place = self.place(&through(Some(&key), self), deeper, masked)?;
            if self.commit {
                fields.push((Box::leak(key.into_boxed_str()), place));
            }
        }
        if !self.commit {
            return Ok(&MASK);
        }
        let base = if masked { MASKED } else { Place { mask_keys: false, ..KEPT } };
        Ok(Box::leak(Box::new(Place { fields: fields.leak(), other: others, items: others, ..base })))
    }

    fn step(&self, route: usize, depth: usize) -> Option<&Step> {
        self.routes.get(route)?.0.get(depth)
    }
}

/// What a place that keeps is built from.
const KEPT: Place = Place { text: OnText::Keep, number: OnNumber::Keep, ..MASKED };

#[cfg(test)]
mod tests {
    use serde_json::{Value, json};

    use super::*;
    use crate::protocol::rewrite::{BodyKind, ResponseRewriter};
    use crate::protocol::testing::{Simple, masked_value};

    #[test]
    fn a_path_is_names_and_wildcards() {
        let key = |name: &str| Step::Key(name.to_owned());
        assert_eq!(parse("$"), Ok(vec![]));
        assert_eq!(parse("$.a_1[*].b"), Ok(vec![key("a_1"), Step::All, key("b")]));
        assert_eq!(parse("$['a.b'][\"c d\"].*"), Ok(vec![key("a.b"), key("c d"), Step::All]));
        assert_eq!(parse("$.é"), Ok(vec![key("é")]));
        for bad in [
            "",
            "a",
            ".a",
            "$a",
            "$.",
            "$..a",
            "$.a..b",
            "$.1",
            "$.a-b",
            "$[0]",
            "$[1:2]",
            "$[?@.a]",
            "$['a]",
            "$['a'",
            "$['a\\'b']",
            "$.a ",
            "$[*",
            "$.*x",
        ] {
            assert!(parse(bad).is_err(), "{bad}");
        }
        assert!(parse(&format!("${}", ".a".repeat(MAX_STEPS))).is_ok());
        assert!(parse(&format!("${}", ".a".repeat(MAX_STEPS + 1))).is_err());
    }

    fn rewritten(text: &[&str], keep: &[&str], document: &Value) -> Value {
        let table = table(text.iter().copied(), keep.iter().copied()).unwrap();
        let mut rewriter = ResponseRewriter::new(BodyKind::Json, table, Simple);
        let mut out = Vec::new();
        rewriter.push(document.to_string().as_bytes(), true, &mut out).unwrap();
        serde_json::from_slice(&out).unwrap()
    }

    fn document() -> Value {
        json!({
            "id": "SECRET", "n": 123_456,
            "results": [{ "id": "SECRET", "body": "a SECRET", "SECRET": { "deep": ["SECRET", 123_456] } }],
            "by": { "x": { "body": "SECRET" }, "y": { "body": "SECRET", "id": "SECRET" } },
        })
    }

    #[test]
    fn without_paths_everything_is_masked() {
        assert_eq!(rewritten(&[], &[], &document()), masked_value(&document()));
    }

    #[test]
    fn what_is_kept_is_kept_with_all_below_it_and_the_rest_is_masked() {
        let seen = rewritten(&[], &["$.id", "$.results[*].id", "$.by.x"], &document());
        let mut expected = masked_value(&document());
        expected["id"] = json!("SECRET");
        expected["results"][0]["id"] = json!("SECRET");
        expected["by"]["x"] = json!({ "body": "SECRET" });
        assert_eq!(seen, expected);
    }

    #[test]
    fn with_texts_everything_else_is_kept() {
        let seen = rewritten(&["$.results[*].body", "$.by.*.body"], &["$.by.x"], &document());
        let mut expected = document();
        expected["results"][0]["body"] = json!("a <S>");
        expected["by"]["x"]["body"] = json!("<S>");
        expected["by"]["y"]["body"] = json!("<S>");
        assert_eq!(seen, expected);
    }

    #[test]
    fn the_longest_path_decides_and_of_two_equal_ones_the_text() {
        let seen = rewritten(&["$.by"], &["$.by.y"], &document());
        assert_eq!(seen["by"], json!({ "x": { "body": "<S>" }, "y": { "body": "SECRET", "id": "SECRET" } }));
        assert_eq!(seen["id"], "SECRET");
        let seen = rewritten(&["$.by.*"], &["$.by.y"], &document());
        assert_eq!(seen["by"]["y"], json!({ "body": "<S>", "id": "<S>" }));
        assert_eq!(
            table(["$.a"].into_iter(), ["$['a']"].into_iter()).err(),
            Some(PathsError::Both("$['a']".to_owned()))
        );
    }

    #[test]
    fn paths_that_branch_too_often_are_refused() {
        let both =
            |at: usize| (0..16).map(|bit| if at >> bit & 1 == 1 { ".a" } else { ".*" }).collect::<String>();
        let many: Vec<String> = (0..40).map(|at| format!("${}", both(at * 1637))).collect();
        assert_eq!(table(many.iter().map(String::as_str), [].into_iter()).err(), Some(PathsError::TooMany));
        let keys: Vec<String> = (0..65).map(|at| format!("$.k{at}")).collect();
        assert_eq!(table(keys.iter().map(String::as_str), [].into_iter()).err(), Some(PathsError::TooMany));
    }

    #[test]
    fn the_same_paths_share_one_table() {
        let make = || table(["$.a.b"].into_iter(), ["$.c"].into_iter()).unwrap();
        assert!(std::ptr::eq(make(), make()));
    }
}
