//! Every fault of a set, with its exact place and text; and that what is right passes.

use serde_json::{Value, json};

use super::problem::{Problem, Severity};
use super::set::{Bundle, HostPromises, Seat, TextPart};
use super::{json, parse};

/// A set that has everything this release supports.
fn whole() -> Value {
    json!({
        "version": 1,
        "mode": "enforce",
        "issuers": [
            { "name": "corp", "issuer": "https://idp.example.com", "audiences": ["rag"],
              "jwks": { "cluster": "idp", "refresh": "10m" }, "groups_claim": "realm.groups", "leeway": "30s" },
            { "name": "inline", "issuer": "https://ci.example.com", "audiences": ["rag", "ci"],
              "jwks": { "inline": { "keys": [{ "kty": "OKP", "crv": "Ed25519", "x": "AA" }] } } },
            { "name": "mesh", "issuer": "https://mesh.example.com", "audiences": ["rag"],
              "verified_by": "envoy.filters.http.jwt_authn", "payload_in_metadata": "payload" },
            { "name": "workloads", "issuer": "spiffe://cluster.local", "verified_by": "mtls" },
            { "name": "opaque", "issuer": "https://sso.example.com", "introspection": {
                "cluster": "sso", "path": "/introspect", "client_id": "guard", "client_secret": "${env:SSO_SECRET}",
                "timeout": "2s", "max_age": "5m" } },
        ],
        "connections": [
            { "name": "probes", "protocol": "none", "match": { "path_prefix": "/healthz", "method": "GET" } },
            { "name": "chat", "protocol": "openai", "match": [{ "path_prefix": "/v1" }, { "authority": "llm.example.com" }],
              "issuers": ["corp", "inline", "mesh", "workloads", "opaque"], "policy": "rag-chat",
              "credential": { "header": "Authorization", "value": "Bearer ${env:OPENAI_API_KEY}" },
              "token": { "headers": [{ "name": "X-Token", "prefix": "Bearer " }] },
              "resource": { "uri": "https://rag.example.com/v1", "scopes": ["rag.read"] } },
            { "name": "rows", "protocol": "http", "match": { "path_prefix": "/rest" }, "issuers": ["corp"], "policy": "rag-chat",
              "credential": { "header": "x-key", "value": "${secret:openai}" },
              "answers": { "text": ["$[*].body"], "keep": ["$[*]['id']"] } },
        ],
        "policies": [
            { "name": "rag-chat", "allow": "true",
              "rules": [{ "name": "models", "deny": "true", "message": "No." }, { "name": "seen", "flag": "true" }],
              "budgets": [
                  { "name": "tokens", "key": "identity.id", "tokens": 10000, "per": "1m", "scope": "local", "clamp": true, "at_limit": "end" },
                  { "name": "everyone", "key": "all", "requests": 60, "per": "744h", "mode": "enforce" },
              ],
              "limits": { "max_request_bytes": "1Mi" },
              "mask": {
                  "prompt": { "entities": ["SECRETS", "PII"], "operator": "pseudonym", "key": "${env:PSEUDONYMS}",
                      "scope": "t-${identity.claims.tenant}", "restore": true, "overrides": { "SECRETS": { "operator": "block" } } },
                  "response": { "entities": ["PII", "SECRETS"], "operator": "replace", "overrides": {
                      "CREDIT_CARD": { "operator": "mask", "keep_first": 2, "keep_last": 4, "character": "#" },
                      "EMAIL_ADDRESS": { "operator": "pseudonym", "key": "${env:PSEUDONYMS}" } } } },
              "uninspected": { "default": "deny", "allow": ["audio"], "deny": ["image"] } },
        ],
        "detectors": [
            { "name": "EMPLOYEE_ID", "pattern": "EMP-[0-9]{6}", "not_after": "[0-9A-Z]", "not_before": "" },
            { "name": "CODENAME", "words": ["Bluebird", "Nightjar"], "ignore_case": true, "context": ["project"] },
        ],
        "secrets": [
            { "name": "openai", "cluster": "vault", "path": "/v1/secret/data/openai", "token": "${env:VAULT_TOKEN}",
              "field": "api_key", "refresh": "1m", "keep": "30m", "headers": { "x-vault-namespace": "rag" } },
        ],
        "audit": { "cluster": "audit", "headers": { "x-key": "${env:AUDIT_KEY}" }, "timeout": "2s" },
        "unmatched": "deny",
        "expose": "id",
    })
}

/// What the parser says of a set.
fn problems(set: &Value) -> Vec<Problem> {
    let mut root = json::read(set.to_string().as_bytes()).unwrap();
    let mut problems = root.settle();
    match parse::policy_set(&root) {
        Ok((_, warnings)) => problems.extend(warnings),
        Err(errors) => problems.extend(errors),
    }
    problems
}

fn told(set: &Value) -> Vec<String> {
    problems(set).iter().map(ToString::to_string).collect()
}

/// The whole set with one value put at a JSON pointer, whose parent exists; `null` takes the key out.
fn with(pointer: &str, value: Value) -> Value {
    let mut set = whole();
    let (parent, key) = pointer.rsplit_once('/').unwrap();
    match set.pointer_mut(parent).unwrap() {
        Value::Object(map) if value.is_null() => drop(map.remove(key).unwrap()),
        Value::Object(map) => drop(map.insert(key.to_owned(), value)),
        Value::Array(items) if key == "-" => items.push(value),
        Value::Array(items) => items[key.parse::<usize>().unwrap()] = value,
        _ => panic!("{pointer} has no parent"),
    }
    set
}

#[test]
fn a_set_with_everything_passes_without_a_word() {
    assert_eq!(told(&whole()), Vec::<String>::new());
}

