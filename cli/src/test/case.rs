//! The cases of a test file: who asks what, what the upstream would answer, and what is expected of it all.

use std::collections::BTreeMap;

use portcullis::config::Problem;
use portcullis::config::node::{Node, Value};
use portcullis::config::set::Place;

use super::format::{ANSWER, CASE, EXPECT, FILE, IDENTITY, REQUEST, ROUTE, SEEN, SENT, SOURCE, Section};
use super::read::{Map, Problems};

/// A test file.
#[derive(Debug, Default)]
pub struct File {
    /// Values of environment variables; others have a stand-in.
    pub env: BTreeMap<String, String>,
    /// The cases, in the order written.
    pub cases: Vec<Case>,
}

/// One case.
#[derive(Debug)]
pub struct Case {
    /// What it protects.
    pub name: String,
    /// Where it stands.
    pub place: Place,
    /// When it happens, in nanoseconds since 1970.
    pub time: u64,
    /// Who asks; `None`: without a token.
    pub identity: Option<Caller>,
    /// What the proxy knows of the connection and the route.
    pub proxy: Vec<(&'static str, Vec<u8>)>,
    /// What is asked.
    pub request: Given,
    /// What the upstream answers.
    pub answer: Given,
    /// How often the call is made; the last one counts.
    pub repeat: u64,
    /// What services answer, by cluster.
    pub services: BTreeMap<String, Given>,
    /// What is expected.
    pub expect: Expect,
}

/// A caller with a token of a trusted issuer.
#[derive(Debug, Clone, Default)]
pub struct Caller {
    /// Name of the issuer within the set; `None`: the first.
    pub issuer: Option<String>,
    /// `sub`.
    pub subject: String,
    /// Put at the issuer's groups claim; `None`: the token has none.
    pub groups: Option<Vec<String>>,
    /// Further claims, and other values for those above.
    pub claims: serde_json::Map<String, serde_json::Value>,
    /// The header that carries the token, where it is not `authorization`.
    pub header: Option<String>,
}

/// A request or an answer, as a case gives it.
#[derive(Debug, Clone, Default)]
pub struct Given {
    /// Of a request.
    pub method: String,
    /// Of a request, with its query.
    pub path: String,
    /// Of a request.
    pub authority: String,
    /// Of an answer.
    pub status: u16,
    /// Without pseudo headers.
    pub headers: Vec<(String, String)>,
    /// As it travels.
    pub body: Vec<u8>,
    /// In pieces of how many bytes; `None`: in one.
    pub pieces: Option<usize>,
}

/// What a case expects. Only what is written is looked at.
#[derive(Debug, Default)]
pub struct Expect {
    /// Fields of the end record, with their values.
    pub record: Vec<(String, serde_json::Value)>,
    /// Text within the refusal's message.
    pub message: Option<String>,
    /// What goes upstream.
    pub request: Message,
    /// What the caller gets.
    pub answer: Message,
    /// The rewritten request goes upstream or not.
    pub forwarded: Option<bool>,
}

/// What is expected of a request or an answer.
#[derive(Debug, Default)]
pub struct Message {
    /// `:path`.
    pub path: Option<String>,
    /// `:status`.
    pub status: Option<i64>,
    /// Headers that are there, or must not be.
    pub headers: Vec<(String, Option<String>)>,
    /// The whole body.
    pub body: Option<Body>,
    /// The same bytes as were given.
    pub unchanged: bool,
    /// Texts within the body.
    pub contains: Vec<String>,
    /// Texts that the body must not hold.
    pub lacks: Vec<String>,
}

/// A whole body.
#[derive(Debug)]
pub enum Body {
    /// Byte for byte.
    Text(String),
    /// The same JSON, however it is written.
    Json(serde_json::Value),
    /// The events of a stream, or the lines of one, each the same JSON.
    Events(Vec<serde_json::Value>),
}

/// Attributes of the proxy that a case may give, by its keys.
const SOURCE_ATTRIBUTES: &[(&str, &str)] =
    &[("address", "source.address"), ("principal", "connection.uri_san_peer_certificate")];
const ROUTE_ATTRIBUTES: &[(&str, &str)] = &[
    ("name", "xds.route_name"),
    ("virtual_host", "xds.virtual_host_name"),
    ("cluster", "xds.cluster_name"),
    ("connection", "xds.route_metadata.filter_metadata.portcullis.connection"),
];

/// 2026-01-01: a case that says nothing of time happens at the same moment each time it is run.
const TIME: u64 = 1_767_225_600_000_000_000;

/// Reads the documents of a test file.
///
/// # Errors
/// Everything in it that is not known.
pub fn read(documents: Vec<Node>) -> Result<File, Vec<Problem>> {
    let mut problems = Problems::default();
    let mut file = File::default();
    for mut document in documents {
        problems.0.extend(document.settle());
        let map = Map::of(&document, &FILE, &mut problems);
        for (name, value) in map.pairs("env", &mut problems) {
            file.env.insert(name, value.unwrap_or_default());
        }
        match map.get("tests") {
            None => {
                problems.advise(&document, "has no `tests`", "`tests` is a list of cases, each with a name")
            }
            Some(tests) => cases(tests, &mut file.cases, &mut problems),
        }
    }
    if problems.0.is_empty() { Ok(file) } else { Err(problems.0) }
}

fn cases(tests: &Node, cases: &mut Vec<Case>, problems: &mut Problems) {
    if !matches!(tests.value, Value::List(_)) || tests.items().is_empty() {
        return problems.about(tests, "expected a list of cases");
    }
    for node in tests.items() {
        if let Some(case) = case(node, problems) {
            if cases.iter().any(|other: &Case| other.name == case.name) {
                problems.about(node, format!("`{}` is the name of two cases", case.name));
            }
            cases.push(case);
        }
    }
}

fn case(node: &Node, problems: &mut Problems) -> Option<Case> {
    let map = Map::of(node, &CASE, problems);
    let name = map.text("name", problems);
    if name.is_none() {
        problems.advise(node, "lacks a `name`", "name the behaviour that it protects");
    }
    let Some(asked) = map.get("request") else {
        problems.about(node, "lacks a `request`");
        return None;
    };
    let request = request(asked, problems);
    let answer = match map.get("answer") {
        Some(node) => answer(node, problems),
        None => Given { status: 200, ..Given::default() }.json("{}"),
    };
    let expect = match map.get("expect") {
        Some(node) => expect(node, problems),
        None => {
            problems.advise(node, "expects nothing", "say what must come of it under `expect`");
            Expect::default()
        }
    };
    Some(Case {
        name: name?,
        place: node.place.clone(),
        time: map.get("time").and_then(|node| time(node, problems)).unwrap_or(TIME),
        identity: map.get("identity").map(|node| caller(node, problems)),
        proxy: [
            attributes(map.get("source"), &SOURCE, SOURCE_ATTRIBUTES, problems),
            attributes(map.get("route"), &ROUTE, ROUTE_ATTRIBUTES, problems),
        ]
        .concat(),
        request,
        answer,
        repeat: map
            .number("repeat", 1, 10_000, problems)
            .and_then(|count| u64::try_from(count).ok())
            .unwrap_or(1),
        services: services(map.get("services"), problems),
        expect,
    })
}

fn time(node: &Node, problems: &mut Problems) -> Option<u64> {
    let read: Option<jiff::Timestamp> = node.text().and_then(|text| text.parse().ok());
    let nanoseconds = read.and_then(|time| u64::try_from(time.as_nanosecond()).ok());
    if nanoseconds.is_none() {
        problems.about(node, "expected a time, such as `2026-01-01T09:00:00Z`");
    }
    nanoseconds
}

fn caller(node: &Node, problems: &mut Problems) -> Caller {
    let map = Map::of(node, &IDENTITY, problems);
    let claims = match map.get("claims").map(json) {
        None => serde_json::Map::new(),
        Some(serde_json::Value::Object(claims)) => claims,
        Some(_) => {
            problems.about(node, "has `claims` that are no map");
            serde_json::Map::new()
        }
    };
    Caller {
        issuer: map.text("issuer", problems),
        subject: map.text("subject", problems).unwrap_or_else(|| "alice".to_owned()),
        groups: map.texts("groups", problems),
        claims,
        header: map.text("header", problems).map(|header| header.to_ascii_lowercase()),
    }
}

fn attributes(
    node: Option<&Node>,
    section: &Section,
    names: &[(&str, &'static str)],
    problems: &mut Problems,
) -> Vec<(&'static str, Vec<u8>)> {
    let Some(node) = node else { return Vec::new() };
    let map = Map::of(node, section, problems);
    let mut value = |(key, name): &(&str, &'static str)| {
        let text = map.text(key, problems)?;
        Some((*name, if *key == "address" { with_port(&text) } else { text }.into_bytes()))
    };
    names.iter().filter_map(&mut value).collect()
}

/// An address as the proxy tells it. The port is nobody's business.
fn with_port(address: &str) -> String {
    if address.contains(':') { format!("[{address}]:0") } else { format!("{address}:0") }
}

fn request(node: &Node, problems: &mut Problems) -> Given {
    let map = Map::of(node, &REQUEST, problems);
    let path = map.text("path", problems);
    if path.is_none() {
        problems.about(node, "lacks a `path`");
    }
    let method = if map.get("body").is_some() { "POST" } else { "GET" };
    let given = Given {
        method: map.text("method", problems).unwrap_or_else(|| method.to_owned()),
        path: path.unwrap_or_default(),
        authority: map.text("authority", problems).unwrap_or_else(|| "upstream.example".to_owned()),
        ..given(&map, problems)
    };
    match map.get("body") {
        Some(body) => given.body(body, problems),
        None => given,
    }
}

fn answer(node: &Node, problems: &mut Problems) -> Given {
    let map = Map::of(node, &ANSWER, problems);
    let status = map.number("status", 100, 599, problems).and_then(|status| u16::try_from(status).ok());
    let given = Given { status: status.unwrap_or(200), ..given(&map, problems) };
    match (map.get("body"), map.get("events")) {
        (Some(_), Some(events)) => {
            problems.about(events, "stands beside a `body`");
            given
        }
        (Some(body), None) => given.body(body, problems),
        (None, Some(events)) => given.events(events, problems),
        (None, None) => given,
    }
}

fn given(map: &Map<'_>, problems: &mut Problems) -> Given {
    let headers = map.pairs("headers", problems).into_iter();
    Given {
        headers: headers
            .map(|(name, value)| (name.to_ascii_lowercase(), value.unwrap_or_default()))
            .collect(),
        pieces: map.number("pieces", 1, 1 << 20, problems).and_then(|size| usize::try_from(size).ok()),
        ..Given::default()
    }
}

impl Given {
    fn has(&self, name: &str) -> Option<&str> {
        self.headers.iter().find(|(key, _)| key == name).map(|(_, value)| value.as_str())
    }

    fn typed(mut self, kind: &str) -> Self {
        if self.has("content-type").is_none() {
            self.headers.push(("content-type".to_owned(), kind.to_owned()));
        }
        self
    }

    fn json(self, text: &str) -> Self {
        Self { body: text.as_bytes().to_vec(), ..self.typed("application/json") }
    }

    /// Text as it stands; anything else as JSON, its keys in the order written.
    fn body(self, node: &Node, problems: &mut Problems) -> Self {
        let node = &written_out(node.clone(), problems);
        match node.text() {
            Some(text) => Self { body: text.as_bytes().to_vec(), ..self.typed("text/plain") },
            None => self.json(&compact(node)),
        }
    }

    /// As server-sent events, or as lines where the type says so.
    fn events(self, node: &Node, problems: &mut Problems) -> Self {
        if !matches!(node.value, Value::List(_) | Value::Texts(_)) {
            problems.expected(node, "a list of events");
        }
        let lines = self.has("content-type").is_some_and(|kind| kind.contains("ndjson"));
        let mut body = String::new();
        for event in node.each().map(|event| written_out(event.into_owned(), problems)) {
            match named(&event) {
                Some((name, data)) if !lines => {
                    body.push_str(&format!("event: {name}\ndata: {}\n\n", written(data)));
                }
                _ if lines => body.push_str(&format!("{}\n", written(&event))),
                _ => body.push_str(&format!("data: {}\n\n", written(&event))),
            }
        }
        Self { body: body.into_bytes(), ..self.typed("text/event-stream") }
    }
}

/// The longest text that a case may write as `{ repeat: TEXT, times: N }`.
const LONGEST: usize = 16 << 20;

/// The tree, with each `{ repeat: TEXT, times: N }` in it written out: what tests of limits need.
fn written_out(mut node: Node, problems: &mut Problems) -> Node {
    let place = node.place.clone();
    if let [_, _] = node.entries()
        && let (Some(unit), Some(times)) = (node.get("repeat").and_then(Node::text), node.get("times"))
        && let Value::Integer(number) = times.value
    {
        let number = usize::try_from(number).unwrap_or_default();
        if unit.len().saturating_mul(number) > LONGEST {
            problems.about(times, format!("makes a text of more than {LONGEST} bytes"));
            return node;
        }
        return Node::new(Value::Text(unit.repeat(number)), place);
    }
    match &mut node.value {
        Value::List(items) => {
            for item in items {
                *item = written_out(item.clone(), problems);
            }
        }
        Value::Map(entries) => {
            for entry in entries {
                entry.value = written_out(entry.value.clone(), problems);
            }
        }
        _ => {}
    }
    node
}

/// An event that gives its name beside its data.
fn named(event: &Node) -> Option<(&str, &Node)> {
    match event.entries() {
        [_, _] => Some((event.get("event")?.text()?, event.get("data")?)),
        _ => None,
    }
}

fn written(node: &Node) -> String {
    node.text().map_or_else(|| compact(node), str::to_owned)
}

/// A tree as JSON, keys in the order written. A settled tree holds nothing that JSON cannot.
fn compact(node: &Node) -> String {
    serde_json::to_string(node).unwrap_or_default()
}

fn json(node: &Node) -> serde_json::Value {
    serde_json::to_value(node).unwrap_or_default()
}

fn services(node: Option<&Node>, problems: &mut Problems) -> BTreeMap<String, Given> {
    let Some(node) = node else { return BTreeMap::new() };
    if !matches!(node.value, Value::Map(_)) {
        problems.expected(node, "a map from clusters to answers");
    }
    node.entries().iter().map(|entry| (entry.key.clone(), answer(&entry.value, problems))).collect()
}

/// Short names of the fields of a record that nearly every case speaks of.
const FIELDS: &[(&str, &str)] = &[
    ("decision", "portcullis.decision"),
    ("reason", "portcullis.reason"),
    ("rule", "portcullis.rule"),
    ("would", "portcullis.would"),
    ("would_reason", "portcullis.would_reason"),
    ("would_rule", "portcullis.would_rule"),
];

fn expect(node: &Node, problems: &mut Problems) -> Expect {
    let map = Map::of(node, &EXPECT, problems);
    if node.entries().is_empty() {
        problems.about(node, "expects nothing");
    }
    let mut record = Vec::new();
    for (key, field) in FIELDS {
        if let Some(value) = map.get(key) {
            record.push(((*field).to_owned(), json(value)));
        }
    }
    if let Some(flags) = map.texts("flags", problems) {
        let flags = if flags.is_empty() { serde_json::Value::Null } else { flags.into() };
        record.push(("portcullis.flags".to_owned(), flags));
    }
    if let Some(more) = map.get("record") {
        if !matches!(more.value, Value::Map(_)) {
            problems.expected(more, "a map from fields to values");
        }
        record.extend(more.entries().iter().map(|entry| (entry.key.clone(), json(&entry.value))));
    }
    Expect {
        record,
        message: map.text("message", problems),
        request: map.get("request").map(|node| message(node, &SENT, problems)).unwrap_or_default(),
        answer: map.get("answer").map(|node| message(node, &SEEN, problems)).unwrap_or_default(),
        forwarded: map.get("forwarded").map(|_| map.flag("forwarded", problems)),
    }
}

fn message(node: &Node, section: &Section, problems: &mut Problems) -> Message {
    let map = Map::of(node, section, problems);
    let body = match (map.get("body"), map.get("events")) {
        (_, Some(events)) => Some(Body::Events(events.each().map(|event| json(&event)).collect())),
        (Some(body), None) => Some(match body.text() {
            Some(text) => Body::Text(text.to_owned()),
            None => Body::Json(json(body)),
        }),
        (None, None) => None,
    };
    let headers = map.pairs("headers", problems).into_iter();
    Message {
        path: map.text("path", problems),
        status: map.number("status", 100, 599, problems),
        headers: headers.map(|(name, value)| (name.to_ascii_lowercase(), value)).collect(),
        body,
        unchanged: map.flag("unchanged", problems),
        contains: map.texts("contains", problems).unwrap_or_default(),
        lacks: map.texts("lacks", problems).unwrap_or_default(),
    }
}
