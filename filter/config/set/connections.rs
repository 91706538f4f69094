//! Where calls go: connections, what matches them, credentials.

use std::time::Duration;

use super::{ClusterRef, Located, Template};

/// The API spoken on a connection.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Protocol {
    /// OpenAI's API and its dialects.
    OpenAi,
    /// Anthropic's API.
    Anthropic,
    /// Google Gemini's API.
    Gemini,
    /// Cohere's API.
    Cohere,
    /// Amazon Bedrock's runtime API.
    Bedrock,
    /// Ollama's own API.
    Ollama,
    /// Pinecone's API.
    Pinecone,
    /// Qdrant's REST API.
    Qdrant,
    /// Weaviate's REST and GraphQL API.
    Weaviate,
    /// Chroma's API.
    Chroma,
    /// Milvus's REST API.
    Milvus,
    /// OpenSearch's API, and Elasticsearch's.
    OpenSearch,
    /// Any other API over HTTP.
    Http,
    /// Not looked at: passes untouched and unrecorded.
    None,
}

impl Protocol {
    /// Every protocol with the name that sets and records use.
    pub const ALL: [(&'static str, Protocol); 14] = [
        ("openai", Protocol::OpenAi),
        ("anthropic", Protocol::Anthropic),
        ("gemini", Protocol::Gemini),
        ("cohere", Protocol::Cohere),
        ("bedrock", Protocol::Bedrock),
        ("ollama", Protocol::Ollama),
        ("pinecone", Protocol::Pinecone),
        ("qdrant", Protocol::Qdrant),
        ("weaviate", Protocol::Weaviate),
        ("chroma", Protocol::Chroma),
        ("milvus", Protocol::Milvus),
        ("opensearch", Protocol::OpenSearch),
        ("http", Protocol::Http),
        ("none", Protocol::None),
    ];

    /// The name that sets and records use.
    pub fn name(self) -> &'static str {
        Self::ALL.iter().find(|(_, protocol)| *protocol == self).map_or("", |(name, _)| name)
    }
}

/// A way to an upstream, and the policy that guards it.
#[derive(Debug, Clone)]
pub struct Connection {
    /// Name within the set.
    pub name: Located<String>,
    /// The API spoken on it.
    pub protocol: Protocol,
    /// Any of these; empty: only route metadata chooses it.
    pub matches: Vec<Match>,
    /// Names of issuers; never empty unless `protocol` is [`Protocol::None`].
    pub issuers: Vec<Located<String>>,
    /// Name of the policy; `None` only for [`Protocol::None`].
    pub policy: Option<Located<String>>,
    /// What the upstream wants to see instead of the caller's token, in the order written.
    pub credentials: Vec<Credential>,
    /// Headers in which a token may come, beside the protocol's own; empty: the protocol's own.
    pub token_headers: Vec<TokenHeader>,
    /// Which of an answer's values are texts; only with [`Protocol::Http`].
    pub answers: Answers,
    /// What clients are told of it, so that they find where to get a token.
    pub resource: Option<Resource>,
}

/// A protected resource, as RFC 9728 describes it.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Resource {
    /// Its identifier: an absolute URI as clients know the connection.
    pub uri: String,
    /// Scopes that tokens for it should have.
    pub scopes: Vec<String>,
}

/// Which values of a JSON answer are texts, by paths. The longest path that leads to a value decides.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Answers {
    /// What stands at these paths or below is masked; empty: everything is.
    pub text: Vec<Located<String>>,
    /// What stands at these paths or below is kept.
    pub keep: Vec<Located<String>>,
}

/// A header that may hold the caller's token.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct TokenHeader {
    /// Lower case.
    pub name: String,
    /// Text before the token, such as `Bearer `; compared without case.
    pub prefix: String,
}

/// Conditions on a request's head; all that are given must hold.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Match {
    /// `:authority`, compared without case; a port in it counts only where the pattern has one.
    pub authority: Option<String>,
    /// Ends at a segment: `/v1` holds for `/v1` and `/v1/chat`, not for `/v10`.
    pub path_prefix: Option<String>,
    /// Envoy's route name.
    pub route: Option<String>,
    /// Envoy's virtual host name.
    pub virtual_host: Option<String>,
    /// Envoy's upstream cluster name.
    pub cluster: Option<String>,
    /// `:method`.
    pub method: Option<String>,
}

/// A secret that a service keeps, by the API of Vault's KV engine, version 2.
#[derive(Debug, Clone)]
pub struct Secret {
    /// Name within the set.
    pub name: Located<String>,
    /// The service; its path is always given.
    pub cluster: ClusterRef,
    /// What the module shows it, in `x-vault-token`.
    pub token: Option<Template>,
    /// Which field of `data.data` the value is.
    pub field: String,
    /// Time between calls.
    pub refresh: Duration,
    /// How old a value may grow while the service is down.
    pub keep: Duration,
}

/// An upstream credential.
#[derive(Debug, Clone)]
pub struct Credential {
    /// Where it stands in the request.
    pub seat: Seat,
    /// Its value.
    pub value: Template,
    /// CEL: for whom it is; `None`: for everyone.
    pub when: Option<Located<String>>,
}

/// Where a credential stands in a request.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Seat {
    /// In the header of this name, lower case.
    Header(String),
    /// In the query's parameter of this name.
    Query(String),
}
