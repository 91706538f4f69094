//! Manifests for Istio: `render istio`.
//!
//! The safe place in a mesh is an egress gateway that nothing can go round, so that is what is rendered: a gateway of its
//! own with the very listener and clusters of `render envoy`, put into its Envoy by an `EnvoyFilter`, the environment from
//! a Secret, and for each namespace of callers a `Sidecar` and a `NetworkPolicy` that leave no other way out. For a gateway
//! that is there already, `--plugin` renders a `WasmPlugin`, which cannot hold headers back.

use std::net::{Ipv4Addr, SocketAddr};

use clap::Args;
use portcullis::config::Problem;
use portcullis::config::node::Node;
use portcullis::config::set::{Bundle, Place};

use super::cluster::{self, Cluster};
use super::route::{self, Upstream};
use super::{Rendered, listener, quoted, routes, told};

/// Where the gateway's Envoy finds the module.
const MODULE: &str = "/etc/portcullis/portcullis.wasm";

/// What `render istio` is told.
#[derive(Debug, Args)]
pub struct Options {
    /// A cluster: NAME=HOST:PORT[,tls[,SERVER_NAME]][,h2]. One for each that the set or an upstream names.
    #[arg(long = "cluster", value_name = "CLUSTER", value_parser = cluster::parse)]
    clusters: Vec<Cluster>,
    /// Where a connection leads: CONNECTION=CLUSTER, or CLUSTER for all that are not named. CLUSTER/PATH puts PATH in
    /// the place of the connection's path prefix; `CLUSTER/` takes the prefix away.
    #[arg(long = "upstream", value_name = "UPSTREAM", value_parser = route::parse)]
    upstreams: Vec<Upstream>,
    /// An image that holds the module as /portcullis.wasm, and a shell's `cp`.
    #[arg(long, value_name = "IMAGE", required_unless_present = "plugin")]
    image: Option<String>,
    /// Instead of a gateway, a WasmPlugin that loads the module from this URL (oci://, https://, file://).
    #[arg(long, value_name = "URL", conflicts_with_all = ["image", "clusters", "upstreams", "callers"])]
    plugin: Option<String>,
    /// Label of the workloads that the WasmPlugin is for: KEY=VALUE.
    #[arg(long, value_name = "LABEL", default_value = "istio=egressgateway", requires = "plugin")]
    selector: String,
    /// Name of all that is rendered.
    #[arg(long, default_value = "portcullis")]
    name: String,
    /// Namespace of the gateway, or of the workloads that the WasmPlugin is for.
    #[arg(long, default_value = "portcullis")]
    namespace: String,
    /// A namespace whose pods reach models and stores through the gateway alone; may be given often.
    #[arg(long, value_name = "NAMESPACE")]
    callers: Vec<String>,
    /// The Secret that holds the variables which the set reads, each under its name.
    #[arg(long, value_name = "NAME", default_value = "portcullis")]
    secret: String,
    /// Where callers connect.
    #[arg(long, default_value_t = 10000)]
    port: u16,
    /// How many gateways.
    #[arg(long, default_value_t = 2, value_parser = clap::value_parser!(u16).range(1..))]
    replicas: u16,
    /// Trust domain of the mesh.
    #[arg(long, default_value = "cluster.local")]
    trust_domain: String,
    /// Certificates, in the gateway, of the authorities that clusters with `tls` are held to.
    #[arg(long, value_name = "PATH", default_value = "/etc/ssl/certs/ca-certificates.crt")]
    ca: String,
}

/// The manifests, as YAML documents.
///
/// # Errors
/// What `render envoy` would say, names that Kubernetes does not take, and a promise that a WasmPlugin cannot keep.
pub fn render(bundle: &Bundle, root: &Node, options: &Options) -> Result<Rendered, Vec<Problem>> {
    let names = [&options.name, &options.namespace, &options.secret].into_iter().chain(&options.callers);
    let wrong = names.filter(|name| !is_label(name));
    let problems: Vec<Problem> = wrong
        .map(|name| told(&format!("`{name}` is no name in Kubernetes (small letters, digits and `-`)")))
        .collect();
    if !problems.is_empty() {
        return Err(problems);
    }
    Ok(match &options.plugin {
        Some(url) => {
            Rendered { text: plugin(bundle, root, options, url)?, warnings: of_sidecars(bundle, options) }
        }
        None => Rendered {
            text: gateway(bundle, root, options)?,
            warnings: route::advice(&bundle.set, &options.upstreams),
        },
    })
}

