//! The APIs that connections speak, as data: one file per provider, read by one small engine.
//!
//! An [`Api`] says which operations there are and by which methods and paths they are known, in which headers its SDKs
//! put their key, in which shape a refusal becomes the SDK's own typed error, and which table reads an operation's
//! answer. Operations that a row does not name are [`UNKNOWN`]: they are refused unless a policy lets `path` pass.
//!
//! An API stands at the root of its host, below a path prefix that its connection matches (Envoy then rewrites it), or,
//! where [`Root::Version`] says so, behind any path that ends in a version. A path that could be two operations, one
//! with the prefix and one without, is unknown.

mod anthropic;
mod bedrock;
mod chroma;
mod cohere;
mod gemini;
mod http;
mod milvus;
mod ollama;
mod openai;
mod opensearch;
mod pattern;
mod pinecone;
mod qdrant;
mod refusal;
#[cfg(test)]
mod tests;
mod weaviate;

pub use anthropic::ANTHROPIC;
pub use bedrock::BEDROCK;
pub use chroma::CHROMA;
pub use cohere::COHERE;
pub use gemini::GEMINI;
pub use http::HTTP;
pub use milvus::MILVUS;
pub use ollama::OLLAMA;
pub use openai::OPENAI;
pub use opensearch::OPENSEARCH;
pub use pinecone::PINECONE;
pub use qdrant::QDRANT;
pub use refusal::{Shape, Told};
pub use weaviate::WEAVIATE;

use std::cmp::Ordering;

use super::json::table::Table;
use super::request::Request;
use super::store::weaviate::class_name;
use super::store::{Asks, Documents, Where};

/// What kind of service an API is of: which of a condition's names mean something on it.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Family {
    /// Language models.
    Model,
    /// Vector stores.
    Store,
    /// Anything else.
    Other,
}

/// Where an API's paths begin.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Root {
    /// At the root of the host, or below the connection's path prefix.
    Host,
    /// Behind any path that ends in a version or a word that stands for one: `/v1`, `/api/v1`, `/v1beta/openai`.
    Version,
}

/// The body of an operation's request.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Body {
    /// None, or none that says anything.
    None,
    /// A JSON document.
    Json,
    /// JSON documents in lines.
    Lines,
    /// Anything.
    Any,
}

/// An operation of an API.
#[derive(Debug)]
pub struct Operation {
    /// As policies and records call it.
    pub name: &'static str,
    /// Its methods; none: any.
    pub methods: &'static [&'static str],
    /// Its path: see the module `pattern`.
    pub path: &'static str,
    /// The body of its request.
    pub body: Body,
    /// The kind of `uninspected` that it is; `None`: it is inspected.
    pub uninspected: Option<&'static str>,
    /// Whether it is about what the provider keeps: files, batches, conversations, earlier answers; of a store, what it
    /// keeps of an earlier request.
    pub kept: bool,
    /// Another operation that parts of its request may be.
    pub also: Option<&'static str>,
    /// How its request is read; `None`: it is not.
    pub view: Option<&'static Request>,
    /// How its request to a vector store is read; `None`: it is not.
    pub asks: Option<&'static Asks>,
    /// The table that reads its answer; `None`: that of its API.
    pub answers: Option<&'static Table>,
    /// Whether what comes back is whole answers, one a line, whatever its type says.
    pub lines: bool,
}

/// An API.
#[derive(Debug)]
pub struct Api {
    /// The protocol's name in policy sets.
    pub name: &'static str,
    /// Whose it is, for people.
    pub title: &'static str,
    /// What kind of service it is of.
    pub family: Family,
    /// Where its paths begin.
    pub root: Root,
    /// Headers in which its SDKs put their key, each with the text before it; `authorization: Bearer` always counts.
    pub token_headers: &'static [(&'static str, &'static str)],
    /// What it does.
    pub operations: &'static [Operation],
    /// Headers by which a request asks for what its path and body do not say; `*` stands for anything.
    pub asking_headers: &'static [&'static str],
    /// The shape of refusals.
    pub refusals: Shape,
    /// The table that reads its answers, those of unknown operations too.
    pub answers: &'static Table,
}

