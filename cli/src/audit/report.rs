//! What records show, as people and programs read it.

use std::fmt::Write as _;

use jiff::{SignedDuration, Timestamp};
use portcullis::audit::verify::{ChainReport, Finding, What};
use serde_json::{Value, json};

use super::Verified;
use crate::commands::plural;

/// Anchors come every minute; a chain that has had none for so long was cut, or written anew.
const OVERDUE: SignedDuration = SignedDuration::from_mins(5);

/// Open exchanges that a line names before it counts the rest.
const NAMED: usize = 3;

/// Chains of which nothing is left that are named before the rest is counted.
const GONE: usize = 10;

/// For people.
pub fn text(verified: &Verified) -> String {
    let mut out = String::new();
    let unproven: Vec<&str> = verified.unproven().map(|chain| chain.id.as_str()).collect();
    for chain in &verified.report.chains {
        let _ = writeln!(out, "chain {}", chain.id);
        let numbers = format!("{} to {}", chain.first, chain.last);
        let _ = writeln!(
            out,
            "  {}, numbers {numbers}, {} to {}",
            plural(chain.records, "record", "records"),
            chain.times.0,
            chain.times.1
        );
        let _ = writeln!(out, "  {}", vouched(chain, verified.signed, unproven.contains(&chain.id.as_str())));
        if !chain.open.is_empty() {
            let _ = writeln!(out, "  {}", open(&chain.open));
        }
        for finding in verified.report.findings.iter().filter(|finding| of_chain(finding, &chain.id)) {
            let _ = writeln!(out, "  {}", line(finding));
        }
    }
    let wholly: Vec<String> = verified.report.findings.iter().filter_map(|one| gone(one, verified)).collect();
    for chain in wholly.iter().take(GONE) {
        let _ = writeln!(out, "{chain}");
    }
    let more = wholly.len().saturating_sub(GONE);
    if more > 0 {
        let _ = writeln!(
            out,
            "and {}, removed by retention as a whole",
            plural(more, "more chain", "more chains")
        );
    }
    let known = |id: &str| verified.report.chains.iter().any(|chain| chain.id == id);
    for finding in &verified.report.findings {
        match finding {
            Finding::Unreadable { .. } => _ = writeln!(out, "{}", line(finding)),
            // All of it is gone.
            Finding::OfChain { chain, .. } if !known(chain) && finding.is_damage() => {
                let _ = writeln!(out, "chain {chain}\n  {}", line(finding));
            }
            Finding::OfChain { .. } => {}
        }
    }
    let _ = writeln!(out, "{}", conclusion(verified));
    out
}

/// For programs.
pub fn json(verified: &Verified) -> Value {
    let chains = verified.report.chains.iter().map(|chain| {
        json!({
            "chain": chain.id, "records": chain.records, "first": chain.first, "last": chain.last,
            "since": chain.times.0, "until": chain.times.1,
            "anchored": chain.anchored.as_ref().map(|(seq, _)| seq), "open": chain.open,
        })
    });
    let findings = verified.report.findings.iter().map(|finding| match finding {
        Finding::Unreadable { at } => {
            json!({ "what": "unreadable", "record": at.saturating_add(1), "damage": true })
        }
        Finding::OfChain { chain, first, last, what } => {
            let mut one = json!({
                "what": name(what), "chain": chain, "first": first, "last": last, "damage": finding.is_damage(),
            });
            match (what, one.as_object_mut()) {
                (What::Disagreeing(attributes), Some(one)) => {
                    one.insert("attributes".to_owned(), json!(attributes));
                }
                (What::CutOff(successor), Some(one)) => {
                    one.insert("successor".to_owned(), json!(successor));
                }
                (What::Removed { records, why }, Some(one)) => {
                    one.insert("records".to_owned(), json!(records));
                    one.insert("why".to_owned(), json!(why));
                }
                (What::PartsMissing(exchange, parts) | What::PartsLost(exchange, parts), Some(one)) => {
                    one.insert("exchange".to_owned(), json!(exchange));
                    one.insert("parts".to_owned(), json!(parts));
                }
                _ => {}
            }
            one
        }
    });
    json!({
        "whole": verified.is_whole(),
        "chains": chains.collect::<Vec<_>>(),
        "findings": findings.collect::<Vec<_>>(),
        "unproven": verified.unproven().map(|chain| &chain.id).collect::<Vec<_>>(),
        "others": verified.others,
    })
}

/// Whether no signature vouches for a chain as far as one should: it went on for long after its last anchor, or it had none
/// and ended long before the `newest` record of all. Else many short chains could stand for one that was taken out.
pub fn is_unproven(chain: &ChainReport, newest: &str) -> bool {
    is_overdue(chain) || chain.anchored.is_none() && is_long(&chain.times.1, newest)
}

/// Whether a chain went on for long after the last anchor that vouches for it.
fn is_overdue(chain: &ChainReport) -> bool {
    is_long(chain.anchored.as_ref().map_or(&chain.times.0, |(_, time)| time), &chain.times.1)
}

fn is_long(since: &str, until: &str) -> bool {
    match (since.parse::<Timestamp>(), until.parse::<Timestamp>()) {
        (Ok(since), Ok(until)) => until.duration_since(since) > OVERDUE,
        // What has no time proves nothing.
        _ => true,
    }
}