/// What callers' own sidecars cannot keep.
fn of_sidecars(bundle: &Bundle, options: &Options) -> Vec<Problem> {
    if options.selector.contains("gateway") {
        return Vec::new();
    }
    let workloads = &options.selector;
    let mut problems = Vec::new();
    for connection in bundle.set.connections.iter().filter(|connection| !connection.credentials.is_empty()) {
        let name = &connection.name;
        let message = format!(
            "the credential of `{}` stands in the environment of the workloads `{workloads}`, and whoever owns them can read it",
            name.value
        );
        let problem = Problem::warning(&name.place, message);
        problems.push(problem.help("where they are callers, render a gateway of its own, with --image"));
    }
    let message = format!(
        "of calls that `{workloads}` make by TLS of their own nothing can be read, and no policy holds"
    );
    let problem = Problem::warning(&Place::default(), message);
    problems.push(problem.help("let them speak plain HTTP to the upstream's name: the mesh encrypts it"));
    problems
}

/// Whether a text is `KEY=VALUE` as Kubernetes takes labels: <https://kubernetes.io/docs/concepts/overview/working-with-objects/labels/>.
fn is_selector(text: &str) -> bool {
    let inner = |byte: u8| byte.is_ascii_alphanumeric() || matches!(byte, b'-' | b'_' | b'.');
    let word = |word: &str| {
        let ends = [word.bytes().next(), word.bytes().last()];
        word.len() <= 63
            && word.bytes().all(inner)
            && ends.iter().all(|end| end.is_some_and(|byte| byte.is_ascii_alphanumeric()))
    };
    let Some((key, value)) = text.split_once('=') else { return false };
    let (prefix, name) = key.split_once('/').map_or((None, key), |(prefix, name)| (Some(prefix), name));
    prefix.is_none_or(|prefix| prefix.split('.').all(is_label))
        && word(name)
        && (value.is_empty() || word(value))
}

/// A label of RFC 1123.
fn is_label(name: &str) -> bool {
    let inner = |byte: u8| byte.is_ascii_lowercase() || byte.is_ascii_digit();
    let ends = [name.bytes().next(), name.bytes().last()];
    name.len() <= 63
        && name.bytes().all(|byte| inner(byte) || byte == b'-')
        && ends.iter().all(|end| end.is_some_and(inner))
}

fn plugin(bundle: &Bundle, root: &Node, options: &Options, url: &str) -> Result<String, Vec<Problem>> {
    if bundle.host.body_before_headers {
        let problem = told("--plugin: a WasmPlugin cannot hold headers back until a body has been judged");
        return Err(vec![problem.help(
            "add `--body-before-headers false` (rules on bodies are then refused), or render a gateway with --image",
        )]);
    }
    let Some((key, value)) = options.selector.split_once('=').filter(|_| is_selector(&options.selector))
    else {
        return Err(vec![told(&format!(
            "--selector: `{}` is no label KEY=VALUE of Kubernetes",
            options.selector
        ))]);
    };
    if !["oci://", "https://", "http://", "file://"].iter().any(|scheme| url.starts_with(scheme)) {
        return Err(vec![told(&format!(
            "--plugin: `{url}` is none of oci://…, https://…, http://… and file://…"
        ))]);
    }
    let names: Vec<&str> = bundle.set.env_names().into_iter().collect();
    let env = names.iter().map(|name| format!("    - {{ name: {name}, valueFrom: HOST }}\n"));
    let env: String = env.collect();
    let grpc = bundle.set.rate_limit_service.as_ref().map_or_else(String::new, |service| {
        let cluster = quoted(&service.cluster.cluster.value);
        format!("# The cluster {cluster} is called by gRPC: its service's port has `appProtocol: grpc`, so that it speaks HTTP/2.\n")
    });
    let vm = if env.is_empty() { String::new() } else { format!("  vmConfig:\n    env:\n{env}") };
    Ok(format!(
        r#"# Portcullis for policy set {digest} at {revision}, in gateways that are there.
# Made by `portcullis render istio`: make it again rather than edit it.
# The workloads need{needs} in their environment, and clusters of the names that the set has.
{grpc}apiVersion: extensions.istio.io/v1alpha1
kind: WasmPlugin
metadata: {{ name: {name}, namespace: {namespace} }}
spec:
  selector: {{ matchLabels: {{ {key}: {value} }} }}
  url: {url}
  pluginName: portcullis
  failStrategy: FAIL_RELOAD # a module that dies is started again, and nothing passes without it meanwhile
{vm}  pluginConfig: {configuration}
"#,
        digest = bundle.digest,
        revision = bundle.revision,
        needs = if names.is_empty() { " nothing".to_owned() } else { format!(" {}", names.join(", ")) },
        name = options.name,
        namespace = options.namespace,
        key = quoted(key),
        value = quoted(value),
        url = quoted(url),
        configuration = bundle.encode(root)?,
    ))
}

