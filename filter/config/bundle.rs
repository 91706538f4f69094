//! The bundle: a policy set as it travels to the module, with what identifies it.
//!
//! A bundle is one canonical JSON document (RFC 8785). It ships the set as it was written, so its digest can be had
//! again from the policy repository, and neither the order of keys nor a proxy that rewrites the JSON changes it.

use std::collections::BTreeMap;

use serde::Serialize;

use super::node::{Node, Value};
use super::problem::Problem;
use super::set::{Bundle, HostPromises, Place};
use super::{canonical, check, grammar, json, parse, tables};

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
        // The set speaks of its keys as its author does, not as the envelope does.
        let root = envelope.take("set");
        let mut problems = envelope.settle();
        check::section(&envelope, &tables::BUNDLE, &mut problems);
        let Some(mut root) = root.filter(|set| matches!(set.value, Value::Map(_))) else {
            return Err(problems);
        };
        problems.extend(root.settle());
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
    let mut digests = BTreeMap::new();
    for (name, policy) in policies.iter().filter_map(|policy| Some((name(policy)?, policy))) {
        digests.insert(name, digest(policy)?);
    }
    Ok(digests)
}

/// `sha256:…` over the canonical JSON of a tree.
fn digest(node: &Node) -> Result<String, Vec<Problem>> {
    canonical::digest(node).map_err(|error| uncanonical(node, &error))
}

fn uncanonical(node: &Node, error: &dyn std::error::Error) -> Vec<Problem> {
    vec![Problem::error(&node.place, format!("has no canonical JSON: {error}"))]
}

