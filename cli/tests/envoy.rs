//! What `render envoy` prints is YAML with what the guarantees rest on. That Envoy takes it, the end-to-end tests show.
#![allow(
    clippy::unwrap_used,
    clippy::indexing_slicing,
    clippy::string_slice,
    clippy::arithmetic_side_effects,
    reason = "a test may"
)]

use std::fs;
use std::process::{Command, Output};

use portcullis::config::set::{Bundle, Protocol};
use portcullis::exchange::metrics::METRICS;
use saphyr_parser::{Event, Parser};

const SET: &str = "\
version: 1
issuers:
  - { name: i, issuer: https://i.example, audiences: [\"it's\"], jwks: { cluster: idp, headers: { x-key: '${env:IDP_KEY}' } } }
connections:
  - { name: probes, protocol: none, match: { path_prefix: /healthz, method: GET } }
  - name: chat
    protocol: openai
    policy: chat
    match: [{ path_prefix: /v1 }, { authority: llm.example.com, route: named }]
    credential: { header: x-key, value: '${env:KEY}' }
policies:
  - { name: chat, allow: 'true', limits: { max_request_bytes: 4Mi } }
audit: { cluster: audit }
";

const GIVEN: [&str; 8] = [
    "--cluster=idp=127.0.0.1:1",
    "--cluster=audit=localhost:2,h2",
    "--cluster=llm=api.example.com:443,tls",
    "--cluster=health=[::1]:3",
    "--upstream=probes=health",
    "--upstream=llm",
    "--wasm=dist/portcullis.wasm",
    "--revision=r1",
];

fn render(set: &str, arguments: &[&str]) -> Output {
    let directory = tempfile::tempdir().unwrap();
    fs::write(directory.path().join("set.yaml"), set).unwrap();
    let command = ["render", "envoy", "set.yaml"];
    Command::new(env!("CARGO_BIN_EXE_portcullis"))
        .current_dir(directory.path())
        .args(command)
        .args(arguments)
        .output()
        .unwrap()
}

fn rendered(set: &str, arguments: &[&str]) -> String {
    let output = render(set, arguments);
    assert!(output.status.success(), "{}", String::from_utf8_lossy(&output.stderr));
    String::from_utf8(output.stdout).unwrap()
}

fn refused(set: &str, arguments: &[&str]) -> String {
    let output = render(set, arguments);
    assert_eq!(output.status.code(), Some(1));
    assert!(output.stdout.is_empty());
    String::from_utf8(output.stderr).unwrap()
}

/// The scalars of a YAML document, in order.
fn scalars(yaml: &str) -> Vec<String> {
    let scalar = |event| match event {
        Event::Scalar(text, ..) => Some(text.into_owned()),
        _ => None,
    };
    Parser::new_from_str(yaml).filter_map(|event| scalar(event.unwrap().0)).collect()
}

/// The scalar after each that is this key.
fn values(yaml: &str, key: &str) -> Vec<String> {
    let all = scalars(yaml);
    all.windows(2).filter(|pair| pair[0] == key).map(|pair| pair[1].clone()).collect()
}

#[test]
fn every_protocol_is_rendered() {
    for (protocol, _) in Protocol::ALL {
        let set = match protocol {
            "none" => continue, // `probes` is one
            protocol => SET.replace("protocol: openai", &format!("protocol: {protocol}")),
        };
        let (yaml, written) = (rendered(&set, &GIVEN), format!("\"protocol\":\"{protocol}\""));
        assert!(scalars(&yaml).iter().any(|scalar| scalar.contains(&written)), "{protocol}");
    }
}

#[test]
fn the_module_gets_its_bundle_and_its_promises() {
    let yaml = rendered(SET, &GIVEN);
    let configuration = scalars(&yaml).into_iter().find(|text| text.starts_with("{\"digest\"")).unwrap();
    let (bundle, _) = Bundle::parse(configuration.as_bytes()).unwrap();
    assert_eq!(bundle.revision, "r1");
    assert_eq!(bundle.set.issuers[0].audiences, ["it's"], "quotes survive");
    assert_eq!(values(&yaml, "allow_on_headers_stop_iteration"), ["true"]);
    assert_eq!(values(&yaml, "failure_policy"), ["FAIL_RELOAD"]);
    assert_eq!(values(&yaml, "filename")[0], "dist/portcullis.wasm");
    assert!(yaml.contains("host_env_keys: [IDP_KEY, KEY]"), "only what the set uses:\n{yaml}");
    let mut without = GIVEN.to_vec();
    without.push("--body-before-headers=false");
    assert_eq!(values(&rendered(SET, &without), "allow_on_headers_stop_iteration"), ["false"]);
}

#[test]
fn buffers_are_above_the_largest_request() {
    let yaml = rendered(SET, &GIVEN);
    for key in ["per_connection_buffer_limit_bytes", "initial_stream_window_size"] {
        let value: u64 = values(&yaml, key)[0].parse().unwrap();
        assert!(value > 4 << 20, "{key}: {value}");
    }
}

#[test]
fn free_memory_is_given_back() {
    let yaml = rendered(SET, &GIVEN);
    assert_eq!(values(&yaml, "bytes_to_release"), ["4194304"]);
    assert_eq!(values(&yaml, "memory_release_interval"), ["1s"]);
}

#[test]
fn paths_reach_the_module_as_they_came() {
    let yaml = rendered(SET, &GIVEN);
    assert_eq!(values(&yaml, "normalize_path"), ["false"]);
    assert_eq!(values(&yaml, "merge_slashes"), ["false"]);
    assert_eq!(values(&yaml, "path_with_escaped_slashes_action"), ["KEEP_UNCHANGED"]);
}

#[test]
fn each_match_is_a_route_bound_to_its_connection() {
    let yaml = rendered(SET, &GIVEN);
    assert_eq!(
        values(&yaml, "connection").get(1..).unwrap(),
        ["probes", "chat", "chat"],
        "after the label of that name"
    );
    assert_eq!(values(&yaml, "path_separated_prefix"), ["/healthz", "/v1"]);
    assert_eq!(values(&yaml, "regex").last().unwrap(), r"(?i)llm\.example\.com(:[0-9]+)?");
    assert_eq!(values(&yaml, "cluster"), ["health", "llm", "llm"]);
    assert_eq!(values(&yaml, "timeout"), ["0s"; 3], "a stream may take long");
    assert!(scalars(&yaml).contains(&"named".to_owned()), "the route that the set asks for");
    assert!(!scalars(&yaml).contains(&"unmatched".to_owned()), "what is refused needs no route");
    let open = rendered(&SET.replace("version: 1", "version: 1\nunmatched: monitor"), &GIVEN);
    assert!(scalars(&open).contains(&"unmatched".to_owned()));
}

#[test]
fn an_upstream_with_tls_is_held_to_its_name() {
    let yaml = rendered(SET, &GIVEN);
    assert_eq!(values(&yaml, "sni"), ["api.example.com"]);
    assert_eq!(values(&yaml, "exact").last().unwrap(), "api.example.com");
    assert_eq!(values(&yaml, "type"), ["STATIC", "STRICT_DNS", "STRICT_DNS", "STATIC"]);
}

/// A set with a budget of a fleet.
fn shared() -> String {
    let service = "rate_limit_service: { cluster: rates }\n";
    let budget = "{ name: all, key: identity.id, requests: 5, per: 1m, scope: global }";
    SET.replace("allow: 'true'", &format!("allow: 'true', budgets: [{budget}]")) + service
}

/// What is written of a cluster.
fn cluster<'y>(yaml: &'y str, name: &str) -> &'y str {
    let start = yaml.find(&format!("  - name: \"{name}\"\n")).unwrap();
    let rest = &yaml[start..];
    let end = rest[2..].find("\n  - name:").map_or(rest.len(), |end| end + 2);
    &rest[..end]
}

