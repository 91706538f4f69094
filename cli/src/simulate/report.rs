//! What a set would change, as people and programs read it.

use std::collections::{BTreeMap, BTreeSet};
use std::fmt::Write as _;

use serde_json::{Value, json};

use super::Simulated;
use super::change::{Change, Judged, Outcome};
use crate::commands::plural;

/// Callers that a line names before it counts the rest.
const NAMED: usize = 3;

/// For people.
pub fn text(simulated: &Simulated, list: bool) -> String {
    let mut out = String::new();
    let judged = plural(simulated.judged.len(), "exchange", "exchanges");
    let _ = writeln!(out, "{judged} judged again{}", passed_over(simulated));
    decisions(&mut out, &simulated.judged);
    let rows = rows(&simulated.judged);
    if rows.is_empty() {
        let _ = writeln!(out, "\nnothing changes");
    } else {
        let _ = writeln!(out, "\nwhat changes");
        for (what, exchanges) in &rows {
            let _ = writeln!(out, "  {:>6}  {what}: {}", exchanges.len(), callers(exchanges));
            if list {
                for judged in exchanges {
                    let _ = writeln!(out, "          {}", judged.exchange);
                }
            }
        }
    }
    unsure(&mut out, simulated);
    for note in &simulated.notes {
        let _ = writeln!(out, "note: {note}");
    }
    out
}

fn passed_over(simulated: &Simulated) -> String {
    let counts = simulated.passed_over.iter().map(|(reason, count)| format!("{count} {reason}"));
    let told: Vec<String> = counts.collect();
    if told.is_empty() { String::new() } else { format!("; not judged: {}", told.join(", ")) }
}

/// How many were answered how, before and after.
fn decisions(out: &mut String, judged: &[Judged]) {
    let mut counts: BTreeMap<&str, (usize, usize)> = BTreeMap::new();
    for one in judged {
        let before = counts.entry(answered(&one.was)).or_default();
        before.0 = before.0.saturating_add(1);
        let now = if one.is_open() { "cannot be told" } else { answered(&one.now) };
        let after = counts.entry(now).or_default();
        after.1 = after.1.saturating_add(1);
    }
    let _ = writeln!(out, "\n  {:<18} {:>7} {:>7}", "decision", "was", "would");
    for (decision, (was, now)) in counts {
        let _ = writeln!(out, "  {decision:<18} {was:>7} {now:>7}");
    }
}

fn answered(outcome: &Outcome) -> &str {
    outcome.as_ref().map_or("allow", |objection| objection.reason.as_str())
}

/// The changes in words, each with its exchanges; those that callers feel first, frequent ones before others.
fn rows(judged: &[Judged]) -> Vec<(String, Vec<&Judged>)> {
    let mut rows: BTreeMap<(bool, String), Vec<&Judged>> = BTreeMap::new();
    for one in judged {
        for change in &one.changes {
            rows.entry((!change.is_felt(), told(one, change))).or_default().push(one);
        }
    }
    let mut rows: Vec<_> = rows.into_iter().collect();
    rows.sort_by_key(|((silent, _), exchanges)| (*silent, usize::MAX.saturating_sub(exchanges.len())));
    rows.into_iter().map(|((_, what), exchanges)| (what, exchanges)).collect()
}

fn told(judged: &Judged, change: &Change) -> String {
    let policy = &judged.policy;
    let verb = |holds: &bool| if *holds { "would" } else { "no longer" };
    match change {
        Change::Decision(was, now) => format!("{} -> {}", shown(was, ""), shown(now, policy)),
        Change::Would(was, now) => format!("monitor: {} -> {}", shown(was, ""), shown(now, policy)),
        Change::Flag(flag, holds) => format!("{} hold: flag {policy}/{flag}", verb(holds)),
        Change::Bound(bound, holds) => format!("{} be bounded: {bound}", verb(holds)),
        Change::Unmasked(side, entity) => format!("no longer masked in {side}s: {entity}"),
    }
}

fn shown(outcome: &Outcome, policy: &str) -> String {
    let slash = if policy.is_empty() { "" } else { "/" };
    match outcome {
        None => "allow".to_owned(),
        Some(objection) if objection.rule.is_empty() => objection.reason.clone(),
        Some(objection) => format!("{} ({policy}{slash}{})", objection.reason, objection.rule),
    }
}

/// The callers with most exchanges, and how many more there are.
fn callers(exchanges: &[&Judged]) -> String {
    let mut counts: BTreeMap<&str, usize> = BTreeMap::new();
    for one in exchanges {
        let count = counts.entry(one.subject.as_str()).or_default();
        *count = count.saturating_add(1);
    }
    let mut counts: Vec<_> = counts.into_iter().collect();
    counts.sort_by_key(|(_, count)| usize::MAX.saturating_sub(*count));
    let named = counts.iter().take(NAMED).map(|(caller, count)| {
        let caller = if caller.is_empty() { "nobody known" } else { caller };
        format!("{caller} {count}")
    });
    let mut told: Vec<String> = named.collect();
    let rest = counts.len().saturating_sub(NAMED);
    if rest > 0 {
        told.push(format!("{rest} more"));
    }
    told.join(", ")
}

fn unsure(out: &mut String, simulated: &Simulated) {
    let mut rules: BTreeMap<String, (BTreeSet<&str>, usize)> = BTreeMap::new();
    for judged in &simulated.judged {
        for unsure in &judged.unsure {
            let rule = rules.entry(format!("{}/{}", judged.policy, unsure.rule)).or_default();
            rule.0.extend(&unsure.needs);
            rule.1 = rule.1.saturating_add(1);
        }
    }
    if rules.is_empty() {
        return;
    }
    let _ = writeln!(out, "\nwhat these records cannot tell");
    for (rule, (needs, count)) in rules {
        let needs: Vec<&str> = needs.into_iter().collect();
        let _ = writeln!(out, "  {count:>6}  {rule}: reads {}", needs.join(", "));
    }
}

/// For programs.
pub fn json(simulated: &Simulated) -> String {
    let rows: Vec<Value> = rows(&simulated.judged)
        .into_iter()
        .map(|(what, exchanges)| {
            let ids: Vec<&str> = exchanges.iter().map(|judged| judged.exchange.as_str()).collect();
            json!({ "change": what, "exchanges": ids })
        })
        .collect();
    let outcome = |outcome: &Outcome| match outcome {
        None => json!({ "decision": "allow" }),
        Some(objection) => {
            json!({ "decision": objection.decision, "reason": objection.reason, "rule": objection.rule })
        }
    };
    let felt =
        simulated.judged.iter().filter(|judged| !judged.changes.is_empty() || !judged.unsure.is_empty());
    let exchanges: Vec<Value> = felt
        .map(|judged| {
            let unsure: Vec<Value> = judged
                .unsure
                .iter()
                .map(|unsure| json!({ "rule": unsure.rule, "needs": unsure.needs }))
                .collect();
            let changes: Vec<String> = judged.changes.iter().map(|change| told(judged, change)).collect();
            json!({
                "exchange": judged.exchange, "subject": judged.subject, "policy": judged.policy,
                "was": outcome(&judged.was), "would": outcome(&judged.now),
                "changes": changes, "unsure": unsure,
            })
        })
        .collect();
    let passed_over: serde_json::Map<String, Value> =
        simulated.passed_over.iter().map(|(reason, count)| (reason.clone(), json!(count))).collect();
    format!(
        "{:#}\n",
        json!({
            "judged": simulated.judged.len(), "not_judged": passed_over, "changes": rows,
            "exchanges": exchanges, "notes": simulated.notes, "same": !simulated.changes(),
        })
    )
}
