//! An exchange as its end record tells it: the facts that conditions may read, and which of them it does not tell.

use serde_json::{Map, Value};

use crate::policy::{Fact, Facts, Variable};

/// An exchange that was recorded.
#[derive(Debug, Clone, Default)]
pub struct Recorded {
    record: Map<String, Value>,
    /// The connection on which it is judged.
    target: (String, &'static str),
    texts: Texts,
    /// The part of a vector store that is asked, of several.
    part: (String, String),
}

/// What facts borrow.
#[derive(Debug, Clone, Default)]
struct Texts {
    host: String,
    groups: Vec<String>,
    tools: Vec<String>,
    entities: Vec<String>,
    claims: Map<String, Value>,
    seconds: i64,
}

impl Recorded {
    /// An exchange by its end record.
    pub fn of(record: Map<String, Value>) -> Self {
        let list = |name: &str| -> Vec<String> {
            let items = record.get(name).and_then(Value::as_array).into_iter().flatten();
            items.filter_map(Value::as_str).map(str::to_owned).collect()
        };
        let map = |name: &str| record.get(name).and_then(Value::as_object).cloned().unwrap_or_default();
        let text = |name: &str| record.get(name).and_then(Value::as_str).unwrap_or_default();
        let host = match record.get("server.port").and_then(Value::as_u64) {
            Some(port) => format!("{}:{port}", text("server.address")),
            None => text("server.address").to_owned(),
        };
        let texts = Texts {
            host,
            groups: list("portcullis.identity.groups"),
            tools: list("portcullis.llm.tools"),
            entities: map("portcullis.prompt.entities").keys().cloned().collect(),
            claims: map("portcullis.claims"),
            seconds: seconds(text("time")),
        };
        Self { record, texts, ..Self::default() }
    }

    /// The same on a connection.
    #[must_use]
    pub fn on(mut self, name: &str, protocol: &'static str) -> Self {
        self.target = (name.to_owned(), protocol);
        self
    }

    /// The same, asking one part of a vector store.
    #[must_use]
    pub fn asking(&self, collection: &str, namespace: &str) -> Self {
        Self { part: (collection.to_owned(), namespace.to_owned()), ..self.clone() }
    }

    /// A text of the record; empty where it has none.
    pub fn text(&self, name: &str) -> &str {
        self.record.get(name).and_then(Value::as_str).unwrap_or_default()
    }

    /// A count of the record.
    pub fn count(&self, name: &str) -> Option<u64> {
        self.record.get(name).and_then(Value::as_u64)
    }

    /// The texts of a list of the record.
    pub fn list(&self, name: &str) -> Vec<&str> {
        let items = self.record.get(name).and_then(Value::as_array).into_iter().flatten();
        items.filter_map(Value::as_str).collect()
    }

    /// Names with counts.
    pub fn tally(&self, name: &str) -> Vec<(&str, u64)> {
        let entries = self.record.get(name).and_then(Value::as_object).into_iter().flatten();
        entries.filter_map(|(name, count)| Some((name.as_str(), count.as_u64()?))).collect()
    }

    /// Collections and namespaces asked, each with each; one pair of nothing where the record names none.
    pub fn parts(&self) -> Vec<(String, String)> {
        let mut namespaces = self.list("portcullis.vector.namespaces");
        let mut collections = self.list("portcullis.vector.collections");
        for names in [&mut namespaces, &mut collections] {
            if names.is_empty() {
                names.push("");
            }
        }
        let pairs = collections.iter().flat_map(|collection| {
            namespaces.iter().map(|namespace| ((*collection).to_owned(), (*namespace).to_owned()))
        });
        pairs.collect()
    }

    /// Whether what was asked was read, or there was nothing to read.
    fn was_read(&self) -> bool {
        let bodiless = matches!(self.text("http.request.method"), "GET" | "HEAD" | "DELETE" | "OPTIONS");
        let read = ["portcullis.llm.messages", "portcullis.llm.prompt_chars", "portcullis.vector.top_k"];
        let named = !self.list("portcullis.vector.collections").is_empty();
        bodiless || named || read.iter().any(|name| self.record.contains_key(*name))
    }

