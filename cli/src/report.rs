//! Problems, as people, programs and code hosts read them.

use std::collections::BTreeMap;
use std::fmt::Write;

use clap::ValueEnum;
use portcullis::config::set::Place;
use portcullis::config::{Problem, Severity};
use serde_json::json;

/// How problems are written.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq, ValueEnum)]
pub enum Format {
    /// For people, with the line of the file.
    #[default]
    Text,
    /// One JSON document.
    Json,
    /// Annotations of a GitHub workflow.
    Github,
}

/// Writes problems; `texts` holds the files that they speak of.
pub fn write(problems: &[Problem], format: Format, texts: &BTreeMap<String, String>) -> String {
    match format {
        Format::Text => problems.iter().map(|problem| text(problem, texts)).collect(),
        Format::Json => json(problems),
        Format::Github => problems.iter().map(github).collect(),
    }
}

fn word(problem: &Problem) -> &'static str {
    match problem.severity {
        Severity::Error => "error",
        Severity::Warning => "warning",
    }
}

fn text(problem: &Problem, texts: &BTreeMap<String, String>) -> String {
    let told = problem.to_string();
    let (first, help) = told.split_once('\n').unwrap_or((&told, ""));
    let mut out = format!("{}: {first}\n", word(problem));
    let place = &problem.place;
    let line = place.line.checked_sub(1).and_then(|above| usize::try_from(above).ok());
    let line = line.and_then(|above| texts.get(&*place.file)?.lines().nth(above));
    if let Some(line) = line {
        out.push_str(&excerpt(line, place.line, place.column));
    }
    if !help.is_empty() {
        let _ = writeln!(out, "{help}");
    }
    out
}

/// The line with a caret under the column.
fn excerpt(line: &str, number: u32, column: u32) -> String {
    const WIDTH: usize = 120;
    let margin = number.to_string();
    let empty = " ".repeat(margin.len());
    let before = usize::try_from(column).unwrap_or(usize::MAX).saturating_sub(1);
    // Of a long line the part around the caret is shown.
    let skipped =
        if line.chars().nth(WIDTH).is_some() { before.saturating_sub(WIDTH.div_euclid(2)) } else { 0 };
    let shown: String =
        line.chars().skip(skipped).take(WIDTH).map(|c| if c.is_control() { ' ' } else { c }).collect();
    let indent = " ".repeat(before.saturating_sub(skipped));
    format!("  {empty} |\n  {margin} | {shown}\n  {empty} | {indent}^\n")
}

fn json(problems: &[Problem]) -> String {
    let one = |problem: &Problem| {
        let place = &problem.place;
        json!({
            "severity": word(problem), "file": &*place.file, "line": place.line, "column": place.column,
            "key": place.key.to_string(), "message": problem.message, "help": problem.help,
        })
    };
    let errors = problems.iter().filter(|problem| problem.is_error()).count();
    let all: Vec<_> = problems.iter().map(one).collect();
    format!("{:#}\n", json!({ "ok": errors == 0, "problems": all }))
}

/// <https://docs.github.com/actions/reference/workflow-commands-for-github-actions>
fn github(problem: &Problem) -> String {
    let place = &problem.place;
    let key = if place.key.is_empty() { String::new() } else { format!("{}: ", place.key) };
    let help = problem.help.as_ref().map(|help| format!("\nhelp: {help}")).unwrap_or_default();
    annotation(word(problem), place, &format!("{key}{}{help}", problem.message))
}

/// An annotation at a place: `error` or `warning`.
pub fn annotation(word: &str, place: &Place, message: &str) -> String {
    let mut properties = Vec::new();
    if !place.file.is_empty() {
        properties.push(format!("file={}", property(&place.file)));
    }
    if place.line > 0 {
        properties.push(format!("line={},col={}", place.line, place.column));
    }
    format!("::{word} {}::{}\n", properties.join(","), data(message))
}

fn data(text: &str) -> String {
    text.replace('%', "%25").replace('\r', "%0D").replace('\n', "%0A")
}

fn property(text: &str) -> String {
    data(text).replace(':', "%3A").replace(',', "%2C")
}
