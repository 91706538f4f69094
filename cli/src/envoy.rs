//! A whole Envoy around the module: `render envoy`.
//!
//! Every choice in the bootstrap that a guarantee rests on stands in the template with its reason, so that whoever
//! runs the module in an Envoy of their own finds it there.

mod cluster;
pub mod istio;
mod jwt_authn;
mod route;

use std::fmt::Write;
use std::net::SocketAddr;

use clap::Args;
use portcullis::config::Problem;
use portcullis::config::node::Node;
use portcullis::config::set::{Bundle, Connection, Kind, Mode, Place, Policy, Protocol, Unmatched};
use portcullis::exchange::metrics::METRICS;

use cluster::Cluster;
use route::Upstream;

/// What `render envoy` is told.
#[derive(Debug, Args)]
pub struct Options {
    /// The module, as Envoy finds it.
    #[arg(long, value_name = "PATH")]
    wasm: String,
    /// A cluster: NAME=HOST:PORT[,tls[,SERVER_NAME]][,h2]. One for each that the set or an upstream names.
    #[arg(long = "cluster", value_name = "CLUSTER", value_parser = cluster::parse)]
    clusters: Vec<Cluster>,
    /// Where a connection leads: CONNECTION=CLUSTER, or CLUSTER for all that are not named. CLUSTER/PATH puts PATH in
    /// the place of the connection's path prefix; `CLUSTER/` takes the prefix away.
    #[arg(long = "upstream", value_name = "UPSTREAM", value_parser = route::parse)]
    upstreams: Vec<Upstream>,
    /// Where callers connect.
    #[arg(long, value_name = "ADDRESS:PORT", default_value = "127.0.0.1:10000", value_parser = address)]
    listen: SocketAddr,
    /// Envoy's administration: metrics, and the dump of its configuration.
    #[arg(long, value_name = "ADDRESS:PORT", default_value = "127.0.0.1:0", value_parser = address)]
    admin: SocketAddr,
    /// Certificates of the authorities that clusters with `tls` are held to.
    #[arg(long, value_name = "PATH", default_value = "/etc/ssl/certs/ca-certificates.crt")]
    ca: String,
    /// Shared data of the module is kept under this name: give each listener of a process its own.
    #[arg(long, default_value = "portcullis")]
    vm_id: String,
}

fn address(text: &str) -> Result<SocketAddr, String> {
    text.parse().map_err(|_| "expected ADDRESS:PORT with an IP address, such as 127.0.0.1:10000".to_owned())
}

/// Room above the largest request body, so that it is the module that refuses larger ones, not Envoy's buffer.
const SLACK: u64 = 256 << 10;
/// Envoy's own default.
const LEAST_BUFFER: u64 = 1 << 20;
/// Free memory that Envoy gives back, in bytes: what the module's start leaves is gone in ten seconds, and what a busy
/// worker frees and takes again costs it a page fault for each 4 KiB, a thousand a second at most.
const RELEASED_A_SECOND: u64 = 4 << 20;

/// What a command prints, and what somebody should look at.
pub struct Rendered {
    /// For the standard output.
    pub text: String,
    /// For the standard error.
    pub warnings: Vec<Problem>,
}

/// The bootstrap, as YAML.
///
/// # Errors
/// Clusters and upstreams that are not given, and connections that no route can be drawn from.
pub fn render(bundle: &Bundle, root: &Node, options: &Options) -> Result<Rendered, Vec<Problem>> {
    let routes = routes(bundle, options)?;
    let configuration = bundle.encode(root)?;
    let text = bootstrap(bundle, options, &routes, &configuration);
    Ok(Rendered { text, warnings: route::advice(&bundle.set, &options.upstreams) })
}

