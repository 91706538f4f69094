//! The metrics, as one table: their names are part of the contract with operators.

use crate::host::{MOST_LABELS, Metric};

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

/// The metric of a row, with its label values in the order of the table: one for each label, else it does not compile.
#[allow(clippy::indexing_slicing, reason = "at compile time")]
fn metric<'v, const ROW: usize, const LABELS: usize>(given: [&'v str; LABELS]) -> Metric<'v> {
    const { assert!(LABELS == METRICS[ROW].1.len() && LABELS <= MOST_LABELS) };
    let (name, labels, _) = const { METRICS[ROW] };
    let mut values = [""; MOST_LABELS];
    values.iter_mut().zip(given).for_each(|(value, given)| *value = given);
    Metric { name, labels, values }
}

/// An exchange was decided.
pub fn decision<'v>(connection: &'v str, policy: &'v str, decision: &'v str, reason: &'v str) -> Metric<'v> {
    metric::<0, _>([connection, policy, decision, reason])
}

/// A rule held or failed.
pub fn rule<'v>(policy: &'v str, rule: &'v str, outcome: &'v str) -> Metric<'v> {
    metric::<1, _>([policy, rule, outcome])
}

/// Values were found.
pub fn masked<'v>(policy: &'v str, side: &'v str, entity: &'v str, operator: &'v str) -> Metric<'v> {
    metric::<2, _>([policy, side, entity, operator])
}

/// Bytes held back.
pub fn held(policy: &str) -> Metric<'_> {
    metric::<3, _>([policy])
}

/// Something passed unread.
pub fn uninspected<'v>(policy: &'v str, kind: &'v str) -> Metric<'v> {
    metric::<4, _>([policy, kind])
}

/// Records came to an end.
pub fn records(outcome: &str) -> Metric<'_> {
    metric::<5, _>([outcome])
}

/// Records wait.
pub fn queue() -> Metric<'static> {
    metric::<6, _>([])
}

/// How old an issuer's keys are.
pub fn key_age(issuer: &str) -> Metric<'_> {
    metric::<7, _>([issuer])
}

/// A call for keys came to an end.
pub fn key_fetch<'v>(issuer: &'v str, outcome: &'v str) -> Metric<'v> {
    metric::<8, _>([issuer, outcome])
}

/// An issuer was asked about a token.
pub fn introspection<'v>(issuer: &'v str, outcome: &'v str) -> Metric<'v> {
    metric::<9, _>([issuer, outcome])
}

/// A call for a secret came to an end.
pub fn secret_fetch<'v>(secret: &'v str, outcome: &'v str) -> Metric<'v> {
    metric::<10, _>([secret, outcome])
}

/// A fault of our own.
pub fn error(kind: &str) -> Metric<'_> {
    metric::<13, _>([kind])
}

/// A budget was asked.
pub fn budget<'v>(policy: &'v str, budget: &'v str, outcome: &'v str) -> Metric<'v> {
    metric::<11, _>([policy, budget, outcome])
}

/// Something was used of a budget.
pub fn used<'v>(policy: &'v str, budget: &'v str) -> Metric<'v> {
    metric::<12, _>([policy, budget])
}

/// A human was asked.
pub fn approval<'v>(policy: &'v str, outcome: &'v str) -> Metric<'v> {
    metric::<14, _>([policy, outcome])
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
