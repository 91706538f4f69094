//! Paths of operations.
//!
//! A pattern is segments with slashes between. A segment is a word, taken letter by letter; `{name}`, any segment that
//! is not empty; `{name}:word`, the same with that end; `<name>`, any that does not begin with `_` (OpenSearch keeps
//! those for itself); or, at the end, `**`, one segment or more, whatever they are.

/// How closely one segment of a pattern says what it takes. The order is that of specificity.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub(super) enum Closeness {
    /// `**`.
    Rest,
    /// `{name}` and `<name>`.
    Any,
    /// `{name}:word`.
    End,
    /// A word.
    Word,
}

/// How closely a pattern fits a path, from the left; `None`: it does not.
pub(super) fn rank(pattern: &str, path: &[&str]) -> Option<Vec<Closeness>> {
    let mut rank = Vec::new();
    let mut path = path.iter();
    for segment in pattern.split('/') {
        if segment == "**" {
            rank.push(Closeness::Rest);
            return (!path.as_slice().is_empty()).then_some(rank);
        }
        rank.push(fits(segment, path.next()?)?);
    }
    path.next().is_none().then_some(rank)
}

fn fits(pattern: &str, segment: &str) -> Option<Closeness> {
    if pattern.starts_with('<') {
        return (!segment.is_empty() && !segment.starts_with('_')).then_some(Closeness::Any);
    }
    let Some((_, end)) = pattern.strip_prefix('{').and_then(|rest| rest.split_once('}')) else {
        return (pattern == segment).then_some(Closeness::Word);
    };
    let name = segment.strip_suffix(end)?;
    (!name.is_empty()).then_some(if end.is_empty() { Closeness::Any } else { Closeness::End })
}

/// What of a path stands behind its last version; the whole of a path without one. `None`: an empty segment before it.
pub(super) fn behind_version(path: &str) -> Option<Vec<&str>> {
    let segments: Vec<&str> = path.split('/').skip(1).collect();
    let base = segments.iter().rposition(|segment| is_base(segment)).map_or(0, |at| at.saturating_add(1));
    let (base, rest) = segments.split_at_checked(base)?;
    (!base.contains(&"")).then(|| rest.to_vec())
}

/// Whether a segment ends the part of the path before the API: `v1`, `v1beta`, `openai`, `api`.
fn is_base(segment: &str) -> bool {
    let version = segment.strip_prefix('v').unwrap_or_default();
    let digits = version.bytes().take_while(u8::is_ascii_digit).count();
    let rest = version.get(digits..).unwrap_or_default();
    segment == "openai" || segment == "api" || (digits > 0 && matches!(rest, "" | "alpha" | "beta"))
}
