//! The collector's own records: a chain of their own, under the rules of every chain, so that `portcullis audit verify`
//! proves them too.

use portcullis::audit::chain::hash;
use portcullis::audit::value::{Text, Texts, rfc3339};
use serde_json::{Map, Value, json};

/// Something about the records that somebody should look at.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Alert {
    /// As `portcullis audit verify --format json` names it, or `unreadable`, `arrived`, `declared`, `more`.
    pub what: &'static str,
    /// The chain it is about.
    pub chain: Option<String>,
    /// The lowest number there; of `unreadable` and `more`, how many.
    pub first: i64,
    /// The highest.
    pub last: i64,
    /// Of `disagreeing`, which attributes.
    pub attributes: Vec<String>,
    /// Of `parts_missing`, the exchange.
    pub exchange: Option<String>,
}

impl Alert {
    /// About a range of a chain.
    pub fn range(what: &'static str, chain: &str, first: i64, last: i64) -> Self {
        Self { what, chain: Some(chain.to_owned()), first, last, attributes: Vec::new(), exchange: None }
    }

    /// About so many of something that has no chain.
    pub fn count(what: &'static str, count: i64) -> Self {
        Self { what, chain: None, first: count, last: count, attributes: Vec::new(), exchange: None }
    }

    /// Tells whoever reads the log.
    pub fn tell(&self) {
        let chain = self.chain.as_deref().unwrap_or("-");
        tracing::warn!(what = self.what, chain, first = self.first, last = self.last, "alert");
    }
}

/// Where the collector's own chain stands.
#[derive(Debug, Clone)]
pub struct Own {
    /// Its id.
    pub chain: String,
    /// The last number.
    pub seq: i64,
    /// Hash of the last body; `None`: there is none.
    pub head: Option<String>,
}

/// The event of an alert.
pub const ALERT: &str = "portcullis.collector.alert";

/// What the collector itself has to say.
#[derive(Debug)]
pub struct Note {
    /// `event.name`
    pub event: &'static str,
    /// Members of the record: names in ASCII, and no number that is not whole.
    pub members: Map<String, Value>,
}

impl Alert {
    /// As a record says it.
    pub fn note(&self) -> Note {
        let mut members = Map::new();
        let mut put = |name: &str, value: Value| members.insert(format!("portcullis.alert.{name}"), value);
        put("what", json!(self.what));
        match &self.chain {
            None => _ = put("count", json!(self.first)),
            Some(chain) => {
                put("chain", json!(chain));
                put("first", json!(self.first));
                put("last", json!(self.last));
            }
        }
        if !self.attributes.is_empty() {
            let names: Texts = self.attributes.iter().map(String::as_str).collect();
            put("attributes", json!(names.items()));
        }
        if let Some(exchange) = &self.exchange {
            put("exchange", json!(Text::from(exchange.as_str()).as_str()));
        }
        Note { event: ALERT, members }
    }
}

impl Own {
    /// The next record of the chain. Names are ASCII and numbers whole, so sorted members are canonical JSON (RFC 8785).
    pub fn next(&mut self, now: i64, note: Note) -> String {
        let Note { event, members: mut body } = note;
        self.seq = self.seq.saturating_add(1);
        let mut put = |name: &str, value: String| body.insert(name.to_owned(), Value::String(value));
        put("event.name", event.to_owned());
        put("time", rfc3339(u64::try_from(now).unwrap_or_default()));
        put("portcullis.chain.id", self.chain.clone());
        put("portcullis.record", format!("{}-{}", self.chain, self.seq));
        if let Some(head) = self.head.take() {
            put("portcullis.chain.previous", head);
        }
        body.insert("portcullis.chain.seq".to_owned(), json!(self.seq));
        let body = Value::Object(body).to_string();
        self.head = Some(hash(&body));
        body
    }
}

#[cfg(test)]
mod tests {
    use portcullis::audit::verify::{Knowledge, Stored, verify};

    use super::*;

    #[test]
    fn the_own_chain_is_a_chain_like_every_other() {
        let mut own = Own { chain: "0".repeat(32), seq: 0, head: None };
        let bodies: Vec<String> = (1..4)
            .map(|n| {
                let alert = Alert::range("changed", "c", n, n);
                own.next(n, Alert { attributes: vec!["\u{7f}é\"".into()], ..alert }.note())
            })
            .collect();
        let report =
            verify(bodies.iter().map(|body| Stored { body, attributes: &[] }), &Knowledge::default());
        assert_eq!(report.findings, []);
        assert_eq!((report.chains[0].first, report.chains[0].last), (1, 3));
        let canonical: Value = serde_json::from_str(&bodies[0]).unwrap();
        assert_eq!(canonical.to_string(), bodies[0]);
    }
}