fn key(path: &str) -> Place {
    Place { key: path.into(), ..Place::default() }
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;
    use serde_json::{Value as Json, json};

    use super::*;

    const HOST: HostPromises = HostPromises { body_before_headers: true };

    fn set() -> Json {
        json!({
            "version": 1,
            "issuers": [{ "name": "i", "issuer": "https://i", "audiences": ["a"], "jwks": { "cluster": "c" } }],
            "connections": [{ "name": "c", "protocol": "openai", "policy": "p", "match": { "path_prefix": "/" } }],
            "policies": [{ "name": "p", "allow": "true" }],
        })
    }

    fn tree(json: &Json) -> Node {
        let mut root = json::read(json.to_string().as_bytes()).unwrap();
        assert_eq!(root.settle(), []);
        root
    }

    fn encoded(json: &Json) -> String {
        let root = tree(json);
        Bundle::of(&root, "abc123", HOST).unwrap().0.encode(&root).unwrap()
    }

    fn refused(text: &str) -> Vec<String> {
        Bundle::parse(text.as_bytes()).unwrap_err().iter().map(ToString::to_string).collect()
    }

    #[test]
    fn a_bundle_says_what_it_is() {
        let bundle = Bundle::parse(encoded(&set()).as_bytes()).unwrap().0;
        assert_eq!(bundle.revision, "abc123");
        assert_eq!(bundle.host, HOST);
        assert_eq!(bundle.digest, digest(&tree(&set())).unwrap());
        let policy = digest(&tree(&set()["policies"][0])).unwrap();
        assert_eq!(bundle.policy_digests.into_iter().collect::<Vec<_>>(), [("p".to_owned(), policy)]);
        assert_eq!(bundle.set.policies[0].name.place.key, "policies[0].name");
    }

    #[test]
    fn digests_do_not_depend_on_the_order_of_keys_or_the_writing_of_numbers() {
        let one =
            r#"{"version":1,"connections":[{"name":"c","protocol":"none","match":{"path_prefix":"/"}}]}"#;
        let two = r#"{"connections":[{"match":{"path_prefix":"\u002f"},"protocol":"none","name":"c"}],"version":1.0}"#;
        let of = |text: &str| {
            let mut root = json::read(text.as_bytes()).unwrap();
            root.settle();
            Bundle::of(&root, "r", HOST).unwrap().0.digest
        };
        assert_eq!(of(one), of(two));
        assert_ne!(of(one), of(&one.replace("\"/\"", "\"/a\"")));
    }

    #[test]
    fn what_is_no_bundle_is_told_so() {
        const HELP: &str = "help: make it with `portcullis bundle DIR`";
        assert_eq!(
            refused(&set().to_string()),
            [format!("the plugin configuration is a bare policy set\n  {HELP}")]
        );
        assert_eq!(refused("[]"), [format!("the plugin configuration is a list, not a bundle\n  {HELP}")]);
        assert_eq!(refused("{}"), [format!("the plugin configuration is no bundle\n  {HELP}")]);
        assert_eq!(refused(""), ["is not the JSON we expect: EOF while parsing a value at line 1 column 0"]);
        assert_eq!(
            refused(r#"{"format":2,"set":{}}"#),
            [
                "format: the bundle is of format 2; this release reads format 1\n  help: make it with the `portcullis` of this release"
            ]
        );
    }

    #[test]
    fn a_set_that_was_changed_on_the_way_is_refused() {
        let told = refused(&encoded(&set()).replace("\"allow\":\"true\"", "\"allow\":\"1 == 1\"")).join("\n");
        assert!(told.contains("digest: is not the digest of the set, which is sha256:"), "{told}");
        assert!(told.contains("policies.p: is not the digest of the policy, which is sha256:"), "{told}");
        let mut envelope: Json = serde_json::from_str(&encoded(&set())).unwrap();
        let digest = envelope["policies"].as_object_mut().unwrap().remove("p").unwrap();
        envelope["policies"]["q"] = digest;
        let told = refused(&envelope.to_string()).join("\n");
        assert!(told.contains("policies: lacks the policy `p`"), "{told}");
        assert!(told.contains("policies.q: is the digest of a policy that the set lacks"), "{told}");
    }

    #[test]
    fn faults_of_envelope_and_set_are_told_together_and_in_the_words_of_the_set() {
        let mut envelope: Json = serde_json::from_str(&encoded(&set())).unwrap();
        envelope["revision"] = json!("a b");
        envelope["hots"] = json!(1);
        envelope["host"]["body_before_headers"] = json!("yes");
        envelope["set"]["mode"] = json!("off");
        let told = refused(&envelope.to_string()).join("\n");
        for expected in [
            "revision: `a b` is not a revision",
            "hots: `hots` is not a key here\n  help: did you mean `host`?",
            "host.body_before_headers: expected `true` or `false`, found `yes`",
            "mode: `off` is not known here",
        ] {
            assert!(told.contains(expected), "{expected} in {told}");
        }
        let twice = encoded(&set()).replace("\"allow\":", "\"allow\":\"false\",\"allow\":");
        assert!(refused(&twice).contains(&"policies[0].allow: is given twice".to_owned()));
    }

    /// Any JSON of the shapes that sets have, and others.
    fn any_json() -> impl Strategy<Value = Json> {
        let keys = [
            "version",
            "connections",
            "policies",
            "name",
            "set",
            "format",
            "match",
            "a.b",
            "issuers",
            "rules",
            "",
        ];
        let leaf = prop_oneof![
            Just(Json::Null),
            any::<bool>().prop_map(Json::from),
            any::<i64>().prop_map(Json::from),
            any::<f64>().prop_map(Json::from),
            ".{0,8}".prop_map(Json::from),
            prop::sample::select(&["1", "none", "openai", "30s", "1Mi", "${env:A}", "/a"][..])
                .prop_map(Json::from),
        ];
        leaf.prop_recursive(6, 64, 6, move |inner| {
            prop_oneof![
                prop::collection::vec(inner.clone(), 0..4).prop_map(Json::from),
                prop::collection::vec((prop::sample::select(keys.to_vec()), inner), 0..6).prop_map(|pairs| {
                    pairs.into_iter().map(|(key, value)| (key.to_owned(), value)).collect()
                }),
            ]
        })
    }

    proptest! {
        #[test]
        fn nothing_that_is_sent_as_configuration_panics(json in any_json(), bytes in prop::collection::vec(any::<u8>(), 0..64)) {
            let _ = Bundle::parse(json.to_string().as_bytes());
            let _ = Bundle::parse(json!({ "format": 1, "revision": "a", "digest": "b", "policies": {}, "host": {}, "set": json }).to_string().as_bytes());
            let _ = Bundle::parse(&bytes);
        }

        #[test]
        fn a_bundle_read_and_written_again_is_the_same(
            message in "[^$\u{0}]{1,40}", number in 1024_u64..1_000_000, extra in any::<bool>(), revision in "[!-~]{1,40}",
        ) {
            prop_assume!(!message.trim().is_empty());
            let mut set = set();
            set["policies"][0]["rules"] = json!([{ "name": "r", "deny": "true", "message": message }]);
            set["policies"][0]["limits"] = json!({ "max_request_bytes": number });
            if extra { set["audit"] = json!({ "cluster": message }); }
            let root = tree(&set);
            let first = Bundle::of(&root, &revision, HOST).unwrap().0.encode(&root).unwrap();
            let (bundle, root, _) = Bundle::read(first.as_bytes()).unwrap();
            prop_assert_eq!(bundle.encode(&root).unwrap(), first);
        }
    }
}
