//! Policies: who may ask, what may be asked, what may be seen.

use std::borrow::Cow;

use super::node::{Entry, Node, Value};
use super::parse::unique;
use super::problem::{Problem, shown};
use super::set::{Effect, Kind, Llm, Located, Mode, Policy, Rule, Text, Uninspected, VectorLimits};
use super::{budgets, grammar, masks, read, tables};

pub(super) const MODES: &[(&str, Mode)] = &[("enforce", Mode::Enforce), ("monitor", Mode::Monitor)];
const PASS: &[(&str, bool)] = &[("deny", false), ("allow", true)];

#[inline(never)]
pub(super) fn read(node: &Node, problems: &mut Vec<Problem>) -> Option<Policy> {
    let rules = node.get("rules").map(Node::items).unwrap_or_default();
    unique(rules, "rule", problems);
    let rules = rules.iter().filter_map(|node| rule(node, problems)).collect();
    let uninspected = node.get("uninspected").map(|node| uninspected(node, problems)).unwrap_or_default();
    let limits = node.get("limits");
    let masked = |side: &str| node.get("mask").and_then(|mask| mask.get(side));
    Some(Policy {
        name: read::located(node, "name")?,
        mode: read::choice(node, "mode", MODES),
        allow: read::verbatim(node, "allow")?,
        rules,
        mask_prompt: masked("prompt").map(|node| masks::read(node, problems)),
        mask_response: masked("response").map(|node| masks::read(node, problems)),
        vector: node.get("vector").map(|node| vector(node, problems)),
        uninspected,
        budgets: budgets::read(node, problems),
        max_request_bytes: limits
            .map_or(tables::MAX_REQUEST, |node| read::size(node, "max_request_bytes", tables::MAX_REQUEST)),
        max_output_tokens: limits
            .and_then(|node| read::count(node, "max_output_tokens"))
            .and_then(|count| u64::try_from(count).ok()),
        llm: node.get("llm").map(llm),
    })
}

fn llm(node: &Node) -> Llm {
    Llm {
        operations: node.get("operations").map(|_| read::located_texts(node, "operations")),
        references: read::choice(node, "references", PASS).unwrap_or(false),
    }
}

fn rule(node: &Node, problems: &mut Vec<Problem>) -> Option<Rule> {
    let message = node.get("message");
    let mut given = Effect::ALL.into_iter().filter(|(key, _)| node.get(key).is_some());
    let (first, second) = (given.next(), given.next());
    let effect = match (first, second) {
        (Some(one), None) => Some(one),
        (Some((first, _)), Some((second, _))) => {
            let place = node.get(second).map_or(&node.place, |node| &node.place);
            let message = format!("stands beside `{first}`: a rule has exactly one effect");
            problems.push(Problem::error(place, message).help("make two rules of it"));
            None
        }
        (None, _) => {
            // A key that is not known here has been reported, and is most likely the effect.
            let known = |key: &str| tables::RULE.keys.iter().any(|known| known.name == key);
            if matches!(&node.value, Value::Map(entries) if entries.iter().all(|entry| known(&entry.key))) {
                let problem = Problem::error(&node.place, "has no effect");
                problems.push(
                    problem.help("give the rule one of `deny`, `approve` and `flag`, with its condition"),
                );
            }
            None
        }
    };
    if let (Some((_, Effect::Flag)), Some(message)) = (effect, message) {
        let problem =
            Problem::error(&message.place, "goes with `deny` and `approve` only: nobody is told of a flag");
        problems.push(problem);
    }
    if let Some((_, Effect::Deny | Effect::Flag)) = effect {
        for stray in ["approvers", "quorum"].iter().filter_map(|key| node.get(key)) {
            let problem = Problem::error(&stray.place, "goes with `approve` only: nobody else is asked");
            problems.push(problem);
        }
    }
    let (key, effect) = effect?;
    let quorum = read::count(node, "quorum").and_then(|count| u32::try_from(count).ok());
    Some(Rule {
        name: read::located(node, "name")?,
        effect,
        condition: read::verbatim(node, key)?,
        message: message.and_then(text),
        approvers: read::texts(node, "approvers"),
        quorum: quorum.unwrap_or(1),
        mode: read::choice(node, "mode", MODES),
    })
}

fn vector(node: &Node, problems: &mut Vec<Problem>) -> Located<VectorLimits> {
    let texts = |key: &str| -> Vec<Located<Text>> {
        node.get(key).into_iter().flat_map(Node::each).filter_map(|node| text(&node)).collect()
    };
    let fields = node.get("filter").map(Node::entries).unwrap_or_default();
    let field = |entry: &Entry| {
        let name = Located { value: entry.key.clone(), place: entry.place.clone() };
        Some((name, text(&entry.value)?))
    };
    let limits = VectorLimits {
        operations: read::located_texts(node, "operations"),
        collections: texts("collections"),
        namespaces: texts("namespaces"),
        filter: fields.iter().filter_map(field).collect(),
        max_top_k: read::count(node, "max_top_k").and_then(|most| u64::try_from(most).ok()),
        drop_vectors: node.get("vectors").and_then(Node::text) == Some("drop"),
        deny_excess: node.get("on_excess").and_then(Node::text) == Some("deny"),
    };
    let unfiltered = limits.operations.iter().find(|operation| operation.value == "upsert");
    if let (Some(operation), false) = (unfiltered, limits.filter.is_empty()) {
        let problem = Problem::error(&operation.place, "stands beside `filter`, which narrows no upsert");
        problems.push(problem.help("give those who write a connection and a policy of their own"));
    }
    if let Some(unused) = node.get("on_excess")
        && limits.max_top_k.is_none()
        && limits.namespaces.is_empty()
    {
        let problem = Problem::error(&unused.place, "has nothing to act on");
        problems.push(problem.help("it goes with `max_top_k` and `namespaces`"));
    }
    if matches!(&node.value, Value::Map(entries) if entries.is_empty()) {
        problems.push(Problem::error(&node.place, "limits nothing").help("leave the key out, or fill it"));
    }
    Located { value: limits, place: node.place.clone() }
}

fn text(node: &Node) -> Option<Located<Text>> {
    let parts = grammar::text_template(node.text()?).ok()?;
    Some(Located { value: Text { parts }, place: node.place.clone() })
}

fn uninspected(node: &Node, problems: &mut Vec<Problem>) -> Uninspected {
    if let Some(default_allow) = read::word(node, PASS) {
        return Uninspected { default_allow, ..Uninspected::default() };
    }
    let named = |key: &str| node.get(key).into_iter().flat_map(Node::each);
    let kind = |node: Cow<'_, Node>| {
        Kind::ALL.iter().find(|(_, name)| Some(*name) == node.text()).map(|(kind, _)| *kind)
    };
    for denied in named("deny") {
        if let Some(text) = denied.text()
            && named("allow").any(|allowed| allowed.text() == Some(text))
        {
            problems
                .push(Problem::error(&denied.place, format!("{} is both allowed and denied", shown(text))));
        }
    }
    Uninspected {
        default_allow: read::choice(node, "default", PASS).unwrap_or(false),
        allow: named("allow").filter_map(kind).collect(),
        deny: named("deny").filter_map(kind).collect(),
    }
}
