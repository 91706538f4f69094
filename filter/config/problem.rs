//! What is wrong with a policy set, where, and what to do about it.

use std::fmt;

use super::set::Place;

/// Whether a set with this problem may be used.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub enum Severity {
    /// The set is refused.
    Error,
    /// The set works; somebody should look.
    Warning,
}

/// One thing that is wrong with a policy set.
///
/// It reads `file:line:col: path.of.key: message`, without what is not known of the place, and a line of help below.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Problem {
    /// Whether the set may be used.
    pub severity: Severity,
    /// Where.
    pub place: Place,
    /// What, in one sentence without a full stop.
    pub message: String,
    /// What to do, where it is not plain from the message.
    pub help: Option<String>,
}

impl Problem {
    /// A problem for which the set is refused.
    pub fn error(place: &Place, message: impl Into<String>) -> Self {
        Self { severity: Severity::Error, place: place.clone(), message: message.into(), help: None }
    }

    /// A problem that leaves the set usable.
    pub fn warning(place: &Place, message: impl Into<String>) -> Self {
        Self { severity: Severity::Warning, ..Self::error(place, message) }
    }

    /// The same, with a line that says what to do.
    #[must_use]
    pub fn help(self, help: impl Into<String>) -> Self {
        Self { help: Some(help.into()), ..self }
    }

    /// Whether the set is refused for it.
    pub fn is_error(&self) -> bool {
        self.severity == Severity::Error
    }
}

impl fmt::Display for Problem {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let place = &self.place;
        if !place.file.is_empty() {
            write!(f, "{}:", place.file)?;
            if place.line > 0 {
                write!(f, "{}:{}:", place.line, place.column)?;
            }
            f.write_str(" ")?;
        }
        if !place.key.is_empty() {
            write!(f, "{}: ", place.key)?;
        }
        f.write_str(&self.message)?;
        match &self.help {
            Some(help) => write!(f, "\n  help: {help}"),
            None => Ok(()),
        }
    }
}

/// Another place, as messages name it: `policies[0].name (chat.yaml:3:5)`.
pub(super) fn elsewhere(place: &Place) -> String {
    match (place.file.is_empty(), place.key.is_empty()) {
        (true, _) => place.key.to_string(),
        (false, true) => format!("{}:{}:{}", place.file, place.line, place.column),
        (false, false) => format!("{} ({}:{}:{})", place.key, place.file, place.line, place.column),
    }
}

/// A name among `known` that somebody may have meant by `written`.
pub fn near<'a>(written: &str, known: impl IntoIterator<Item = &'a str>) -> Option<&'a str> {
    // Long input has no near miss, and the distance costs the product of the lengths.
    if written.len() > 64 {
        return None;
    }
    let written = written.to_ascii_lowercase();
    let far = written.len().div_euclid(3).max(1);
    known
        .into_iter()
        .map(|name| (strsim::damerau_levenshtein(&written, &name.to_ascii_lowercase()), name))
        .filter(|(distance, _)| *distance <= far)
        .min_by_key(|(distance, _)| *distance)
        .map(|(_, name)| name)
}

/// Names in a row: `` `a`, `b` or `c` ``.
pub fn one_of<'a>(names: impl IntoIterator<Item = &'a str>) -> String {
    let quoted: Vec<String> = names.into_iter().map(|name| format!("`{name}`")).collect();
    match quoted.split_last() {
        None => String::new(),
        Some((last, [])) => last.clone(),
        Some((last, before)) => format!("{} or {last}", before.join(", ")),
    }
}

/// What was written, fit for a message: bounded, and without control characters.
pub(super) fn shown(text: &str) -> String {
    const MOST: usize = 60;
    let plain: String = text.chars().take(MOST).flat_map(char::escape_debug).collect();
    let plain = plain.replace("\\\"", "\"").replace("\\'", "'");
    if text.chars().nth(MOST).is_some() { format!("`{plain}…`") } else { format!("`{plain}`") }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn place(file: &str, line: u32, key: &str) -> Place {
        Place { file: file.into(), line, column: 5, key: key.into() }
    }

    #[test]
    fn a_problem_says_what_is_known_of_its_place_and_no_more() {
        let told = |place: &Place| Problem::error(place, "is wrong").to_string();
        assert_eq!(told(&place("a.yaml", 3, "mode")), "a.yaml:3:5: mode: is wrong");
        assert_eq!(told(&place("a.yaml", 0, "")), "a.yaml: is wrong");
        assert_eq!(told(&place("", 0, "mode")), "mode: is wrong");
        assert_eq!(told(&Place::default()), "is wrong");
        let helped = Problem::warning(&place("", 0, "mode"), "is odd").help("drop it");
        assert_eq!(helped.to_string(), "mode: is odd\n  help: drop it");
    }

    #[test]
    fn a_near_miss_is_near() {
        let names = ["policies", "connections", "mode", "name"];
        assert_eq!(near("polices", names), Some("policies"));
        assert_eq!(near("Mode", names), Some("mode"));
        assert_eq!(near("nmae", names), Some("name"));
        assert_eq!(near("zebra", names), None);
        assert_eq!(near(&"m".repeat(10_000), names), None);
    }

    #[test]
    fn what_was_written_cannot_forge_a_line_of_the_log() {
        assert_eq!(shown("a\nerror: b"), "`a\\nerror: b`");
        assert_eq!(shown("it's \"quoted\""), "`it's \"quoted\"`");
        assert_eq!(shown(&"x".repeat(61)), format!("`{}…`", "x".repeat(60)));
    }
}