fn gateway(bundle: &Bundle, root: &Node, options: &Options) -> Result<String, Vec<Problem>> {
    let envoy = super::Options {
        wasm: MODULE.to_owned(),
        clusters: options.clusters.clone(),
        upstreams: options.upstreams.clone(),
        listen: SocketAddr::from((Ipv4Addr::UNSPECIFIED, options.port)),
        admin: SocketAddr::from((Ipv4Addr::LOCALHOST, 0)),
        ca: options.ca.clone(),
        vm_id: options.name.clone(),
    };
    let routes = routes(bundle, &envoy)?;
    let configuration = bundle.encode(root)?;
    let listener = listener(bundle, &envoy, &routes, &configuration);
    let mut documents =
        vec![head(bundle, options), workload(bundle, options), filter(bundle, options, &listener)];
    documents.extend(options.callers.iter().map(|namespace| callers(options, namespace)));
    Ok(documents.join("---\n"))
}

fn head(bundle: &Bundle, options: &Options) -> String {
    let Options { name, namespace, port, .. } = options;
    format!(
        r#"# An egress gateway with Portcullis, for policy set {digest} at {revision}.
# Made by `portcullis render istio`: make it again rather than edit it.
# Callers use http://{name}.{namespace}:{port} as the base URL of their SDK; their sidecars encrypt it.
apiVersion: v1
kind: Namespace
metadata: {{ name: {namespace} }}
---
apiVersion: v1
kind: ServiceAccount
metadata: {{ name: {name}, namespace: {namespace} }}
---
apiVersion: v1
kind: Service
metadata: {{ name: {name}, namespace: {namespace} }}
spec:
  selector: {{ app: {name} }}
  ports: [{{ name: http, port: {port}, targetPort: {port} }}]
---
# Sidecars speak mutual TLS to it: tokens do not cross the network in clear text, and `source.principal` is known.
apiVersion: networking.istio.io/v1
kind: DestinationRule
metadata: {{ name: {name}, namespace: {namespace} }}
spec:
  host: {name}.{namespace}.svc.{trust_domain}
  trafficPolicy: {{ tls: {{ mode: ISTIO_MUTUAL }} }}
"#,
        digest = bundle.digest,
        revision = bundle.revision,
        trust_domain = options.trust_domain,
    )
}

fn workload(bundle: &Bundle, options: &Options) -> String {
    let Options { name, namespace, port, secret, .. } = options;
    let variable = |variable: &str| {
        format!(
            "        - {{ name: {variable}, valueFrom: {{ secretKeyRef: {{ name: {secret}, key: {variable} }} }} }}\n"
        )
    };
    let variables: String = bundle.set.env_names().into_iter().map(variable).collect();
    let env = if variables.is_empty() { String::new() } else { format!("        env:\n{variables}") };
    format!(
        r#"apiVersion: apps/v1
kind: Deployment
metadata: {{ name: {name}, namespace: {namespace} }}
spec:
  replicas: {replicas}
  selector: {{ matchLabels: {{ app: {name} }} }}
  template:
    metadata:
      labels: {{ app: {name}, sidecar.istio.io/inject: "true" }}
      annotations: {{ inject.istio.io/templates: gateway }}
    spec:
      serviceAccountName: {name}
      initContainers:
      - name: module
        image: {image}
        command: [cp, /portcullis.wasm, {module}]
        volumeMounts: [{{ name: module, mountPath: /etc/portcullis }}]
      containers:
      - name: istio-proxy
        image: auto # put in by Istio
        ports: [{{ name: http, containerPort: {port} }}]
{env}        volumeMounts: [{{ name: module, mountPath: /etc/portcullis, readOnly: true }}]
      volumes: [{{ name: module, emptyDir: {{}} }}]
"#,
        replicas = options.replicas,
        image = quoted(options.image.as_deref().unwrap_or_default()),
        module = MODULE,
    )
}

