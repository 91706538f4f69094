//! Parameters of a query string, read as strictly as a body: what the store would read and we do not know, or know twice,
//! is refused.

use std::borrow::Cow;
use std::ops::Range;

use percent_encoding::percent_decode;

use crate::protocol::RequestError;

/// What a parameter says.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Param {
    /// Nothing that is judged.
    Pass,
    /// Nothing that is judged, and it may come several times.
    Many,
    /// How many hits are asked for.
    TopK,
    /// A part of a collection.
    Namespace,
    /// A collection.
    Collection,
    /// A collection whose name begins with a large letter.
    Class,
    /// Whether vectors come with the rows.
    Vectors,
    /// Rows that no filter narrows.
    Unnarrowed,
}

/// A parameter that is there.
#[derive(Debug, PartialEq, Eq)]
pub struct Given<'q> {
    /// Its name in the table.
    pub name: &'static str,
    /// What it says.
    pub param: Param,
    /// Its value, decoded.
    pub value: Cow<'q, str>,
    /// Where the value stands, from the query's first byte.
    pub at: Range<usize>,
}

/// Reads a query string (without `?`) along a table.
///
/// # Errors
/// A parameter that the table does not name, one that comes twice, or one that servers read differently.
pub fn read<'q>(
    query: &'q str,
    table: &'static [(&'static str, Param)],
) -> Result<Vec<Given<'q>>, RequestError> {
    let mut given: Vec<Given<'q>> = Vec::new();
    let mut from = 0usize;
    for pair in query.split('&') {
        let at = from;
        from = from.saturating_add(pair.len()).saturating_add(1);
        if pair.is_empty() {
            continue;
        }
        // Some servers part parameters at a semicolon.
        if pair.contains(';') {
            return Err(fault("a semicolon"));
        }
        let (name, value) = pair.split_once('=').unwrap_or((pair, ""));
        let name = decoded(name).ok_or_else(|| fault("a name that is not text"))?;
        let Some((name, param)) = table.iter().copied().find(|(known, _)| *known == name) else {
            return Err(fault("a parameter that is not known of this API"));
        };
        if param != Param::Many && given.iter().any(|other| other.name == name) {
            return Err(RequestError::Duplicate { path: format!("the parameter {name}") });
        }
        let start = at.saturating_add(pair.len().saturating_sub(value.len()));
        let end = start.saturating_add(value.len());
        let value = decoded(value).ok_or_else(|| fault("a value that is not text"))?;
        given.push(Given { name, param, value, at: start..end });
    }
    Ok(given)
}

/// What a name or a value means; `None`: a `%` without two digits, or bytes that are no text.
fn decoded(text: &str) -> Option<Cow<'_, str>> {
    let whole = text.split('%').skip(1).all(
        |after| matches!(after.as_bytes(), [a, b, ..] if a.is_ascii_hexdigit() && b.is_ascii_hexdigit()),
    );
    if !whole {
        return None;
    }
    if text.contains('+') {
        let spaced = text.replace('+', " ");
        let decoded = percent_decode(spaced.as_bytes()).decode_utf8().ok()?;
        return Some(Cow::Owned(decoded.into_owned()));
    }
    percent_decode(text.as_bytes()).decode_utf8().ok()
}

fn fault(reason: &'static str) -> RequestError {
    RequestError::Schema { path: "the query string".to_owned(), reason }
}

#[cfg(test)]
mod tests {
    use super::*;

    static TABLE: &[(&str, Param)] =
        &[("limit", Param::TopK), ("ids", Param::Many), ("namespace", Param::Namespace)];

    #[test]
    fn a_parameter_is_found_with_its_place() {
        let query = "ids=a&limit=%31%30&ids=b+c&namespace=";
        let given = read(query, TABLE).unwrap();
        let found: Vec<_> = given.iter().map(|one| (one.name, &*one.value, &query[one.at.clone()])).collect();
        assert_eq!(
            found,
            [("ids", "a", "a"), ("limit", "10", "%31%30"), ("ids", "b c", "b+c"), ("namespace", "", "")]
        );
        assert_eq!(read("", TABLE).unwrap(), []);
        assert_eq!(read("&&limit=1&", TABLE).unwrap().len(), 1);
    }

    #[test]
    fn what_a_server_may_read_otherwise_is_refused() {
        for query in [
            "limit=1&limit=2",
            "limit=1&li%6Dit=2",
            "Limit=1",
            "other=1",
            "limit=1;namespace=x",
            "namespace=%zz",
            "namespace=%C3",
            "limit=1&%",
            " limit=1",
        ] {
            assert!(read(query, TABLE).is_err(), "{query}");
        }
    }
}