#[test]
fn each_fault_is_told_at_its_place() {
    #[rustfmt::skip] // one line each
    let cases = [
        ("/isuers", json!([]), "isuers: `isuers` is not a key here\n  help: did you mean `issuers`?"),
        ("/zebra", json!(1), "zebra: `zebra` is not a key here\n  help: use `version`, `mode`, `issuers`, `connections`, `policies`, `detectors`, `recognisers`, `secrets`, `audit`, `approvals`, `rate_limit_service`, `unmatched` or `expose`"),
        ("/version", json!(2), "version: the set is of version 2; this release reads version 1\n  help: load it with a release that reads it"),
        ("/version", json!(0), "version: there is no version 0 of the format\n  help: write `version: 1`"),
        ("/version", json!(null), "needs the key `version`\n  help: add `version`: `1`"),
        ("/mode", json!("enforc"), "mode: `enforc` is not known here\n  help: did you mean `enforce`?"),
        ("/mode", json!("off"), "mode: `off` is not known here\n  help: use `enforce` or `monitor`"),
        ("/mode", json!(true), "mode: expected `enforce` or `monitor`, found `true`"),
        ("/unmatched", json!("drop"), "unmatched: `drop` is not known here\n  help: use `deny`, `allow` or `monitor`"),
        ("/expose", json!([]), "expose: expected `id`, `full` or `none`, found a list"),
        ("/issuers/0/name", json!("a b"), "issuers[0].name: `a b` is not a name\n  help: a name is 1 to 64 letters, digits, `-`, `_` or `.`, and starts with a letter or digit"),
        ("/issuers/0/issuer", json!("idp.example.com"), "issuers[0].issuer: `idp.example.com` is not a URI from which keys can be discovered\n  help: write the token's `iss`, `https://…`, or give `jwks.uri` or `jwks.inline`"),
        ("/issuers/0/issuer", json!("https://idp.example.com/#a"), "issuers[0].issuer: `https://idp.example.com/#a` holds a `#`, which parts issuer and subject in `identity.id`\n  help: write the token's `iss`"),
        ("/issuers/4/issuer", json!("https://sso.example.com?x=y"), "issuers[4].issuer: `https://sso.example.com?x=y` holds a query, which no issuer has\n  help: write the token's `iss`"),
        ("/issuers/0/audiences", json!("rag"), "issuers[0].audiences: expected a list, found `rag`\n  help: write `[rag]`"),
        ("/issuers/0/audiences", json!([]), "issuers[0].audiences: is an empty list\n  help: leave the key out, or fill it"),
        ("/issuers/0/audiences", json!(null), "issuers[0]: needs the key `audiences`\n  help: the token's `aud` must hold one of them"),
        ("/issuers/0/audiences", json!(["a", "a"]), "issuers[0].audiences[1]: `a` stands in the list twice"),
        ("/issuers/0/audiences/0", json!(" "), "issuers[0].audiences[0]: ` ` is empty"),
        ("/issuers/0/audiences/0", json!("${env:AUD}"), "issuers[0].audiences[0]: `${env:AUD}` holds `${env:…}` where no secret belongs\n  help: it stands where a secret does: in a credential's `value`, the `headers` of a cluster, the `key` of pseudonyms, `client_secret`, `token` and `signing_key`"),
        ("/issuers/0/jwks", json!({}), "issuers[0].jwks: does not say where the keys come from\n  help: give `cluster` (OIDC discovery), `cluster` and `uri`, or `inline`"),
        ("/issuers/0/jwks/uri", json!("/keys"), "issuers[0].jwks.uri: `/keys` is not an absolute URI\n  help: write `https://host/path`"),
        ("/issuers/0/jwks/uri", json!("https://"), "issuers[0].jwks.uri: `https://` is not an absolute URI\n  help: write `https://host/path`"),
        ("/issuers/0/jwks", json!({ "cluster": "idp", "uri": "https://a/k", "path": "/x" }), "issuers[0].jwks.path: does not go with `uri`, which has the path"),
        ("/issuers/1/jwks/cluster", json!("idp"), "issuers[1].jwks.cluster: does not go with `inline`: a set has its keys inline or fetches them"),
        ("/issuers/1/jwks/inline", json!({ "keys": [] }), "issuers[1].jwks.inline: is not a key set\n  help: write `{ keys: [ { kty: … } ] }`"),
        ("/issuers/1/jwks/inline", json!("{}"), "issuers[1].jwks.inline: is not a key set\n  help: write `{ keys: [ { kty: … } ] }`"),
        ("/issuers/1/jwks/inline/keys/0", json!({}), "issuers[1].jwks.inline.keys[0]: is not a JSON Web Key: it has no `kty`"),
        ("/issuers/1/jwks/inline/keys/0/d", json!("AA"), "issuers[1].jwks.inline.keys[0]: is a secret key; a set holds public keys only\n  help: take it out of the repository and replace it at the issuer"),
        ("/issuers/1/jwks/inline/keys/0", json!({ "kty": "oct", "k": "AA" }), "issuers[1].jwks.inline.keys[0]: is a secret key; a set holds public keys only\n  help: take it out of the repository and replace it at the issuer"),
        ("/issuers/0/jwks/refresh", json!(10), "issuers[0].jwks.refresh: expected a duration such as `30s`, found `10`\n  help: write `10s`"),
        ("/issuers/0/jwks/refresh", json!("10 m"), "issuers[0].jwks.refresh: `10 m` is not a duration\n  help: write a whole number and its unit: 500ms, 30s, 10m or 1h"),
        ("/issuers/0/jwks/refresh", json!("10ms"), "issuers[0].jwks.refresh: `10ms` is not between 1s and 24h"),
        ("/issuers/0/jwks", json!(null), "issuers[0]: does not say how its tokens are verified\n  help: give `jwks`, where its keys come from, `introspection`, or `verified_by`"),
        ("/connections/2/credential/value", json!("Bearer ${secret:opena}"), "connections[2].credential.value: there is no secret `opena`\n  help: did you mean `openai`?"),
        ("/connections/2/credential/value", json!("${secret:a b}"), "connections[2].credential.value: is not a name\n  help: a name is 1 to 64 letters, digits, `-`, `_` or `.`, and starts with a letter or digit"),
        ("/secrets/0/keep", json!("30s"), "secrets[0].keep: `keep` (30s) is shorter than `refresh` (1m): in between there is no value\n  help: keep values for 1m at least"),
        ("/connections/2/resource", json!({ "uri": "https://RAG.example.com/v1" }), "connections[2].resource.uri: is the resource of another connection too, at connections[1].resource.uri\n  help: clients are told of one connection there: give each a base URL of its own"),
        ("/secrets/0/token", json!("${secret:openai}"), "secrets[0].token: holds `${secret:…}`, which stands in the values of credentials only\n  help: take it from the environment of Envoy: `${env:NAME}`"),
        ("/secrets/0/path", json!(null), "secrets[0]: needs the key `path`\n  help: add `path`: a path"),
        ("/secrets/0/refresh", json!("48h"), "secrets[0].refresh: `48h` is not between 1s and 24h"),
        ("/issuers/4/jwks", json!({ "cluster": "sso" }), "issuers[4].jwks: `jwks` does not go with `introspection`: one of them says what tokens are worth\n  help: take one of the two out"),
        ("/issuers/4/introspection/path", json!(null), "issuers[4].introspection: needs the key `path`\n  help: add `path`: a path"),
        ("/issuers/4/introspection/client_id", json!(null), "issuers[4].introspection.client_secret: stands without `client_id`"),
        ("/issuers/4/introspection/client_secret", json!(null), "issuers[4].introspection.client_id: stands without `client_secret`\n  help: give the secret too, as `${env:NAME}`"),
        ("/issuers/4/introspection/headers", json!({ "Authorization": "Bearer ${env:T}" }), "issuers[4].introspection.headers.Authorization: does not go with `client_id`, which is sent in that header\n  help: take one of the two out"),
        ("/issuers/4/introspection/max_age", json!("2h"), "issuers[4].introspection.max_age: `2h` is not between 1s and 1h"),
        ("/issuers/0", json!({ "name": "corp", "issuer": "https://idp.example.com", "introspection": { "cluster": "idp", "path": "/i" } }), "connections[1].issuers[4]: is asked about opaque tokens as `corp` is, and a token does not say which of them it is of\n  help: give the connection one issuer with `introspection`, and make another connection"),
        ("/issuers/0/verified_by", json!("jwt_authn"), "issuers[0].verified_by: `jwt_authn` is not known here\n  help: use `envoy.filters.http.jwt_authn` or `mtls`"),
        ("/issuers/0/verified_by", json!("envoy.filters.http.jwt_authn"), "issuers[0].jwks: names no key set, and `jwt_authn` discovers none\n  help: give `uri`, or `inline`"),
        ("/issuers/0/verified_by", json!("mtls"), "issuers[0].issuer: `https://idp.example.com` is not a trust domain\n  help: write `spiffe://` and the domain, such as `spiffe://cluster.local`"),
        ("/issuers/3/issuer", json!("spiffe://cluster.local/ns"), "issuers[3].issuer: `spiffe://cluster.local/ns` is not a trust domain\n  help: write `spiffe://` and the domain, such as `spiffe://cluster.local`"),
        ("/issuers/3/audiences", json!(["a"]), "issuers[3].audiences: `audiences` has no effect with `verified_by: mtls`, where there are no tokens\n  help: take one of the two out"),
        ("/issuers/3/jwks", json!({ "cluster": "c" }), "issuers[3].jwks: `jwks` has no effect with `verified_by: mtls`, where there are no tokens\n  help: take one of the two out"),
        ("/connections/0/resource", json!({ "uri": "https://a" }), "connections[0].resource: `resource` has no effect with `protocol: none`, which passes untouched\n  help: take one of the two out"),
        ("/connections/1/resource", json!({ "uri": "/v1" }), "connections[1].resource.uri: `/v1` is not an absolute URI\n  help: write `https://host/path`"),
        ("/connections/1/resource", json!({ "uri": "https://a/v1?x" }), "connections[1].resource.uri: `https://a/v1?x` holds a query, which no base URL has"),
        ("/connections/1/resource", json!({ "uri": "https://a/v1/" }), "connections[1].resource.uri: `https://a/v1/` ends with `/`\n  help: write `/v1`: a prefix ends at a segment by itself"),
        ("/connections/1/resource/scopes", json!(["a b"]), "connections[1].resource.scopes[0]: `a b` is not a scope"),
        ("/issuers/0/payload_in_metadata", json!("corp"), "issuers[0].payload_in_metadata: has no effect without `verified_by`\n  help: write `verified_by: envoy.filters.http.jwt_authn`, or take it out"),
        ("/issuers/2/jwks", json!({ "cluster": "c", "uri": "https://a/k", "headers": { "a": "b" } }), "issuers[2].jwks.headers: does not go with `verified_by`: Envoy's filter asks by the URI alone"),
        ("/issuers/2/jwks", json!({ "cluster": "c", "uri": "https://a/k", "authority": "b" }), "issuers[2].jwks.authority: does not go with `verified_by`: Envoy's filter asks by the URI alone"),
        ("/issuers/0/leeway", json!("1h"), "issuers[0].leeway: `1h` is not between 0ms and 5m"),
        ("/issuers/0/groups_claim", json!("a..b"), "issuers[0].groups_claim: `a..b` holds an empty name between dots\n  help: for a claim whose name has dots, write the path as a list of names"),
        ("/version", json!("1"), "version: expected a whole number, found `1`\n  help: write 1 without quotes"),
        ("/connections", json!([]), "connections: is an empty list\n  help: it must hold at least one"),
        ("/policies/0/name", json!(null), "policies[0]: needs the key `name`\n  help: add `name`: a name"),
        ("/connections", json!(null), "needs the key `connections`\n  help: add `connections`: a list of at least one"),
        ("/connections/0", json!("chat"), "connections[0]: expected a map, found `chat`"),
        ("/connections/0/policy", json!("rag-chat"), "connections[0].policy: `policy` has no effect with `protocol: none`, which passes untouched\n  help: take one of the two out"),
        ("/connections/1/protocol", json!("openia"), "connections[1].protocol: `openia` is not known here\n  help: did you mean `openai`?"),
        ("/connections/1/policy", json!("rag-chta"), "connections[1].policy: there is no policy `rag-chta`\n  help: did you mean `rag-chat`?"),
        ("/connections/1/policy", json!("zebra"), "connections[1].policy: there is no policy `zebra`\n  help: use `rag-chat`"),
        ("/connections/1/policy", json!(null), "connections[1]: needs the key `policy`\n  help: it names what guards the connection; only `protocol: none` goes without"),
        ("/connections/1/issuers", json!(null), "connections[1]: needs the key `issuers`, as the set has several\n  help: name those whose tokens it accepts: `corp`, `inline`, `mesh`, `workloads` or `opaque`"),
        ("/connections/1/issuers/0", json!("crop"), "connections[1].issuers[0]: there is no issuer `crop`\n  help: did you mean `corp`?"),
        ("/issuers/1/issuer", json!("https://idp.example.com"), "connections[1].issuers[1]: has the same `issuer` as `corp`, so a token could belong to both\n  help: give a connection one of them, or put their audiences together"),
        ("/connections/1/match", json!([]), "connections[1].match: is an empty list\n  help: leave the key out, or fill it"),
        ("/connections/1/match/0", json!({}), "connections[1].match[0]: is an empty match\n  help: write `{ path_prefix: / }` for every request"),
        ("/connections/1/match/0", json!({ "path": "/" }), "connections[1].match[0].path: `path` is not a key here\n  help: use `authority`, `path_prefix`, `route`, `virtual_host`, `cluster` or `method`"),
        ("/connections/1/match/0/path_prefix", json!("v1"), "connections[1].match[0].path_prefix: `v1` does not start with `/`"),
        ("/connections/1/match/0/path_prefix", json!("/v1/"), "connections[1].match[0].path_prefix: `/v1/` ends with `/`\n  help: write `/v1`: a prefix ends at a segment by itself"),
        ("/connections/1/match/0/path_prefix", json!("/a/../b"), "connections[1].match[0].path_prefix: `/a/../b` never matches, since such requests are refused: the path holds a dot segment"),
        ("/connections/1/match/0/path_prefix", json!("/a%2Fb"), "connections[1].match[0].path_prefix: `/a%2Fb` never matches, since such requests are refused: the path holds an encoded slash, backslash, semicolon, percent sign or control character"),
        ("/connections/1/match/0/path_prefix", json!("/v1/*"), "connections[1].match[0].path_prefix: `/v1/*` holds a wildcard, and a path is compared as it is written\n  help: a prefix ends at a segment by itself: write `/v1`"),
        ("/connections/1/match/0/path_prefix", json!("/v1*"), "connections[1].match[0].path_prefix: `/v1*` holds a wildcard, and a path is compared as it is written\n  help: a prefix ends at a segment by itself: write `/v1`"),
        ("/connections/1/match/0/path_prefix", json!("/**"), "connections[1].match[0].path_prefix: `/**` holds a wildcard, and a path is compared as it is written\n  help: a prefix ends at a segment by itself: write `/`"),
        ("/connections/1/match/0/path_prefix", json!("/%76%31"), "connections[1].match[0].path_prefix: `/%76%31` never matches: paths are compared without needless percent-encoding\n  help: write `/v1`"),
        ("/connections/1/match/0/path_prefix", json!("/a%3bb"), "connections[1].match[0].path_prefix: `/a%3bb` never matches, since such requests are refused: the path holds an encoded slash, backslash, semicolon, percent sign or control character"),
        ("/connections/1/match/0/path_prefix", json!("/a?b"), "connections[1].match[0].path_prefix: `/a?b` holds more than a path: `?` and `#` never match"),
        ("/connections/1/match/1/authority", json!("https://a"), "connections[1].match[1].authority: `https://a` is a URI, not an authority\n  help: write the host alone, such as `api.example.com`"),
        ("/connections/1/match/1/authority", json!("*.a"), "connections[1].match[1].authority: `*.a` holds a wildcard; an authority is compared whole"),
        ("/connections/1/match/1/authority", json!("a:b"), "connections[1].match[1].authority: `a:b` is not an authority\n  help: write `host` or `host:port`"),
        ("/connections/0/match/method", json!("get"), "connections[0].match.method: `get` is not a request method, which has capitals\n  help: did you mean `GET`?"),
        ("/connections/1/credential/header", json!(":path"), "connections[1].credential.header: `:path` is a pseudo-header, which a set cannot write"),
        ("/connections/1/credential/header", json!("a b"), "connections[1].credential.header: `a b` is not the name of a header\n  help: a header's name is letters, digits and any of !#$%&'*+-.^_`|~"),
        ("/connections/1/credential/header", json!("Connection"), "connections[1].credential.header: `Connection` is a header of the connection itself, which a set cannot write"),
        ("/connections/1/credential/header", json!("x-portcullis-id"), "connections[1].credential.header: `x-portcullis-id` is a header that Portcullis keeps for itself"),
        ("/connections/1/credential/header", json!(null), "connections[1].credential: stands nowhere\n  help: give the credential a `header`, or a parameter of the `query`"),
        ("/connections/1/credential/query", json!("key"), "connections[1].credential.query: stands beside `header`: a credential stands in one place\n  help: make two of it: a connection may have several"),
        ("/connections/1/credential", json!([{ "query": "key", "value": "${env:A}" }, { "query": "key", "value": "${env:B}", "when": "true" }]), "connections[1].credential[1]: is never used: one before it stands in the same place for everyone\n  help: put the one without `when` last"),
        ("/connections/1/credential/value", json!("s3cret ${env:1X}"), "connections[1].credential.value: does not name an environment variable in `${env:…}`\n  help: a name is letters, digits and `_`, and does not start with a digit"),
        ("/connections/1/credential/value", json!("s3cret ${identity.id}"), "connections[1].credential.value: holds a `${…}` other than `${env:NAME}` and `${secret:NAME}`\n  help: who calls is no part of a credential; write `$${` for a literal `${`"),
        ("/connections/1/credential/value", json!("s3cret ${env:X"), "connections[1].credential.value: holds a `${` that nothing closes\n  help: write `$${` for a literal `${`"),
        ("/connections/1/credential/value", json!("s3cret\r\nx: y"), "connections[1].credential.value: holds what no header may: control characters or other than ASCII"),
        ("/connections/1/credential/value", json!(5_318_008), "connections[1].credential.value: expected text, found a number"),
        ("/connections/1/token/headers/0/name", json!(1), "connections[1].token.headers[0].name: expected a header's name, found `1`\n  help: put it in quotes"),
        ("/connections/1/token/headers/-", json!({ "name": "x-token" }), "connections[1].token.headers[1]: the header `x-token` is given twice, first at connections[1].token.headers[0]"),
        ("/connections/1/answers", json!({ "text": ["$.a"] }), "connections[1].answers: goes with `protocol: http` only: what answers of `openai` hold is known\n  help: take it out"),
        ("/connections/0/answers", json!({ "text": ["$.a"] }), "connections[0].answers: `answers` has no effect with `protocol: none`, which passes untouched\n  help: take one of the two out"),
        ("/connections/2/answers/text", json!("$.a"), "connections[2].answers.text: expected a list, found `$.a`"),
        ("/connections/2/answers/text/0", json!("$.a[0]"), "connections[2].answers.text[0]: `$.a[0]` is not a path: in brackets stands `*` or a quoted name; indexes, slices and filters are not supported\n  help: write `$`, then `.name`, `['any name']`, `.*` or `[*]`, such as `$.results[*].body`"),
        ("/connections/2/answers/drop", json!(["$.a"]), "connections[2].answers.drop: `drop` is not a key here\n  help: use `text` or `keep`"),
        ("/policies/0/allow", json!(true), "policies[0].allow: expected a CEL condition, found `true`\n  help: put it in quotes"),
        ("/policies/0/allow", json!(null), "policies[0]: needs the key `allow`\n  help: add `allow`: a CEL condition"),
        ("/policies/0/allow", json!(""), "policies[0].allow: is an empty condition\n  help: write `true` for a condition that always holds"),
        ("/policies/0/rules/0", json!({ "name": "a" }), "policies[0].rules[0]: has no effect\n  help: give the rule one of `deny`, `approve` and `flag`, with its condition"),
        ("/policies/0/rules/0", json!({ "name": "a", "denny": "x" }), "policies[0].rules[0].denny: `denny` is not a key here\n  help: did you mean `deny`?"),
        ("/policies/0/rules/0/flag", json!("true"), "policies[0].rules[0].flag: stands beside `deny`: a rule has exactly one effect\n  help: make two rules of it"),
        ("/policies/0/rules/1/name", json!("models"), "policies[0].rules[1].name: the rule `models` stands already at policies[0].rules[0].name\n  help: names are unique: rename one of them"),
        ("/policies/0/rules/1/message", json!("hi"), "policies[0].rules[1].message: goes with `deny` and `approve` only: nobody is told of a flag"),
        ("/policies/0/rules/0/message", json!("Not ${env:KEY}"), "policies[0].rules[0].message: `Not ${env:KEY}` holds `${env:…}` where no secret belongs\n  help: it stands where a secret does: in a credential's `value`, the `headers` of a cluster, the `key` of pseudonyms, `client_secret`, `token` and `signing_key`"),
        ("/policies/0/rules/0/message", json!("Not ${ }"), "policies[0].rules[0].message: `Not ${ }` holds an empty `${}`\n  help: write CEL, such as `${identity.claims.tenant}`"),
        ("/policies/0/rules/0/message", json!(" "), "policies[0].rules[0].message: ` ` is empty"),
        ("/policies/0/rules/0/approvers", json!(["dba"]), "policies[0].rules[0].approvers: goes with `approve` only: nobody else is asked"),
        ("/policies/0/rules/0/quorum", json!(2), "policies[0].rules[0].quorum: goes with `approve` only: nobody else is asked"),
        ("/approvals", json!({ "cluster": "a", "ignore": ["metadata"] }), "approvals.ignore[0]: `metadata` is not a JSON pointer: it begins with no slash\n  help: write the names on the way to the value, each after a slash, such as `/metadata/request_time`"),
        ("/approvals", json!({ "cluster": "a", "wait": "1h" }), "approvals.wait: `1h` is not between 0ms and 10m"),
        ("/approvals", json!({ "wait": "1m" }), "approvals: needs the key `cluster`\n  help: add `cluster`: text"),
        ("/policies/0/rules/0/approve", json!("true"), "policies[0].rules[0].approve: stands beside `deny`: a rule has exactly one effect\n  help: make two rules of it"),
        ("/policies/0/rules/0/message", json!("Not ${identity.id"), "policies[0].rules[0].message: `Not ${identity.id` holds a `${` that nothing closes\n  help: write `$${` for a literal `${`"),
        ("/policies/0/budgets", json!([]), "policies[0].budgets: is an empty list\n  help: leave the key out, or fill it"),
        ("/policies/0/budgets/0/keys", json!("all"), "policies[0].budgets[0].keys: `keys` is not a key here\n  help: did you mean `key`?"),
        ("/policies/0/budgets/0/key", json!(""), "policies[0].budgets[0].key: is an empty key\n  help: say whose the budget is: `identity.id`, a claim, or `all` for one bucket for everyone"),
        ("/policies/0/budgets/0/key", json!(null), "policies[0].budgets[0]: needs the key `key`\n  help: add `key`: a CEL expression"),
        ("/policies/0/budgets/0/per", json!(null), "policies[0].budgets[0]: needs the key `per`\n  help: add `per`: a duration such as `30s`"),
        ("/policies/0/budgets/0/per", json!("500ms"), "policies[0].budgets[0].per: `500ms` is not between 1s and 744h"),
        ("/policies/0/budgets/0/per", json!(60), "policies[0].budgets[0].per: expected a duration such as `30s`, found `60`\n  help: write `60s`"),
        ("/policies/0/budgets/0/tokens", json!("1k"), "policies[0].budgets[0].tokens: expected a whole number, found `1k`\n  help: write 1000"),
        ("/policies/0/budgets/0/tokens", json!(0), "policies[0].budgets[0].tokens: `0` is not between 1 and 1099511627776"),
        ("/policies/0/budgets/0/tokens", json!(null), "policies[0].budgets[0]: counts nothing\n  help: give the budget `tokens` or `requests`, and how many"),
        ("/policies/0/budgets/0/requests", json!(1), "policies[0].budgets[0].requests: stands beside `tokens`: a budget counts one of them\n  help: make two budgets of it: a request goes on where both have room"),
        ("/policies/0/budgets/0/scope", json!("locale"), "policies[0].budgets[0].scope: `locale` is not known here\n  help: did you mean `local`?"),
        ("/policies/0/budgets/0/at_limit", json!("stop"), "policies[0].budgets[0].at_limit: `stop` is not known here\n  help: use `finish` or `end`"),
        ("/policies/0/budgets/1/clamp", json!(true), "policies[0].budgets[1].clamp: goes with `tokens` only\n  help: count `tokens`, or take it out: of requests nothing is left to bound once one is let in"),
        ("/policies/0/budgets/1/name", json!("tokens"), "policies[0].budgets[1].name: the budget `tokens` stands already at policies[0].budgets[0].name\n  help: names are unique: rename one of them"),
        ("/policies/0/limits/max_request_bytes", json!("1MiB"), "policies[0].limits.max_request_bytes: `1MiB` is not a size\n  help: write bytes, or a whole number and its unit: 512Ki, 1Mi, 1Gi, 500k, 1M"),
        ("/policies/0/limits/max_request_bytes", json!(5), "policies[0].limits.max_request_bytes: `5` is not between 1Ki and 64Mi"),
        ("/policies/0/limits/max_request_bytes", json!(1.5), "policies[0].limits.max_request_bytes: expected a size such as `1Mi`, found `1.5`"),
        ("/policies/0/mask/response/entities/0", json!("pii"), "policies[0].mask.response.entities[0]: `pii` is not the name of an entity\n  help: did you mean `PII`?"),
        ("/policies/0/mask/response/operator", json!("replaces"), "policies[0].mask.response.operator: `replaces` is not known here\n  help: did you mean `replace`?"),
        ("/policies/0/mask/response/overrides/CREDIT_CARD/keep_last", json!(17), "policies[0].mask.response.overrides.CREDIT_CARD.keep_last: `17` is not between 0 and 16"),
        ("/policies/0/mask/response/overrides/CREDIT_CARD/keep_last", json!("4"), "policies[0].mask.response.overrides.CREDIT_CARD.keep_last: expected a whole number, found `4`\n  help: write 4 without quotes"),
        ("/policies/0/mask/response/overrides/CREDIT_CARD/character", json!("**"), "policies[0].mask.response.overrides.CREDIT_CARD.character: `**` is not one character that covers\n  help: write one printable ASCII character that is no digit, such as `*`, `#` or `X`"),
        ("/policies/0/mask/response/overrides/CREDIT_CARD/key", json!("${env:K}"), "policies[0].mask.response.overrides.CREDIT_CARD.key: has no effect with `operator: mask`\n  help: it goes with `operator: pseudonym`"),
        ("/policies/0/mask/response/overrides/CREDIT_CARD/keep", json!(4), "policies[0].mask.response.overrides.CREDIT_CARD.keep: `keep` is not a key here\n  help: use `operator`, `keep_first`, `keep_last`, `character`, `key` or `scope`"),
        ("/policies/0/mask/response/overrides/EMAIL_ADDRESS", json!({ "operator": "pseudonym" }), "policies[0].mask.response.overrides.EMAIL_ADDRESS: needs the key `key`\n  help: pseudonyms are made under a secret: `key: ${env:NAME}`, of 16 bytes or more"),
        ("/policies/0/mask/response/overrides/EMAIL_ADDRESS", json!({}), "policies[0].mask.response.overrides.EMAIL_ADDRESS: needs the key `operator`\n  help: add `operator`: `replace`, `mask`, `pseudonym`, `redact`, `block` or `flag`"),
        ("/policies/0/mask/response/overrides/email", json!({ "operator": "redact" }), "policies[0].mask.response.overrides.email: `email` is not the name of an entity\n  help: did you mean `EMAIL`?"),
        ("/policies/0/mask/response/overrides", json!({}), "policies[0].mask.response.overrides: is an empty map\n  help: leave the key out, or fill it"),
        ("/policies/0/mask/response/overrides", json!([]), "policies[0].mask.response.overrides: expected a map, found a list"),
        ("/policies/0/mask/response/operator", json!("hash"), "policies[0].mask.response.operator: `hash` is not known here\n  help: use `replace`, `mask`, `pseudonym`, `redact`, `block` or `flag`"),
        ("/policies/0/mask/response/keep_last", json!(4), "policies[0].mask.response.keep_last: has no effect with `operator: replace`\n  help: it goes with `operator: mask`"),
        ("/policies/0/mask/response/restore", json!(true), "policies[0].mask.response.restore: `restore` is not a key here\n  help: use `entities`, `operator`, `keep_first`, `keep_last`, `character`, `key`, `scope`, `overrides` or `thinking`"),
        ("/policies/0/mask/prompt/key", json!(null), "policies[0].mask.prompt: needs the key `key`\n  help: pseudonyms are made under a secret: `key: ${env:NAME}`, of 16 bytes or more"),
        ("/policies/0/mask/prompt/key", json!("s3cret ${env:1X}"), "policies[0].mask.prompt.key: does not name an environment variable in `${env:…}`\n  help: a name is letters, digits and `_`, and does not start with a digit"),
        ("/policies/0/mask/prompt/scope", json!("${env:X}"), "policies[0].mask.prompt.scope: `${env:X}` holds `${env:…}` where no secret belongs\n  help: a scope is no secret: the key is, and stands in `key`"),
        ("/policies/0/mask/prompt/scope", json!("${prompt.text}"), "policies[0].mask.prompt.scope: `${prompt.text}` holds a `${…}` that no scope knows\n  help: write `${identity.claims.NAME}`, `${identity.subject}`, `${identity.issuer}` or `${identity.id}`"),
        ("/policies/0/mask/prompt", json!({ "entities": ["PII"], "operator": "redact", "restore": true }), "policies[0].mask.prompt.restore: has nothing that could be put back\n  help: values come back where the operator is `replace` or `pseudonym`"),
        ("/policies/0/mask/prompt/restore", json!("yes"), "policies[0].mask.prompt.restore: expected `true` or `false`, found `yes`"),
        ("/policies/0/uninspected", json!("pass"), "policies[0].uninspected: `pass` is not known here\n  help: use `deny` or `allow`"),
        ("/policies/0/uninspected/allow/0", json!("audoi"), "policies[0].uninspected.allow[0]: `audoi` is not known here\n  help: did you mean `audio`?"),
        ("/policies/0/uninspected/deny/0", json!("audio"), "policies[0].uninspected.deny[0]: `audio` is both allowed and denied"),
        ("/detectors/0/name", json!("employee id"), "detectors[0].name: `employee id` is not the name of an entity\n  help: did you mean `EMPLOYEE_ID`?"),
        ("/detectors/0/pattern", json!(null), "detectors[0]: finds nothing\n  help: give the detector one of `pattern` and `words`"),
        ("/detectors/0/pattern", json!(" "), "detectors[0].pattern: ` ` is an empty pattern"),
        ("/detectors/0/words", json!(["a"]), "detectors[0].words: stands beside `pattern`: a detector has one of them\n  help: make two detectors of it, with the same name"),
        ("/detectors/0/ignore_case", json!(true), "detectors[0].ignore_case: goes with words only"),
        ("/detectors/1/not_after", json!("x"), "detectors[1].not_after: goes with a pattern only"),
        ("/detectors/1/ignore_case", json!("yes"), "detectors[1].ignore_case: expected `true` or `false`, found `yes`"),
        ("/detectors/1/words", json!([]), "detectors[1].words: is an empty list\n  help: leave the key out, or fill it"),
        ("/detectors/1/words/1", json!("Bluebird"), "detectors[1].words[1]: `Bluebird` stands in the list twice"),
        ("/detectors/1/words/1", json!(""), "detectors[1].words[1]: is an empty word"),
        ("/detectors/1/validator", json!("luhn"), "detectors[1].validator: `validator` is not a key here\n  help: use `name`, `pattern`, `not_after`, `not_before`, `words`, `ignore_case` or `context`"),
        ("/audit/cluster", json!(null), "audit: needs the key `cluster`\n  help: add `cluster`: text"),
        ("/audit/headers", json!({ "te": "x" }), "audit.headers.te: `te` is a header of the connection itself, which a set cannot write"),
        ("/audit/headers", json!({ "a": "x", "A": "x" }), "audit.headers.a: is given twice, but for capitals"),
        ("/audit/headers", json!(["a"]), "audit.headers: expected a map from header names to values, found a list"),
        ("/audit/mask", json!(["PII"]), "audit.mask: has no effect without `capture: masked` or `full`\n  help: records hold no texts that it could mask"),
        ("/audit/path", json!("logs"), "audit.path: `logs` does not start with `/`"),
        ("/audit/timeout", json!("0s"), "audit.timeout: `0s` is not between 1ms and 5m"),
        ("/connections/0/name", json!("chat"), "connections[1].name: the connection `chat` stands already at connections[0].name\n  help: names are unique: rename one of them"),
        ("/issuers/0/name", json!(9_007_199_254_740_992_i64), "issuers[0].name: is a number too large to be exact\n  help: numbers of a set are smaller; where text is meant, put it in quotes"),
    ];
    for (pointer, value, expected) in cases {
        let told = told(&with(pointer, value.clone()));
        assert!(
            told.iter().any(|problem| problem == expected),
            "{pointer} = {value}\nwanted {expected}\ntold {told:#?}"
        );
        assert!(
            problems(&with(pointer, value.clone())).iter().any(Problem::is_error),
            "{pointer} = {value} passed"
        );
        assert!(!told.join("\n").contains("s3cret"), "a secret must not reach a log: {told:?}");
        assert!(!told.join("\n").contains("5318008"), "a secret must not reach a log: {told:?}");
    }
}

