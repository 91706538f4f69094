//! Answers about batches of messages, and their results: whole messages, one a line, of one another's texts nothing.
//!
//! Source: <https://docs.anthropic.com/en/api/creating-message-batches> and its sisters, and the official clients, which
//! take the results from wherever `results_url` says.

use crate::protocol::json::table::{COUNTS, LABEL, LINK, Place, Table, array, object};

use super::table::{CONTAINER, CONTENT, COUNTED, EVENT, FAILURE};

/// Batches, one or a list of them.
pub static BATCHES: Table = Table { root: &BATCH, event: &EVENT };
/// What came of each request of a batch.
pub static RESULTS: Table = Table { root: &LINE, event: &LINE };

static BATCH: Place = object(&[
    ("type", &LABEL),
    ("id", &LABEL),
    ("processing_status", &LABEL),
    ("request_counts", &COUNTS),
    ("created_at", &LABEL),
    ("expires_at", &LABEL),
    ("ended_at", &LABEL),
    ("archived_at", &LABEL),
    ("cancel_initiated_at", &LABEL),
    ("results_url", &LINK),
    ("data", &BATCH_LIST),
    ("first_id", &LABEL),
    ("last_id", &LABEL),
    ("error", &FAILURE),
    ("request_id", &LABEL),
]);
static BATCH_LIST: Place = array(&BATCH);

static LINE: Place = object(&[
    ("custom_id", &LABEL),
    ("result", &OUTCOME),
    ("type", &LABEL),
    ("error", &FAILURE),
    ("request_id", &LABEL),
]);
static OUTCOME: Place = object(&[("type", &LABEL), ("message", &MESSAGE), ("error", &ERROR)]);
/// Of one request: the others go on.
static ERROR: Place = object(&[("type", &LABEL), ("error", &REASON), ("request_id", &LABEL)]);
static REASON: Place = object(&[("type", &LABEL)]);

static MESSAGE: Place = object(&[
    ("type", &LABEL),
    ("id", &LABEL),
    ("role", &LABEL),
    ("model", &LABEL),
    ("content", &CONTENT),
    ("stop_reason", &LABEL),
    ("usage", &USAGE),
    ("container", &CONTAINER),
]);
/// Not read: it is of an exchange that was paid for when it was asked.
static USAGE: Place = Place { fields: &[("service_tier", &LABEL)], ..COUNTED };
#[cfg(test)]
mod tests {
    use super::*;
    use crate::protocol::rewrite::{BodyKind, ResponseRewriter};
    use crate::protocol::testing::Simple;
    use crate::protocol::{Thinking, Unreadable};

    fn run(kind: BodyKind, table: &'static Table, input: &str, cut: usize) -> Result<String, Unreadable> {
        let mut rewriter = ResponseRewriter::new(kind, table, Simple).with_thinking(Thinking::Mask);
        let (mut out, (first, second)) = (Vec::new(), input.as_bytes().split_at(cut));
        rewriter.push(first, false, &mut out)?;
        rewriter.push(second, true, &mut out)?;
        Ok(String::from_utf8(out).unwrap())
    }

    const BATCH: &str = r#"{"id":"msgbatch_SECRET","type":"message_batch","processing_status":"ended","request_counts":{"processing":0,"succeeded":12345},"ended_at":"2024-08-20T18:37:24","results_url":"https://api.anthropic.com/v1/messages/batches/msgbatch_1/results","note":"SECRET"}"#;

    #[test]
    fn a_batch_keeps_its_labels_and_its_results_are_found_by_way_of_the_proxy() {
        let expected =
            BATCH.replace("https://api.anthropic.com", "").replace(r#""note":"SECRET""#, r#""note":"<S>""#);
        for cut in 0..BATCH.len() {
            assert_eq!(run(BodyKind::Json, &BATCHES, BATCH, cut).as_deref(), Ok(expected.as_str()), "{cut}");
        }
        let list = format!(r#"{{"data":[{BATCH},{BATCH}],"has_more":false,"first_id":"a","last_id":"b"}}"#);
        let listed =
            format!(r#"{{"data":[{expected},{expected}],"has_more":false,"first_id":"a","last_id":"b"}}"#);
        assert_eq!(run(BodyKind::Json, &BATCHES, &list, 7), Ok(listed));
    }

    #[test]
    fn an_address_is_kept_whole_where_nothing_is_masked() {
        let mut rewriter = ResponseRewriter::new(BodyKind::Json, &BATCHES, Simple).without_drops();
        let mut out = Vec::new();
        rewriter.push(BATCH.as_bytes(), true, &mut out).unwrap();
        assert!(String::from_utf8(out).unwrap().contains("https://api.anthropic.com/v1/"));
    }

    const LINES: &str = r#"{"custom_id":"SECRET","result":{"type":"succeeded","message":{"id":"msg_SECRET","type":"message","role":"assistant","model":"claude","content":[{"type":"thinking","thinking":"a SECRET","signature":"sig"},{"type":"text","text":"12345 SEC"},{"type":"tool_use","id":"t","name":"db","input":{"q":"SECRET"}}],"stop_reason":"end_turn","usage":{"input_tokens":1100,"output_tokens":3400}}}}
{"custom_id":"b","result":{"type":"succeeded","message":{"content":[{"type":"text","text":"RET jane@example.com"},{"type":"redacted_thinking","data":"12345"}]}}}
{"custom_id":"c","result":{"type":"errored","error":{"type":"error","error":{"type":"invalid_request_error","message":"SECRET"},"request_id":"r"}}}
{"custom_id":"d","result":{"type":"expired"}}
"#;

    #[test]
    fn the_texts_of_results_are_masked_each_by_itself() {
        let expected = LINES
            .replace("a SECRET\",\"signature\":\"sig", "a <S>\",\"signature\":\"")
            .replace("\"text\":\"12345 SEC\"", "\"text\":\"<N> SEC\"")
            .replace("{\"q\":\"SECRET\"}", "{\"q\":\"<S>\"}")
            .replace("RET jane@example.com", r#"RET \"mail\\"#)
            .replace("\"message\":\"SECRET\"", "\"message\":\"<S>\"");
        assert_eq!(expected.matches('<').count(), 4);
        for cut in 0..LINES.len() {
            assert_eq!(
                run(BodyKind::Answers, &RESULTS, LINES, cut).as_deref(),
                Ok(expected.as_str()),
                "{cut}"
            );
        }
    }

    #[test]
    fn results_without_values_are_the_bytes_that_came() {
        let plain = LINES.replace("SECRET", "x").replace("12345", "1").replace("jane@example.com", "y");
        for cut in 0..plain.len() {
            assert_eq!(run(BodyKind::Answers, &RESULTS, &plain, cut).as_deref(), Ok(plain.as_str()), "{cut}");
        }
    }
}
