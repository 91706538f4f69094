//! The names that conditions may read: one table, from which the checker, the evaluator and the documentation work.
//!
//! A name is always `root.field`. What a name answers is a [`Fact`]; who answers is a [`Facts`]. A field that a
//! request lacks is answered empty or zero, so that a condition never has to ask whether it is there; only entries
//! of the maps (`identity.claims`, `request.headers`) can be absent, and `has()` asks for those.

use std::fmt::Write as _;

/// When a fact becomes known.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub enum Phase {
    /// With the request's headers.
    Head,
    /// With the request's body.
    Body,
}

/// What kind of value a name has.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Shape {
    /// Text.
    Text,
    /// A whole number.
    Int,
    /// True or false.
    Bool,
    /// A list of text.
    TextList,
    /// Text by text.
    TextMap,
    /// A JSON object, whose entries may be anything.
    JsonMap,
}

impl Shape {
    /// CEL's name of the type.
    pub fn name(self) -> &'static str {
        match self {
            Shape::Text => "string",
            Shape::Int => "int",
            Shape::Bool => "bool",
            Shape::TextList => "list(string)",
            Shape::TextMap => "map(string, string)",
            Shape::JsonMap => "map(string, dyn)",
        }
    }
}

/// A row of the table.
#[derive(Debug, Clone, Copy)]
pub struct Entry {
    /// The variable.
    pub variable: Variable,
    /// The name that conditions write, `root.field`.
    pub name: &'static str,
    /// What it holds.
    pub shape: Shape,
    /// When it is known.
    pub phase: Phase,
    /// What it means, for the documentation.
    pub about: &'static str,
}

macro_rules! variables {
    ($($variable:ident $name:literal $shape:ident $phase:ident $about:literal)*) => {
        /// A name that conditions may read.
        #[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
        pub enum Variable {
            $(#[doc = concat!("`", $name, "`: ", $about)] $variable,)*
        }

        /// Every name, in the order of the documentation.
        pub static TABLE: &[Entry] = &[
            $(Entry {
                variable: Variable::$variable,
                name: $name,
                shape: Shape::$shape,
                phase: Phase::$phase,
                about: $about,
            },)*
        ];

        impl Variable {
            /// Its row of the table.
            pub fn entry(self) -> Entry {
                match self {
                    $(Variable::$variable => Entry {
                        variable: self,
                        name: $name,
                        shape: Shape::$shape,
                        phase: Phase::$phase,
                        about: $about,
                    },)*
                }
            }
        }
    };
}

variables! {
    IdentityId "identity.id" Text Head "Issuer and subject, joined by `#`: who is calling, unique over all issuers."
    IdentitySubject "identity.subject" Text Head "The token's `sub`."
    IdentityIssuer "identity.issuer" Text Head "The token's `iss`."
    IdentityGroups "identity.groups" TextList Head "The groups claim of the issuer."
    IdentityClaims "identity.claims" JsonMap Head "Every claim of the verified token."
    SourceAddress "source.address" Text Head "The caller's address, as Envoy sees it, without port."
    SourcePrincipal "source.principal" Text Head "The peer's SPIFFE id from its certificate; empty without mutual TLS."
    RequestMethod "request.method" Text Head "`GET`, `POST`, …"
    RequestPath "request.path" Text Head "Path with query, as it came."
    RequestUrlPath "request.url_path" Text Head "Path without query; needless percent-encoding and parameters of its segments (`;…`) taken off."
    RequestQuery "request.query" Text Head "Query without `?`; empty where there is none."
    RequestHost "request.host" Text Head "Host or authority."
    RequestHeaders "request.headers" TextMap Head "Request headers by name in lower case; values of a repeated one joined by `,`. Without tokens and what else never goes upstream."
    RequestTime "request.time" Int Head "When the first byte came, in whole seconds since 1970-01-01 UTC."
    RequestSize "request.size" Int Body "Length of the body, in bytes."
    TargetName "target.name" Text Head "Name of the connection."
    TargetProtocol "target.protocol" Text Head "Protocol of the connection, such as `openai`."
    TargetRoute "target.route" Text Head "Envoy's name of the route."
    LlmOperation "llm.operation" Text Body "`chat`, `completions`, `responses`, `invoke` (Bedrock), `embedding`, `rerank`, `moderation`, `count_tokens`, `models`, `image`, `audio`, or `unknown`."
    LlmModel "llm.model" Text Body "The model that is asked for, in the path or in the body; empty where the operation has none."
    LlmStream "llm.stream" Bool Body "Whether the answer is asked for as a stream."
    LlmMaxOutputTokens "llm.max_output_tokens" Int Body "The caller's bound on the answer, in tokens; 0 where there is none."
    LlmMessages "llm.messages" Int Body "How many messages the prompt has."
    LlmPromptChars "llm.prompt_chars" Int Body "Length of all texts that `prompt.text` holds, in characters."
    LlmPromptTokens "llm.prompt_tokens" Int Body "About how many tokens `prompt.text` is: an estimate, whose error is known ([protocols.md](protocols.md#tokens))."
    LlmTools "llm.tools" TextList Body "Names of the tools that the model is offered."
    LlmImages "llm.images" Int Body "How many images the prompt has; a video is one too."
    LlmN "llm.n" Int Body "How many answers are written: `n` or `best_of`, the larger, for each prompt of a list."
    PromptText "prompt.text" Text Body "Every text of the body that reaches the model or the provider (messages, tool definitions, results, unknown fields), joined by line ends."
    PromptEntities "prompt.entities" TextList Body "Names of the entities found in the prompt."
    VectorOperation "vector.operation" Text Head "`query`, `fetch`, `upsert`, `delete`, `admin`, or `unknown`."
    VectorCollection "vector.collection" Text Body "The collection, index or class that a query is of, in the path or in the body; empty where it names none. A request of several queries is judged query by query."
    VectorNamespace "vector.namespace" Text Body "The part of the collection that a query is of: namespace (Pinecone), shard key (Qdrant), tenant (Weaviate, Chroma), partition (Milvus); empty where it names none."
    VectorTopK "vector.top_k" Int Body "How many hits a query asks for, or the store's own default where it says nothing; 9223372036854775807 where all would come, 0 where the operation has no such bound."
    VectorFilter "vector.filter" Text Body "The caller's filter, as it came; empty where there is none."
}

impl Variable {
    /// The variable with this name, such as `llm.model`.
    pub fn named(name: &str) -> Option<Variable> {
        TABLE.iter().find(|entry| entry.name == name).map(|entry| entry.variable)
    }

    /// The name that conditions write.
    pub fn name(self) -> &'static str {
        self.entry().name
    }

    /// What it holds.
    pub fn shape(self) -> Shape {
        self.entry().shape
    }

    /// When it is known.
    pub fn phase(self) -> Phase {
        self.entry().phase
    }
}

