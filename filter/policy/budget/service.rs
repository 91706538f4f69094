//! A rate limit service, as its bytes: `envoy.service.ratelimit.v3.RateLimitService/ShouldRateLimit` (rls.proto and
//! ratelimit.proto of Envoy 1.40), one descriptor a call, in gRPC's framing.
//!
//! Of the messages only what is used here is written down; a field that is not known is read over.

use prost::Message;

use super::Rate;

/// The method's path.
pub const PATH: &str = "/envoy.service.ratelimit.v3.RateLimitService/ShouldRateLimit";
/// Largest answer that is read.
const MOST: usize = 64 << 10;
const SECOND: u64 = 1_000_000_000;

/// The times that a service counts in, with the number that its protocol has for each.
pub const UNITS: [(u64, i32); 4] = [(SECOND, 1), (60 * SECOND, 2), (3600 * SECOND, 3), (86_400 * SECOND, 4)];

const OK: i32 = 1;
const OVER_LIMIT: i32 = 2;

#[derive(Clone, PartialEq, Message)]
struct Request {
    #[prost(string, tag = "1")]
    domain: String,
    #[prost(message, repeated, tag = "2")]
    descriptors: Vec<Descriptor>,
    #[prost(uint32, tag = "3")]
    hits_addend: u32,
}

#[derive(Clone, PartialEq, Message)]
struct Descriptor {
    #[prost(message, repeated, tag = "1")]
    entries: Vec<Entry>,
    #[prost(message, optional, tag = "2")]
    limit: Option<Override>,
    /// `google.protobuf.UInt64Value`.
    #[prost(message, optional, tag = "3")]
    hits_addend: Option<Count>,
    #[prost(bool, tag = "4")]
    is_negative_hits: bool,
}

#[derive(Clone, PartialEq, Message)]
struct Count {
    #[prost(uint64, tag = "1")]
    value: u64,
}

#[derive(Clone, PartialEq, Message)]
struct Entry {
    #[prost(string, tag = "1")]
    key: String,
    #[prost(string, tag = "2")]
    value: String,
}

#[derive(Clone, PartialEq, Message)]
struct Override {
    #[prost(uint32, tag = "1")]
    requests_per_unit: u32,
    #[prost(int32, tag = "2")]
    unit: i32,
}

#[derive(Clone, PartialEq, Message)]
struct Response {
    #[prost(int32, tag = "1")]
    overall_code: i32,
    #[prost(message, repeated, tag = "2")]
    statuses: Vec<Status>,
}

#[derive(Clone, PartialEq, Message)]
struct Status {
    #[prost(int32, tag = "1")]
    code: i32,
    #[prost(message, optional, tag = "2")]
    current_limit: Option<Override>,
    #[prost(uint32, tag = "3")]
    limit_remaining: u32,
    #[prost(message, optional, tag = "4")]
    duration_until_reset: Option<Span>,
}

/// `google.protobuf.Duration`.
#[derive(Clone, PartialEq, Message)]
struct Span {
    #[prost(int64, tag = "1")]
    seconds: i64,
    #[prost(int32, tag = "2")]
    nanos: i32,
}

/// Hits on one limit of a service.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Hits<'a> {
    /// The service's name for all limits of one user of it.
    pub domain: &'a str,
    /// What tells the limit from others, in order.
    pub entries: &'a [(&'a str, &'a str)],
    /// The limit. It must be one that a service can count: see [`countable`].
    pub rate: Rate,
    /// How many; above zero, for a service takes none for one.
    pub hits: u64,
    /// Whether they are taken back.
    pub back: bool,
}

/// What a service said.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Said {
    /// Whether the hits were too many.
    pub over: bool,
    /// Hits that are left; `None`: it did not say.
    pub left: Option<u64>,
    /// Nanoseconds until all are there again; `None`: it did not say.
    pub reset: Option<u64>,
    /// The limit that it held them against; `None`: it did not say.
    pub rate: Option<Rate>,
}

/// Why nothing can be made of what a service said.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
pub enum SaidError {
    /// No frame of gRPC, or more than one.
    #[error("it answered no single message")]
    Frame,
    /// A message that is not the protocol's.
    #[error("it answered no message of the protocol")]
    Message,
    /// Neither yes nor no.
    #[error("it answered neither yes nor no")]
    Code,
    /// As many statuses as nobody asked for.
    #[error("it answered {0} statuses for one limit")]
    Statuses(usize),
}

/// Whether a service can count this: it has a few units of time, and numbers of 32 bits.
pub fn countable(rate: Rate) -> bool {
    unit(rate).is_some() && u32::try_from(rate.limit()).is_ok()
}

fn unit(rate: Rate) -> Option<i32> {
    UNITS.iter().find(|(per, _)| *per == rate.per()).map(|(_, unit)| *unit)
}

