//! What the format has and this release does not do yet: refused by name, never ignored.

/// A key, or a value of a key, that a later release brings.
pub(super) struct Later {
    /// Path of the key, or `path = value`.
    pub path: &'static str,
    /// What it is.
    pub what: &'static str,
}

const fn later(path: &'static str, what: &'static str) -> Later {
    Later { path, what }
}

/// All of them. Shorter lists are better lists: whoever builds one takes its line out.
pub(super) const LATER: &[Later] = &[
    later("issuers[].verified_by", "tokens whose signature another filter has verified"),
    later("connections[].protocol = anthropic", "Anthropic's API"),
    later("connections[].protocol = gemini", "Google Gemini's API"),
    later("connections[].protocol = cohere", "Cohere's API"),
    later("connections[].protocol = bedrock", "Amazon Bedrock's API"),
    later("connections[].protocol = ollama", "Ollama's own API"),
    later("connections[].protocol = pinecone", "Pinecone's API"),
    later("connections[].protocol = qdrant", "Qdrant's API"),
    later("connections[].protocol = weaviate", "Weaviate's API"),
    later("connections[].protocol = chroma", "Chroma's API"),
    later("connections[].protocol = milvus", "Milvus's API"),
    later("connections[].protocol = opensearch", "OpenSearch's API"),
    later("connections[].protocol = http", "any other API over HTTP"),
    later("policies[].rules[].approve", "rules that ask a human"),
    later("policies[].llm", "the operations and references that are let through"),
    later("policies[].budgets", "token and request budgets"),
    later("policies[].vector", "limits on vector stores"),
    later("policies[].limits.max_output_tokens", "a bound on the tokens of an answer"),
    later("policies[].mask.prompt", "masks on what is asked"),
    later("policies[].mask.response.operator = mask", "masks that keep a part, such as the last four digits"),
    later("policies[].mask.response.operator = redact", "masks that leave nothing"),
    later("policies[].mask.response.operator = pseudonym", "masks that keep equal values equal"),
    later("policies[].mask.response.overrides", "operators for single entities"),
    later("approvals", "the service that asks a human"),
    later("rate_limit_service", "the service that keeps global budgets"),
    later("audit.capture = masked", "prompts and answers in records, masked"),
    later("audit.capture = full", "prompts and answers in records"),
    later("audit.mask", "what is masked in records"),
    later("audit.delivery = before_forward", "records that are acknowledged before a request goes upstream"),
];

/// What a key at this path would be.
pub(super) fn key(path: &str) -> Option<&'static Later> {
    LATER.iter().find(|later| later.path == path)
}

/// What this value of a key would be.
pub(super) fn value<'a>(path: &str, value: &'a str) -> Option<&'a Later> {
    let wanted = format!("{path} = {value}");
    LATER.iter().find(|later| later.path == wanted)
}
