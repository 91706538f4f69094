//! Which connection a request is on.
//!
//! The matches of all connections are filed when the set loads, each under one thing that it asks for: a host, a route, a
//! path's beginning. A request looks only at those filed under what it has, and takes the first that holds.

use std::collections::HashMap;

use super::head::Head;
use crate::config::set::{Connection, Match};
use crate::urlpath;

/// The connections of a set, by what finds them. They are known by their places.
#[derive(Default)]
pub struct Routes {
    /// The connection of each name.
    names: HashMap<Box<str>, usize>,
    /// Every match with its connection, in order.
    matches: Vec<(usize, Match)>,
    /// For each of [`FIELDS`], the matches filed under a value of it, in order.
    filed: [HashMap<Box<str>, Vec<usize>>; FIELDS.len()],
    /// Matches that ask for nothing that they could be filed under.
    others: Vec<usize>,
    /// How long the paths are that matches are filed under, each length once.
    lengths: Vec<usize>,
    /// Whether a match asks for a virtual host.
    hosted: bool,
}

/// What a match can be filed under: the value of which only one is right for a request, or for each length of paths.
const FIELDS: [fn(&Match) -> Option<String>; 5] = [
    |one| one.path_prefix.as_deref().map(trimmed).filter(|prefix| !prefix.is_empty()).map(str::to_owned),
    |one| one.authority.as_ref().map(|authority| authority.to_ascii_lowercase()),
    |one| one.route.clone(),
    |one| one.virtual_host.clone(),
    |one| one.cluster.clone(),
];

impl Routes {
    /// Files the matches of connections.
    #[inline(never)]
    pub fn new<'c>(connections: impl IntoIterator<Item = &'c Connection>) -> Self {
        let mut routes = Self::default();
        for (at, connection) in connections.into_iter().enumerate() {
            routes.names.entry(connection.name.value.as_str().into()).or_insert(at);
            routes.matches.extend(connection.matches.iter().map(|one| (at, one.clone())));
        }
        routes.hosted = routes.matches.iter().any(|(_, one)| one.virtual_host.is_some());
        let mut counts: [HashMap<String, usize>; FIELDS.len()] = Default::default();
        for (_, one) in &routes.matches {
            for (field, counts) in FIELDS.iter().zip(&mut counts) {
                let Some(value) = field(one) else { continue };
                let count = counts.entry(value).or_default();
                *count = count.saturating_add(1);
            }
        }
        for (at, (_, one)) in routes.matches.iter().enumerate() {
            let values = FIELDS.iter().zip(&counts).zip(&mut routes.filed);
            let values = values.filter_map(|((field, counts), filed)| {
                let value = field(one)?;
                Some((counts.get(&value).copied().unwrap_or(0), value, filed))
            });
            // Under what fewest others ask for.
            match values.min_by_key(|(count, ..)| *count) {
                Some((_, value, filed)) => filed.entry(value.into()).or_default().push(at),
                None => routes.others.push(at),
            }
        }
        let [paths, ..] = &routes.filed;
        routes.lengths = paths.keys().map(|path| path.len()).collect();
        routes.lengths.sort_unstable();
        routes.lengths.dedup();
        routes
    }

    /// Whether some match asks for a virtual host.
    pub fn ask_virtual_host(&self) -> bool {
        self.hosted
    }

    /// Finds the connection of a request: the one that route metadata names, else the first that matches.
    ///
    /// `path` is the canonical path; a prefix holds for it as it is written, and as whoever takes parameters off its
    /// segments reads it: `/admin` for `/admin;x` too. Metadata that names a connection which is not there gives `None`: a typing error in
    /// a route must not open another way.
    pub fn choose(&self, head: &Head, path: &str) -> Option<usize> {
        if let Some(name) = &head.connection {
            return self.names.get(name.as_str()).copied();
        }
        let [paths, authorities, routes, hosts, clusters] = &self.filed;
        let authority = head.authority.to_ascii_lowercase();
        let portless = without_port(&authority).filter(|_| !authorities.is_empty());
        let bare = urlpath::bare(path);
        let read = Read { path, bare: &bare };
        let above =
            read.each().flat_map(|path| self.lengths.iter().filter_map(|&length| above(path, length)));
        let above = above.map(|above| (paths, above));
        let exact = [
            (authorities, authority.as_str()),
            (authorities, portless.unwrap_or_default()),
            (routes, head.route.as_str()),
            (hosts, head.virtual_host.as_str()),
            (clusters, head.cluster.as_str()),
        ];
        let filed = above.chain(exact).filter(|(filed, _)| !filed.is_empty());
        let filed = filed.filter_map(|(filed, value)| filed.get(value)).chain([&self.others]);
        // The others may only come before what has been found.
        let first =
            filed.fold(usize::MAX, |first, filed| self.first(filed, first, head, read).unwrap_or(first));
        self.matches.get(first).map(|(connection, _)| *connection)
    }

    /// The first of some matches that holds, if it stands before a place.
    fn first(&self, filed: &[usize], before: usize, head: &Head, path: Read<'_>) -> Option<usize> {
        let earlier = filed.iter().copied().take_while(|at| *at < before);
        let mut all = earlier.filter_map(|at| Some((at, self.matches.get(at)?)));
        all.find_map(|(at, (_, one))| holds(one, head, path).then_some(at))
    }
}

