//! Budgets of a policy.

use std::time::Duration;

use super::node::{Node, Value};
use super::parse::unique;
use super::policies::MODES;
use super::problem::Problem;
use super::read;
use super::set::{Amount, Budget, Located};

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
                problems.push(
                    problem.help(
                        "nobody knows beforehand how many tokens an answer has; a request is one request",
                    ),
                );
            }
        }
    }
    let clamp = node.get("clamp").filter(|clamp| clamp.value == Value::Bool(true));
    Some(Budget {
        name: read::located(node, "name")?,
        key: key(read::verbatim(node, "key")?),
        amount: amount?,
        per: read::duration(node, "per", Duration::from_mins(1)),
        clamp: clamp.map(|clamp| clamp.place.clone()),
        ends: node.get("at_limit").and_then(Node::text) == Some("end"),
        mode: read::choice(node, "mode", MODES),
    })
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