/// The bytes that ask it. Hits of one descriptor stand in the request itself, which every service reads; hits that are taken back
/// can only stand in the descriptor.
pub fn ask(hits: &Hits<'_>) -> Vec<u8> {
    let entry = |(key, value): &(&str, &str)| Entry { key: (*key).to_owned(), value: (*value).to_owned() };
    let count = u32::try_from(hits.hits).unwrap_or(u32::MAX);
    let descriptor = Descriptor {
        entries: hits.entries.iter().map(entry).collect(),
        limit: unit(hits.rate).map(|unit| Override {
            requests_per_unit: u32::try_from(hits.rate.limit()).unwrap_or(u32::MAX),
            unit,
        }),
        hits_addend: hits.back.then_some(Count { value: count.into() }),
        is_negative_hits: hits.back,
    };
    let request = Request {
        domain: hits.domain.to_owned(),
        descriptors: vec![descriptor],
        hits_addend: if hits.back { 0 } else { count },
    };
    framed(&request)
}

fn framed(message: &impl Message) -> Vec<u8> {
    let bytes = message.encode_to_vec();
    let mut framed = Vec::with_capacity(bytes.len().saturating_add(5));
    framed.push(0);
    framed.extend_from_slice(&u32::try_from(bytes.len()).unwrap_or(u32::MAX).to_be_bytes());
    framed.extend_from_slice(&bytes);
    framed
}

/// The only message in these bytes.
fn unframed(bytes: &[u8]) -> Option<&[u8]> {
    let (head, message) = bytes.split_at_checked(5)?;
    let [0, len @ ..] = head else { return None };
    let len = usize::try_from(u32::from_be_bytes(len.try_into().ok()?)).ok()?;
    (message.len() == len && len <= MOST).then_some(message)
}

/// Reads what it said to one descriptor. Its overall code decides, as it does in Envoy's own filter: some services give no status.
///
/// # Errors
/// The bytes say nothing that can be held to.
pub fn said(bytes: &[u8]) -> Result<Said, SaidError> {
    let message = unframed(bytes).ok_or(SaidError::Frame)?;
    let response = Response::decode(message).map_err(|_| SaidError::Message)?;
    let over = match response.overall_code {
        OK => false,
        OVER_LIMIT => true,
        _ => return Err(SaidError::Code),
    };
    let status = match response.statuses.as_slice() {
        [] => return Ok(Said { over, left: None, reset: None, rate: None }),
        [status] => status,
        several => return Err(SaidError::Statuses(several.len())),
    };
    let rate = status.current_limit.as_ref().and_then(|limit| {
        let (per, _) = UNITS.iter().find(|(_, unit)| *unit == limit.unit)?;
        Some(Rate::new(limit.requests_per_unit.into(), *per))
    });
    let reset = status.duration_until_reset.as_ref().and_then(|span| {
        let nanos = u64::try_from(span.nanos).ok()?;
        Some(u64::try_from(span.seconds).ok()?.saturating_mul(SECOND).saturating_add(nanos))
    });
    let left = if over { 0 } else { status.limit_remaining.into() };
    Ok(Said { over, left: Some(left), reset, rate })
}

/// A service that counts as Envoy's does: hits add up in windows of the clock, also those that were too many.
#[cfg(any(test, not(target_arch = "wasm32")))]
#[derive(Debug, Clone, Default)]
pub struct StandIn {
    counts: std::collections::BTreeMap<(String, u64), u64>,
}

#[cfg(any(test, not(target_arch = "wasm32")))]
impl StandIn {
    /// What it answers to a call's body; `None`: that is no call of ours.
    pub fn answer(&mut self, body: &[u8], now: u64) -> Option<Vec<u8>> {
        let request = Request::decode(unframed(body)?).ok()?;
        let [descriptor] = request.descriptors.as_slice() else { return None };
        let limit = descriptor.limit.as_ref()?;
        let (per, _) = UNITS.iter().find(|(_, unit)| *unit == limit.unit)?;
        let window = now.checked_div(*per)?;
        let key = format!("{}/{:?}", request.domain, descriptor.entries);
        let count = self.counts.entry((key, window)).or_default();
        let hits =
            descriptor.hits_addend.as_ref().map_or(request.hits_addend.max(1).into(), |hits| hits.value);
        *count =
            if descriptor.is_negative_hits { count.saturating_sub(hits) } else { count.saturating_add(hits) };
        let most = u64::from(limit.requests_per_unit);
        let over = !descriptor.is_negative_hits && *count > most;
        let reset = per.saturating_sub(now.checked_rem(*per)?);
        let code = if over { OVER_LIMIT } else { OK };
        let status = Status {
            code,
            current_limit: Some(limit.clone()),
            limit_remaining: u32::try_from(most.saturating_sub(*count)).ok()?,
            duration_until_reset: Some(Span {
                seconds: i64::try_from(reset / SECOND).ok()?,
                nanos: i32::try_from(reset % SECOND).ok()?,
            }),
        };
        Some(framed(&Response { overall_code: code, statuses: vec![status] }))
    }