/// A path in both of its readings.
#[derive(Clone, Copy)]
struct Read<'p> {
    path: &'p str,
    bare: &'p str,
}

impl<'p> Read<'p> {
    /// Each reading, once.
    fn each(self) -> impl Iterator<Item = &'p str> {
        std::iter::once(self.path).chain(Some(self.bare).filter(|bare| *bare != self.path))
    }
}

/// A path's beginning of a length, where it ends at a segment.
fn above(path: &str, length: usize) -> Option<&str> {
    let (above, rest) = path.split_at_checked(length)?;
    (rest.is_empty() || rest.starts_with('/')).then_some(above)
}

/// A prefix as paths are compared with it: see [`urlpath::under`].
fn trimmed(prefix: &str) -> &str {
    prefix.strip_suffix('/').unwrap_or(prefix)
}

fn holds(pattern: &Match, head: &Head, path: Read<'_>) -> bool {
    let same = |wanted: &Option<String>, found: &str| wanted.as_ref().is_none_or(|wanted| wanted == found);
    pattern.authority.as_ref().is_none_or(|wanted| same_authority(wanted, &head.authority))
        && pattern
            .path_prefix
            .as_ref()
            .is_none_or(|prefix| path.each().any(|path| urlpath::under(path, prefix)))
        && same(&pattern.route, &head.route)
        && same(&pattern.virtual_host, &head.virtual_host)
        && same(&pattern.cluster, &head.cluster)
        && same(&pattern.method, &head.method)
}

/// A port counts only where the pattern has one.
pub(super) fn same_authority(wanted: &str, found: &str) -> bool {
    if wanted.eq_ignore_ascii_case(found) {
        return true;
    }
    let Some(name) = without_port(found) else { return false };
    name.eq_ignore_ascii_case(wanted) && without_port(wanted).is_none()
}

