//! The groups of a caller, from a claim that the operator names.

use serde_json::{Map, Value};

/// What the groups claim said.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub(super) struct Groups {
    pub(super) names: Vec<String>,
    /// The claim is there and is neither a string nor a list of strings: it grants nothing.
    pub(super) malformed: bool,
}

/// Reads the claim at `path`: a list of strings, or one string split at spaces and commas.
///
/// A claim that is missing grants nothing. So does one of another shape, as a whole: half a list would make
/// decisions that nobody wrote.
pub(super) fn read(claims: &Map<String, Value>, path: &[String]) -> Groups {
    match find(claims, path) {
        None | Some(Value::Null) => Groups::default(),
        Some(Value::String(text)) => Groups { names: split(text), malformed: false },
        Some(Value::Array(list)) => {
            match list.iter().map(|item| item.as_str().map(str::to_owned)).collect() {
                Some(names) => Groups { names, malformed: false },
                None => Groups { names: Vec::new(), malformed: true },
            }
        }
        Some(_) => Groups { names: Vec::new(), malformed: true },
    }
}

/// Whether the token says that the groups of its caller are elsewhere, because they are too many for a token: by
/// distributed claims (OpenID Connect Core 1.0 section 5.6.2), as Entra ID does above 200 groups, or by Entra ID's
/// `hasgroups`. Read as they are, they would be none, and a rule that refuses a group would let its members through.
pub(super) fn are_elsewhere(claims: &Map<String, Value>, path: &[String]) -> bool {
    let Some(first) = path.first() else { return false };
    let names = claims.get("_claim_names").and_then(Value::as_object);
    let distributed =
        names.is_some_and(|names| names.contains_key(first) || names.contains_key(&path.join(".")));
    let many = claims.get("hasgroups").is_some_and(|many| *many != Value::Bool(false) && !many.is_null());
    distributed || many && first == "groups" && find(claims, path).is_none()
}

/// Follows a dotted path. Names may hold dots themselves, as `https://example.com/groups` does, so at each level
/// the longest name that is there wins.
pub(super) fn find<'c>(claims: &'c Map<String, Value>, path: &[String]) -> Option<&'c Value> {
    (1..=path.len()).rev().find_map(|take| {
        let (name, rest) = path.split_at_checked(take)?;
        let value = claims.get(&name.join("."))?;
        if rest.is_empty() { Some(value) } else { find(value.as_object()?, rest) }
    })
}

