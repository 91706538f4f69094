//! What a working set may not mean: warnings.

use super::budgets;
use super::node::Node;
use super::problem::Problem;
use super::set::{Amount, Connection, Effect, Match, Mode, PolicySet, Protocol, TemplatePart, Unmatched};

#[inline(never)]
pub(super) fn warnings(set: &PolicySet, root: &Node) -> Vec<Problem> {
    let mut warnings = Vec::new();
    unused(set, &mut warnings);
    unused_secrets(set, &mut warnings);
    covered(set, &mut warnings);
    monitors(set, root, &mut warnings);
    literal_credentials(set, &mut warnings);
    small_budgets(set, &mut warnings);
    approvals(set, root, &mut warnings);
    rate_limit_service(set, root, &mut warnings);
    if let (Unmatched::Allow, Some(unmatched)) = (set.unmatched, root.get("unmatched")) {
        let problem = Problem::warning(&unmatched.place, "requests that match no connection pass unseen");
        warnings.push(problem.help("`deny` refuses them; `monitor` passes and records them"));
    }
    warnings
}

fn unused(set: &PolicySet, warnings: &mut Vec<Problem>) {
    let guarded = || set.connections.iter().filter(|connection| connection.protocol != Protocol::None);
    for policy in &set.policies {
        if !guarded()
            .any(|connection| connection.policy.as_ref().is_some_and(|name| name.value == policy.name.value))
        {
            let message = format!("no connection uses the policy `{}`", policy.name.value);
            warnings.push(Problem::warning(&policy.name.place, message));
        }
    }
    for issuer in &set.issuers {
        let name = &issuer.name;
        if !guarded().any(|connection| connection.issuers.iter().any(|used| used.value == name.value)) {
            warnings.push(Problem::warning(
                &name.place,
                format!("no connection uses the issuer `{}`", name.value),
            ));
        }
    }
}

fn unused_secrets(set: &PolicySet, warnings: &mut Vec<Problem>) {
    let values = set.connections.iter().flat_map(|connection| &connection.credentials);
    let parts: Vec<&TemplatePart> = values.flat_map(|credential| &credential.value.parts).collect();
    for secret in &set.secrets {
        let name = &secret.name;
        if !parts.iter().any(|part| matches!(part, TemplatePart::Secret(used) if *used == name.value)) {
            let problem =
                Problem::warning(&name.place, format!("no credential holds the secret `{}`", name.value));
            warnings
                .push(problem.help(format!("write `${{secret:{}}}` in the credential's value", name.value)));
        }
    }
}

/// A connection whose every match an earlier connection takes first.
fn covered(set: &PolicySet, warnings: &mut Vec<Problem>) {
    for (index, connection) in set.connections.iter().enumerate() {
        let earlier = set.connections.get(..index).unwrap_or_default();
        let by: Vec<Option<&Connection>> = connection
            .matches
            .iter()
            .map(|one| earlier.iter().find(|before| before.matches.iter().any(|wide| covers(wide, one))))
            .collect();
        let Some(first) = by.first().copied().flatten() else { continue };
        if by.iter().all(Option::is_some) {
            let message = format!(
                "the connection `{}` never matches: `{}` before it takes the same requests",
                connection.name.value, first.name.value
            );
            let problem = Problem::warning(&connection.name.place, message);
            warnings.push(problem.help("put the narrower connection first"));
        }
    }
}

/// Whether every request for which `narrow` holds is one for which `wide` holds.
fn covers(wide: &Match, narrow: &Match) -> bool {
    let same = |wide: &Option<String>, narrow: &Option<String>| wide.is_none() || wide == narrow;
    same(&wide.route, &narrow.route)
        && same(&wide.virtual_host, &narrow.virtual_host)
        && same(&wide.cluster, &narrow.cluster)
        && same(&wide.method, &narrow.method)
        && pair(&wide.authority, &narrow.authority, covers_authority)
        && pair(&wide.path_prefix, &narrow.path_prefix, covers_path)
}

fn pair(wide: &Option<String>, narrow: &Option<String>, covers: fn(&str, &str) -> bool) -> bool {
    match (wide, narrow) {
        (None, _) => true,
        (Some(wide), Some(narrow)) => covers(wide, narrow),
        (Some(_), None) => false,
    }
}

fn covers_authority(wide: &str, narrow: &str) -> bool {
    if wide.eq_ignore_ascii_case(narrow) {
        return true;
    }
    // Without a port an authority holds for any; within brackets a colon is the address's own.
    let host = match narrow.rsplit_once(':') {
        Some((host, port)) if !port.contains(']') => host,
        _ => narrow,
    };
    wide.eq_ignore_ascii_case(host)
}

fn covers_path(wide: &str, narrow: &str) -> bool {
    wide == "/" || narrow.strip_prefix(wide).is_some_and(|rest| rest.is_empty() || rest.starts_with('/'))
}