/// The host of an authority that has a port.
fn without_port(authority: &str) -> Option<&str> {
    let digits = authority.bytes().rev().take_while(u8::is_ascii_digit).count();
    let before = authority.get(..authority.len().saturating_sub(digits))?;
    before.strip_suffix(':')
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;
    use proptest::sample::select;

    use super::*;
    use crate::config::set::{Located, Protocol};

    fn connection(name: &str, matches: Vec<Match>) -> Connection {
        Connection {
            name: Located { value: name.to_owned(), ..Located::default() },
            protocol: Protocol::OpenAi,
            matches,
            issuers: vec![],
            policy: None,
            credentials: Vec::new(),
            token_headers: vec![],
            resource: None,
            answers: Default::default(),
        }
    }

    fn prefix(path: &str) -> Match {
        Match { path_prefix: Some(path.to_owned()), ..Match::default() }
    }

    fn chosen<'a>(connections: &'a [Connection], head: &Head, path: &str) -> Option<&'a str> {
        let at = Routes::new(connections).choose(head, path);
        at.map(|at| connections[at].name.value.as_str())
    }

    /// One after the other.
    fn first(connections: &[Connection], head: &Head, path: &str) -> Option<usize> {
        let bare = urlpath::bare(path);
        let path = Read { path, bare: &bare };
        connections.iter().position(|connection| connection.matches.iter().any(|one| holds(one, head, path)))
    }

    fn some(values: &'static [&'static str]) -> impl Strategy<Value = Option<String>> {
        prop_oneof![2 => Just(None), 1 => select(values).prop_map(|value| Some(value.to_owned()))]
    }

    const AUTHORITIES: &[&str] = &["a", "A", "a:80", "b:80", "b", "[::1]", "[::1]:80", "b:", ":80", ""];
    const PATHS: &[&str] = &[
        "/",
        "/v1",
        "/v1/",
        "/v1/chat",
        "/v10",
        "/v1/chat/x",
        "/é",
        "/v1/é",
        "/v1;x",
        "/v1;é/chat",
        "/v1/chat;",
    ];
    const NAMES: &[&str] = &["", "x", "y"];

    prop_compose! {
        fn any_match()(
            authority in some(AUTHORITIES), path_prefix in some(PATHS), route in some(NAMES),
            virtual_host in some(NAMES), cluster in some(NAMES), method in some(&["GET", "POST"]),
        ) -> Match {
            Match { authority, path_prefix, route, virtual_host, cluster, method }
        }
    }

    proptest! {
        #![proptest_config(ProptestConfig::with_cases(2000))]

        #[test]
        fn what_is_filed_is_found_as_if_all_were_tried(
            matches in proptest::collection::vec(proptest::collection::vec(any_match(), 0..4), 0..12),
            authority in select(AUTHORITIES), path in select(PATHS), method in select(&["GET", "PUT"][..]),
            route in select(NAMES), virtual_host in select(NAMES), cluster in select(NAMES),
        ) {
            let connections: Vec<_> = matches.into_iter().map(|matches| connection("c", matches)).collect();
            let head = Head {
                authority: authority.into(), method: method.into(), route: route.into(),
                virtual_host: virtual_host.into(), cluster: cluster.into(), ..Head::default()
            };
            prop_assert_eq!(Routes::new(&connections).choose(&head, path), first(&connections, &head, path));
        }
    }

    #[test]
    fn the_first_that_matches_wins() {
        let all = [connection("a", vec![prefix("/v1/chat")]), connection("b", vec![prefix("/v1")])];
        assert_eq!(chosen(&all, &Head::default(), "/v1/chat/completions"), Some("a"));
        assert_eq!(chosen(&all, &Head::default(), "/v1/models"), Some("b"));
        assert_eq!(chosen(&all, &Head::default(), "/v2"), None);
    }

    #[test]
    fn a_prefix_holds_whatever_is_read_as_a_parameter_of_a_segment() {
        let all = [connection("strict", vec![prefix("/a/admin")]), connection("lax", vec![prefix("/")])];
        for path in ["/a/admin", "/a/admin;x", "/a;x/admin", "/a;/admin;y/z"] {
            assert_eq!(chosen(&all, &Head::default(), path), Some("strict"), "{path}");
        }
        assert_eq!(chosen(&all, &Head::default(), "/a/adminx;"), Some("lax"));
        let all = [connection("written", vec![prefix("/a;x")])];
        assert_eq!(chosen(&all, &Head::default(), "/a;x/b"), Some("written"));
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