fn split(text: &str) -> Vec<String> {
    text.split([' ', ',']).filter(|name| !name.is_empty()).map(str::to_owned).collect()
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;

    fn groups(claims: &Value, path: &str) -> Groups {
        let path: Vec<String> = path.split('.').map(str::to_owned).collect();
        read(claims.as_object().unwrap(), &path)
    }

    fn names(names: &[&str]) -> Groups {
        Groups { names: names.iter().map(|name| (*name).to_owned()).collect(), malformed: false }
    }

    #[test]
    fn groups_come_as_a_list_or_as_one_string() {
        assert_eq!(groups(&json!({"groups": ["a", "b c"]}), "groups"), names(&["a", "b c"]));
        assert_eq!(groups(&json!({"scope": "a b,c, d "}), "scope"), names(&["a", "b", "c", "d"]));
    }

    #[test]
    fn a_dotted_path_reaches_inwards() {
        let claims = json!({"realm_access": {"roles": ["x"]}});
        assert_eq!(groups(&claims, "realm_access.roles"), names(&["x"]));
        assert_eq!(groups(&claims, "realm_access.roles.more"), names(&[]));
        assert_eq!(groups(&claims, "realm"), names(&[]));
    }

    #[test]
    fn a_claim_named_by_a_uri_is_found() {
        let claims = json!({"https://example.com/groups": ["x"], "a.b": {"c.d": ["y"]}});
        assert_eq!(groups(&claims, "https://example.com/groups"), names(&["x"]));
        assert_eq!(groups(&claims, "a.b.c.d"), names(&["y"]));
    }

    #[test]
    fn groups_that_are_elsewhere_are_seen_to_be() {
        let elsewhere = |claims: Value, path: &str| {
            let path: Vec<String> = path.split('.').map(str::to_owned).collect();
            are_elsewhere(claims.as_object().unwrap(), &path)
        };
        let overage = json!({ "_claim_names": { "groups": "src1" }, "_claim_sources": { "src1": { "endpoint": "https://graph" } } });
        assert!(elsewhere(overage.clone(), "groups"));
        assert!(!elsewhere(overage, "roles"), "what is asked for is in the token");
        assert!(elsewhere(json!({ "_claim_names": { "realm": "src1" } }), "realm.groups"));
        assert!(elsewhere(json!({ "_claim_names": { "realm.groups": "src1" } }), "realm.groups"));
        for many in [json!(true), json!("true")] {
            assert!(elsewhere(json!({ "hasgroups": many }), "groups"));
            assert!(!elsewhere(json!({ "hasgroups": many, "groups": ["a"] }), "groups"));
            assert!(!elsewhere(json!({ "hasgroups": many }), "roles"));
        }
        for none in [
            json!({}),
            json!({ "hasgroups": false }),
            json!({ "_claim_names": {} }),
            json!({ "_claim_names": "x" }),
        ] {
            assert!(!elsewhere(none.clone(), "groups"), "{none}");
        }
    }

    #[test]
    fn groups_are_read_as_providers_write_them() {
        let cases = [
            ("Okta", json!({ "groups": ["Everyone", "rag-users"] }), "groups", vec!["Everyone", "rag-users"]),
            ("Okta's scopes", json!({ "scp": ["openid", "rag"] }), "scp", vec!["openid", "rag"]),
            (
                "Entra ID",
                json!({ "groups": ["2f5ab2c1-0000-4000-8000-000000000001"] }),
                "groups",
                vec!["2f5ab2c1-0000-4000-8000-000000000001"],
            ),
            ("Entra ID's roles", json!({ "roles": ["Rag.User"] }), "roles", vec!["Rag.User"]),
            (
                "Entra ID's scopes",
                json!({ "scp": "Rag.Read Rag.Write" }),
                "scp",
                vec!["Rag.Read", "Rag.Write"],
            ),
            ("Google", json!({ "hd": "example.com", "email": "a@example.com" }), "hd", vec!["example.com"]),
            (
                "Keycloak",
                json!({ "realm_access": { "roles": ["rag-users"] } }),
                "realm_access.roles",
                vec!["rag-users"],
            ),
            (
                "Keycloak's clients",
                json!({ "resource_access": { "rag": { "roles": ["user"] } } }),
                "resource_access.rag.roles",
                vec!["user"],
            ),
            (
                "Keycloak's groups",
                json!({ "groups": ["/corp/rag-users"] }),
                "groups",
                vec!["/corp/rag-users"],
            ),
            ("GitHub Actions", json!({ "repository_owner": "corp" }), "repository_owner", vec!["corp"]),
            ("GitLab CI", json!({ "groups_direct": ["corp/rag"] }), "groups_direct", vec!["corp/rag"]),
        ];
        for (provider, claims, path, expected) in cases {
            assert_eq!(groups(&claims, path), names(&expected), "{provider}");
        }
    }

    #[test]
    fn a_claim_of_another_shape_grants_nothing_and_says_so() {
        for claims in
            [json!({"g": ["a", 1]}), json!({"g": {"a": true}}), json!({"g": 1}), json!({"g": [["a"]]})]
        {
            let groups = groups(&claims, "g");
            assert!(groups.names.is_empty() && groups.malformed, "{claims}");
        }
        assert_eq!(groups(&json!({"g": null}), "g"), names(&[]));
    }
}
