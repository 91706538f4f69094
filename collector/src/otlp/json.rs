//! OTLP in JSON.

use std::borrow::Cow;

use serde::Deserialize;
use serde_json::Value;
use serde_json::value::RawValue;

use super::{Count, DecodeError, Log};

#[derive(Deserialize)]
#[serde(rename_all = "camelCase")]
struct Request<'a> {
    #[serde(borrow, default)]
    resource_logs: Vec<Resource<'a>>,
}

#[derive(Deserialize)]
#[serde(rename_all = "camelCase")]
struct Resource<'a> {
    #[serde(borrow, default)]
    scope_logs: Vec<Scope<'a>>,
}

#[derive(Deserialize)]
#[serde(rename_all = "camelCase")]
struct Scope<'a> {
    #[serde(borrow, default)]
    log_records: Vec<&'a RawValue>,
}

#[derive(Deserialize)]
struct Record<'a> {
    #[serde(borrow)]
    body: Option<Body<'a>>,
    #[serde(borrow, default)]
    attributes: Vec<Attribute<'a>>,
}

#[derive(Deserialize)]
#[serde(rename_all = "camelCase")]
struct Body<'a> {
    #[serde(borrow)]
    string_value: Option<Cow<'a, str>>,
}

#[derive(Deserialize)]
struct Attribute<'a> {
    #[serde(borrow)]
    key: Cow<'a, str>,
    #[serde(default)]
    value: Value,
}

pub fn decode(body: &[u8], mut take: impl FnMut(Log)) -> Result<(), DecodeError> {
    let request: Request<'_> = serde_json::from_slice(body).map_err(|error| malformed(&error))?;
    let mut count = Count::default();
    let scopes = request.resource_logs.iter().flat_map(|resource| &resource.scope_logs);
    for record in scopes.flat_map(|scope| &scope.log_records) {
        count.next(record.get().len())?;
        let record: Record<'_> = serde_json::from_str(record.get()).map_err(|error| malformed(&error))?;
        take(Log {
            body: record.body.and_then(|body| body.string_value).map(Cow::into_owned),
            attributes: record
                .attributes
                .into_iter()
                .map(|attribute| (attribute.key.into_owned(), attribute.value))
                .collect(),
        });
    }
    Ok(())
}

/// The place alone: what stands there may be anybody's data.
fn malformed(error: &serde_json::Error) -> DecodeError {
    let what = match error.classify() {
        serde_json::error::Category::Syntax => "no JSON",
        serde_json::error::Category::Eof => "JSON that ends too early",
        _ => "a member of another type than it should be",
    };
    DecodeError::Malformed(format!("{what} at line {}, column {}", error.line(), error.column()))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn no_error_repeats_what_was_sent() {
        for body in [r#"{"resourceLogs":"secret"}"#, r#"{"resourceLogs":[secret]}"#, r#"{"secret"#] {
            let error = decode(body.as_bytes(), |_| ()).unwrap_err().to_string();
            assert!(!error.contains("secret") && error.contains("at line 1"), "{error}");
        }
    }

    #[test]
    fn what_is_null_or_not_there_counts_as_empty() {
        let body = r#"{"resourceLogs":[{"scopeLogs":[{"logRecords":[{"body":null},{"body":{"intValue":"1"}},{}]}]},{}]}"#;
        let mut logs = Vec::new();
        decode(body.as_bytes(), |log| logs.push(log)).unwrap();
        assert_eq!(logs, vec![Log::default(); 3]);
    }

    #[test]
    fn a_member_that_comes_twice_has_no_two_readings() {
        let body = r#"{"resourceLogs":[],"resourceLogs":[]}"#;
        assert!(decode(body.as_bytes(), |_| ()).is_err());
    }
}
