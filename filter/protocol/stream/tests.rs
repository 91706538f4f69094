//! Texts of every provider dealt out in random pieces, in random order, in random cuts of the bytes.

use std::collections::BTreeMap;

use proptest::prelude::*;
use serde_json::Value;

use crate::protocol::json::table::Table;
use crate::protocol::rewrite::{BodyKind, ResponseRewriter};
use crate::protocol::testing::{Simple, masked, masked_value};
use crate::protocol::{anthropic, cohere, openai};

/// A text of a stream: an event with a piece of it (`?`), the event that ends it (empty: none), and where the piece
/// stands.
struct Lane {
    delta: &'static str,
    end: &'static str,
    at: &'static str,
    json: bool,
}

const fn lane(delta: &'static str, end: &'static str, at: &'static str, json: bool) -> Lane {
    Lane { delta, end, at, json }
}

const ANTHROPIC: &[Lane] = &[
    lane(
        r#"{"type":"content_block_delta","index":0,"delta":{"type":"thinking_delta","thinking":"?"}}"#,
        r#"{"type":"content_block_stop","index":0}"#,
        "/delta/thinking",
        false,
    ),
    lane(
        r#"{"type":"content_block_delta","index":1,"delta":{"type":"text_delta","text":"?"}}"#,
        r#"{"type":"content_block_stop","index":1}"#,
        "/delta/text",
        false,
    ),
    lane(
        r#"{"index":2,"delta":{"partial_json":"?","type":"input_json_delta"},"type":"content_block_delta"}"#,
        r#"{"type":"content_block_stop","index":2}"#,
        "/delta/partial_json",
        true,
    ),
    lane(
        r#"{"type":"content_block_delta","index":3,"delta":{"type":"new_delta","new":["?"]}}"#,
        "",
        "/delta/new/0",
        false,
    ),
];

const RESPONSES: &[Lane] = &[
    lane(
        r#"{"type":"response.reasoning_summary_text.delta","sequence_number":#,"item_id":"r","output_index":0,"summary_index":0,"delta":"?"}"#,
        r#"{"type":"response.reasoning_summary_text.done","sequence_number":#,"item_id":"r","output_index":0,"summary_index":0,"text":""}"#,
        "/delta",
        false,
    ),
    lane(
        r#"{"type":"response.reasoning_summary_text.delta","sequence_number":#,"item_id":"r","output_index":0,"summary_index":1,"delta":"?"}"#,
        "",
        "/delta",
        false,
    ),
    lane(
        r#"{"type":"response.output_text.delta","sequence_number":#,"item_id":"m","output_index":1,"content_index":0,"delta":"?","logprobs":[]}"#,
        r#"{"type":"response.content_part.done","sequence_number":#,"item_id":"m","output_index":1,"content_index":0,"part":{}}"#,
        "/delta",
        false,
    ),
    lane(
        r#"{"type":"response.refusal.delta","sequence_number":#,"item_id":"m","output_index":1,"content_index":1,"delta":"?"}"#,
        "",
        "/delta",
        false,
    ),
    lane(
        r#"{"delta":"?","type":"response.function_call_arguments.delta","output_index":2,"item_id":"f","sequence_number":#}"#,
        r#"{"type":"response.output_item.done","sequence_number":#,"output_index":2,"item":{}}"#,
        "/delta",
        true,
    ),
];

const COHERE: &[Lane] = &[
    lane(
        r#"{"type":"content-delta","index":0,"delta":{"message":{"content":{"text":"?"}}}}"#,
        r#"{"type":"content-end","index":0}"#,
        "/delta/message/content/text",
        false,
    ),
    lane(
        r#"{"type":"tool-call-delta","index":0,"delta":{"message":{"tool_calls":{"function":{"arguments":"?"}}}}}"#,
        r#"{"type":"tool-call-end","index":0}"#,
        "/delta/message/tool_calls/function/arguments",
        true,
    ),
    lane(
        r#"{"type":"tool-plan-delta","delta":{"message":{"tool_plan":"?"}}}"#,
        "",
        "/delta/message/tool_plan",
        false,
    ),
];

const PROVIDERS: &[(&Table, &[Lane])] =
    &[(&anthropic::ANSWERS, ANTHROPIC), (&openai::ANSWERS, RESPONSES), (&cohere::ANSWERS, COHERE)];

fn prose() -> impl Strategy<Value = String> {
    let word = prop_oneof![
        Just("SECRET".to_owned()),
        Just("SECRE".to_owned()),
        Just("jane@example.com".to_owned()),
        Just("jane@".to_owned()),
        Just("café".to_owned()),
        Just("😀".to_owned()),
        Just("A\nB".to_owned()),
        Just("\"\\/ ".to_owned()),
        "[0-9]{1,6}",
        "[a-z ,é你]{0,5}",
    ];
    prop::collection::vec(word, 0..8).prop_map(|words| words.concat())
}

