//! The bundle: a policy set as it travels to the module, with what identifies it.
//!
//! A bundle is one canonical JSON document (RFC 8785). It ships the set as it was written, so its digest can be had
//! again from the policy repository, and neither the order of keys nor a proxy that rewrites the JSON changes it.

use std::collections::BTreeMap;

use serde::Serialize;
use sha2::{Digest, Sha256};

use super::node::{Node, Value};
use super::problem::Problem;
use super::set::{Bundle, HostPromises, Place};
use super::{check, grammar, json, parse, tables};

#[derive(Serialize)]
struct Envelope<'a> {
    format: i64,
    revision: &'a str,
    digest: &'a str,
    policies: &'a BTreeMap<String, String>,
    host: Host,
    set: &'a Node,
}

#[derive(Serialize)]
struct Host {
    body_before_headers: bool,
}

impl Bundle {
    /// Makes a bundle of a settled tree ([`Node::settle`]); with it come warnings.
    ///
    /// # Errors
    /// Everything that is wrong with the set.
    pub fn of(root: &Node, revision: &str, host: HostPromises) -> Result<(Self, Vec<Problem>), Vec<Problem>> {
        let (set, warnings) = parse::policy_set(root)?;
        if let Err(fault) = grammar::revision(revision) {
            let problem = Problem::error(&key("revision"), fault.message);
            return Err(vec![Problem { help: fault.help, ..problem }]);
        }
        let revision = revision.to_owned();
        let bundle =
            Self { set, revision, digest: digest(root)?, policy_digests: policy_digests(root)?, host };
        Ok((bundle, warnings))
    }

    /// The plugin configuration: this bundle of the tree it was made of.
    ///
    /// # Errors
    /// The tree holds what JSON cannot, which a settled tree does not.
    pub fn encode(&self, root: &Node) -> Result<String, Vec<Problem>> {
        let envelope = Envelope {
            format: tables::FORMAT,
            revision: &self.revision,
            digest: &self.digest,
            policies: &self.policy_digests,
            host: Host { body_before_headers: self.host.body_before_headers },
            set: root,
        };
        serde_json_canonicalizer::to_string(&envelope).map_err(|error| uncanonical(root, &error))
    }

    /// Reads a plugin configuration; with the bundle come warnings.
    ///
    /// # Errors
    /// Everything that is wrong with it.
    pub fn parse(bytes: &[u8]) -> Result<(Self, Vec<Problem>), Vec<Problem>> {
        Self::read(bytes).map(|(bundle, _, warnings)| (bundle, warnings))
    }

    /// The same, with the tree of the set.
    ///
    /// # Errors
    /// Everything that is wrong with it.
    pub fn read(bytes: &[u8]) -> Result<(Self, Node, Vec<Problem>), Vec<Problem>> {
        let mut envelope = json::read(bytes).map_err(|problem| vec![problem])?;
        if let Some(problem) = not_an_envelope(&envelope) {
            return Err(vec![problem]);
        }
        let mut problems = envelope.settle();
        for problem in &mut problems {
            // The set speaks of its keys as its author does, not as the envelope does.
            if let Some(key) = problem.place.key.strip_prefix("set.") {
                problem.place.key = key.to_owned();
            }
        }
        check::section(&envelope, &tables::BUNDLE, &mut problems);
        let Some(mut root) = envelope.get("set").filter(|set| matches!(set.value, Value::Map(_))).cloned()
        else {
            return Err(problems);
        };
        root.settle();
        let promised = envelope.get("host").and_then(|host| host.get("body_before_headers"));
        let host = HostPromises {
            body_before_headers: promised.is_some_and(|node| node.value == Value::Bool(true)),
        };
        let text = |key: &str| envelope.get(key).and_then(Node::text).unwrap_or_default().to_owned();
        let made =
            if problems.is_empty() { Self::of(&root, &text("revision"), host) } else { parse_only(&root) };
        match made {
            Ok((bundle, warnings)) if problems.is_empty() => {
                problems.extend(bundle.disagreements(&envelope));
                if problems.is_empty() { Ok((bundle, root, warnings)) } else { Err(problems) }
            }
            Ok(_) => Err(problems),
            Err(more) => {
                problems.extend(more);
                Err(problems)
            }
        }
    }

