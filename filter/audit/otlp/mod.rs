//! Records as OpenTelemetry logs, posted to `/v1/logs`: OTLP over HTTP, in JSON or in protobuf, plain or gzip.
//!
//! A record is encoded once, when it is chained; a batch only joins records ([`Envelope`]). What a log record holds is
//! decided here, once ([`Log`], [`Attribute`]); [`json`] and [`protobuf`] write it down.
//!
//! | file | idea |
//! |---|---|
//! | [`json`] | the "JSON Protobuf Encoding" of the OTLP specification |
//! | [`protobuf`] | `opentelemetry/proto/logs/v1/logs.proto` |
//! | [`gzip`] | RFC 1952 around a batch |

mod gzip;
mod json;
pub(super) mod protobuf;

use std::borrow::Cow;

use super::chain::Draft;
use super::fields::Value;
use super::names::Place;
use super::record::{Content, Severity};
use super::trace::TraceParent;
use super::value::{Name, Text};

/// The schema that names and meanings of attributes follow.
pub const SCHEMA_URL: &str = "https://opentelemetry.io/schemas/1.41.0";

/// Name of the resource and of the scope.
const SERVICE: &str = "portcullis";

/// Fields that have places of their own in a log record.
const NOT_ATTRIBUTES: [Place; 4] =
    [Place::of("time"), Place::of("trace_id"), Place::of("span_id"), Place::of("trace_flags")];

/// How records are written down.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub enum Encoding {
    /// Text that one can read.
    #[default]
    Json,
    /// About a third smaller.
    Protobuf,
}

/// How batches go over the wire.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub struct Wire {
    /// How records are written down.
    pub encoding: Encoding,
    /// Whether batches are compressed.
    pub gzip: bool,
}

impl Wire {
    /// The headers that say so.
    pub fn headers(self) -> &'static [(&'static str, &'static str)] {
        const JSON: (&str, &str) = ("content-type", "application/json");
        const PROTOBUF: (&str, &str) = ("content-type", "application/x-protobuf");
        const GZIP: (&str, &str) = ("content-encoding", "gzip");
        match (self.encoding, self.gzip) {
            (Encoding::Json, false) => &[JSON],
            (Encoding::Json, true) => &[JSON, GZIP],
            (Encoding::Protobuf, false) => &[PROTOBUF],
            (Encoding::Protobuf, true) => &[PROTOBUF, GZIP],
        }
    }
}

/// Who sends the records.
#[derive(Debug, Clone, Default)]
pub struct Resource {
    /// `service.version`: version of the filter.
    pub version: Text,
    /// `service.instance.id`: the proxy's own id, such as Envoy's node id.
    pub instance: Option<Text>,
    /// `host.name`.
    pub host: Option<Text>,
}

impl Resource {
    fn attributes(&self) -> impl Iterator<Item = (&'static str, &str)> {
        let attributes = [
            ("service.name", Some(SERVICE)),
            ("service.version", Some(self.version.as_str())),
            ("service.instance.id", self.instance.as_ref().map(Text::as_str)),
            ("host.name", self.host.as_ref().map(Text::as_str)),
        ];
        attributes.into_iter().filter_map(|(key, value)| Some((key, value?)))
    }
}

/// What stands around the records of a batch.
#[derive(Debug)]
pub(super) struct Envelope {
    wire: Wire,
    around: Around,
}

#[derive(Debug)]
enum Around {
    Json(json::Envelope),
    Protobuf(protobuf::Envelope),
}

impl Envelope {
    pub fn new(wire: Wire, resource: &Resource) -> Self {
        let around = match wire.encoding {
            Encoding::Json => Around::Json(json::Envelope::new(resource)),
            Encoding::Protobuf => Around::Protobuf(protobuf::Envelope::new(resource)),
        };
        Self { wire, around }
    }

    pub fn wire(&self) -> Wire {
        self.wire
    }

    /// One log record, as it stands in a batch.
    pub fn log_record(&self, draft: &Draft<'_>, now: u64, content: Content<'_>) -> Vec<u8> {
        let log = Log { draft, now, content };
        match self.wire.encoding {
            Encoding::Json => json::log_record(&log).into_bytes(),
            Encoding::Protobuf => protobuf::log_record(&log),
        }
    }

    /// A request body that holds these records.
    pub fn seal<'a>(&self, records: impl Iterator<Item = &'a [u8]> + Clone) -> Vec<u8> {
        let body = match &self.around {
            Around::Json(envelope) => envelope.seal(records),
            Around::Protobuf(envelope) => envelope.seal(records),
        };
        if self.wire.gzip { gzip::pack(&body) } else { body }
    }
}

/// What a log record says, whatever it is written in.
struct Log<'a> {
    draft: &'a Draft<'a>,
    now: u64,
    content: Content<'a>,
}

impl Log<'_> {
    fn severity(&self) -> Severity {
        self.content.severity()
    }

    fn event(&self) -> Name {
        self.content.event()
    }

    fn trace(&self) -> Option<TraceParent> {
        self.content.trace()
    }

    fn attributes(&self) -> impl Iterator<Item = (Name, Attribute<'_>)> {
        let fields = self.draft.fields.iter().filter(|(place, _)| !NOT_ATTRIBUTES.contains(place));
        let attributes = fields.filter_map(|(place, value)| Some((place.name(), Attribute::of(value)?)));
        attributes.chain([("portcullis.chain.hash", Attribute::Text(&self.draft.hash))])
    }
}

/// A field's value as an attribute.
enum Attribute<'a> {
    Text(&'a str),
    Texts(Vec<Cow<'a, str>>),
    Count(u64),
    /// A decimal number.
    Decimal(String),
    Flag(bool),
}

impl<'a> Attribute<'a> {
    /// `None`: it stands in the body alone.
    fn of(value: &'a Value<'a>) -> Option<Self> {
        Some(match value {
            Value::Text(text) => Self::Text(text),
            Value::Count(count) => Self::Count(count.get()),
            Value::Seconds(seconds) => Self::Decimal(seconds.decimal()),
            Value::Flag(flag) => Self::Flag(*flag),
            Value::List(items) => Self::Texts(items.iter().map(Cow::from).collect()),
            Value::Tally(tally) => Self::Texts(tally.iter().map(|(name, _)| name.into()).collect()),
            Value::Members(claims) => {
                Self::Texts(claims.entries().into_iter().map(|(name, _)| name.into()).collect())
            }
            Value::Losses(_) | Value::Pieces(_) | Value::Sealed(_) => return None,
        })
    }
}

#[cfg(test)]
mod tests;