#[test]
fn all_faults_are_told_at_once() {
    let mut set = with("/mode", json!("x"));
    set["policies"][0]["limits"] = json!({ "max_request_bytes": "x" });
    set["connections"][1]["policy"] = json!("x");
    assert_eq!(told(&set).len(), 3);
}

#[test]
fn a_budget_of_a_fleet_is_one_that_a_service_can_count() {
    let told_of = |budget: Value, service: Value| {
        let mut set = with("/policies/0/budgets/1", budget);
        set["policies"][0]["limits"]["max_output_tokens"] = json!(100);
        if !service.is_null() {
            set["rate_limit_service"] = service;
        }
        problems(&set)
            .iter()
            .map(|problem| format!("{}: {}", problem.place.key, problem.message))
            .collect::<Vec<_>>()
    };
    let budget = |more: Value| {
        let mut made =
            json!({ "name": "fleet", "key": "all", "tokens": 200, "per": "1h", "scope": "global" });
        made.as_object_mut().unwrap().extend(more.as_object().unwrap().clone());
        made
    };
    let service = || json!({ "cluster": "rates", "refunds": true, "on_failure": "local" });
    assert_eq!(told_of(budget(json!({})), service()), [""; 0]);
    const KEY: &str = "policies[0].budgets[1]";
    assert_eq!(
        told_of(budget(json!({})), json!(null)),
        [format!("{KEY}.scope: needs a service that counts for all, and the set names none")]
    );
    assert_eq!(
        told_of(budget(json!({ "per": "2m" })), service()),
        [format!("{KEY}.per: is no time that a rate limit service counts in")]
    );
    assert_eq!(
        told_of(budget(json!({ "tokens": 1_u64 << 32 })), service()),
        [format!("{KEY}.tokens: is more than a rate limit service counts to (4294967295)")]
    );
    for (key, value) in [("clamp", json!(true)), ("at_limit", json!("end"))] {
        assert_eq!(
            told_of(budget(json!({ key: value })), service()),
            [format!(
                "{KEY}.{key}: does not go with `scope: global`: the service does not say beforehand how much is left"
            )]
        );
    }
    assert_eq!(
        told_of(budget(json!({})), json!({ "cluster": "rates" })),
        [format!(
            "{KEY}.scope: the rate limit service takes no tokens back: what a request may use stays charged, whatever it used"
        )]
    );
    assert_eq!(
        told_of(budget(json!({ "scope": "local" })), service()),
        ["rate_limit_service: no budget asks the rate limit service"]
    );
}