/// The first halves of the names: `identity`, `request`, ….
pub(crate) fn roots() -> impl Iterator<Item = &'static str> {
    let mut last = "";
    TABLE.iter().filter_map(move |entry| {
        let (root, _) = entry.name.split_once('.')?;
        let new = root != last;
        last = root;
        new.then_some(root)
    })
}

/// The second halves of the names under a root.
pub(crate) fn fields(root: &str) -> impl Iterator<Item = &'static str> {
    TABLE.iter().filter_map(move |entry| {
        let (of, field) = entry.name.split_once('.')?;
        (of == root).then_some(field)
    })
}

/// A table of the names in Markdown, for the documentation.
pub fn markdown() -> String {
    let mut out = String::from("| name | type | known with | meaning |\n|---|---|---|---|\n");
    for entry in TABLE {
        let phase = match entry.phase {
            Phase::Head => "headers",
            Phase::Body => "body",
        };
        // Writing to a String cannot fail.
        let _ = writeln!(out, "| `{}` | {} | {phase} | {} |", entry.name, entry.shape.name(), entry.about);
    }
    out
}

/// What a name answers. Lists and maps that callers fill are to be capped by whoever answers.
#[derive(Debug, Clone, Copy)]
pub enum Fact<'a> {
    /// Text.
    Str(&'a str),
    /// A whole number.
    Int(i64),
    /// True or false.
    Bool(bool),
    /// A list of text.
    List(&'a [String]),
    /// Text by text. A name that stands twice counts once, the first.
    Map(&'a [(String, String)]),
    /// A JSON object.
    Json(&'a serde_json::Map<String, serde_json::Value>),
    /// Not known: a condition that needs it fails to evaluate.
    Missing,
}

/// Who answers the names. A variable is asked for whenever evaluation comes to it, in every turn of a loop anew: what
/// is dear to find out should be found out before, where [`crate::policy::Condition::reads`] says so.
pub trait Facts {
    /// The value of a variable; its kind must be that of the table.
    fn fact(&self, variable: Variable) -> Fact<'_>;
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_name_is_found_by_itself_and_stands_once() {
        for entry in TABLE {
            assert_eq!(Variable::named(entry.name), Some(entry.variable), "{}", entry.name);
            assert_eq!(TABLE.iter().filter(|other| other.name == entry.name).count(), 1);
            assert_eq!(entry.variable.entry().name, entry.name);
        }
        assert_eq!(Variable::named("llm.prompt_token"), None);
    }

    #[test]
    fn a_root_stands_once_and_its_fields_are_under_it() {
        assert_eq!(
            roots().collect::<Vec<_>>(),
            ["identity", "source", "request", "target", "llm", "prompt", "vector"]
        );
        assert_eq!(fields("prompt").collect::<Vec<_>>(), ["text", "entities"]);
        assert_eq!(fields("nothing").count(), 0);
    }

    #[test]
    fn the_documentation_has_a_row_for_every_name() {
        let text = markdown();
        assert_eq!(text.lines().count(), TABLE.len() + 2);
        assert!(text.contains("| `llm.model` | string | body |"));
    }
}
