//! A policy set, compiled: what all exchanges of a worker share and none changes.

use std::collections::BTreeMap;
use std::rc::Rc;

use super::captures::{by_pattern, captures};
use super::detectors;
use super::environment::Env;
use super::lane::{Lane, compile_lane};
use super::plans::Plans;
use super::policy::compile_policy;
use super::recogniser::Recogniser;
use super::route::Routes;
use crate::config::node::Node;
use crate::config::set::{self, Bundle, Expose, HostPromises, JwksSource, Located, Mode, Proof, Unmatched};
use crate::config::{Problem, parse};
use crate::identity::KeySet;
use crate::mask::{Catalogue, Entities, Plan, UNFOUND};
use crate::policy::ConditionError;
use crate::policy::condition;

/// A policy set, compiled.
pub struct Guard {
    /// Default mode.
    pub mode: Mode,
    /// For requests that match no connection.
    pub unmatched: Unmatched,
    /// Which of our headers answers carry.
    pub expose: Expose,
    /// Commit of the policy repository.
    pub revision: String,
    /// Digest of the set.
    pub digest: String,
    /// Connections in order.
    pub lanes: Vec<Rc<Lane>>,
    /// Which of them a request is on.
    pub routes: Routes,
    /// The entities that are known, by name.
    pub catalogue: Catalogue,
    /// Every entity that a condition may ask for in a prompt.
    pub everything: Plan,
}

impl Guard {
    /// Compiles a set. `env` gives the values of the proxy's environment; `None` where only the set itself is
    /// checked, away from any proxy.
    pub fn compile(bundle: &Bundle, env: Option<&Env<'_>>) -> Result<Self, Vec<Problem>> {
        let mut problems = Vec::new();
        let set = &bundle.set;
        let named = set.recognisers.iter().flat_map(|recogniser| &recogniser.entities);
        let catalogue = detectors::compile(&set.detectors, &mut problems)
            .naming(named.map(|entity| entity.value.as_str()));
        let number = |name: &str| catalogue.number(name);
        let compiled = |written| Recogniser::compile(written, &number, env, &mut problems).map(Rc::new);
        let recognisers: Vec<Rc<Recogniser>> = set.recognisers.iter().filter_map(compiled).collect();
        let plans = Plans::new(&catalogue);
        let captures = captures(set, &plans, &mut problems);
        let shown = set.approvals.as_ref().map(|service| by_pattern(&service.mask, &plans, &mut problems));
        let mut policies = BTreeMap::new();
        for policy in &set.policies {
            let compiled = compile_policy(policy, bundle, &plans, &recognisers, env, &mut problems);
            if let Some(compiled) = compiled {
                policies.insert(policy.name.value.clone(), Rc::new(compiled));
            }
        }
        for issuer in &set.issuers {
            check_keys(issuer, &mut problems);
        }
        let lanes = set
            .connections
            .iter()
            .filter_map(|connection| {
                compile_lane(
                    connection,
                    set,
                    &policies,
                    &plans,
                    (captures.as_ref(), shown),
                    env,
                    &mut problems,
                )
            })
            .map(Rc::new)
            .collect();
        condition::compiled_all();
        if !problems.is_empty() {
            return Err(problems);
        }
        Ok(Self {
            mode: set.mode,
            unmatched: set.unmatched,
            expose: set.expose,
            revision: bundle.revision.clone(),
            digest: bundle.digest.clone(),
            lanes,
            routes: Routes::new(&set.connections),
            everything: plans.get(asked_of_prompts(set, &catalogue), Vec::new()),
            catalogue,
        })
    }
}

impl Guard {
    /// All that is wrong with a settled tree: how it is written, and what compiling tells of as much of it as can be
    /// read. So one look is enough, where a fault here would else hide one there.
    pub fn faults(root: &Node, host: HostPromises) -> Vec<Problem> {
        let (set, mut problems) = match parse::draft(root) {
            Ok(draft) => draft,
            Err(problems) => return problems,
        };
        let bundle = Bundle {
            set,
            revision: String::new(),
            digest: String::new(),
            policy_digests: BTreeMap::new(),
            host,
        };
        let more = Self::compile(&bundle, None).err().unwrap_or_default();
        let new: Vec<Problem> = more.into_iter().filter(|problem| !follows(problem, &problems)).collect();
        problems.extend(new);
        problems
    }
}

/// Whether a problem only shows that another is there: at its own place, or where an entity is missed that something
/// unreadable would find.
fn follows(problem: &Problem, told: &[Problem]) -> bool {
    let same = |other: &Problem| other.place.key == problem.place.key;
    let finders = ["detectors", "recognisers"];
    let unread = |other: &Problem| {
        let key = other.place.key.to_string();
        finders.iter().any(|finder| key.starts_with(finder))
    };
    told.iter().any(same) || problem.message.starts_with(UNFOUND) && told.iter().any(unread)
}