fn monitors(set: &PolicySet, root: &Node, warnings: &mut Vec<Problem>) {
    const MESSAGE: &str = "is in monitor mode: it decides and records, and blocks nothing";
    if let (Mode::Monitor, Some(mode)) = (set.mode, root.get("mode")) {
        warnings.push(Problem::warning(&mode.place, format!("the set {MESSAGE}")));
    }
    for policy in &set.policies {
        if policy.mode == Some(Mode::Monitor) {
            let message = format!("the policy `{}` {MESSAGE}", policy.name.value);
            warnings.push(Problem::warning(&policy.name.place, message));
        }
        for rule in policy.rules.iter().filter(|rule| rule.mode == Some(Mode::Monitor)) {
            let message = format!("the rule `{}` {MESSAGE}", rule.name.value);
            warnings.push(Problem::warning(&rule.name.place, message));
        }
        for budget in policy.budgets.iter().filter(|budget| budget.mode == Some(Mode::Monitor)) {
            let message = format!("the budget `{}` {MESSAGE}", budget.name.value);
            warnings.push(Problem::warning(&budget.name.place, message));
        }
    }
}

/// A rule that asks a human where nobody does the asking, and a service that no rule needs.
fn approvals(set: &PolicySet, root: &Node, warnings: &mut Vec<Problem>) {
    let rules = || set.policies.iter().flat_map(|policy| policy.rules.iter().map(move |rule| (policy, rule)));
    let mut asking = rules().filter(|(_, rule)| rule.effect == Effect::Approve).peekable();
    if let Some(node) = root.get("approvals") {
        if asking.peek().is_none() {
            let problem = Problem::warning(&node.place, "no rule asks a human");
            warnings.push(problem.help("`approve` on a rule does"));
        }
        return;
    }
    for (policy, rule) in asking {
        if rule.mode.or(policy.mode).unwrap_or(set.mode) != Mode::Enforce {
            continue;
        }
        let message = format!(
            "the rule `{}` asks a human, and the set names no service that does: what it holds for is refused",
            rule.name.value
        );
        let problem = Problem::warning(&rule.name.place, message);
        warnings.push(problem.help("name it: `approvals: { cluster: … }`"));
    }
}

/// A service that nobody asks, and one that gives nothing back.
fn rate_limit_service(set: &PolicySet, root: &Node, warnings: &mut Vec<Problem>) {
    let (Some(service), Some(node)) = (&set.rate_limit_service, root.get("rate_limit_service")) else {
        return;
    };
    if budgets::global(set).next().is_none() {
        let problem = Problem::warning(&node.place, "no budget asks the rate limit service");
        return warnings.push(problem.help("`scope: global` on a budget does"));
    }
    let budgets = set.policies.iter().flat_map(|policy| &policy.budgets);
    let tokens = |budget: &&super::set::Budget| matches!(budget.amount, Amount::Tokens(_));
    let counted = budgets.filter(tokens).filter_map(|budget| budget.global.as_ref());
    for place in counted.filter(|_| !service.refunds) {
        let message = "the rate limit service takes no tokens back: what a request may use stays charged, whatever it used";
        let problem = Problem::warning(place, message);
        warnings.push(problem.help(
            "`refunds: true`, where the service knows `is_negative_hits`; else a low `max_output_tokens`",
        ));
    }
}

/// A secret in a set is in every copy of it: the repository, the proxy's configuration, its dump.
fn literal_credentials(set: &PolicySet, warnings: &mut Vec<Problem>) {
    let credentials = set.connections.iter().flat_map(|connection| &connection.credentials);
    let credentials = credentials.map(|credential| ("the credential", &credential.value));
    let keys = set.pseudonym_keys().map(|key| ("the key of pseudonyms", key));
    let signing = set.signing_key().map(|key| ("the key that anchors are signed under", key));
    let tokens = set.secrets.iter().filter_map(|secret| secret.token.as_ref());
    let tokens = tokens.map(|token| ("the token of a secret", token));
    let clients = set.client_secrets().map(|secret| ("the client's secret", secret));
    let headers = set.headers().filter(|(name, _)| tells_secrets(name));
    let headers = headers.map(|(_, value)| ("what this header shows", value));
    let shown = clients.chain(tokens).chain(headers);
    for (what, template) in credentials.chain(keys).chain(signing).chain(shown) {
        if !template.parts.iter().any(|part| !matches!(part, TemplatePart::Text(_))) {
            let problem = Problem::warning(&template.place, format!("{what} is written in the set itself"));
            warnings.push(problem.help("take it from the environment of Envoy: `${env:NAME}`"));
        }
    }
}

/// Whether a header of this name shows who one is: what it holds is a secret then.
fn tells_secrets(name: &str) -> bool {
    let name = name.to_ascii_lowercase();
    let ends = ["authorization", "key", "token", "secret", "password", "cookie"];
    ends.iter().any(|end| name.ends_with(end))
}

/// A budget that never holds what the policy lets an answer have.
fn small_budgets(set: &PolicySet, warnings: &mut Vec<Problem>) {
    for policy in &set.policies {
        let Some(most) = policy.max_output_tokens else { continue };
        for budget in policy.budgets.iter().filter(|budget| budget.clamp.is_none()) {
            let Amount::Tokens(limit) = budget.amount else { continue };
            if limit > most {
                continue;
            }
            let message = format!(
                "never holds what an answer may have (`limits.max_output_tokens`, {most}): requests that ask for no less are \
                 always refused"
            );
            let problem = Problem::warning(&budget.name.place, message);
            warnings.push(problem.help("give it more tokens, or `clamp: true`"));
        }
    }
}