fn vouched(chain: &ChainReport, signed: bool, unproven: bool) -> String {
    let anchor = if signed { "a signed anchor" } else { "an anchor" };
    match &chain.anchored {
        None => format!("no record is vouched for by {anchor}{}", overdue(chain, unproven)),
        Some((seq, _)) => {
            let rest = chain.last.saturating_sub(*seq);
            let rest = if rest == 0 { String::new() } else { format!(", {rest} after it are not") };
            format!("vouched for up to number {seq} by {anchor}{rest}{}", overdue(chain, unproven))
        }
    }
}

fn overdue(chain: &ChainReport, unproven: bool) -> &'static str {
    match unproven || is_overdue(chain) {
        true if unproven => ": DAMAGE, one should have come within minutes",
        true => ", though one should have come within minutes",
        false => "",
    }
}

fn open(exchanges: &[String]) -> String {
    let named = exchanges.iter().take(NAMED).map(String::as_str).collect::<Vec<_>>().join(", ");
    let more = exchanges.len().saturating_sub(NAMED);
    let more = if more == 0 { String::new() } else { format!(" and {more} more") };
    format!("begun and without an end: {named}{more}")
}

/// A chain of which nothing is there but the word of the store that removed it.
fn gone(finding: &Finding, verified: &Verified) -> Option<String> {
    let Finding::OfChain { chain, what: What::Removed { .. }, .. } = finding else { return None };
    let there = verified.report.chains.iter().any(|known| known.id == *chain);
    (!there).then(|| format!("chain {chain}\n  {}", line(finding)))
}

fn of_chain(finding: &Finding, id: &str) -> bool {
    matches!(finding, Finding::OfChain { chain, .. } if chain == id)
}

fn line(finding: &Finding) -> String {
    let weight = if finding.is_damage() { "DAMAGE" } else { "note" };
    match finding {
        Finding::Unreadable { at } => {
            format!("{weight}: record {} of the file cannot be read", at.saturating_add(1))
        }
        Finding::OfChain { first, last, what, .. } => {
            let numbers =
                if first == last { format!("number {first}") } else { format!("numbers {first} to {last}") };
            format!("{weight}: {numbers}: {}", told(what))
        }
    }
}

fn told(what: &What) -> String {
    match what {
        What::Changed => "changed since it was written".to_owned(),
        What::Conflicting => "another body under the same number, so one is forged".to_owned(),
        What::Disagreeing(names) => {
            format!("attributes say something else than the record: {}", names.join(", "))
        }
        What::Missing => "not there, and no record says why".to_owned(),
        What::Forged => "an anchor whose signature holds under none of the keys".to_owned(),
        What::Unsigned => "an anchor without a signature".to_owned(),
        What::Doubled => "delivered more than once".to_owned(),
        What::Reordered => "stands behind a later one".to_owned(),
        What::Lost => "lost on the way, as a later record declares".to_owned(),
        What::CutOff(chain) => format!("not there, though chain {chain} goes on from the last of them"),
        What::Removed { records, why } => {
            let of = match why.as_str() {
                "age" => ", for their age",
                "size" => ", for want of room",
                _ => "",
            };
            format!("removed by retention{of}: {records} records")
        }
        What::PartsMissing(exchange, parts) => {
            format!("{} of exchange {exchange} not there, and no record says why", parts_of(parts))
        }
        What::PartsLost(exchange, parts) => {
            format!("{} of exchange {exchange} lost on the way", parts_of(parts))
        }
    }
}

fn parts_of(parts: &[u64]) -> String {
    let named = parts.iter().take(NAMED).map(u64::to_string).collect::<Vec<_>>().join(", ");
    let more = parts.len().saturating_sub(NAMED);
    let word = if parts.len() == 1 { "part" } else { "parts" };
    if more == 0 { format!("{word} {named}") } else { format!("{word} {named} and {more} more") }
}

fn name(what: &What) -> &'static str {
    match what {
        What::Changed => "changed",
        What::Conflicting => "conflicting",
        What::Disagreeing(_) => "disagreeing",
        What::Missing => "missing",
        What::Forged => "forged",
        What::Unsigned => "unsigned",
        What::Doubled => "doubled",
        What::Reordered => "reordered",
        What::Lost => "lost",
        What::CutOff(_) => "cut_off",
        What::Removed { .. } => "removed",
        What::PartsMissing(..) => "parts_missing",
        What::PartsLost(..) => "parts_lost",
    }
}

fn conclusion(verified: &Verified) -> String {
    let chains = plural(verified.report.chains.len(), "chain", "chains");
    let records: usize = verified.report.chains.iter().map(|chain| chain.records).sum();
    let records = plural(records, "record", "records");
    let others = match verified.others {
        0 => String::new(),
        others => {
            format!("; {} passed over", plural(others, "log record of others", "log records of others"))
        }
    };
    let damaged = verified.damage().count().saturating_add(verified.unproven().count());
    if damaged == 0 {
        return format!("whole: {records} of {chains}{others}");
    }
    format!("DAMAGED: {} in {records} of {chains}{others}", plural(damaged, "finding", "findings"))
}
