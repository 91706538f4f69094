//! OTLP in protobuf. Records are decoded one by one: a batch whole would take many times its size.

use opentelemetry_proto::tonic::common::v1::AnyValue;
use opentelemetry_proto::tonic::common::v1::any_value::Value as Kind;
use opentelemetry_proto::tonic::logs::v1::LogRecord;
use prost::Message as _;
use prost::encoding::{DecodeContext, WireType, decode_key, decode_varint, skip_field};
use serde_json::{Value, json};

use super::{Count, DecodeError, Log};

/// Where log records stand: `resource_logs`, `scope_logs`, `log_records`.
const PATH: [u32; 3] = [1, 2, 2];

pub fn decode(body: &[u8], mut take: impl FnMut(Log)) -> Result<(), DecodeError> {
    let mut count = Count::default();
    walk(body, &PATH, &mut |record| {
        count.next(record.len())?;
        let record = LogRecord::decode(record).map_err(|_| malformed("a log record"))?;
        take(record.into());
        Ok(())
    })
}

/// Finds the messages at the end of a path of field numbers.
fn walk<'b>(
    mut bytes: &'b [u8],
    path: &[u32],
    found: &mut impl FnMut(&'b [u8]) -> Result<(), DecodeError>,
) -> Result<(), DecodeError> {
    let Some((wanted, rest)) = path.split_first() else { return found(bytes) };
    while !bytes.is_empty() {
        let (field, wire) = decode_key(&mut bytes).map_err(|_| malformed("a key of a field"))?;
        if field != *wanted {
            skip_field(wire, field, &mut bytes, DecodeContext::default())
                .map_err(|_| malformed("a field"))?;
            continue;
        }
        if wire != WireType::LengthDelimited {
            return Err(malformed("a field of another type than it should be"));
        }
        let length = decode_varint(&mut bytes).ok().and_then(|length| usize::try_from(length).ok());
        let (inner, after) = length
            .and_then(|length| bytes.split_at_checked(length))
            .ok_or_else(|| malformed("a message that ends too early"))?;
        bytes = after;
        walk(inner, rest, found)?;
    }
    Ok(())
}

fn malformed(what: &str) -> DecodeError {
    DecodeError::Malformed(format!("{what} cannot be read"))
}

impl From<LogRecord> for Log {
    fn from(record: LogRecord) -> Self {
        let body = record.body.and_then(|body| match body.value {
            Some(Kind::StringValue(text)) => Some(text),
            _ => None,
        });
        let attributes = record.attributes.into_iter();
        let attributes = attributes.map(|one| (one.key, one.value.map_or(Value::Null, in_json)));
        Self { body, attributes: attributes.collect() }
    }
}

/// As OTLP writes it in JSON. Maps and bytes are of no attribute of ours, so that which it is says enough.
fn in_json(value: AnyValue) -> Value {
    match value.value {
        None | Some(Kind::StringValueStrindex(_)) => Value::Null,
        Some(Kind::StringValue(text)) => json!({ "stringValue": text }),
        Some(Kind::BoolValue(flag)) => json!({ "boolValue": flag }),
        Some(Kind::IntValue(int)) => json!({ "intValue": int.to_string() }),
        Some(Kind::DoubleValue(double)) => json!({ "doubleValue": double }),
        Some(Kind::ArrayValue(array)) => {
            let values: Vec<Value> = array.values.into_iter().map(in_json).collect();
            json!({ "arrayValue": { "values": values } })
        }
        Some(Kind::KvlistValue(_)) => json!({ "kvlistValue": {} }),
        Some(Kind::BytesValue(_)) => json!({ "bytesValue": "" }),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn field(number: u8, content: &[u8]) -> Vec<u8> {
        let mut out = vec![number << 3 | 2];
        prost::encoding::encode_varint(content.len() as u64, &mut out);
        out.extend_from_slice(content);
        out
    }

    #[test]
    fn records_of_all_resources_and_scopes_come_in_order() {
        let record = |text: &str| {
            let body = Some(AnyValue { value: Some(Kind::StringValue(text.into())) });
            field(2, &LogRecord { body, ..LogRecord::default() }.encode_to_vec())
        };
        // A resource before, a schema after, as senders write them.
        let scope = [field(1, b""), record("a"), record("b"), field(3, b"schema")].concat();
        let request = [field(1, &field(2, &scope)), field(1, &field(2, &record("c")))].concat();
        let mut bodies = Vec::new();
        decode(&request, |log| bodies.push(log.body.unwrap())).unwrap();
        assert_eq!(bodies, ["a", "b", "c"]);
        for end in 1..request.len() {
            let _ = decode(request.get(..end).unwrap(), |_| ());
        }
    }

    #[test]
    fn many_empty_records_are_refused_before_they_cost_memory() {
        let request = field(1, &field(2, &field(2, b"").repeat(crate::otlp::MOST_RECORDS + 1)));
        assert_eq!(decode(&request, |_| ()), Err(DecodeError::TooMany));
    }

    #[test]
    fn values_nested_without_end_are_refused() {
        let mut value = Vec::new();
        for _ in 0..1000 {
            value = field(5, &field(1, &value));
        }
        let request = field(1, &field(2, &field(2, &field(5, &value))));
        assert!(decode(&request, |_| ()).is_err());
    }
}
