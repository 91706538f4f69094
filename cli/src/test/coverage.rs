//! Which rules of a set decided in some case.

use std::collections::{BTreeMap, BTreeSet};

use portcullis::config::set::PolicySet;
use serde_json::{Map, Value};

/// What the cases touched so far.
#[derive(Debug, Default)]
pub struct Coverage {
    /// Rules that held, by policy.
    held: BTreeMap<String, BTreeSet<String>>,
}

/// The share of rules that held in some case, and those that never did.
#[derive(Debug, PartialEq, Eq)]
pub struct Share {
    /// Rules of the set.
    pub rules: usize,
    /// Rules that held in no case, as `policy/rule`.
    pub never: Vec<String>,
}

/// Fields of a record that name rules that held.
const FIELDS: &[&str] =
    &["portcullis.rule", "portcullis.would_rule", "portcullis.flags", "portcullis.approvals"];

impl Coverage {
    /// Takes in the record of a case.
    pub fn add(&mut self, record: &Map<String, Value>) {
        let Some(policy) = record.get("portcullis.policy").and_then(Value::as_str) else { return };
        let held = self.held.entry(policy.to_owned()).or_default();
        for value in FIELDS.iter().filter_map(|field| record.get(*field)) {
            match value {
                Value::String(rule) => {
                    held.insert(rule.clone());
                }
                Value::Array(rules) => held.extend(rules.iter().filter_map(Value::as_str).map(str::to_owned)),
                _ => {}
            }
        }
    }

    /// How much of a set was touched.
    pub fn of(&self, set: &PolicySet) -> Share {
        let held = |policy: &str, rule: &str| self.held.get(policy).is_some_and(|rules| rules.contains(rule));
        let rules = set.policies.iter().flat_map(|policy| {
            policy.rules.iter().map(move |rule| (policy.name.value.as_str(), rule.name.value.as_str()))
        });
        let all: Vec<_> = rules.collect();
        let never = all.iter().filter(|(policy, rule)| !held(policy, rule));
        Share { rules: all.len(), never: never.map(|(policy, rule)| format!("{policy}/{rule}")).collect() }
    }
}
