//! A log record that is an audit record.

use jiff::Timestamp;
use portcullis::audit::chain::hash;
use portcullis::audit::loss::MAX_RANGES;
use portcullis::audit::verify::Stored;
use serde_json::{Map, Value};

use crate::index::Indexed;
use crate::otlp::Log;

/// The attribute that names the hash of the body.
const HASH: &str = "portcullis.chain.hash";
/// Greatest number that canonical JSON keeps exact.
const MOST: i64 = (1 << 53) - 1;
/// Longest name of an event.
const LONGEST_EVENT: usize = 64;

/// An audit record on its way into the store.
#[derive(Debug, Clone)]
pub struct Entry {
    /// Id of its chain, 32 hex digits.
    pub chain: String,
    /// Its number there, from 1.
    pub seq: i64,
    /// sha256 of the body.
    pub hash: Vec<u8>,
    /// What its attribute says that hash is, where that is something else.
    pub said: Option<String>,
    /// When it was written, in nanoseconds since 1970.
    pub time: i64,
    /// `event.name`
    pub event: String,
    /// The record.
    pub body: String,
    /// Its projection, with which the body is compared.
    pub attributes: Vec<(String, Value)>,
    /// What of it is searched; `None`: it belongs to no exchange.
    pub indexed: Option<Indexed>,
    /// First and last numbers of records that it declares as lost.
    pub dropped: Vec<(i64, i64)>,
}

/// Why a log record is not kept.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Rejected {
    /// It is not of Portcullis.
    Foreign,
    /// Its attributes say that it is one of ours, its body cannot be read as one.
    Unreadable,
    /// It says that it is of the collector itself.
    Pretended,
}

impl Entry {
    /// Of a log record; `own` is the chain that the collector alone writes.
    ///
    /// # Errors
    /// It is none.
    pub fn of(log: Log, own: &str) -> Result<Self, Rejected> {
        let Log { body, attributes } = log;
        let ours = attributes.iter().any(|(name, _)| name == "portcullis.chain.id");
        let rejected = if ours { Rejected::Unreadable } else { Rejected::Foreign };
        let body = body.ok_or(rejected)?;
        let record: Map<String, Value> = serde_json::from_str(&body).map_err(|_| rejected)?;
        if !record.contains_key("portcullis.chain.id") {
            return Err(rejected);
        }
        let head = Head::of(&record).ok_or(Rejected::Unreadable)?;
        if head.chain == own || head.event.starts_with("portcullis.collector.") {
            return Err(Rejected::Pretended);
        }
        let dropped = dropped(&record).ok_or(Rejected::Unreadable)?;
        let hash = hash(&body);
        let said = attributes.iter().find(|(name, _)| name == HASH);
        let said = said.and_then(|(_, value)| value.get("stringValue")?.as_str());
        Ok(Self {
            said: said.filter(|said| *said != hash).map(hex_alone),
            hash: bytes(&hash).unwrap_or_default(),
            indexed: Indexed::of(&head.event, &record),
            chain: head.chain,
            seq: head.seq,
            time: head.time,
            event: head.event,
            dropped,
            body,
            attributes,
        })
    }

    /// For the verifier.
    pub fn stored(&self) -> Stored<'_> {
        Stored { body: &self.body, attributes: &self.attributes }
    }
}

struct Head {
    chain: String,
    seq: i64,
    time: i64,
    event: String,
}

impl Head {
    fn of(record: &Map<String, Value>) -> Option<Self> {
        let text = |name: &str| record.get(name).and_then(Value::as_str);
        let chain = text("portcullis.chain.id").filter(|id| is_chain(id))?.to_owned();
        let seq = record.get("portcullis.chain.seq")?.as_i64().filter(|seq| (1..=MOST).contains(seq))?;
        if text("portcullis.record")? != format!("{chain}-{seq}") {
            return None;
        }
        let event = text("event.name").filter(|event| is_event(event))?.to_owned();
        let time = text("time")?.parse::<Timestamp>().ok()?.as_nanosecond();
        Some(Self { chain, seq, event, time: i64::try_from(time).ok()? })
    }
}

fn is_chain(id: &str) -> bool {
    id.len() == 32 && id.bytes().all(|byte| matches!(byte, b'0'..=b'9' | b'a'..=b'f'))
}

fn is_event(name: &str) -> bool {
    let plain = |byte: u8| byte.is_ascii_lowercase() || matches!(byte, b'.' | b'_');
    name.starts_with("portcullis.") && name.len() <= LONGEST_EVENT && name.bytes().all(plain)
}

/// A text from outside in the place of a hash: as much of it as could be one.
fn hex_alone(text: &str) -> String {
    text.chars().take(64).map(|c| if c.is_ascii_hexdigit() { c } else { '?' }).collect()
}

/// `None`: more than a recorder declares at once.
fn dropped(record: &Map<String, Value>) -> Option<Vec<(i64, i64)>> {
    let ranges = record.get("portcullis.dropped.ranges").and_then(Value::as_array);
    if ranges.is_some_and(|ranges| ranges.len() > MAX_RANGES) {
        return None;
    }
    let range = |range: &Value| {
        let (first, last) = (range.get("first")?.as_i64()?, range.get("last")?.as_i64()?);
        (1 <= first && first <= last && last <= MOST).then_some((first, last))
    };
    Some(ranges.into_iter().flatten().filter_map(range).collect())
}

/// sha256 of a body.
pub fn digest(body: &str) -> Vec<u8> {
    bytes(&hash(body)).unwrap_or_default()
}

fn bytes(hex: &str) -> Option<Vec<u8>> {
    let pairs = hex.as_bytes().chunks(2);
    pairs.map(|pair| u8::from_str_radix(std::str::from_utf8(pair).ok()?, 16).ok()).collect()
}