#[test]
fn the_rate_limit_service_is_spoken_to_in_http2_whether_told_so_or_not() {
    for address in ["--cluster=rates=127.0.0.1:4", "--cluster=rates=127.0.0.1:4,h2"] {
        let yaml = rendered(&shared(), &[&GIVEN[..], &[address]].concat());
        let rates = cluster(&yaml, "rates");
        assert!(rates.contains("{ http2_protocol_options: {} }"), "{rates}");
        assert!(rates.contains("port_value: 4"), "{rates}");
        assert!(!rates.contains("transport_socket"), "{rates}");
        assert!(cluster(&yaml, "idp").contains("{ http_protocol_options: {} }"), "others stay as told");
    }
    let yaml = rendered(&shared(), &[&GIVEN[..], &["--cluster=rates=rates.internal:443,tls"]].concat());
    let rates = cluster(&yaml, "rates");
    assert!(rates.contains("alpn_protocols: [h2]"), "gRPC over TLS is agreed on by ALPN:\n{rates}");
    assert!(rates.contains("sni: \"rates.internal\""), "{rates}");
}

#[test]
fn a_rate_limit_service_without_an_address_is_told() {
    let told = refused(&shared(), &GIVEN);
    assert!(told.contains("`rates`") && told.contains("--cluster rates=HOST:PORT"), "{told}");
}

