//! The metrics, as one table: their names are part of the contract with operators.

use crate::host::Metric;

/// Name, labels, what it counts. The page on metrics is checked against it.
pub const METRICS: [(&str, &[&str], &str); 15] = [
    ("portcullis_decisions_total", &["connection", "policy", "decision", "reason"], "Exchanges by decision."),
    (
        "portcullis_rules_total",
        &["policy", "rule", "outcome"],
        "Rules (and allow) that held or failed: deny, flag, approve, would_deny, would_approve, error.",
    ),
    (
        "portcullis_masked_total",
        &["policy", "side", "entity", "operator"],
        "Values found in prompts and answers (`side`: prompt, response), and what became of them: the operator, or `none` in monitor.",
    ),
    (
        "portcullis_held_bytes",
        &["policy"],
        "Most bytes of an answer held back at once, by exchange (histogram).",
    ),
    (
        "portcullis_uninspected_total",
        &["policy", "kind"],
        "Exchanges with something that cannot be looked into, refused or let pass.",
    ),
    (
        "portcullis_audit_records_total",
        &["outcome"],
        "Records: delivered, dropped. Batches that failed, and are mostly sent again: failed_batch.",
    ),
    ("portcullis_audit_queue_records", &[], "Records that wait for the collector, over all workers (gauge)."),
    (
        "portcullis_key_set_age_seconds",
        &["issuer"],
        "Age of an issuer's keys in the worker that looked last (gauge).",
    ),
    (
        "portcullis_key_set_fetches_total",
        &["issuer", "outcome"],
        "Rounds of fetching keys from identity providers: ok, failed.",
    ),
    (
        "portcullis_introspections_total",
        &["issuer", "outcome"],
        "Tokens that their issuer was asked about: ok, refused, failed; crowded: not asked, since too many wait.",
    ),
    (
        "portcullis_secret_fetches_total",
        &["secret", "outcome"],
        "Calls for secrets that services keep: ok, failed.",
    ),
    (
        "portcullis_budgets_total",
        &["policy", "budget", "outcome"],
        "Requests that asked a budget: admitted, limited, would_limit, error.",
    ),
    (
        "portcullis_budget_used_total",
        &["policy", "budget"],
        "What was used of a budget: tokens, or requests.",
    ),
    ("portcullis_errors_total", &["kind"], "Faults of the guard itself or its surroundings, to look into."),
    (
        "portcullis_approvals_total",
        &["policy", "outcome"],
        "Requests that a human was asked about: spent (approved, and went on), pending, denied, broken_off.",
    ),
];

/// A metric with its label values, in the order of the table.
fn metric(index: usize, values: &[&str]) -> Metric {
    let (name, labels, _) = METRICS.get(index).copied().unwrap_or(("portcullis_errors_total", &[], ""));
    let labels = labels.iter().zip(values).map(|(label, value)| (*label, (*value).to_owned())).collect();
    Metric { name, labels }
}

/// An exchange was decided.
pub fn decision(connection: &str, policy: &str, decision: &str, reason: &str) -> Metric {
    metric(0, &[connection, policy, decision, reason])
}

/// A rule held or failed.
pub fn rule(policy: &str, rule: &str, outcome: &str) -> Metric {
    metric(1, &[policy, rule, outcome])
}

/// Values were found.
pub fn masked(policy: &str, side: &str, entity: &str, operator: &str) -> Metric {
    metric(2, &[policy, side, entity, operator])
}

/// Bytes held back.
pub fn held(policy: &str) -> Metric {
    metric(3, &[policy])
}

/// Something passed unread.
pub fn uninspected(policy: &str, kind: &str) -> Metric {
    metric(4, &[policy, kind])
}

/// Records came to an end.
pub fn records(outcome: &str) -> Metric {
    metric(5, &[outcome])
}

/// Records wait.
pub fn queue() -> Metric {
    metric(6, &[])
}

/// How old an issuer's keys are.
pub fn key_age(issuer: &str) -> Metric {
    metric(7, &[issuer])
}

/// A call for keys came to an end.
pub fn key_fetch(issuer: &str, outcome: &str) -> Metric {
    metric(8, &[issuer, outcome])
}

/// An issuer was asked about a token.
pub fn introspection(issuer: &str, outcome: &str) -> Metric {
    metric(9, &[issuer, outcome])
}

/// A call for a secret came to an end.
pub fn secret_fetch(secret: &str, outcome: &str) -> Metric {
    metric(10, &[secret, outcome])
}

/// A fault of our own.
pub fn error(kind: &str) -> Metric {
    metric(13, &[kind])
}

/// A budget was asked.
pub fn budget(policy: &str, budget: &str, outcome: &str) -> Metric {
    metric(11, &[policy, budget, outcome])
}

/// Something was used of a budget.
pub fn used(policy: &str, budget: &str) -> Metric {
    metric(12, &[policy, budget])
}

/// A human was asked.
pub fn approval(policy: &str, outcome: &str) -> Metric {
    metric(14, &[policy, outcome])
}

#[test]
fn the_page_lists_the_metrics() {
    use crate::pages;
    let rows = METRICS.iter().map(|(name, labels, about)| {
        vec![pages::words([*name]), pages::words(labels.iter().copied()), (*about).to_owned()]
    });
    let table = pages::table(&["metric", "labels", "meaning"], rows.collect::<Vec<_>>());
    pages::keep("operators.md", &[("metrics", table)]);
}