/// The routes, where all that they and the set name is given.
fn routes(bundle: &Bundle, options: &Options) -> Result<String, Vec<Problem>> {
    let mut problems = Vec::new();
    let routes = route::render(&bundle.set, &options.upstreams, &mut problems);
    for name in bundle.set.clusters() {
        if !options.clusters.iter().any(|cluster| cluster.name == name.value) {
            let problem = Problem::error(&name.place, format!("the cluster `{}` is not given", name.value));
            problems.push(problem.help(format!("add `--cluster {}=HOST:PORT`", name.value)));
        }
    }
    let given = |name: &str| options.clusters.iter().any(|cluster| cluster.name == name);
    jwt_authn::check(&bundle.set, &given, &mut problems);
    for upstream in &options.upstreams {
        if !options.clusters.iter().any(|cluster| cluster.name == upstream.cluster) {
            let problem = told(&format!("--upstream: the cluster `{}` is not given", upstream.cluster));
            problems.push(problem.help(format!("add `--cluster {}=HOST:PORT`", upstream.cluster)));
        }
    }
    for (index, cluster) in options.clusters.iter().enumerate() {
        let before = options.clusters.get(..index).unwrap_or_default();
        if before.iter().any(|other| other.name == cluster.name) {
            problems.push(told(&format!("--cluster: `{}` is given twice", cluster.name)));
        }
    }
    if problems.is_empty() { Ok(routes) } else { Err(problems) }
}

/// A problem with what the command was told.
fn told(message: &str) -> Problem {
    Problem::error(&Place::default(), message)
}

/// Text as a YAML scalar that is text whatever it holds; JSON's strings are YAML's.
fn quoted(text: &str) -> String {
    serde_json::Value::from(text).to_string()
}

/// The same for JSON documents, which stay readable between single quotes.
fn verbatim(text: &str) -> String {
    format!("'{}'", text.replace('\'', "''"))
}

/// Whether the set calls gRPC on a cluster.
fn is_grpc(bundle: &Bundle, cluster: &Cluster) -> bool {
    bundle
        .set
        .rate_limit_service
        .as_ref()
        .is_some_and(|service| service.cluster.cluster.value == cluster.name)
}

fn bootstrap(bundle: &Bundle, options: &Options, routes: &str, configuration: &str) -> String {
    let mut clusters = String::new();
    for cluster in &options.clusters {
        clusters.push_str(&cluster.render(&options.ca, is_grpc(bundle, cluster)));
    }
    if clusters.is_empty() {
        clusters.push_str("  []\n");
    }
    format!(
        r##"# Envoy with Portcullis, for policy set {digest} at {revision}.
# Made by `portcullis render envoy`: make it again rather than edit it.
# Run it with `envoy -c FILE --concurrency N`; each of the N workers holds a module of its own.
admin:
  address: {{ socket_address: {{ address: {admin_address}, port_value: {admin_port} }} }}
memory_allocator_manager: # what compiling the module took is given back to the system bit by bit
  bytes_to_release: {release}
  memory_release_interval: 1s
stats_config:
  stats_tags: # the module writes the labels of a metric into its name
{tags}static_resources:
  listeners:
{listener}  clusters:
{clusters}"##,
        digest = bundle.digest,
        revision = bundle.revision,
        admin_address = quoted(&options.admin.ip().to_string()),
        admin_port = options.admin.port(),
        release = RELEASED_A_SECOND,
        tags = tags(),
        listener = listener(bundle, options, routes, configuration),
    )
}

