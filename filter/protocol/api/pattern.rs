//! Paths of operations.
//!
//! A pattern is segments with slashes between. A segment is a word, taken letter by letter; `{name}`, any segment that
//! is not empty; `{name}:word`, the same with that end; `<name>`, any that does not begin with `_` (OpenSearch keeps
//! those for itself); or, at the end, `**`, one segment or more, whatever they are.

/// How closely a segment of a pattern says what it takes: `**`, `{name}`, `{name}:word`, a word.
const REST: u64 = 0;
const ANY: u64 = 1;
const END: u64 = 2;
const WORD: u64 = 3;

/// How closely a pattern fits a path: the more, the greater, and what is further left counts for more. `None`: it does
/// not. Two bits a segment, from the top; a pattern has fewer than 32 segments.
pub(super) fn rank(pattern: &str, path: &[&str]) -> Option<u64> {
    if !begins(pattern, path.first()?) {
        return None;
    }
    let mut rank = 0;
    let mut path = path.iter();
    for (at, segment) in (0..u64::BITS).step_by(2).zip(pattern.split('/')) {
        let fits = if segment == "**" { rest(path.as_slice()) } else { fits(segment, path.next()?) }?;
        rank |= fits.wrapping_shl(u64::BITS.saturating_sub(2).saturating_sub(at));
        if segment == "**" {
            return Some(rank);
        }
    }
    path.next().is_none().then_some(rank)
}

/// Whether a pattern may fit a path with that first segment: most do not, and that is told without taking them apart.
pub(super) fn begins(pattern: &str, first: &str) -> bool {
    let whole = |rest: &str| rest.is_empty() || rest.starts_with('/');
    pattern.starts_with(['{', '<', '*']) || pattern.strip_prefix(first).is_some_and(whole)
}

fn rest(path: &[&str]) -> Option<u64> {
    (!path.is_empty()).then_some(REST)
}

fn fits(pattern: &str, segment: &str) -> Option<u64> {
    if pattern.starts_with('<') {
        return (!segment.is_empty() && !segment.starts_with('_')).then_some(ANY);
    }
    let Some((_, end)) = pattern.strip_prefix('{').and_then(|rest| rest.split_once('}')) else {
        return (pattern == segment).then_some(WORD);
    };
    let name = segment.strip_suffix(end)?;
    (!name.is_empty()).then_some(if end.is_empty() { ANY } else { END })
}

/// What stands in a path at the segment of this name, where the pattern fits the path.
pub(super) fn part<'p>(pattern: &str, path: &[&'p str], name: &str) -> Option<&'p str> {
    rank(pattern, path)?;
    pattern.split('/').zip(path).find_map(|(segment, part)| {
        let (found, end) = segment.strip_prefix('{')?.split_once('}')?;
        if found == name { part.strip_suffix(end) } else { None }
    })
}

/// What stands in a path at the segments that have a name, where the pattern fits the path.
pub(super) fn parts<'p>(pattern: &'static str, path: &[&'p str]) -> Vec<(&'static str, &'p str)> {
    let named = pattern.split('/').zip(path).filter_map(|(segment, part)| {
        let inner = segment.strip_prefix(['{', '<'])?;
        let (name, _) = inner.split_once(['}', '>'])?;
        Some((name, *part))
    });
    named.collect()
}

/// Whether a pattern is words alone.
pub(super) fn is_words(pattern: &str) -> bool {
    !pattern.contains(['{', '<', '*'])
}

/// A path as patterns are written: without the slash before it.
pub(super) fn behind_slash(path: &str) -> Option<&str> {
    Some(path.split_once('/')?.1)
}

/// What of a path stands behind its last version; the whole of a path without one. `None`: nothing does, or an empty
/// segment stands before it.
pub(super) fn behind_version(path: &str) -> Option<&str> {
    let mut rest = behind_slash(path)?;
    let mut behind = Some(rest);
    let mut empty = false;
    loop {
        let (segment, after) =
            rest.split_once('/').map_or((rest, None), |(first, after)| (first, Some(after)));
        empty |= segment.is_empty();
        if is_base(segment) {
            behind = after.filter(|_| !empty);
        }
        match after {
            Some(after) => rest = after,
            None => return behind,
        }
    }
}

/// Whether a segment ends the part of the path before the API: `v1`, `v1beta`, `openai`, `api`.
fn is_base(segment: &str) -> bool {
    let version = segment.strip_prefix('v').unwrap_or_default();
    let digits = version.bytes().take_while(u8::is_ascii_digit).count();
    let rest = version.get(digits..).unwrap_or_default();
    segment == "openai" || segment == "api" || (digits > 0 && matches!(rest, "" | "alpha" | "beta"))
}
