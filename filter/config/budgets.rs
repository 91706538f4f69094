//! Budgets of a policy.

use std::time::Duration;

use super::node::{Node, Value};
use super::parse::unique;
use super::policies::MODES;
use super::problem::Problem;
use super::read;
use super::set::{Amount, Budget, ClusterRef, Located, OnFailure, Place, PolicySet, RateLimitService};
use super::tables;
use crate::policy::budget::Rate;
use crate::policy::budget::service::countable;

/// The key of a budget that everyone shares.
const ALL: &str = "all";

/// The budgets of a policy.
pub(super) fn read(policy: &Node, problems: &mut Vec<Problem>) -> Vec<Budget> {
    let budgets = policy.get("budgets").map(Node::items).unwrap_or_default();
    unique(budgets, "budget", problems);
    budgets.iter().filter_map(|node| budget(node, problems)).collect()
}

fn budget(node: &Node, problems: &mut Vec<Problem>) -> Option<Budget> {
    let amount = amount(node, problems);
    if let Some(Amount::Requests(_)) = amount {
        for key in ["clamp", "at_limit"] {
            if let Some(stray) = node.get(key) {
                let problem = Problem::error(&stray.place, "goes with `tokens` only");
                problems.push(problem.help(
                    "count `tokens`, or take it out: of requests nothing is left to bound once one is let in",
                ));
            }
        }
    }
    let global = node.get("scope").filter(|scope| scope.text() == Some("global"));
    let clamp = node.get("clamp").filter(|clamp| clamp.value == Value::Bool(true));
    let per = read::duration(node, "per", Duration::from_mins(1));
    if global.is_some() {
        let before = problems.len();
        shared(node, amount, per, problems);
        if problems.len() > before {
            return None;
        }
    }
    Some(Budget {
        name: read::located(node, "name")?,
        key: key(read::verbatim(node, "key")?),
        amount: amount?,
        per,
        global: global.map(|scope| scope.place.clone()),
        clamp: clamp.map(|clamp| clamp.place.clone()),
        ends: node.get("at_limit").and_then(Node::text) == Some("end"),
        mode: read::choice(node, "mode", MODES),
    })
}

/// What a service cannot count, or cannot tell beforehand.
fn shared(node: &Node, amount: Option<Amount>, per: Duration, problems: &mut Vec<Problem>) {
    for (key, value) in [("clamp", Value::Bool(true)), ("at_limit", Value::Text("end".to_owned()))] {
        if let Some(stray) = node.get(key).filter(|stray| stray.value == value) {
            let message =
                "does not go with `scope: global`: the service does not say beforehand how much is left";
            problems.push(Problem::error(&stray.place, message).help(
                "leave it out, set the scope to `local`, or put a local budget with it beside this one",
            ));
        }
    }
    let Some(Amount::Tokens(limit) | Amount::Requests(limit)) = amount else { return };
    let nanoseconds = u64::try_from(per.as_nanos()).unwrap_or(u64::MAX);
    let place = |key: &str| node.get(key).map_or(&node.place, |node| &node.place);
    if !countable(Rate::new(1, nanoseconds)) {
        let problem = Problem::error(place("per"), "is no time that a rate limit service counts in");
        problems.push(problem.help("with `scope: global` use `1s`, `1m`, `1h` or `24h`"));
    }
    if u32::try_from(limit).is_err() {
        let key = if matches!(amount, Some(Amount::Tokens(_))) { "tokens" } else { "requests" };
        let message = format!("is more than a rate limit service counts to ({})", u32::MAX);
        problems.push(Problem::error(place(key), message));
    }
}

const ON_FAILURE: &[(&str, OnFailure)] =
    &[("deny", OnFailure::Deny), ("allow", OnFailure::Allow), ("local", OnFailure::Local)];

/// The service that counts global budgets.
#[inline(never)]
pub(super) fn read_service(node: &Node) -> Option<RateLimitService> {
    Some(RateLimitService {
        cluster: ClusterRef {
            timeout: read::duration(node, "timeout", tables::RATE_LIMIT_TIMEOUT),
            ..read::cluster(node)?
        },
        domain: read::text(node, "domain").unwrap_or_else(|| "portcullis".to_owned()),
        refunds: node.get("refunds").is_some_and(|refunds| refunds.value == Value::Bool(true)),
        on_failure: read::choice(node, "on_failure", ON_FAILURE).unwrap_or_default(),
    })
}

/// Budgets that a service counts need one. `given`: the set speaks of one, well or badly.
#[inline(never)]
pub(super) fn check_service(set: &PolicySet, given: bool, problems: &mut Vec<Problem>) {
    if given {
        return;
    }
    for place in global(set) {
        let problem = Problem::error(place, "needs a service that counts for all, and the set names none");
        problems.push(problem.help("name it: `rate_limit_service: { cluster: … }`"));
    }
}

/// Where budgets are said to be global.
pub(super) fn global(set: &PolicySet) -> impl Iterator<Item = &Place> {
    set.policies.iter().flat_map(|policy| &policy.budgets).filter_map(|budget| budget.global.as_ref())
}

fn key(written: Located<String>) -> Option<Located<String>> {
    (written.value.trim() != ALL).then_some(written)
}

fn amount(node: &Node, problems: &mut Vec<Problem>) -> Option<Amount> {
    let count = |key: &str| match node.get(key)?.value {
        Value::Integer(number) => u64::try_from(number).ok(),
        _ => None,
    };
    match (node.get("tokens"), node.get("requests")) {
        (Some(_), Some(requests)) => {
            let problem =
                Problem::error(&requests.place, "stands beside `tokens`: a budget counts one of them");
            problems.push(problem.help("make two budgets of it: a request goes on where both have room"));
            None
        }
        (Some(_), None) => count("tokens").map(Amount::Tokens),
        (None, Some(_)) => count("requests").map(Amount::Requests),
        (None, None) => {
            let problem = Problem::error(&node.place, "counts nothing");
            problems.push(problem.help("give the budget `tokens` or `requests`, and how many"));
            None
        }
    }
}