/// What no row names.
pub static UNKNOWN: Operation = Operation {
    name: "unknown",
    methods: &[],
    path: "",
    body: Body::Any,
    uninspected: Some("path"),
    kept: false,
    also: None,
    view: None,
    asks: None,
    answers: None,
    lines: false,
};

/// All of them, in the order of the documentation.
pub static APIS: [&Api; 13] = [
    &OPENAI,
    &ANTHROPIC,
    &GEMINI,
    &COHERE,
    &BEDROCK,
    &OLLAMA,
    &PINECONE,
    &QDRANT,
    &WEAVIATE,
    &CHROMA,
    &MILVUS,
    &OPENSEARCH,
    &HTTP,
];

impl Api {
    /// Tells the operation from a request's head. `path` is without its query and free of dot segments, empty segments
    /// and encoded slashes; what is spelled otherwise than the API spells it (letter case, percent-encoding, a slash at
    /// the end) is [`UNKNOWN`]. `prefixes` are the path prefixes below which the connection has the API.
    pub fn operation<'p>(
        &self,
        method: &str,
        path: &str,
        prefixes: impl Iterator<Item = &'p str>,
    ) -> &'static Operation
    where
        Self: 'static,
    {
        if self.root == Root::Version {
            return self.find(method, pattern::behind_version(path));
        }
        let mut found = self.find(method, pattern::behind_slash(path));
        for rest in prefixes.filter_map(|prefix| below(path, prefix)) {
            let other = self.find(method, pattern::behind_slash(rest));
            found = match (found.is_unknown(), other.is_unknown()) {
                (true, _) => other,
                (false, true) => found,
                (false, false) if std::ptr::eq(found, other) => found,
                (false, false) => return &UNKNOWN,
            };
        }
        found
    }

    /// Whether a path prefix is none that this API's own paths begin with, so that the API stands below it.
    pub fn is_foreign(&self, prefix: &str) -> bool {
        let mut segments = prefix.split('/').filter(|segment| !segment.is_empty());
        let Some(first) = segments.next().filter(|_| self.root == Root::Host) else { return false };
        let begins = |operation: &Operation| pattern::begins(operation.path, first);
        !self.operations.is_empty() && !self.operations.iter().any(begins)
    }

    /// The model that an operation's path names; empty where it names none. What is percent-encoded in it is decoded.
    pub fn model<'p>(
        &self,
        operation: &Operation,
        path: &'p str,
        prefixes: impl Iterator<Item = &'p str>,
    ) -> String {
        let bare = match self.root {
            Root::Version => pattern::behind_version(path),
            Root::Host => pattern::behind_slash(path),
        };
        let below = prefixes.filter_map(|prefix| pattern::behind_slash(below(path, prefix)?));
        let paths: Vec<Vec<&str>> = bare.into_iter().chain(below).map(segments).collect();
        let part = |name: &str| paths.iter().find_map(|path| pattern::part(operation.path, path, name));
        // Names within another's realm must not be taken for those that everybody knows.
        let model = match (part("model"), part("publisher"), part("tuned")) {
            (Some(model), Some(publisher), _) if publisher != "google" => format!("{publisher}/{model}"),
            (Some(model), ..) => model.to_owned(),
            (None, _, Some(tuned)) => format!("tunedModels/{tuned}"),
            _ => String::new(),
        };
        percent_encoding::percent_decode_str(&model).decode_utf8_lossy().into_owned()
    }

    /// What a path names of a store: collections and their parts; `None`: something in it is no text.
    pub fn named<'p>(
        &self,
        operation: &Operation,
        path: &'p str,
        prefixes: impl Iterator<Item = &'p str>,
    ) -> Option<Where> {
        let all = std::iter::once(path).chain(prefixes.filter_map(|prefix| below(path, prefix)));
        let paths: Vec<Vec<&str>> = all.filter_map(pattern::behind_slash).map(segments).collect();
        let Some(path) = paths.iter().find(|path| pattern::rank(operation.path, path).is_some()) else {
            return Some(Where::default());
        };
        let mut named = Where::default();
        for (name, part) in pattern::parts(operation.path, path) {
            let part = percent_encoding::percent_decode_str(part).decode_utf8().ok()?;
            match name {
                "collection" => named.collections.push(part.into_owned()),
                "class" => named.collections.push(class_name(&part)),
                "index" => named.collections.extend(part.split(',').map(str::to_owned)),
                "namespace" | "tenant" => named.namespaces.push(part.into_owned()),
                _ => {}
            }
        }
        Some(named)
    }

    /// The most specific path decides; a method that this path has not is not looked for on another.
    fn find(&self, method: &str, path: Option<&str>) -> &'static Operation {
        let Some(path) = path else { return &UNKNOWN };
        // Nothing is more specific than words alone, and most calls are to such paths.
        let operations: &'static [Operation] = self.operations;
        let mut same = operations.iter().filter(|row| row.path == path && pattern::is_words(path)).peekable();
        if same.peek().is_some() {
            return same.find(|row| row.takes(method)).unwrap_or(&UNKNOWN);
        }
        self.closest(method, &segments(path))
    }

    fn closest(&self, method: &str, path: &[&str]) -> &'static Operation {
        let operations: &'static [Operation] = self.operations;
        let mut best: (Option<u64>, Option<&'static Operation>) = (None, None);
        for row in operations {
            let Some(rank) = pattern::rank(row.path, path) else { continue };
            let takes = row.takes(method);
            match Some(rank).cmp(&best.0) {
                Ordering::Greater => best = (Some(rank), takes.then_some(row)),
                Ordering::Equal => best.1 = best.1.or(takes.then_some(row)),
                Ordering::Less => {}
            }
        }
        best.1.unwrap_or(&UNKNOWN)
    }

    /// Whether a header says what a path or a body should: a request that has it is not what it seems.
    pub fn asks_by(&self, header: &str) -> bool {
        self.asking_headers.iter().any(|name| match name.split_once('*') {
            Some((start, end)) => header.strip_prefix(start).is_some_and(|rest| rest.ends_with(end)),
            None => *name == header,
        })
    }

    /// Whether requests are read, so that conditions can ask what they say.
    pub fn has_views(&self) -> bool {
        self.operations.iter().any(|operation| operation.view.is_some() || operation.asks.is_some())
    }
}