    /// Whether the record tells a fact.
    pub fn tells(&self, variable: Variable) -> bool {
        match variable {
            Variable::RequestHeaders
            | Variable::RequestPath
            | Variable::RequestQuery
            | Variable::TargetRoute
            | Variable::PromptText
            | Variable::VectorFilter => false,
            // It is counted where a rule reads it.
            Variable::LlmPromptTokens => self.record.contains_key("portcullis.llm.prompt_tokens"),
            // Rules that read claims have all of them recorded.
            Variable::IdentityClaims => !self.texts.claims.is_empty(),
            Variable::PromptEntities
            | Variable::RequestSize
            | Variable::LlmModel
            | Variable::LlmStream
            | Variable::LlmMaxOutputTokens
            | Variable::LlmMessages
            | Variable::LlmPromptChars
            | Variable::LlmTools
            | Variable::LlmImages
            | Variable::LlmN
            | Variable::VectorCollection
            | Variable::VectorNamespace
            | Variable::VectorTopK => self.was_read(),
            Variable::IdentityId
            | Variable::IdentitySubject
            | Variable::IdentityIssuer
            | Variable::IdentityGroups
            | Variable::SourceAddress
            | Variable::SourcePrincipal
            | Variable::RequestMethod
            | Variable::RequestUrlPath
            | Variable::RequestHost
            | Variable::RequestTime
            | Variable::TargetName
            | Variable::TargetProtocol
            | Variable::LlmOperation
            | Variable::VectorOperation => true,
        }
    }
}

impl Facts for Recorded {
    fn fact(&self, variable: Variable) -> Fact<'_> {
        if !self.tells(variable) {
            return Fact::Missing;
        }
        let count =
            |name: &str| Fact::Int(i64::try_from(self.count(name).unwrap_or_default()).unwrap_or(i64::MAX));
        match variable {
            Variable::IdentityId => Fact::Str(self.text("user.id")),
            Variable::IdentitySubject => Fact::Str(self.text("portcullis.identity.subject")),
            Variable::IdentityIssuer => Fact::Str(self.text("portcullis.identity.issuer")),
            Variable::IdentityGroups => Fact::List(&self.texts.groups),
            Variable::IdentityClaims => Fact::Json(&self.texts.claims),
            Variable::SourceAddress => Fact::Str(self.text("client.address")),
            Variable::SourcePrincipal => Fact::Str(self.text("portcullis.source.principal")),
            Variable::RequestMethod => Fact::Str(self.text("http.request.method")),
            Variable::RequestUrlPath => Fact::Str(self.text("url.path")),
            Variable::RequestHost => Fact::Str(&self.texts.host),
            Variable::RequestTime => Fact::Int(self.texts.seconds),
            Variable::RequestSize => count("http.request.body.size"),
            Variable::TargetName => Fact::Str(&self.target.0),
            Variable::TargetProtocol => Fact::Str(self.target.1),
            Variable::LlmOperation | Variable::VectorOperation => {
                Fact::Str(self.text("portcullis.llm.operation"))
            }
            Variable::LlmModel => Fact::Str(self.text("gen_ai.request.model")),
            Variable::LlmStream => {
                let stream = self.record.get("gen_ai.request.stream").and_then(Value::as_bool);
                Fact::Bool(stream.unwrap_or_default())
            }
            Variable::LlmMaxOutputTokens => count("gen_ai.request.max_tokens"),
            Variable::LlmMessages => count("portcullis.llm.messages"),
            Variable::LlmPromptChars => count("portcullis.llm.prompt_chars"),
            Variable::LlmPromptTokens => count("portcullis.llm.prompt_tokens"),
            Variable::LlmTools => Fact::List(&self.texts.tools),
            Variable::LlmImages => count("portcullis.llm.images"),
            Variable::LlmN => count("gen_ai.request.choice.count"),
            Variable::PromptEntities => Fact::List(&self.texts.entities),
            Variable::VectorCollection => Fact::Str(&self.part.0),
            Variable::VectorNamespace => Fact::Str(&self.part.1),
            Variable::VectorTopK => count("portcullis.vector.top_k"),
            Variable::RequestHeaders
            | Variable::RequestPath
            | Variable::RequestQuery
            | Variable::TargetRoute
            | Variable::PromptText
            | Variable::VectorFilter => Fact::Missing,
        }
    }
}

/// Seconds since 1970 of a time as records write it (RFC 3339, UTC); 0 where it is none.
fn seconds(time: &str) -> i64 {
    let number = |from: usize, to: usize| time.get(from..to).and_then(|digits| digits.parse::<i64>().ok());
    let parts = [(0, 4), (5, 7), (8, 10), (11, 13), (14, 16), (17, 19)].map(|(from, to)| number(from, to));
    let [Some(year), Some(month), Some(day), Some(hour), Some(minute), Some(second)] = parts else {
        return 0;
    };
    let clock = hour.saturating_mul(3600).saturating_add(minute.saturating_mul(60)).saturating_add(second);
    days(year, month, day).saturating_mul(86_400).saturating_add(clock)
}

/// Days from 1970-01-01 to a date of the Gregorian calendar: years begin in March, so that leap days come last.
fn days(year: i64, month: i64, day: i64) -> i64 {
    let (year, month) = if month < 3 {
        (year.saturating_sub(1), month.saturating_add(9))
    } else {
        (year, month.saturating_sub(3))
    };
    let leaps = year.div_euclid(4).saturating_sub(year.div_euclid(100)).saturating_add(year.div_euclid(400));
    let in_year =
        month.saturating_mul(153).saturating_add(2).div_euclid(5).saturating_add(day).saturating_sub(1);
    year.saturating_mul(365).saturating_add(leaps).saturating_add(in_year).saturating_sub(719_468)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn times_are_read_as_records_write_them() {
        for (time, wanted) in [
            ("1970-01-01T00:00:00.000000000Z", 0),
            ("2026-11-22T15:59:21.000000000Z", 1_795_363_161),
            ("2024-02-29T23:59:59.5Z", 1_709_251_199),
            ("2000-03-01T00:00:00Z", 951_868_800),
            ("no time", 0),
            ("", 0),
        ] {
            assert_eq!(seconds(time), wanted, "{time}");
        }
    }
}
