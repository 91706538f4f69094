//! An exchange as its end record tells it: the facts that conditions may read, and which of them it does not tell.

use serde_json::{Map, Value};

use crate::policy::{Fact, Facts, Variable};

const STORED: &str = "portcullis.llm.stored";

/// An exchange that was recorded.
#[derive(Debug, Clone, Default)]
pub struct Recorded {
    record: Map<String, Value>,
    texts: Texts,
}

/// What is judged of it: the facts that conditions read.
#[derive(Debug, Clone, Copy)]
pub struct Asking<'r> {
    /// The exchange.
    pub recorded: &'r Recorded,
    /// The connection on which it is judged.
    pub connection: &'r str,
    /// Its protocol.
    pub protocol: &'static str,
    /// The collection of a vector store that is asked, of several.
    pub collection: &'r str,
    /// The part of it.
    pub namespace: &'r str,
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
            seconds: began(text("time"), record.get("portcullis.duration").and_then(Value::as_f64)),
        };
        Self { record, texts }
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
    pub fn parts(&self) -> Vec<(&str, &str)> {
        let mut namespaces = self.list("portcullis.vector.namespaces");
        let mut collections = self.list("portcullis.vector.collections");
        for names in [&mut namespaces, &mut collections] {
            if names.is_empty() {
                names.push("");
            }
        }
        let pairs = collections
            .iter()
            .flat_map(|collection| namespaces.iter().map(move |namespace| (*collection, *namespace)));
        pairs.collect()
    }

    /// Whether the provider was asked to keep what it answered.
    pub fn stored(&self) -> bool {
        self.record.get(STORED).and_then(Value::as_bool).unwrap_or_default()
    }

    /// Whether the request refers to what the provider keeps.
    pub fn refers(&self) -> bool {
        // What is only stored is noted as not looked into just as what is referred to.
        let noted = self.list("portcullis.uninspected").contains(&"reference");
        !self.list("portcullis.llm.references").is_empty() || (noted && !self.stored())
    }

    /// Whether what was asked was read, or there was nothing to read.
    fn was_read(&self) -> bool {
        let bodiless = matches!(self.text("http.request.method"), "GET" | "HEAD" | "DELETE" | "OPTIONS");
        let read = ["portcullis.llm.messages", "portcullis.llm.prompt_chars", "portcullis.vector.top_k"];
        let named = !self.list("portcullis.vector.collections").is_empty();
        bodiless || named || read.iter().any(|name| self.record.contains_key(*name))
    }

    fn is_batch(&self) -> bool {
        self.count("portcullis.llm.requests").is_some_and(|requests| requests > 1)
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
            // Of the requests of a batch each was judged, and the record tells of all together.
            Variable::LlmModel if self.is_batch() => !self.text("gen_ai.request.model").is_empty(),
            Variable::LlmStream
            | Variable::LlmMaxOutputTokens
            | Variable::LlmMessages
            | Variable::LlmPromptChars
            | Variable::LlmPromptTokens
            | Variable::LlmTools
            | Variable::LlmImages
            | Variable::LlmN
            | Variable::PromptEntities
                if self.is_batch() =>
            {
                false
            }
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

impl Facts for Asking<'_> {
    fn fact(&self, variable: Variable) -> Fact<'_> {
        let of = self.recorded;
        if !of.tells(variable) {
            return Fact::Missing;
        }
        let count =
            |name: &str| Fact::Int(i64::try_from(of.count(name).unwrap_or_default()).unwrap_or(i64::MAX));
        match variable {
            Variable::IdentityId => Fact::Str(of.text("user.id")),
            Variable::IdentitySubject => Fact::Str(of.text("portcullis.identity.subject")),
            Variable::IdentityIssuer => Fact::Str(of.text("portcullis.identity.issuer")),
            Variable::IdentityGroups => Fact::List(&of.texts.groups),
            Variable::IdentityClaims => Fact::Json(&of.texts.claims),
            Variable::SourceAddress => Fact::Str(of.text("client.address")),
            Variable::SourcePrincipal => Fact::Str(of.text("portcullis.source.principal")),
            Variable::RequestMethod => Fact::Str(of.text("http.request.method")),
            Variable::RequestUrlPath => Fact::Str(of.text("url.path")),
            Variable::RequestHost => Fact::Str(&of.texts.host),
            Variable::RequestTime => Fact::Int(of.texts.seconds),
            Variable::RequestSize => count("http.request.body.size"),
            Variable::TargetName => Fact::Str(self.connection),
            Variable::TargetProtocol => Fact::Str(self.protocol),
            Variable::LlmOperation | Variable::VectorOperation => {
                Fact::Str(of.text("portcullis.llm.operation"))
            }
            Variable::LlmModel => Fact::Str(of.text("gen_ai.request.model")),
            Variable::LlmStream => {
                let stream = of.record.get("gen_ai.request.stream").and_then(Value::as_bool);
                Fact::Bool(stream.unwrap_or_default())
            }
            Variable::LlmMaxOutputTokens => count("gen_ai.request.max_tokens"),
            Variable::LlmMessages => count("portcullis.llm.messages"),
            Variable::LlmPromptChars => count("portcullis.llm.prompt_chars"),
            Variable::LlmPromptTokens => count("portcullis.llm.prompt_tokens"),
            Variable::LlmTools => Fact::List(&of.texts.tools),
            Variable::LlmImages => count("portcullis.llm.images"),
            Variable::LlmN => count("gen_ai.request.choice.count"),
            Variable::PromptEntities => Fact::List(&of.texts.entities),
            Variable::VectorCollection => Fact::Str(self.collection),
            Variable::VectorNamespace => Fact::Str(self.namespace),
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

/// When an exchange began that ended at this time after so many seconds: what conditions read is its beginning.
fn began(ended: &str, lasted: Option<f64>) -> i64 {
    let fraction = ended.get(19..).and_then(|rest| rest.trim_end_matches('Z').parse::<f64>().ok());
    let ago = lasted.unwrap_or_default() - fraction.unwrap_or_default();
    // Of what a record may say, even of 10^300 seconds, this makes a whole number.
    seconds(ended).saturating_sub(ago.ceil() as i64)
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
    fn an_exchange_began_as_long_before_its_end_as_it_lasted() {
        for (ended, lasted, wanted) in [
            ("1970-01-01T00:01:00.500000000Z", Some(0.25), 60),
            ("1970-01-01T00:01:00.500000000Z", Some(0.75), 59),
            ("1970-01-01T00:01:00.000000000Z", Some(2.0), 58),
            ("1970-01-01T00:01:00Z", Some(1.25), 58),
            ("1970-01-01T00:01:00.900000000Z", None, 60),
        ] {
            assert_eq!(began(ended, lasted), wanted, "{ended} {lasted:?}");
        }
        assert!(began("1970-01-01T00:01:00Z", Some(1e300)) < 0);
    }

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