impl Operation {
    fn takes(&self, method: &str) -> bool {
        self.methods.is_empty() || self.methods.contains(&method)
    }

    fn is_unknown(&self) -> bool {
        std::ptr::eq(self, &UNKNOWN)
    }

    /// Whether its request has a body that says something.
    pub fn has_body(&self) -> bool {
        self.body != Body::None
    }
}

fn segments(path: &str) -> Vec<&str> {
    path.split('/').collect()
}

/// What of a path stands below a prefix, which ends at a segment.
fn below<'p>(path: &'p str, prefix: &str) -> Option<&'p str> {
    let rest = path.strip_prefix(prefix.strip_suffix('/').unwrap_or(prefix))?;
    (rest.len() < path.len() && rest.starts_with('/')).then_some(rest)
}

/// A row of an operation whose request is read.
const fn read(
    name: &'static str,
    methods: &'static [&'static str],
    path: &'static str,
    view: &'static Request,
) -> Operation {
    Operation { view: Some(view), ..row(name, methods, path, Body::Json) }
}

/// A row of an API's operations, without what few have.
const fn row(
    name: &'static str,
    methods: &'static [&'static str],
    path: &'static str,
    body: Body,
) -> Operation {
    Operation {
        name,
        methods,
        path,
        body,
        uninspected: None,
        kept: false,
        also: None,
        view: None,
        asks: None,
        answers: None,
        lines: false,
    }
}

/// A row of a store's operation whose request is read.
const fn asks(
    name: &'static str,
    methods: &'static [&'static str],
    path: &'static str,
    asks: &'static Asks,
) -> Operation {
    let body = match asks.body {
        Documents::None => Body::None,
        Documents::One(_) | Documents::Optional(_) => Body::Json,
        Documents::Lines(_) | Documents::Pairs(..) | Documents::Actions(..) => Body::Lines,
    };
    Operation { asks: Some(asks), ..row(name, methods, path, body) }
}

const GET: &[&str] = &["GET"];
const READ: &[&str] = &["GET", "HEAD"];
const POST: &[&str] = &["POST"];
const PUT: &[&str] = &["PUT"];
const PATCH: &[&str] = &["PATCH"];
const DELETE: &[&str] = &["DELETE"];
const ANY: &[&str] = &[];