    /// Where the envelope claims other digests than the set has.
    fn disagreements(&self, envelope: &Node) -> Vec<Problem> {
        const HELP: &str = "the set was changed after `portcullis bundle` made it: make it again";
        let mut problems = Vec::new();
        if let Some(claimed) = envelope.get("digest")
            && claimed.text() != Some(&self.digest)
        {
            let message = format!("is not the digest of the set, which is {}", self.digest);
            problems.push(Problem::error(&claimed.place, message).help(HELP));
        }
        let Some(policies) = envelope.get("policies") else { return problems };
        for (name, digest) in &self.policy_digests {
            match policies.get(name) {
                Some(claimed) if claimed.text() == Some(digest) => {}
                Some(claimed) => {
                    let message = format!("is not the digest of the policy, which is {digest}");
                    problems.push(Problem::error(&claimed.place, message).help(HELP));
                }
                None => {
                    let message = format!("lacks the policy `{name}`");
                    problems.push(Problem::error(&policies.place, message).help(HELP));
                }
            }
        }
        for entry in policies.entries() {
            if !self.policy_digests.contains_key(&entry.key) {
                problems.push(
                    Problem::error(&entry.place, "is the digest of a policy that the set lacks").help(HELP),
                );
            }
        }
        problems
    }
}

fn parse_only(root: &Node) -> Result<(Bundle, Vec<Problem>), Vec<Problem>> {
    parse::policy_set(root).map(|(set, warnings)| (Bundle { set, ..Bundle::default() }, warnings))
}

/// What is plainly no bundle, or one of another format, is told in one sentence.
fn not_an_envelope(node: &Node) -> Option<Problem> {
    const HELP: &str = "make it with `portcullis bundle DIR`";
    let none = Place::default();
    let Value::Map(entries) = &node.value else {
        let message = format!("the plugin configuration is {}, not a bundle", node.value.kind());
        return Some(Problem::error(&none, message).help(HELP));
    };
    let has = |key: &str| entries.iter().any(|entry| entry.key == key);
    if !has("set") && !has("format") {
        let bare = has("version") || has("connections") || has("policies");
        let what = if bare { "a bare policy set" } else { "no bundle" };
        return Some(Problem::error(&none, format!("the plugin configuration is {what}")).help(HELP));
    }
    let ours = tables::FORMAT;
    match node.get("format").map(|format| &format.value) {
        Some(Value::Integer(number)) if *number != ours => {
            let message = format!("the bundle is of format {number}; this release reads format {ours}");
            Some(
                Problem::error(&key("format"), message).help("make it with the `portcullis` of this release"),
            )
        }
        _ => None,
    }
}

fn policy_digests(root: &Node) -> Result<BTreeMap<String, String>, Vec<Problem>> {
    let policies = root.get("policies").map(Node::items).unwrap_or_default();
    let name = |policy: &Node| policy.get("name").and_then(Node::text).map(str::to_owned);
    policies
        .iter()
        .filter_map(|policy| Some((name(policy)?, policy)))
        .map(|(name, policy)| Ok((name, digest(policy)?)))
        .collect()
}

/// `sha256:…` over the canonical JSON of a tree.
fn digest(node: &Node) -> Result<String, Vec<Problem>> {
    let canonical = serde_json_canonicalizer::to_vec(node).map_err(|error| uncanonical(node, &error))?;
    let hash = Sha256::digest(&canonical);
    let hex: String = hash.iter().map(|byte| format!("{byte:02x}")).collect();
    Ok(format!("sha256:{hex}"))
}

fn uncanonical(node: &Node, error: &serde_json::Error) -> Vec<Problem> {
    vec![Problem::error(&node.place, format!("has no canonical JSON: {error}"))]
}

fn key(path: &str) -> Place {
    Place { key: path.to_owned(), ..Place::default() }
}
