//! What came of the cases, as people, programs and code hosts read it.

use std::fmt::Write as _;

use serde_json::json;

use super::Tried;
use super::coverage::Share;
use crate::commands::plural;
use crate::report::{Format, annotation};

/// Writes what came of all cases.
pub fn write(tried: &[Tried], share: &Share, format: Format) -> String {
    match format {
        Format::Text => text(tried, share),
        Format::Json => json(tried, share),
        Format::Github => github(tried) + &summary(tried, share),
    }
}

fn failed(tried: &[Tried]) -> usize {
    tried.iter().filter(|tried| !tried.holds()).count()
}

fn text(tried: &[Tried], share: &Share) -> String {
    let mut out = String::new();
    let mut file = None;
    for tried in tried {
        if file != Some(&tried.place.file) {
            let _ = writeln!(out, "{}", tried.place.file);
            file = Some(&tried.place.file);
        }
        if tried.holds() {
            let _ = writeln!(out, "  ok    {}", tried.name);
            continue;
        }
        let _ = writeln!(out, "  FAIL  {} (line {})", tried.name, tried.place.line);
        for difference in &tried.differences {
            let _ = writeln!(out, "        {}: {}", difference.what, indented(&difference.how, "          "));
        }
        for line in &tried.log {
            let _ = writeln!(out, "        log: {line}");
        }
    }
    out + &summary(tried, share)
}

/// All lines but the first stand under it.
fn indented(text: &str, margin: &str) -> String {
    text.replace('\n', &format!("\n{margin}"))
}

fn summary(tried: &[Tried], share: &Share) -> String {
    let failed = failed(tried);
    let passed = tried.len().saturating_sub(failed);
    let mut out = format!("{}: {passed} passed, {failed} failed\n", plural(tried.len(), "test", "tests"));
    if share.rules > 0 {
        let held = share.rules.saturating_sub(share.never.len());
        let _ = write!(out, "{held} of {} held in a test", plural(share.rules, "rule", "rules"));
        let _ = match share.never.as_slice() {
            [] => writeln!(out),
            never => writeln!(out, "; never: {}", never.join(", ")),
        };
    }
    out
}

fn json(tried: &[Tried], share: &Share) -> String {
    let one = |tried: &Tried| {
        let differences: Vec<_> = tried
            .differences
            .iter()
            .map(|difference| json!({ "what": difference.what, "how": difference.how }))
            .collect();
        json!({
            "name": tried.name, "file": &*tried.place.file, "line": tried.place.line,
            "passed": tried.holds(), "differences": differences, "log": tried.log,
        })
    };
    let all: Vec<_> = tried.iter().map(one).collect();
    let rules = json!({ "all": share.rules, "never": share.never });
    format!("{:#}\n", json!({ "ok": failed(tried) == 0, "tests": all, "rules": rules }))
}

fn github(tried: &[Tried]) -> String {
    let failed = tried.iter().filter(|tried| !tried.holds());
    failed
        .map(|tried| {
            let differences = tried.differences.iter();
            let told: Vec<_> = differences.map(|it| format!("{}: {}", it.what, it.how)).collect();
            annotation("error", &tried.place, &format!("{}\n{}", tried.name, told.join("\n")))
        })
        .collect()
}