#[test]
fn what_works_but_may_not_be_meant_is_a_warning() {
    let warned = |set: Value| {
        let problems = problems(&set);
        assert!(problems.iter().all(|problem| problem.severity == Severity::Warning), "{problems:?}");
        problems
            .iter()
            .map(|problem| format!("{}: {}", problem.place.key, problem.message))
            .collect::<Vec<_>>()
    };
    const BLOCKS: &str = "is in monitor mode: it decides and records, and blocks nothing";
    assert_eq!(warned(with("/mode", json!("monitor"))), [format!("mode: the set {BLOCKS}")]);
    assert_eq!(
        warned(with("/policies/0/mode", json!("monitor"))),
        [format!("policies[0].name: the policy `rag-chat` {BLOCKS}")]
    );
    assert_eq!(
        warned(with("/policies/0/rules/0/mode", json!("monitor"))),
        [format!("policies[0].rules[0].name: the rule `models` {BLOCKS}")]
    );
    assert_eq!(
        warned(with("/policies/0/budgets/1/mode", json!("monitor"))),
        [format!("policies[0].budgets[1].name: the budget `everyone` {BLOCKS}")]
    );
    let approve = |mode: Value| {
        let mut set = with("/policies/0/rules/-", json!({ "name": "ask", "approve": "true" }));
        set["policies"][0]["rules"][2]["mode"] = mode;
        warned(set)
    };
    assert_eq!(
        approve(json!("enforce")),
        [
            "policies[0].rules[2].name: the rule `ask` asks a human, and the set names no service that does: what it holds for is refused"
        ]
    );
    assert_eq!(
        approve(json!("monitor")),
        [format!("policies[0].rules[2].name: the rule `ask` {BLOCKS}")],
        "nothing is refused"
    );
    assert_eq!(
        warned(with("/unmatched", json!("allow"))),
        ["unmatched: requests that match no connection pass unseen"]
    );
    assert_eq!(
        warned(with("/policies/-", json!({ "name": "idle", "allow": "true" }))),
        ["policies[1].name: no connection uses the policy `idle`"]
    );
    assert_eq!(
        warned(with("/connections/1/issuers", json!(["corp"]))),
        [
            "issuers[1].name: no connection uses the issuer `inline`",
            "issuers[2].name: no connection uses the issuer `mesh`",
            "issuers[3].name: no connection uses the issuer `workloads`",
            "issuers[4].name: no connection uses the issuer `opaque`"
        ]
    );
    assert_eq!(
        warned(with("/connections/1/credential/value", json!("Bearer x"))),
        ["connections[1].credential.value: the credential is written in the set itself"]
    );
    assert_eq!(
        warned(with("/policies/0/mask/prompt/key", json!("0123456789abcdef"))),
        ["policies[0].mask.prompt.key: the key of pseudonyms is written in the set itself"]
    );
    assert_eq!(
        warned(with("/audit/headers", json!({ "X-Api-Key": "s3cret", "x-tenant": "rag" }))),
        ["audit.headers.X-Api-Key: what this header shows is written in the set itself"]
    );
    let mut small = with("/policies/0/limits", json!({ "max_output_tokens": 10000 }));
    assert_eq!(warned(small.clone()), Vec::<String>::new(), "a clamp goes with any bound");
    small["policies"][0]["budgets"][0].as_object_mut().unwrap().remove("clamp");
    assert_eq!(
        warned(small),
        [
            "policies[0].budgets[0].name: never holds what an answer may have (`limits.max_output_tokens`, 10000): requests that ask for no less are always refused"
        ]
    );
    assert_eq!(
        warned(with("/audit/signing_key", json!("c2VjcmV0"))),
        ["audit.signing_key: the key that anchors are signed under is written in the set itself"]
    );
}

