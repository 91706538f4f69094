//! What `render istio` prints: documents that Kubernetes and Istio take. That its listener and clusters work, the
//! end-to-end tests show on Envoy.
#![allow(
    clippy::unwrap_used,
    clippy::indexing_slicing,
    clippy::arithmetic_side_effects,
    reason = "a test may"
)]

mod support;

use saphyr_parser::{Event, Parser};
use support::{directory, run, text};

const SET: &str = "\
version: 1
issuers:
  - { name: i, issuer: https://i.example, audiences: [a], jwks: { cluster: idp } }
connections:
  - name: chat
    protocol: openai
    policy: chat
    match: { path_prefix: /v1 }
    credential: { header: x-key, value: '${env:KEY}' }
policies:
  - { name: chat, allow: 'true', rules: [{ name: short, deny: llm.prompt_chars > 10 }] }
";

const GATEWAY: [&str; 5] = [
    "--image=registry.internal/portcullis:1",
    "--cluster=idp=idp.example.com:443,tls",
    "--cluster=llm=api.example.com:443,tls",
    "--upstream=llm",
    "--revision=r1",
];

fn render(arguments: &[&str]) -> Result<String, String> {
    render_set(SET, arguments)
}

fn render_set(set: &str, arguments: &[&str]) -> Result<String, String> {
    let directory = directory(&[("set.yaml", set)]);
    let output = run(directory.path(), &[&["render", "istio", "set.yaml"], arguments].concat());
    if output.status.success() { Ok(text(&output.stdout)) } else { Err(text(&output.stderr)) }
}

/// Scalars of each document, in order.
fn scalars(yaml: &str) -> Vec<Vec<String>> {
    let mut documents = Vec::new();
    for event in Parser::new_from_str(yaml) {
        match event.unwrap().0 {
            Event::DocumentStart(_) => documents.push(Vec::new()),
            Event::Scalar(text, ..) => documents.last_mut().unwrap().push(text.into_owned()),
            _ => {}
        }
    }
    documents
}

fn kinds(yaml: &str) -> Vec<String> {
    let after = |document: &Vec<String>| {
        let at = document.iter().position(|scalar| scalar == "kind").unwrap();
        document[at + 1].clone()
    };
    scalars(yaml).iter().map(after).collect()
}

#[test]
fn a_gateway_comes_with_all_that_it_needs() {
    let yaml = render(&GATEWAY).unwrap();
    assert_eq!(
        kinds(&yaml),
        ["Namespace", "ServiceAccount", "Service", "DestinationRule", "Deployment", "EnvoyFilter"]
    );
    let all = scalars(&yaml).concat();
    for wanted in [
        "allow_on_headers_stop_iteration",
        "FAIL_RELOAD",
        "secretKeyRef",
        "require_client_certificate",
        "sds-grpc",
    ] {
        assert!(all.iter().any(|scalar| scalar == wanted), "{wanted}");
    }
    assert_eq!(all.iter().filter(|scalar| *scalar == "applyTo").count(), 3, "two clusters and a listener");
    assert!(!yaml.contains("127.0.0.1:10000"));
}

#[test]
fn callers_have_no_other_way_out() {
    let yaml = render(&[&GATEWAY[..], &["--callers=team-a", "--callers=team-b"]].concat()).unwrap();
    assert_eq!(kinds(&yaml)[6..], ["Sidecar", "NetworkPolicy", "Sidecar", "NetworkPolicy"]);
    assert!(scalars(&yaml)[6].contains(&"REGISTRY_ONLY".to_owned()));
}

#[test]
fn no_secret_stands_in_a_manifest() {
    let directory = directory(&[("set.yaml", SET)]);
    let output = std::process::Command::new(env!("CARGO_BIN_EXE_portcullis"))
        .current_dir(directory.path())
        .args(["render", "istio", "set.yaml"])
        .args(GATEWAY)
        .env("KEY", "sk-never-to-be-seen")
        .output()
        .unwrap();
    assert!(output.status.success());
    assert!(!text(&output.stdout).contains("sk-never-to-be-seen"));
}

#[test]
fn a_plugin_promises_nothing_that_it_cannot_keep() {
    let plugin = ["--plugin=oci://registry.internal/portcullis:1", "--revision=r1"];
    let told = render(&plugin).unwrap_err();
    assert!(
        told.contains("cannot hold headers back") && told.contains("--body-before-headers false"),
        "{told}"
    );
    let told = render(&[&plugin[..], &["--body-before-headers=false"]].concat()).unwrap_err();
    assert!(told.contains("the policy `chat` must read the body before a call goes on"), "{told}");
    assert!(told.contains("set these policies or rules to `mode: monitor`, or render a gateway"), "{told}");
}

#[test]
fn a_plugin_carries_set_and_environment() {
    let directory = directory(&[(
        "set.yaml",
        &SET.replace(", rules: [{ name: short, deny: llm.prompt_chars > 10 }]", ""),
    )]);
    let arguments = [
        "render",
        "istio",
        "--plugin=oci://r/p:1",
        "--body-before-headers=false",
        "--namespace=istio-system",
        "set.yaml",
    ];
    let output = run(directory.path(), &arguments);
    assert!(output.status.success(), "{}", text(&output.stderr));
    let yaml = text(&output.stdout);
    assert_eq!(kinds(&yaml), ["WasmPlugin"]);
    let all = scalars(&yaml).concat();
    for wanted in ["pluginConfig", "body_before_headers", "HOST", "KEY", "oci://r/p:1", "FAIL_RELOAD"] {
        assert!(all.iter().any(|scalar| scalar == wanted), "{wanted}");
    }
}

/// A set with a budget of a fleet, and no rule on bodies.
fn shared() -> String {
    let budgets = "budgets: [{ name: all, key: identity.id, requests: 5, per: 1m, scope: global }]";
    SET.replace("rules: [{ name: short, deny: llm.prompt_chars > 10 }]", budgets)
        + "rate_limit_service: { cluster: rates }\n"
}

#[test]
fn a_gateway_speaks_http2_to_the_rate_limit_service() {
    let rates = "--cluster=rates=rates.internal:8081";
    let yaml = render_set(&shared(), &[&GATEWAY[..], &[rates]].concat()).unwrap();
    let written: Vec<&str> = yaml.split("\n        name: \"").collect();
    let of = |name: &str| {
        *written.iter().find(|text| text.starts_with(name) && text.contains("load_assignment")).unwrap()
    };
    assert!(of("rates").contains("{ http2_protocol_options: {} }"), "{}", of("rates"));
    assert!(of("idp").contains("{ http_protocol_options: {} }"), "{}", of("idp"));
    let told = render_set(&shared(), &GATEWAY).unwrap_err();
    assert!(told.contains("`rates`"), "{told}");
}

#[test]
fn a_plugin_says_which_cluster_must_speak_http2() {
    let plugin = ["--plugin=oci://r/p:1", "--body-before-headers=false"];
    let yaml = render_set(&shared(), &plugin).unwrap();
    assert!(yaml.contains("# The cluster \"rates\" is called by gRPC"), "{yaml}");
    let without = SET.replace(", rules: [{ name: short, deny: llm.prompt_chars > 10 }]", "");
    assert!(!render_set(&without, &plugin).unwrap().contains("gRPC"));
}

#[test]
fn names_that_kubernetes_does_not_take_are_refused() {
    for name in ["--namespace=Upper", "--name=a.b", "--callers=", "--secret=a b", "--name=-a"] {
        let told = render(&[&GATEWAY[..], &[name]].concat()).unwrap_err();
        assert!(told.contains("is no name in Kubernetes"), "{name}: {told}");
    }
    let told = render(&GATEWAY[..1]).unwrap_err();
    assert!(told.contains("the upstream of `chat` is not given"), "{told}");
}

/// What is warned of, of a plugin for workloads of a label.
fn warned(selector: &str) -> String {
    let set = SET.replace(", rules: [{ name: short, deny: llm.prompt_chars > 10 }]", "");
    let directory = directory(&[("set.yaml", &set)]);
    let selector = format!("--selector={selector}");
    let plugin = [
        "render",
        "istio",
        "set.yaml",
        "--plugin=oci://r/p:1",
        "--body-before-headers=false",
        "--revision=r1",
    ];
    let output = run(directory.path(), &[&plugin[..], &[&selector]].concat());
    assert!(output.status.success(), "{}", text(&output.stderr));
    text(&output.stderr)
}

#[test]
fn what_a_callers_own_sidecar_cannot_keep_is_warned_of() {
    let told = warned("app=agents");
    for expected in [
        "warning: set.yaml:5:11: connections[0].name: the credential of `chat` stands in the environment of the workloads `app=agents`",
        "render a gateway of its own, with --image",
        "warning: of calls that `app=agents` make by TLS of their own nothing can be read",
    ] {
        assert!(told.contains(expected), "{told}");
    }
    assert_eq!(warned("istio=egressgateway"), "");
}

#[test]
fn a_label_is_one_of_kubernetes() {
    for selector in ["app=agents", "app.kubernetes.io/name=a_B.c-1", "app="] {
        assert!(warned(selector).contains("TLS of their own"), "{selector}");
    }
    let long = format!("a={}", "x".repeat(64));
    for selector in ["app", "=a", "app=-a", "app=a b", "a/b/c=d", "-a=b", "Up_per/a=b", "app=a: c", &long] {
        let told = render(&[
            "--plugin=oci://r/p:1",
            "--body-before-headers=false",
            &format!("--selector={selector}"),
        ]);
        assert!(told.is_err(), "{selector}");
    }
    let set = SET.replace(", rules: [{ name: short, deny: llm.prompt_chars > 10 }]", "");
    let plugin = ["--plugin=oci://r/p:1", "--body-before-headers=false", "--selector=app"];
    let told = render_set(&set, &plugin).unwrap_err();
    assert!(told.contains("--selector: `app` is no label KEY=VALUE of Kubernetes"), "{told}");
}

#[test]
fn a_module_comes_from_where_istio_can_fetch_it() {
    let set = SET.replace(", rules: [{ name: short, deny: llm.prompt_chars > 10 }]", "");
    for url in ["oci://r/p:1", "https://r/p.wasm", "http://r/p.wasm", "file:///p.wasm"] {
        let plugin = [&format!("--plugin={url}"), "--body-before-headers=false"];
        assert!(render_set(&set, &plugin).is_ok(), "{url}");
    }
    for url in ["r/p:1", "ftp://r/p", "docker.io/p"] {
        let told =
            render_set(&set, &[&format!("--plugin={url}"), "--body-before-headers=false"]).unwrap_err();
        assert!(told.contains(&format!("--plugin: `{url}` is none of oci://")), "{told}");
    }
}

#[test]
fn a_gateway_has_at_least_one_replica() {
    let told = render(&[&GATEWAY[..], &["--replicas=0"]].concat()).unwrap_err();
    assert!(told.contains("--replicas"), "{told}");
    assert!(render(&[&GATEWAY[..], &["--replicas=1"]].concat()).unwrap().contains("replicas: 1\n"));
}

#[test]
fn a_gateway_takes_a_prefix_away_and_warns_where_nobody_says_so() {
    let set = SET.replace("protocol: openai", "protocol: qdrant").replace("/v1", "/qdrant");
    let set = set.replace(", rules: [{ name: short, deny: llm.prompt_chars > 10 }]", "");
    let directory = directory(&[("set.yaml", &set)]);
    let of = |upstream: &str| {
        let mut arguments = vec!["render", "istio", "set.yaml"];
        arguments.extend(GATEWAY.iter().filter(|given| !given.starts_with("--upstream")));
        arguments.push(upstream);
        let output = run(directory.path(), &arguments);
        (text(&output.stdout), text(&output.stderr))
    };
    let (yaml, told) = of("--upstream=llm/");
    assert!(yaml.contains(r#"regex: "^/qdrant(/|$)""#), "{yaml}");
    assert_eq!(told, "");
    assert!(of("--upstream=llm").1.contains("gets paths below `/qdrant`"));
}