/// A key set given inline is read when the worker starts; what is wrong with it is told as early.
#[inline(never)]
fn check_keys(issuer: &set::Issuer, problems: &mut Vec<Problem>) {
    let keys = match &issuer.proof {
        Proof::Keys(keys) => Some(keys),
        Proof::Proxy(filter) => filter.keys.as_ref(),
        Proof::Introspection(_) | Proof::Certificate => None,
    };
    if let Some(JwksSource::Inline(text)) = keys
        && let Err(error) = KeySet::parse(text.value.as_bytes())
    {
        problems.push(Problem::error(&text.place, error.to_string()));
    }
}

/// What conditions can find in `prompt.entities`: the usual entities, and of the others those that one names.
#[inline(never)]
fn asked_of_prompts(set: &set::PolicySet, catalogue: &Catalogue) -> Entities {
    let rules = set.policies.iter().flat_map(|policy| policy.rules.iter().map(|rule| &rule.condition));
    let conditions: Vec<_> = set.policies.iter().map(|policy| &policy.allow).chain(rules).collect();
    let named = |name: &str| conditions.iter().any(|condition| condition.value.contains(name));
    let others = catalogue.all().without(catalogue.usual());
    catalogue.usual().union(others.iter().filter(|&entity| named(catalogue.name(entity))).collect())
}

/// Says where in the condition a fault is: the text again, with a caret below.
pub(super) fn condition_problem<T>(
    source: &Located<String>,
    compiled: Result<T, ConditionError>,
    problems: &mut Vec<Problem>,
) -> Option<T> {
    let error = match compiled {
        Ok(compiled) => return Some(compiled),
        Err(error) => error,
    };
    let message = format!("{}\n{}", error.message, caret(&source.value, error.offset, error.len));
    let problem = Problem::error(&source.place, message);
    problems.push(match error.help {
        Some(help) => problem.help(help),
        None => problem,
    });
    None
}