#[test]
fn a_connection_that_an_earlier_one_covers_is_a_warning() {
    let second = |one: Value| {
        let mut set = with("/connections/0", json!({ "name": "wide", "protocol": "none", "match": one }));
        set["connections"][1]["match"] =
            json!([{ "path_prefix": "/v1/chat", "method": "POST", "authority": "A.example:80" }]);
        told(&set).iter().any(|told| told.contains("the connection `chat` never matches: `wide` before it"))
    };
    for wide in [
        json!({ "path_prefix": "/v1" }),
        json!({ "path_prefix": "/" }),
        json!({ "method": "POST" }),
        json!({ "authority": "a.EXAMPLE" }),
        json!({ "path_prefix": "/v1/chat", "method": "POST", "authority": "a.example:80" }),
        json!([{ "route": "x" }, { "path_prefix": "/v1" }]),
    ] {
        assert!(second(wide.clone()), "{wide}");
    }
    for narrow in [
        json!({ "path_prefix": "/v1/chat/completions" }),
        json!({ "path_prefix": "/v1/cha" }),
        json!({ "path_prefix": "/v1", "method": "GET" }),
        json!({ "path_prefix": "/v1", "route": "x" }),
        json!({ "authority": "a.example:8" }),
        json!({ "authority": "example" }),
    ] {
        assert!(!second(narrow.clone()), "{narrow}");
    }
}

