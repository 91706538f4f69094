//! Which connection a request is on.

use super::head::Head;
use super::path;
use crate::config::set::{Connection, Match};

/// Finds the connection of a request: the one that route metadata names, else the first that matches.
///
/// `path` is the canonical path. Metadata that names a connection which is not there gives `None`: a typing error in
/// a route must not open another way.
pub fn choose<'a, C>(
    connections: &'a [C],
    of: impl Fn(&C) -> &Connection,
    head: &Head,
    path: &str,
) -> Option<&'a C> {
    if let Some(name) = &head.connection {
        return connections.iter().find(|connection| of(connection).name.value == *name);
    }
    connections
        .iter()
        .find(|connection| of(connection).matches.iter().any(|pattern| holds(pattern, head, path)))
}

fn holds(pattern: &Match, head: &Head, path: &str) -> bool {
    let same = |wanted: &Option<String>, found: &str| wanted.as_ref().is_none_or(|wanted| wanted == found);
    pattern.authority.as_ref().is_none_or(|wanted| same_authority(wanted, &head.authority))
        && pattern.path_prefix.as_ref().is_none_or(|prefix| path::under(path, prefix))
        && same(&pattern.route, &head.route)
        && same(&pattern.virtual_host, &head.virtual_host)
        && same(&pattern.cluster, &head.cluster)
        && same(&pattern.method, &head.method)
}

/// A port counts only where the pattern has one.
fn same_authority(wanted: &str, found: &str) -> bool {
    if wanted.eq_ignore_ascii_case(found) {
        return true;
    }
    let port = |authority: &str| {
        authority.rsplit_once(':').is_some_and(|(_, port)| port.bytes().all(|byte| byte.is_ascii_digit()))
    };
    if port(wanted) || !port(found) {
        return false;
    }
    found.rsplit_once(':').is_some_and(|(name, _)| name.eq_ignore_ascii_case(wanted))
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::config::set::{Located, Protocol};

    fn connection(name: &str, matches: Vec<Match>) -> Connection {
        Connection {
            name: Located { value: name.to_owned(), ..Located::default() },
            protocol: Protocol::OpenAi,
            matches,
            issuers: vec![],
            policy: None,
            credential: None,
            token_headers: vec![],
            answers: Default::default(),
        }
    }

    fn prefix(path: &str) -> Match {
        Match { path_prefix: Some(path.to_owned()), ..Match::default() }
    }

    fn chosen<'a>(connections: &'a [Connection], head: &Head, path: &str) -> Option<&'a str> {
        choose(connections, |c| c, head, path).map(|c| c.name.value.as_str())
    }

    #[test]
    fn the_first_that_matches_wins() {
        let all = [connection("a", vec![prefix("/v1/chat")]), connection("b", vec![prefix("/v1")])];
        assert_eq!(chosen(&all, &Head::default(), "/v1/chat/completions"), Some("a"));
        assert_eq!(chosen(&all, &Head::default(), "/v1/models"), Some("b"));
        assert_eq!(chosen(&all, &Head::default(), "/v2"), None);
    }

    #[test]
    fn route_metadata_overrides_matches_and_never_falls_back() {
        let all = [connection("a", vec![prefix("/")]), connection("b", vec![])];
        let head = |name: &str| Head { connection: Some(name.to_owned()), ..Head::default() };
        assert_eq!(chosen(&all, &head("b"), "/x"), Some("b"));
        assert_eq!(chosen(&all, &head("mistyped"), "/x"), None);
    }

    #[test]
    fn all_that_is_given_must_hold_and_any_of_a_list_does() {
        let post = Match { method: Some("POST".into()), ..prefix("/v1") };
        let routed = Match { route: Some("r".into()), ..Match::default() };
        let all = [connection("a", vec![post, routed])];
        let head = |method: &str, route: &str| Head {
            method: method.into(),
            route: route.into(),
            ..Head::default()
        };
        assert_eq!(chosen(&all, &head("POST", ""), "/v1"), Some("a"));
        assert_eq!(chosen(&all, &head("GET", ""), "/v1"), None);
        assert_eq!(chosen(&all, &head("GET", "r"), "/x"), Some("a"));
    }

    #[test]
    fn an_authority_is_compared_without_case_and_a_port_counts_where_given() {
        assert!(same_authority("api.example.com", "API.example.com"));
        assert!(same_authority("api.example.com", "api.example.com:443"));
        assert!(same_authority("api.example.com:443", "api.example.com:443"));
        assert!(!same_authority("api.example.com:443", "api.example.com:8443"));
        assert!(!same_authority("api.example.com:443", "api.example.com"));
        assert!(!same_authority("api.example.com", "api.example.com.evil.test"));
        assert!(same_authority("[::1]", "[::1]:80"));
    }
}