#[test]
fn everything_listens_on_the_loopback_unless_told() {
    let yaml = rendered(SET, &GIVEN);
    assert_eq!(
        values(&yaml, "address").iter().filter(|text| *text == "127.0.0.1").count(),
        3,
        "admin, listener, idp"
    );
    let mut told = GIVEN.to_vec();
    told.extend(["--listen=[::]:8080", "--admin=127.0.0.1:9901", "--vm-id=other"]);
    let yaml = rendered(SET, &told);
    assert!(values(&yaml, "port_value").contains(&"8080".to_owned()));
    assert!(values(&yaml, "port_value").contains(&"9901".to_owned()));
    assert_eq!(values(&yaml, "vm_id"), ["other"]);
}

#[test]
fn what_is_missing_is_told_with_the_option_that_gives_it() {
    let told = refused(SET, &["--wasm=m"]);
    for expected in [
        "error: set.yaml:3:81: issuers[0].jwks.cluster: the cluster `idp` is not given\n",
        "audit.cluster: the cluster `audit` is not given\n",
        "connections[0].name: the upstream of `probes` is not given\n    |\n  5 |   - { name: probes, protocol: none, match: { path_prefix: /healthz, method: GET } }\n    |             ^\n  help: add `--upstream probes=CLUSTER`\n",
    ] {
        assert!(told.contains(expected), "{told}");
    }
    assert!(told.contains("  help: add `--cluster idp=HOST:PORT`\n"), "{told}");
    let mut typed = GIVEN.to_vec();
    typed.extend(["--upstream=caht=llm", "--upstream=chat=lm", "--cluster=idp=h:1"]);
    let told = refused(SET, &typed);
    assert!(told.contains("--upstream: the set has no connection `caht`\n"), "{told}");
    assert!(told.contains("--upstream: the cluster `lm` is not given\n"), "{told}");
    assert!(told.contains("--cluster: `idp` is given twice\n"), "{told}");
}

#[test]
fn a_connection_that_only_envoys_own_names_know_is_refused() {
    let told = refused(&SET.replace("{ path_prefix: /v1 }", "{ virtual_host: x }"), &GIVEN);
    assert!(told.contains("no route can be drawn for `chat`"), "{told}");
    let told = refused(&SET.replace("{ path_prefix: /v1 }", "{ path_prefix: /v1, cluster: x }"), &GIVEN);
    assert!(told.contains("it asks for a cluster other than its upstream `llm`"), "{told}");
}