#[test]
fn values_are_read_as_written_and_defaults_are_the_documented_ones() {
    let bundle = |set: &Value| {
        let mut root = json::read(set.to_string().as_bytes()).unwrap();
        root.settle();
        Bundle::of(&root, "abc", HostPromises::default()).unwrap().0
    };
    let set = bundle(&whole()).set;
    assert_eq!(set.issuers[0].groups_claim, ["realm", "groups"]);
    assert_eq!(set.connections[1].credentials[0].seat, Seat::Header("authorization".to_owned()));
    assert_eq!(set.connections[1].token_headers[0].name, "x-token");
    assert_eq!(set.policies[0].max_request_bytes, 1 << 20);
    assert_eq!(set.audit.as_ref().unwrap().cluster.timeout.as_secs(), 2);
    assert_eq!(
        set.env_names().into_iter().collect::<Vec<_>>(),
        ["AUDIT_KEY", "OPENAI_API_KEY", "PSEUDONYMS", "SSO_SECRET", "VAULT_TOKEN"]
    );
    assert_eq!(
        set.clusters().iter().map(|name| name.value.as_str()).collect::<Vec<_>>(),
        ["idp", "sso", "vault", "audit"]
    );

    let claim = with("/issuers/0/groups_claim", json!(["https://example.com/groups"]));
    assert_eq!(bundle(&claim).set.issuers[0].groups_claim, ["https://example.com/groups"]);
    let message = with("/policies/0/rules/0/message", json!("a $${b}"));
    let message = bundle(&message).set.policies[0].rules[0].message.clone().unwrap().value;
    assert_eq!(message.parts, [TextPart::Text("a ${b}".into())]);
    let message = bundle(&with("/policies/0/rules/0/message", json!("a ${b}!"))).set;
    let message = message.policies[0].rules[0].message.clone().unwrap().value;
    let parts = [TextPart::Text("a ".into()), TextPart::Expression("b".into()), TextPart::Text("!".into())];
    assert_eq!(message.parts, parts);

    let least = bundle(&json!({
        "version": 1,
        "issuers": [{ "name": "i", "issuer": "https://i", "audiences": ["a"], "jwks": { "cluster": "c" } }],
        "connections": [{ "name": "c", "protocol": "openai", "policy": "p", "match": { "path_prefix": "/" } }],
        "policies": [{ "name": "p", "allow": "true" }],
    }))
    .set;
    assert_eq!(least.connections[0].issuers[0].value, "i", "the only issuer");
    assert_eq!(least.issuers[0].groups_claim, ["groups"]);
    assert_eq!(least.issuers[0].leeway.as_secs(), 30);
    assert_eq!(least.policies[0].max_request_bytes, 1 << 20);
    assert!(!least.policies[0].uninspected.default_allow);
    assert!(least.audit.is_none());
}