/// The listener and the clusters of `render envoy`, within the gateway's Envoy.
fn filter(bundle: &Bundle, options: &Options, listener: &str) -> String {
    let Options { name, namespace, .. } = options;
    let chain = "    filter_chains:\n    - filters:\n";
    let sealed =
        format!("    filter_chains:\n    - transport_socket:\n{}      filters:\n", mutual_tls(options));
    let listener = listener.replacen(chain, &sealed, 1);
    let mut patches = String::new();
    for cluster in &options.clusters {
        patches.push_str(&patch("CLUSTER", &cluster.render(&options.ca, super::is_grpc(bundle, cluster))));
    }
    patches.push_str(&patch("LISTENER", &listener));
    format!(
        r#"apiVersion: networking.istio.io/v1alpha3
kind: EnvoyFilter
metadata: {{ name: {name}, namespace: {namespace} }}
spec:
  workloadSelector: {{ labels: {{ app: {name} }} }}
  configPatches:
{patches}"#
    )
}

/// An item of a list of Envoy's, as something to add.
fn patch(apply_to: &str, item: &str) -> String {
    let lines = item.lines().enumerate().map(|(at, line)| {
        let line = if at == 0 { line.replacen("- ", "  ", 1) } else { line.to_owned() };
        if line.is_empty() { "\n".to_owned() } else { format!("    {line}\n") }
    });
    let value: String = lines.collect();
    format!(
        "  - applyTo: {apply_to}\n    match: {{ context: GATEWAY }}\n    patch:\n      operation: ADD\n      value:\n{value}"
    )
}

/// The mesh's own certificates, from the agent beside Envoy.
fn mutual_tls(options: &Options) -> String {
    let secret = |name: &str| {
        format!(
            "{{ name: {name}, sds_config: {{ initial_fetch_timeout: 0s, resource_api_version: V3, api_config_source: {{ api_type: GRPC, \
             transport_api_version: V3, set_node_on_first_message_only: true, grpc_services: [{{ envoy_grpc: {{ cluster_name: sds-grpc }} }}] }} }} }}"
        )
    };
    format!(
        r#"        name: envoy.transport_sockets.tls
        typed_config:
          "@type": type.googleapis.com/envoy.extensions.transport_sockets.tls.v3.DownstreamTlsContext
          require_client_certificate: true
          common_tls_context:
            alpn_protocols: [istio-peer-exchange, istio, h2, http/1.1]
            tls_certificate_sds_secret_configs:
            - {certificate}
            combined_validation_context:
              default_validation_context:
                match_typed_subject_alt_names: [{{ san_type: URI, matcher: {{ prefix: {prefix} }} }}]
              validation_context_sds_secret_config: {authority}
"#,
        certificate = secret("default"),
        authority = secret("ROOTCA"),
        prefix = quoted(&format!("spiffe://{}/", options.trust_domain)),
    )
}

/// No other way out of a namespace of callers.
fn callers(options: &Options, from: &str) -> String {
    let Options { name, namespace, port, .. } = options;
    format!(
        r#"# What the mesh does not know, pods of `{from}` cannot reach.
apiVersion: networking.istio.io/v1
kind: Sidecar
metadata: {{ name: {name}, namespace: {from} }}
spec:
  outboundTrafficPolicy: {{ mode: REGISTRY_ONLY }}
---
# A pod can go round its sidecar, but not round the network: out of `{from}` go names, the control plane and the gateway.
# Add what else its pods need, such as its own namespace's services.
apiVersion: networking.k8s.io/v1
kind: NetworkPolicy
metadata: {{ name: {name}, namespace: {from} }}
spec:
  podSelector: {{}}
  policyTypes: [Egress]
  egress:
  - to: [{{ namespaceSelector: {{ matchLabels: {{ kubernetes.io/metadata.name: kube-system }} }} }}]
    ports: [{{ protocol: UDP, port: 53 }}, {{ protocol: TCP, port: 53 }}]
  - to: [{{ namespaceSelector: {{ matchLabels: {{ kubernetes.io/metadata.name: istio-system }} }} }}]
  - to:
    - namespaceSelector: {{ matchLabels: {{ kubernetes.io/metadata.name: {namespace} }} }}
      podSelector: {{ matchLabels: {{ app: {name} }} }}
    ports: [{{ protocol: TCP, port: {port} }}]
"#
    )
}