const VERIFIED: &str = "\
version: 1
issuers:
  - { name: mesh, issuer: https://m.example, audiences: [rag, \"it's\"], verified_by: envoy.filters.http.jwt_authn, payload_in_metadata: payload, leeway: 0s,
      jwks: { cluster: idp, uri: https://m.example/keys, refresh: 5m, timeout: 1500ms } }
  - { name: fixed, issuer: https://f.example, audiences: [rag], verified_by: envoy.filters.http.jwt_authn,
      jwks: { inline: { keys: [{ kty: OKP, crv: Ed25519, x: 11qYAYKxCrfVS_7TyWQHOg7hcvPapiMlrwIaaPcHURo }] } } }
connections:
  - name: chat
    protocol: openai
    policy: chat
    issuers: [mesh, fixed]
    match: { path_prefix: /v1 }
    token: { headers: [{ name: x-mine, prefix: 'T ' }] }
policies:
  - { name: chat, allow: 'true' }
";

#[test]
fn envoys_own_filter_stands_before_the_module_where_the_set_asks_for_it() {
    let given = ["--cluster=idp=127.0.0.1:1", "--cluster=llm=127.0.0.1:2", "--upstream=llm", "--wasm=m"];
    let yaml = rendered(VERIFIED, &given);
    let names = values(&yaml, "name");
    let at = |name: &str| names.iter().position(|known| known == name).unwrap();
    assert!(at("envoy.filters.http.jwt_authn") < at("envoy.filters.http.router"));
    assert_eq!(values(&yaml, "payload_in_metadata"), ["payload", "fixed"]);
    assert_eq!(values(&yaml, "provider_name"), ["mesh", "fixed"]);
    assert_eq!(values(&yaml, "uri"), ["https://m.example/keys"]);
    assert_eq!(values(&yaml, "cache_duration"), ["300.000s"]);
    assert!(values(&yaml, "timeout").contains(&"1.500s".to_owned()));
    assert_eq!(values(&yaml, "clock_skew_seconds"), ["1", "30"], "none would be a minute");
    assert!(values(&yaml, "inline_string")[0].contains("11qYAYKxCrfVS_7TyWQHOg7hcvPapiMlrwIaaPcHURo"));
    assert!(values(&yaml, "value_prefix").contains(&"T ".to_owned()), "where the connection finds tokens");
    assert!(scalars(&yaml).contains(&"it's".to_owned()));
    assert!(!rendered(SET, &GIVEN).contains("jwt_authn"), "nothing of it elsewhere");
    let told = refused(VERIFIED, &["--cluster=llm=127.0.0.1:2", "--upstream=llm", "--wasm=m"]);
    assert!(told.contains("issuers[0].jwks.cluster: the cluster `idp` is not given"), "{told}");
    let (open, _) = VERIFIED.split_once(",\n      jwks: { inline").unwrap();
    let set = format!(
        "{open} }}\n{}",
        VERIFIED.split_once("connections:").map(|(_, rest)| format!("connections:{rest}")).unwrap()
    );
    let told = refused(&set, &given);
    assert!(told.contains("the set does not say where the keys of `fixed` come from"), "{told}");
}

/// A set with one store below a prefix, or at the root.
fn store(prefix: &str) -> String {
    format!(
        "\
version: 1
issuers:
  - {{ name: i, issuer: https://i.example, audiences: [a], jwks: {{ cluster: idp }} }}
connections:
  - {{ name: store, protocol: chroma, policy: own, match: {{ path_prefix: '{prefix}' }} }}
policies:
  - {{ name: own, allow: 'true' }}
"
    )
}

/// What is said of a store's upstream, and the route to it.
fn led(prefix: &str, upstream: &str) -> (String, String) {
    let given = ["--cluster=idp=127.0.0.1:1", "--cluster=db=127.0.0.1:2", "--wasm=m", "--revision=r1"];
    let output = render(&store(prefix), &[&given[..], &[upstream]].concat());
    let told = String::from_utf8(output.stderr).unwrap();
    assert!(output.status.success(), "{told}");
    let yaml = String::from_utf8(output.stdout).unwrap();
    scalars(&yaml);
    let route = yaml.lines().find(|line| line.trim_start().starts_with("route: ")).unwrap();
    (told, route.trim_start().to_owned())
}

#[test]
fn an_upstream_may_have_the_api_at_another_path_than_callers() {
    let rest = ", timeout: 0s, auto_host_rewrite: true }";
    for (prefix, upstream, rewrite) in [
        ("/chroma", "db/", r#", regex_rewrite: { pattern: { regex: "^/chroma(/|$)" }, substitution: "/" }"#),
        (
            "/a.b/c+d",
            "db/",
            r#", regex_rewrite: { pattern: { regex: "^/a\\.b/c\\+d(/|$)" }, substitution: "/" }"#,
        ),
        ("/chroma", "db/stores/one", r#", prefix_rewrite: "/stores/one""#),
        ("/chroma", "db/stores/one/", r#", prefix_rewrite: "/stores/one""#),
        ("/", "db/stores", r#", prefix_rewrite: "/stores/""#),
        ("/chroma", "db/chroma", ""),
        ("/", "db/", ""),
        ("/chroma", "db/a=b", r#", prefix_rewrite: "/a=b""#),
    ] {
        for named in ["store=", ""] {
            let (told, route) = led(prefix, &format!("--upstream={named}{upstream}"));
            assert_eq!(route, format!(r#"route: {{ cluster: "db"{rewrite}{rest}"#), "{prefix} {upstream}");
            assert_eq!(told, "", "{prefix} {upstream}");
        }
    }
}

#[test]
fn what_is_no_path_of_an_upstream_is_refused() {
    for path in ["//", "/a//b", "/a/../b", "/.", "/a?b", "/a#b", "/a b", "/ä", "/a%2fb", "/a\\b"] {
        let output = render(SET, &[&GIVEN[..], &[&format!("--upstream=chat=llm{path}")]].concat());
        let told = String::from_utf8(output.stderr).unwrap();
        assert_eq!(output.status.code(), Some(2), "{path}: {told}");
        assert!(told.contains("is not a path: segments between single slashes"), "{path}: {told}");
    }
    for nothing in ["", "chat=", "=llm", "/a", "chat=/a"] {
        let output = render(SET, &[&GIVEN[..], &[&format!("--upstream={nothing}")]].concat());
        let told = String::from_utf8(output.stderr).unwrap();
        assert!(told.contains("expected CONNECTION=CLUSTER or CLUSTER"), "{nothing}: {told}");
    }
}

#[test]
fn a_prefix_that_is_none_of_the_apis_own_is_warned_of_until_somebody_says_where_the_upstream_has_it() {
    let (told, route) = led("/chroma", "--upstream=db");
    assert!(!route.contains("regex_rewrite") && !route.contains("prefix_rewrite"), "paths stay: {route}");
    for expected in [
        "warning: set.yaml:5:13: connections[0].name: the upstream of `store` gets paths below `/chroma`, as callers send them\n",
        "say `--upstream store=db/`",
        "`--upstream store=db/chroma`",
    ] {
        assert!(told.contains(expected), "{told}");
    }
    for own in ["/", "/api", "/api/v2"] {
        assert_eq!(led(own, "--upstream=db").0, "", "{own}");
    }
    for protocol in ["openai", "anthropic"] {
        let set = SET.replace("protocol: openai", &format!("protocol: {protocol}"));
        assert_eq!(String::from_utf8(render(&set, &GIVEN).stderr).unwrap(), "", "{protocol}");
    }
}

/// The upstreams that the head of each set to copy gives, as the page on them does.
#[test]
fn sets_to_copy_whose_prefix_is_their_own_say_where_the_upstream_has_the_api() {
    let root = std::path::Path::new(env!("CARGO_MANIFEST_DIR")).join("..");
    let page = fs::read_to_string(root.join("docs/examples.md")).unwrap();
    let mut seen = 0;
    for entry in fs::read_dir(root.join("policies")).unwrap() {
        let set = fs::read_to_string(entry.unwrap().path().join("set.yaml")).unwrap();
        let Some(said) = set.lines().find(|line| line.starts_with("# ") && line.contains("--upstream "))
        else {
            continue;
        };
        let words = said.split_whitespace().map(|word| word.trim_matches(|c| "`,.;:".contains(c)));
        let words: Vec<&str> = words.skip_while(|word| *word != "--upstream").collect();
        let pairs: Vec<&str> =
            words.chunks(2).take_while(|pair| pair[0] == "--upstream").map(|pair| pair[1]).collect();
        let given = pairs.iter().flat_map(|upstream| ["--upstream", upstream]);
        let clusters = ["idp", "audit", "github-oidc", "gitlab-oidc", "collector"];
        let of_upstreams = pairs.iter().map(|pair| pair.split(['=', '/']).nth(1).unwrap());
        let mut clusters: Vec<&str> = clusters.into_iter().chain(of_upstreams).collect();
        clusters.sort_unstable();
        clusters.dedup();
        let clusters: Vec<String> =
            clusters.iter().map(|name| format!("--cluster={name}=127.0.0.1:1")).collect();
        let arguments = given.chain(clusters.iter().map(String::as_str)).chain(["--wasm=m", "--revision=r1"]);
        let output = render(&set, &arguments.collect::<Vec<_>>());
        assert!(output.status.success(), "{said}: {}", String::from_utf8_lossy(&output.stderr));
        assert_eq!(String::from_utf8(output.stderr).unwrap(), "", "{said}");
        assert!(
            String::from_utf8(output.stdout).unwrap().contains("rewrite: {") || said.contains("/v1"),
            "{said}"
        );
        for pair in pairs {
            assert!(page.contains(&format!("--upstream {pair}")), "{pair} is not on the page");
        }
        seen += 1;
    }
    assert_eq!(seen, 6, "stores below a prefix, PostgREST, agents and CI");
}

#[test]
fn tenants_of_chroma_reach_a_store_that_stands_at_its_root() {
    let root = std::path::Path::new(env!("CARGO_MANIFEST_DIR")).join("..");
    let set = fs::read_to_string(root.join("policies/chroma-tenants/set.yaml")).unwrap();
    let given = ["--cluster=idp=127.0.0.1:1", "--cluster=audit=127.0.0.1:2", "--cluster=db=127.0.0.1:3"];
    let yaml = rendered(&set, &[&given[..], &["--upstream=chroma=db/", "--wasm=m"]].concat());
    assert_eq!(values(&yaml, "path_separated_prefix"), ["/chroma"]);
    assert_eq!(values(&yaml, "regex").last().unwrap(), "^/chroma(/|$)");
    assert_eq!(values(&yaml, "substitution"), ["/"]);
}

#[test]
fn every_label_of_a_metric_is_read_out_of_its_name() {
    let yaml = rendered(SET, &GIVEN);
    let tags = values(&yaml, "tag_name");
    for (metric, labels, _) in METRICS {
        for label in labels {
            assert!(tags.iter().any(|tag| tag == label), "{metric}: {label}");
        }
    }
    let mut once = tags.clone();
    once.sort_unstable();
    once.dedup();
    assert_eq!(once.len(), tags.len(), "each once: {tags:?}");
}

#[test]
fn upgrades_come_in_where_the_set_lets_some_pass_and_connect_never_does() {
    let lets = |set: &str| rendered(set, &GIVEN).contains("upgrade_configs: [{ upgrade_type: websocket }]");
    let without = |yaml: &str| {
        yaml.replace(
            "  - { name: probes, protocol: none, match: { path_prefix: /healthz, method: GET } }\n",
            "",
        )
    };
    let guarded = without(SET);
    let given: Vec<&str> = GIVEN.into_iter().filter(|given| *given != "--upstream=probes=health").collect();
    let lets_guarded = |set: &str| rendered(set, &given).contains("upgrade_configs");
    assert!(lets(SET), "what is not looked at passes untouched");
    assert!(!lets_guarded(&guarded));
    let allowed = "allow: 'true', uninspected: { allow: [upgrade] }";
    assert!(lets_guarded(&guarded.replace("allow: 'true'", allowed)));
    assert!(lets_guarded(&guarded.replace("version: 1", "version: 1\nmode: monitor")));
    assert!(lets_guarded(&guarded.replace("version: 1", "version: 1\nunmatched: allow")));
    assert!(!lets_guarded(
        &guarded.replace("allow: 'true'", "allow: 'true', uninspected: { default: allow, deny: [upgrade] }")
    ));
    assert!(!rendered(SET, &GIVEN).contains("connect_matcher"));
}
