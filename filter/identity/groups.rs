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