    /// The answer that says no more than yes or no.
    pub fn verdict(over: bool) -> Vec<u8> {
        let overall_code = if over { OVER_LIMIT } else { OK };
        framed(&Response { overall_code, statuses: Vec::new() })
    }

    /// How many hits there are on all limits together.
    pub fn total(&self) -> u64 {
        self.counts.values().fold(0, |sum, count| sum.saturating_add(*count))
    }
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    fn hits(hits: u64, back: bool) -> Vec<u8> {
        let entries = [("policy", "p"), ("budget", "b"), ("key", "alice")];
        ask(&Hits { domain: "d", entries: &entries, rate: Rate::new(10, 60 * SECOND), hits, back })
    }

    #[test]
    fn a_question_is_what_the_protocol_says() {
        let entry = |key: &str, value: &str| {
            let pair: Vec<u8> =
                [&[0x0a, key.len() as u8], key.as_bytes(), &[0x12, value.len() as u8], value.as_bytes()]
                    .concat();
            [vec![0x0a, pair.len() as u8], pair].concat()
        };
        let mut descriptor = [entry("policy", "p"), entry("budget", "b"), entry("key", "alice")].concat();
        // limit: 10 a minute.
        descriptor.extend([0x12, 4, 0x08, 10, 0x10, 2]);
        let asked = |descriptor: &[u8], tail: &[u8]| {
            let message = [&[0x0a, 1, b'd', 0x12, descriptor.len() as u8], descriptor, tail].concat();
            [vec![0, 0, 0, 0, message.len() as u8], message].concat()
        };
        assert_eq!(hits(3, false), asked(&descriptor, &[0x18, 3]));
        // Taken back: hits_addend 3 and is_negative_hits in the descriptor.
        descriptor.extend([0x1a, 2, 0x08, 3, 0x20, 1]);
        assert_eq!(hits(3, true), asked(&descriptor, &[]));
    }

    #[test]
    fn what_was_asked_is_counted_and_told() {
        let mut service = StandIn::default();
        let now = 600 * SECOND + 45 * SECOND;
        let mut tell = |body: &[u8]| said(&service.answer(body, now).unwrap()).unwrap();
        let rate = Some(Rate::new(10, 60 * SECOND));
        let first = tell(&hits(7, false));
        assert_eq!(first, Said { over: false, left: Some(3), reset: Some(15 * SECOND), rate });
        assert_eq!(tell(&hits(4, false)), Said { over: true, left: Some(0), ..first });
        assert_eq!(tell(&hits(6, true)), Said { over: false, left: Some(5), ..first });
    }

    #[test]
    fn an_answer_that_says_nothing_to_hold_to_is_an_error() {
        let answer = |response: &Response| said(&framed(response));
        let ok = |statuses: usize| Response { overall_code: OK, statuses: vec![Status::default(); statuses] };
        assert_eq!(answer(&ok(0)), Ok(Said { over: false, left: None, reset: None, rate: None }));
        assert_eq!(answer(&ok(2)), Err(SaidError::Statuses(2)));
        for overall_code in [0, 3, -1] {
            assert_eq!(answer(&Response { overall_code, statuses: Vec::new() }), Err(SaidError::Code));
        }
        assert_eq!(said(b""), Err(SaidError::Frame));
        assert_eq!(said(&[1, 0, 0, 0, 2, 0x08, 1]), Err(SaidError::Frame), "compressed");
        assert_eq!(said(&[0, 0, 0, 0, 9, 0x08, 1]), Err(SaidError::Frame), "cut off");
        assert_eq!(said(&[0, 0, 0, 0, 2, 0x08, 1, 0, 0, 0, 0, 0]), Err(SaidError::Frame), "two");
        assert_eq!(said(&[0, 0, 0, 0, 2, 0x08, 0xff]), Err(SaidError::Message));
        let negative = Span { seconds: -5, nanos: -1 };
        let status = Status { duration_until_reset: Some(negative), ..Status::default() };
        let told = answer(&Response { overall_code: OK, statuses: vec![status] });
        assert_eq!(told, Ok(Said { over: false, left: Some(0), reset: None, rate: None }));
    }

    #[test]
    fn a_service_counts_in_its_own_units_and_in_32_bits() {
        assert!(countable(Rate::new(u32::MAX.into(), 86_400 * SECOND)));
        assert!(!countable(Rate::new(1 << 32, 86_400 * SECOND)));
        assert!(!countable(Rate::new(1, 30 * SECOND)));
    }

    proptest! {
        #[test]
        fn no_answer_panics(bytes in proptest::collection::vec(any::<u8>(), 0..80), framed in any::<bool>()) {
            let body = match framed {
                true => [vec![0, 0, 0, 0, bytes.len() as u8], bytes].concat(),
                false => bytes,
            };
            let _ = said(&body);
        }
    }
}