/// What names a text in an event: all but the piece and the number.
fn identity(event: &Value, at: &str) -> Option<(String, String)> {
    let mut event = event.clone();
    let piece = event.pointer(at)?.as_str()?.to_owned();
    *event.pointer_mut(at)? = Value::Null;
    let fields = event.as_object_mut()?;
    fields.remove("sequence_number");
    fields.remove("logprobs");
    Some((event.to_string(), piece))
}

fn documents(wire: &[u8]) -> Vec<Value> {
    let text = std::str::from_utf8(wire).unwrap();
    let data = text.lines().filter_map(|line| line.strip_prefix("data: "));
    data.map(|data| serde_json::from_str(data).unwrap_or_else(|error| panic!("{error}: {data}"))).collect()
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(96))]
    #[test]
    fn any_texts_in_any_order_and_pieces_are_their_masked_wholes(
        provider in 0..PROVIDERS.len(),
        texts in prop::collection::vec(prose(), 5),
        order in prop::collection::vec((any::<u16>(), 1usize..9), 400),
        named: bool,
        cuts in prop::collection::vec(1usize..300, 1..5),
    ) {
        let (table, lanes) = PROVIDERS[provider];
        let whole: Vec<String> = lanes.iter().zip(&texts).map(|(lane, text)| {
            if lane.json { serde_json::json!({ "a": text, "n": [1, 12345] }).to_string() } else { text.clone() }
        }).collect();
        let mut left: Vec<(&Lane, Vec<char>, bool)> =
            lanes.iter().zip(&whole).map(|(lane, text)| (lane, text.chars().collect(), false)).collect();
        let (mut stream, mut number) = (String::new(), 0);
        let mut send = |document: String| {
            let document = document.replace('#', &number.to_string());
            number += 1;
            let kind = serde_json::from_str::<Value>(&document).unwrap()["type"].as_str().unwrap().to_owned();
            if named { stream += &format!("event: {kind}\n"); }
            stream += &format!("data: {document}\n\n");
        };
        for (pick, size) in order {
            let open: Vec<usize> = (0..left.len()).filter(|at| !left[*at].2).collect();
            if open.is_empty() { break; }
            let (lane, text, ended) = &mut left[open[usize::from(pick) % open.len()]];
            if text.is_empty() {
                *ended = true;
                if !lane.end.is_empty() { send(lane.end.to_owned()); }
                continue;
            }
            let piece: String = text.drain(..size.min(text.len())).collect();
            let quoted = serde_json::to_string(&piece).unwrap();
            send(lane.delta.replace('?', &quoted[1..quoted.len() - 1]));
        }
        prop_assume!(left.iter().all(|(_, text, _)| text.is_empty()));
        let mut rewriter = ResponseRewriter::new(BodyKind::EventStream, table, Simple);
        let (mut out, mut rest) = (Vec::new(), stream.as_bytes());
        for size in cuts.iter().cycle() {
            let (piece, more) = rest.split_at((*size).min(rest.len()));
            rewriter.push(piece, more.is_empty(), &mut out).unwrap();
            rest = more;
            if rest.is_empty() { break; }
        }
        let mut seen: BTreeMap<String, String> = BTreeMap::new();
        let events = documents(&out);
        for event in &events {
            for lane in lanes {
                let pattern: Value = serde_json::from_str(&lane.delta.replace('#', "0")).unwrap();
                let Some((name, piece)) = identity(event, lane.at) else { continue };
                if Some(&name) == identity(&pattern, lane.at).map(|(name, _)| name).as_ref() {
                    seen.entry(name).or_default().push_str(&piece);
                }
            }
        }
        for (lane, text) in lanes.iter().zip(&whole) {
            let pattern: Value = serde_json::from_str(&lane.delta.replace('#', "0")).unwrap();
            let name = identity(&pattern, lane.at).unwrap().0;
            let joined = seen.get(&name).cloned().unwrap_or_default();
            let expected = match serde_json::from_str::<Value>(text) {
                Ok(value) if lane.json => masked_value(&value),
                _ => Value::from(masked(text)),
            };
            let joined = if lane.json { serde_json::from_str(&joined).unwrap() } else { Value::from(joined) };
            prop_assert_eq!(joined, expected, "{}", String::from_utf8_lossy(&out));
        }
        let numbers: Vec<u64> = events.iter().filter_map(|event| event["sequence_number"].as_u64()).collect();
        prop_assert!(numbers.iter().enumerate().all(|(at, number)| *number == at as u64), "{:?}", numbers);
    }
}