/// The line of a condition in which a fault is, with carets below the fault.
fn caret(source: &str, offset: usize, len: usize) -> String {
    let (before, after) = source.split_at_checked(offset).unwrap_or((source, ""));
    let line_start = before.rfind('\n').map_or(0, |at| at.saturating_add(1));
    let head = before.get(line_start..).unwrap_or(before);
    let tail = after.split('\n').next().unwrap_or_default();
    let faulty = tail.get(..len.min(tail.len())).unwrap_or(tail);
    let width = faulty.chars().count().max(1);
    let indent: String = head.chars().map(|c| if c == '\t' { '\t' } else { ' ' }).collect();
    format!("    {head}{tail}\n    {indent}{}", "^".repeat(width))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_caret_stands_below_the_fault() {
        assert_eq!(caret("a == llm.modle", 5, 9), "    a == llm.modle\n         ^^^^^^^^^");
        assert_eq!(caret("a &&\n  bad", 7, 3), "      bad\n      ^^^");
        assert_eq!(caret("a", 1, 0), "    a\n     ^");
        assert_eq!(caret("é == x", 6, 1), "    é == x\n         ^");
    }

    /// What compiling a set with these detectors and this list of masked entities tells.
    fn told(detectors: &serde_json::Value, entity: &str) -> Vec<String> {
        let set = serde_json::json!({
            "version": 1,
            "issuers": [{ "name": "i", "issuer": "https://i", "audiences": ["a"], "jwks": { "cluster": "c" } }],
            "connections": [
                { "name": "c", "protocol": "openai", "policy": "p", "match": { "path_prefix": "/" } },
            ],
            "policies": [{ "name": "p", "allow": "true", "mask": { "response": { "entities": [entity] } } }],
            "detectors": detectors,
        });
        let mut root = crate::config::json::read(set.to_string().as_bytes()).unwrap();
        assert_eq!(root.settle(), []);
        let (bundle, _) = Bundle::of(&root, "abc", set::HostPromises::default()).unwrap();
        let problems = Guard::compile(&bundle, None).map_or_else(|problems| problems, |_| Vec::new());
        problems.iter().map(ToString::to_string).collect()
    }

    /// The places at which a set that is wrong in some ways is told to be so.
    fn faulty(change: impl FnOnce(&mut serde_json::Value)) -> Vec<String> {
        let mut set = serde_json::json!({
            "version": 1,
            "issuers": [{ "name": "i", "issuer": "https://i", "audiences": ["a"], "jwks": { "cluster": "c" } }],
            "connections": [
                { "name": "c", "protocol": "openai", "policy": "p", "match": { "path_prefix": "/" } },
            ],
            "policies": [{ "name": "p", "allow": "true", "mask": { "response": { "entities": ["CODENAME"] } } }],
            "detectors": [{ "name": "CODENAME", "pattern": "XB-[0-9]{2}" }],
        });
        change(&mut set);
        let mut root = crate::config::json::read(set.to_string().as_bytes()).unwrap();
        assert_eq!(root.settle(), []);
        let host = HostPromises { body_before_headers: true };
        Guard::faults(&root, host).iter().map(|problem| problem.place.key.to_string()).collect()
    }

    #[test]
    fn one_look_tells_what_is_wrong_at_every_stage() {
        let told = faulty(|set| {
            set["mode"] = "enforced".into();
            set["policies"][0]["allow"] = "\"a\" in identity.group".into();
            set["policies"][0]["vector"] = serde_json::json!({ "max_top_k": 3 });
            set["policies"][0]["mask"]["response"]["entities"] = serde_json::json!(["SECRET"]);
            set["detectors"][0]["pattern"] = ".".into();
        });
        let mut told: Vec<&str> = told.iter().map(String::as_str).collect();
        told.sort_unstable();
        let [detector, mode, allow, entity, vector] = told[..] else { panic!("{told:?}") };
        assert_eq!((detector, mode), ("detectors[0].pattern", "mode"));
        assert_eq!((allow, entity), ("policies[0].allow", "policies[0].mask.response.entities[0]"));
        assert!(vector.starts_with("policies[0].vector"), "{vector}");
    }

    #[test]
    fn what_only_follows_from_a_fault_is_not_told() {
        assert_eq!(faulty(|_| {}), [""; 0]);
        assert_eq!(
            faulty(|set| set["detectors"][0]["words"] = serde_json::json!(["x"])),
            ["detectors[0].words"]
        );
        assert_eq!(faulty(|set| set["policies"][0]["allow"] = "".into()), ["policies[0].allow"]);
        assert_eq!(faulty(|set| set["version"] = 99.into()), ["version"]);
    }

    #[test]
    fn a_set_finds_what_its_own_detectors_describe() {
        let detectors = serde_json::json!([
            { "name": "CODENAME", "words": ["Bluebird"] },
            { "name": "CODENAME", "pattern": "XB-[0-9]{2}", "context": ["project"] },
        ]);
        assert_eq!(told(&detectors, "CODENAME"), [""; 0]);
        let unknown =
            "policies[0].mask.response.entities[0]: no detector finds CODENAMES; did you mean CODENAME?";
        assert_eq!(told(&detectors, "CODENAMES"), [unknown]);
    }

    #[test]
    fn records_are_masked_by_what_detectors_find() {
        let told = |mask: serde_json::Value| {
            let set = serde_json::json!({
                "version": 1,
                "issuers": [{ "name": "i", "issuer": "https://i", "audiences": ["a"], "jwks": { "cluster": "c" } }],
                "connections": [
                    { "name": "c", "protocol": "openai", "policy": "p", "match": { "path_prefix": "/" } },
                ],
                "policies": [{ "name": "p", "allow": "true" }],
                "recognisers": [{ "name": "ner", "cluster": "ner", "entities": ["PERSON"] }],
                "audit": { "cluster": "audit", "capture": "masked", "mask": mask },
            });
            let mut root = crate::config::json::read(set.to_string().as_bytes()).unwrap();
            assert_eq!(root.settle(), []);
            let (bundle, _) = Bundle::of(&root, "abc", set::HostPromises::default()).unwrap();
            let problems = Guard::compile(&bundle, None).map_or_else(|problems| problems, |_| Vec::new());
            problems.iter().map(ToString::to_string).collect::<Vec<_>>()
        };
        assert_eq!(told(serde_json::json!(["PII", "SECRETS"])), [""; 0]);
        assert_eq!(
            told(serde_json::json!(["PERSON", "SECRET"])),
            [
                "audit.mask[0]: only a recogniser finds `PERSON`, and it is not asked here\n  help: name what a detector finds",
                "audit.mask[1]: no detector finds SECRET; did you mean SECRETS?",
            ]
        );
    }

    #[test]
    fn what_is_wrong_with_a_detector_is_told_at_its_place_and_nothing_else() {
        let words = serde_json::json!([{ "name": "CODENAME", "words": ["Bluebird", "B"] }]);
        let short = "detectors[0].words[1]: `B` has 1 bytes; a word has 2 to 256";
        assert_eq!(told(&words, "CODENAME"), [short]);
        let pattern =
            serde_json::json!([{ "name": "SET", "pattern": "ab.c" }, { "name": "PII", "words": ["ab"] }]);
        assert_eq!(
            told(&pattern, "SET"),
            [
                "detectors[0].pattern: bytes beyond ASCII (also by `.` and `[^…]`): list the bytes that may stand there",
                "detectors[1].name: PII is a set of entities: choose another name",
            ]
        );
    }
}