/// The item of `listeners` that holds the module.
fn listener(bundle: &Bundle, options: &Options, routes: &str, configuration: &str) -> String {
    let largest = bundle.set.policies.iter().map(|policy| policy.max_request_bytes).max().unwrap_or_default();
    let buffer = largest.saturating_add(SLACK).max(LEAST_BUFFER);
    format!(
        r##"  - name: portcullis
    address: {{ socket_address: {{ address: {address}, port_value: {port} }} }}
    # Above the largest request body of the set, or Envoy would refuse bodies before the module judges them.
    per_connection_buffer_limit_bytes: {buffer}
    filter_chains:
    - filters:
      - name: envoy.filters.network.http_connection_manager
        typed_config:
          "@type": type.googleapis.com/envoy.extensions.filters.network.http_connection_manager.v3.HttpConnectionManager
          stat_prefix: portcullis
          codec_type: AUTO
          use_remote_address: true # callers do not choose their own address
          skip_xff_append: true # nor do upstreams learn it
          # The module judges the path as it came and refuses what an upstream could read in another way.
          normalize_path: false
          merge_slashes: false
          path_with_escaped_slashes_action: KEEP_UNCHANGED
          common_http_protocol_options:
            # Many servers read `x_api_key` as `x-api-key`, which the module would have taken away.
            headers_with_underscores_action: REJECT_REQUEST
          http2_protocol_options:
            max_concurrent_streams: 100
            # HTTP/2 buffers by stream: the same bound as above.
            initial_stream_window_size: {buffer}
            initial_connection_window_size: {connection_window}
          request_headers_timeout: 10s
          stream_idle_timeout: 300s # a model may think for long before its first token
{upgrades}          http_filters:
{jwt_authn}          - name: portcullis
            typed_config:
              "@type": type.googleapis.com/envoy.extensions.filters.http.wasm.v3.Wasm
              config:
                name: portcullis
                root_id: portcullis
                # A module that dies is started again, and nothing passes without it meanwhile.
                failure_policy: FAIL_RELOAD
                # Headers are held back until the body has been judged.
                allow_on_headers_stop_iteration: {body_before_headers}
                vm_config:
                  vm_id: {vm_id}
                  runtime: envoy.wasm.runtime.v8
                  code: {{ local: {{ filename: {wasm} }} }}
{environment}                configuration:
                  "@type": type.googleapis.com/google.protobuf.StringValue
                  value: {configuration}
          - name: envoy.filters.http.router
            typed_config:
              "@type": type.googleapis.com/envoy.extensions.filters.http.router.v3.Router
          route_config:
            name: portcullis
            # Envoy adds it for callers from outside: the caller's address again.
            request_headers_to_remove: [x-envoy-external-address]
            virtual_hosts:
            - name: {virtual_host}
              domains: ["*"]
              routes:
{routes}"##,
        address = quoted(&options.listen.ip().to_string()),
        port = options.listen.port(),
        upgrades = upgrades(bundle),
        jwt_authn = jwt_authn::render(bundle),
        connection_window = buffer.saturating_mul(4).min(i32::MAX.unsigned_abs().into()),
        body_before_headers = bundle.host.body_before_headers,
        vm_id = quoted(&options.vm_id),
        wasm = quoted(&options.wasm),
        environment = environment(bundle),
        configuration = verbatim(configuration),
        virtual_host = route::VIRTUAL_HOST,
    )
}

/// Envoy refuses upgrades that nobody let in. Where a policy lets them pass, it is the module that refuses the others.
fn upgrades(bundle: &Bundle) -> &'static str {
    let set = &bundle.set;
    let lets = |policy: &Policy| {
        policy.mode.unwrap_or(set.mode) == Mode::Monitor || policy.uninspected.allows(Kind::Upgrade)
    };
    let untouched = |connection: &Connection| connection.protocol == Protocol::None;
    let unguarded = set.unmatched != Unmatched::Deny || set.connections.iter().any(untouched);
    if !unguarded && !set.policies.iter().any(lets) {
        return "";
    }
    "          upgrade_configs: [{ upgrade_type: websocket }] # the module judges them; CONNECT finds no route\n"
}

/// Labels of the module's metrics travel in the name of a stat, as `name;label=value;label=value`: the first group is
/// cut out of it, the second is the label's value.
fn tags() -> String {
    let mut labels: Vec<&str> = Vec::new();
    for label in METRICS.iter().flat_map(|(_, labels, _)| *labels) {
        if !labels.contains(label) {
            labels.push(label);
        }
    }
    let mut tags = String::new();
    for label in labels {
        let _ = writeln!(tags, "  - {{ tag_name: {label}, regex: '(;{label}=([^;]*))' }}");
    }
    tags
}

/// The module sees no variable of Envoy's environment but these.
fn environment(bundle: &Bundle) -> String {
    let names: Vec<&str> = bundle.set.env_names().into_iter().collect();
    if names.is_empty() {
        return String::new();
    }
    format!("                  environment_variables: {{ host_env_keys: [{}] }}\n", names.join(", "))
}
