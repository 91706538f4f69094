//! The filter languages of the stores: a caller's filter and the policy's, both of which must hold.
//!
//! The policy's is a list of fields, each with the one text it must be. What the caller wrote is kept byte for byte; it
//! is put into the store's own `and` with the policy's conditions, or, where it asks for nothing, they stand alone.

use super::asks::Language;
use super::expression;

/// What becomes of a filter.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Both {
    /// This stands in its place.
    Alone(String),
    /// These stand around what came.
    Around(String, String),
}

/// A caller's filter and the policy's; `own` is the caller's as it came, of a text what it means. What is given is JSON; of
/// a text, what stands between its quotes.
///
/// # Errors
/// Why the two cannot be put together.
pub fn both(
    language: Language,
    own: Option<&str>,
    fields: &[(String, String)],
) -> Result<Both, &'static str> {
    let list = |condition: fn(&str, &str) -> String| -> String {
        let conditions: Vec<String> = fields.iter().map(|(name, text)| condition(name, text)).collect();
        conditions.join(",")
    };
    let own = own.filter(|own| !is_empty(language, own));
    Ok(match (language, own) {
        (Language::Fields, None) if fields.len() == 1 => Both::Alone(list(equals)),
        (Language::Fields, None) => Both::Alone(format!("{{\"$and\":[{}]}}", list(equals))),
        (Language::Fields, Some(_)) => {
            Both::Around("{\"$and\":[".to_owned(), format!(",{}]}}", list(equals)))
        }
        (Language::Conditions, None) => Both::Alone(format!("{{\"must\":[{}]}}", list(matches))),
        (Language::Conditions, Some(_)) => {
            Both::Around("{\"must\":[".to_owned(), format!(",{}]}}", list(matches)))
        }
        (Language::Clause, None) => Both::Alone(format!(
            "{{\"bool\":{{\"must\":[{{\"match_all\":{{}}}}],\"filter\":[{}]}}}}",
            list(term)
        )),
        (Language::Clause, Some(_)) => {
            Both::Around("{\"bool\":{\"must\":[".to_owned(), format!("],\"filter\":[{}]}}}}", list(term)))
        }
        (Language::Where | Language::Graph, own) => {
            // A field of one value is compared without the spaces around it.
            if fields.iter().any(|(_, text)| text.trim() != text) {
                return Err("spaces around a value that the policy filters by");
            }
            let (open, close, equal): (_, _, fn(&str, &str) -> String) = match language {
                Language::Where => ("{\"operator\":\"And\",\"operands\":[", "]}", equal_where),
                _ => ("{operator:And,operands:[", "]}", equal_graph),
            };
            match own {
                None if fields.len() == 1 => Both::Alone(list(equal)),
                None => Both::Alone(format!("{open}{}{close}", list(equal))),
                Some(_) => Both::Around(open.to_owned(), format!(",{}{close}", list(equal))),
            }
        }
        (Language::Expression, own) => {
            own.map_or(Ok(()), expression::check)?;
            let mut conditions = Vec::new();
            for (name, text) in fields {
                conditions.push(format!("{name} == {}", expression::quoted(text)?));
            }
            let conditions = conditions.join(" and ");
            match own {
                None => Both::Alone(inner(&conditions)),
                Some(_) => Both::Around("(".to_owned(), format!(") and {}", inner(&conditions))),
            }
        }
    })
}

/// Whether a filter asks for nothing.
fn is_empty(language: Language, own: &str) -> bool {
    let inner = match language {
        Language::Expression => Some(own),
        _ => own.strip_prefix('{').and_then(|own| own.strip_suffix('}')),
    };
    inner.is_some_and(|inner| inner.trim().is_empty())
}

/// Of Pinecone and Chroma.
fn equals(name: &str, text: &str) -> String {
    format!("{{{}:{{\"$eq\":{}}}}}", quoted(name), quoted(text))
}

/// Of Qdrant.
fn matches(name: &str, text: &str) -> String {
    format!("{{\"key\":{},\"match\":{{\"value\":{}}}}}", quoted(name), quoted(text))
}

/// Of OpenSearch and Elasticsearch.
fn term(name: &str, text: &str) -> String {
    format!("{{\"term\":{{{}:{{\"value\":{}}}}}}}", quoted(name), quoted(text))
}

/// Of Weaviate.
fn equal_where(name: &str, text: &str) -> String {
    format!("{{\"path\":[{}],\"operator\":\"Equal\",\"valueText\":{}}}", quoted(name), quoted(text))
}

/// The same in GraphQL, whose strings JSON's are too.
fn equal_graph(name: &str, text: &str) -> String {
    format!("{{path:[{}],operator:Equal,valueText:{}}}", quoted(name), quoted(text))
}

/// A text as JSON.
pub fn quoted(text: &str) -> String {
    serde_json::Value::from(text).to_string()
}

/// What stands between the quotes of a text as JSON.
pub fn inner(text: &str) -> String {
    let quoted = quoted(text);
    quoted.get(1..quoted.len().saturating_sub(1)).unwrap_or_default().to_owned()
}
