//! Recorded streams and answers.

use serde_json::{Value, json};

use super::ANSWERS;
use crate::protocol::rewrite::{BodyKind, ResponseRewriter};
use crate::protocol::testing::doors::kept;
use crate::protocol::testing::recorded::Recorded;
use crate::protocol::testing::wires::{CHUNKS, FRAMES, chunk, event, frame, frames};
use crate::protocol::testing::{Simple, masked};

type Events = &'static [(&'static str, &'static str)];

const STOP: (&str, &str) = ("contentBlockStop", r#"{"contentBlockIndex":1,"p":"abcdefgh"}"#);
const END: (&str, &str) = (
    "messageStop",
    r#"{"p":"abcdefghijklmnopqrstuvwxyzABCDEFGHIJKLMNOPQRSTUVWXYZ0","stopReason":"end_turn"}"#,
);
const METADATA: (&str, &str) = (
    "metadata",
    r#"{"metrics":{"latencyMs":551},"p":"ab","usage":{"inputTokens":11,"outputTokens":20,"totalTokens":31}}"#,
);
const START: (&str, &str) = ("messageStart", r#"{"p":"abcdefgh","role":"assistant"}"#);

fn recorded(head: Events, delta: &'static str, tail: Events, at: &'static str, json: bool) -> Recorded {
    Recorded { table: &ANSWERS, wire: FRAMES, head, delta: ("contentBlockDelta", delta), tail, at, json }
}

#[test]
fn every_text_of_converse_obeys_the_laws() {
    let tail: Events = &[STOP, END, METADATA];
    let tool: Events = &[
        START,
        (
            "contentBlockStart",
            r#"{"contentBlockIndex":1,"p":"ab","start":{"toolUse":{"name":"top_song","toolUseId":"tooluse_1"}}}"#,
        ),
    ];
    for (head, delta, at, json) in [
        (
            &[START] as Events,
            r#"{"contentBlockIndex":1,"delta":{"text":"?"},"p":"abcdefghijk"}"#,
            "/delta/text",
            false,
        ),
        (tool, r#"{"delta":{"toolUse":{"input":"?"}},"contentBlockIndex":1}"#, "/delta/toolUse/input", true),
        (
            &[START],
            r#"{"contentBlockIndex":1,"delta":{"reasoningContent":{"text":"?"}}}"#,
            "/delta/reasoningContent/text",
            false,
        ),
        (&[START], r#"{"contentBlockIndex":1,"delta":{"note":{"said":"?"}}}"#, "/delta/note/said", false),
    ] {
        recorded(head, delta, tail, at, json).laws();
    }
    recorded(&[START], r#"{"contentBlockIndex":1,"delta":{"text":"?"}}"#, &[END], "/delta/text", false)
        .laws();
}

#[test]
fn every_models_own_text_obeys_the_laws() {
    const NOVA_STOP: Events = &[
        ("", r#"{"contentBlockStop":{"contentBlockIndex":1}}"#),
        ("", r#"{"messageStop":{"stopReason":"end_turn"}}"#),
        (
            "",
            r#"{"metadata":{"usage":{"inputTokens":5,"outputTokens":6}},"amazon-bedrock-invocationMetrics":{"inputTokenCount":5,"invocationLatency":551}}"#,
        ),
    ];
    const CLAUDE_STOP: Events = &[
        ("", r#"{"type":"content_block_stop","index":0}"#),
        (
            "",
            r#"{"type":"message_delta","delta":{"stop_reason":"end_turn","stop_sequence":null},"usage":{"output_tokens":15}}"#,
        ),
        (
            "",
            r#"{"type":"message_stop","amazon-bedrock-invocationMetrics":{"inputTokenCount":5,"outputTokenCount":6,"invocationLatency":551,"firstByteLatency":409}}"#,
        ),
    ];
    const OPENAI_STOP: Events = &[(
        "",
        r#"{"choices":[{"delta":{},"finish_reason":"stop","index":0}],"id":"c","object":"chat.completion.chunk"}"#,
    )];
    let texts: [(&str, &str, Events, bool); 9] = [
        (
            r#"{"type":"content_block_delta","index":0,"delta":{"type":"text_delta","text":"?"}}"#,
            "/delta/text",
            CLAUDE_STOP,
            false,
        ),
        (
            r#"{"type":"content_block_delta","index":0,"delta":{"type":"input_json_delta","partial_json":"?"}}"#,
            "/delta/partial_json",
            CLAUDE_STOP,
            true,
        ),
        (
            r#"{"contentBlockDelta":{"contentBlockIndex":1,"delta":{"text":"?"}}}"#,
            "/contentBlockDelta/delta/text",
            NOVA_STOP,
            false,
        ),
        (
            r#"{"contentBlockDelta":{"delta":{"toolUse":{"input":"?"}},"contentBlockIndex":1}}"#,
            "/contentBlockDelta/delta/toolUse/input",
            NOVA_STOP,
            true,
        ),
        (
            r#"{"generation":"?","prompt_token_count":null,"generation_token_count":null,"stop_reason":null}"#,
            "/generation",
            &[(
                "",
                r#"{"generation":"","prompt_token_count":null,"generation_token_count":37,"stop_reason":"stop"}"#,
            )],
            false,
        ),
        (
            r#"{"outputText":"?","index":0,"totalOutputTextTokenCount":null,"completionReason":null,"inputTextTokenCount":5}"#,
            "/outputText",
            &[(
                "",
                r#"{"outputText":"","index":0,"totalOutputTextTokenCount":37,"completionReason":"FINISHED","inputTextTokenCount":null}"#,
            )],
            false,
        ),
        (
            r#"{"outputs":[{"text":"?","stop_reason":null}]}"#,
            "/outputs/0/text",
            &[("", r#"{"outputs":[{"text":"","stop_reason":"stop"}]}"#)],
            false,
        ),
        (
            r#"{"id":"c","object":"chat.completion.chunk","choices":[{"index":0,"delta":{"content":"?"},"finish_reason":null}]}"#,
            "/choices/0/delta/content",
            OPENAI_STOP,
            false,
        ),
        (r#"{"something":{"new":"?"}}"#, "/something/new", &[], false),
    ];
    for (delta, at, tail, json) in texts {
        Recorded { table: &ANSWERS, wire: CHUNKS, head: &[], delta: ("", delta), tail, at, json }.laws();
    }
}

fn rewrite(kind: BodyKind, body: &[u8]) -> (Vec<u8>, ResponseRewriter<Simple>) {
    let mut rewriter = ResponseRewriter::new(kind, &ANSWERS, Simple);
    let mut out = Vec::new();
    rewriter.push(body, true, &mut out).unwrap();
    (out, rewriter)
}

fn whole(body: &Value) -> Value {
    serde_json::from_slice(&rewrite(BodyKind::Json, body.to_string().as_bytes()).0).unwrap()
}

#[test]
fn a_whole_answer_of_converse_is_masked_in_every_block_and_its_side_doors_are_closed() {
    let (mail, hidden) = ("jane@example.com", masked("jane@example.com"));
    let body = json!({
        "output": {"message": {"role": "assistant", "content": [
            {"reasoningContent": {"reasoningText": {"text": "SECRET", "signature": "c2lnbmVk"}}},
            {"reasoningContent": {"redactedContent": "MTIzNDUxMjM0NQ=="}},
            {"text": "to SECRET"},
            {"toolUse": {"toolUseId": "tooluse_12345", "name": "send", "input": {"to": mail, "n": 12345, "SECRET": []}}},
            {"image": {"format": "png", "source": {"bytes": "MTIzNDU="}}},
            {"citationsContent": {"content": [{"text": "SECRET"}], "citations": [{"title": "SECRET", "sourceContent": [{"text": mail}]}]}},
        ]}},
        "stopReason": "tool_use", "usage": {"inputTokens": 12345, "outputTokens": 7, "totalTokens": 12352, "cacheReadInputTokens": 3},
        "metrics": {"latencyMs": 12345}, "performanceConfig": {"latency": "standard"},
        "additionalModelResponseFields": {"stop_sequence": "SECRET", "n": 12345},
        "trace": {"guardrail": {"modelOutput": ["say SECRET"], "outputAssessments": {"g1": [{"sensitiveInformationPolicy": {"piiEntities": [{"match": mail, "type": "EMAIL", "action": "ANONYMIZED"}]}}]}}},
    });
    let mut expected: Value = serde_json::from_str(
        &body
            .to_string()
            .replace("SECRET", "<S>")
            .replace(mail, &hidden.replace('\\', "\\\\").replace('"', "\\\"")),
    )
    .unwrap();
    expected["output"]["message"]["content"][0]["reasoningContent"]["reasoningText"]["signature"] = "".into();
    expected["output"]["message"]["content"][3]["toolUse"]["input"]["n"] = 0.into();
    expected["additionalModelResponseFields"]["n"] = 0.into();
    // A signature stands behind what it signs.
    let sorted = r#"{"signature":"c2lnbmVk","text":"SECRET"}"#;
    let body = body.to_string().replace(sorted, r#"{"text":"SECRET","signature":"c2lnbmVk"}"#);
    let (out, rewriter) = rewrite(BodyKind::Json, body.as_bytes());
    assert_eq!(serde_json::from_slice::<Value>(&out).unwrap(), expected);
    assert_eq!(rewriter.finish_reason(), "tool_use");
    assert_eq!(
        (rewriter.usage().prompt, rewriter.usage().total, rewriter.usage().cached),
        (Some(12345), Some(12352), Some(3))
    );
}

#[test]
fn whole_answers_of_all_models_are_masked() {
    for (body, counted) in [
        (
            json!({"id": "msg_12345", "type": "message", "role": "assistant", "model": "claude", "content": [{"type": "text", "text": "SECRET"}], "stop_reason": "end_turn", "usage": {"input_tokens": 12345, "output_tokens": 7}}),
            true,
        ),
        (
            json!({"generation": "SECRET", "prompt_token_count": 12345, "generation_token_count": 7, "stop_reason": "stop"}),
            true,
        ),
        (
            json!({"inputTextTokenCount": 12345, "results": [{"tokenCount": 12345, "outputText": "SECRET", "completionReason": "FINISH"}]}),
            true,
        ),
        (json!({"outputs": [{"text": "SECRET", "stop_reason": "stop"}]}), false),
        (
            json!({"choices": [{"index": 0, "message": {"role": "assistant", "content": "SECRET"}, "finish_reason": "stop"}]}),
            false,
        ),
        (
            json!({"generations": [{"id": "g12345", "text": "SECRET", "finish_reason": "COMPLETE"}], "prompt": "SECRET"}),
            false,
        ),
        (json!({"message": "SECRET is not authorized"}), false),
        (json!({"unheard": ["SECRET"]}), false),
    ] {
        let expected: Value = serde_json::from_str(&body.to_string().replace("SECRET", "<S>")).unwrap();
        assert_eq!(whole(&body), expected);
        let (_, rewriter) = rewrite(BodyKind::Json, body.to_string().as_bytes());
        assert_eq!(rewriter.usage().prompt, counted.then_some(12345), "{body}");
    }
    let tokens = json!({"completions": [{"data": {"text": "SECRET", "tokens": [{"generatedToken": {"token": "SEC"}}]}}], "prompt": {"text": "SECRET", "tokens": [1]}});
    let expected = json!({"completions": [{"data": {"text": "<S>", "tokens": []}}], "prompt": {"text": "<S>", "tokens": []}});
    assert_eq!(whole(&tokens), expected);
    let embedding = json!({"embedding": [0.12345, 12345.0], "inputTextTokenCount": 12345});
    assert_eq!(whole(&embedding), embedding);
}

#[test]
fn a_guardrails_trace_in_a_stream_is_masked() {
    let trace = json!({"trace": {"guardrail": {"outputAssessments": {"g": [{"sensitiveInformationPolicy": {"regexes": [{"match": "12345", "name": "n"}]}}]}}}, "usage": {"inputTokens": 12345}});
    let (out, rewriter) =
        rewrite(BodyKind::AwsFrames, &frame(&event("metadata"), trace.to_string().as_bytes()));
    let payload: Value = serde_json::from_slice(&frames(&out)[0].1).unwrap();
    assert_eq!(
        payload["trace"]["guardrail"]["outputAssessments"]["g"][0]["sensitiveInformationPolicy"]["regexes"]
            [0]["match"],
        "<N>"
    );
    assert_eq!(rewriter.usage().prompt, Some(12345));
}

#[test]
fn blocks_are_kept_apart_and_frames_without_a_find_stay_to_the_byte() {
    let delta = |index: u64, text: &str| {
        frame(
            &event("contentBlockDelta"),
            json!({"contentBlockIndex": index, "delta": {"text": text}}).to_string().as_bytes(),
        )
    };
    let stop = |index: u64| {
        frame(&event("contentBlockStop"), json!({"contentBlockIndex": index}).to_string().as_bytes())
    };
    let stream =
        [delta(0, "a SEC"), delta(1, "12"), delta(0, "RET"), delta(1, "345 SEC"), stop(0), stop(1)].concat();
    let (out, _) = rewrite(BodyKind::AwsFrames, &stream);
    let seen: Vec<Value> =
        frames(&out).iter().map(|(_, payload)| serde_json::from_slice(payload).unwrap()).collect();
    let texts: Vec<&str> = seen.iter().filter_map(|payload| payload["delta"]["text"].as_str()).collect();
    assert_eq!(texts, ["a ", "", "<S>", "<N> ", "SEC"]);
    let tail = &frames(&out)[5];
    assert_eq!(tail.0, event("contentBlockDelta").map(|(name, value)| (name.to_owned(), value.to_owned())));
    assert_eq!(seen[5], json!({"contentBlockIndex": 1, "delta": {"text": "SEC"}}));
    assert!(out.ends_with(&stop(1)));
    let same = [delta(0, "nothing "), chunk("{}"), stop(0)].concat();
    assert_eq!(rewrite(BodyKind::AwsFrames, &same).0, same);
}

#[test]
fn chunks_that_are_not_packed_are_read_too() {
    let delta = |text: &str| {
        let document =
            json!({"type": "content_block_delta", "index": 0, "delta": {"type": "text_delta", "text": text}});
        frame(&event("chunk"), document.to_string().as_bytes())
    };
    let stop = frame(&event("chunk"), br#"{"type":"content_block_stop","index":0}"#);
    let (out, _) = rewrite(BodyKind::AwsFrames, &[delta("a SEC"), delta("RET SEC"), stop].concat());
    let seen = frames(&out);
    let payloads: Vec<Value> =
        seen.iter().map(|(_, payload)| serde_json::from_slice(payload).unwrap()).collect();
    let texts: Vec<&str> = payloads.iter().filter_map(|payload| payload["delta"]["text"].as_str()).collect();
    assert_eq!(texts, ["a ", "<S> ", "SEC"]);
    assert!(seen.iter().all(|(headers, _)| headers[0].1 == "chunk"));
}

#[test]
fn labels_are_kept_and_nothing_else() {
    let whole = [
        r#"{"output":{"message":{"role":"assistant","new":"x","content":[{"text":"x","new":{"a":"x"},
            "toolUse":{"toolUseId":"t","type":"server_tool_use","name":"x","input":{"a":"x","n":1}},
            "toolResult":{"toolUseId":"t","status":"success","content":[{"text":"x","json":{"a":"x"}}]},
            "reasoningContent":{"reasoningText":{"text":"x","signature":"s"},"redactedContent":"b"},
            "image":{"format":"png","source":{"bytes":"b","s3Location":{"uri":"x"}}},"document":{"format":"txt","name":"x","source":{"text":"x"},"context":"x"},
            "citationsContent":{"content":[{"text":"x"}],"citations":[{"title":"x","source":"x","sourceContent":[{"text":"x"}],"location":{"web":{"url":"x"}}}]},
            "guardContent":{"text":{"text":"x"}},"searchResult":{"source":"x","title":"x","content":[{"text":"x"}]}}]}},
            "stopReason":"end_turn","usage":{"inputTokens":1,"outputTokens":1,"totalTokens":2,"cacheWriteInputTokens":1,"new":"x"},
            "metrics":{"latencyMs":1},"performanceConfig":{"latency":"standard","new":"x"},"serviceTier":{"type":"default"},
            "additionalModelResponseFields":{"stop_sequence":"x","n":1},
            "trace":{"promptRouter":{"invokedModelId":"m"},"guardrail":{"modelOutput":["x"],"actionReason":"x","inputAssessment":{"g":{"wordPolicy":{"customWords":[{"match":"x","action":"x"}]}}}}},
            "message":"x","Message":"x","__type":"t","new":["x",1]}"#,
        r#"{"id":"i","object":"o","type":"message","role":"assistant","model":"m","content":[{"type":"text","text":"x","new":"x"},{"type":"tool_use","id":"t","name":"x","input":{"a":"x","n":1}},{"type":"thinking","thinking":"x","signature":"s"}],"stop_reason":"end_turn","stop_sequence":"x","usage":{"input_tokens":1,"output_tokens":1,"service_tier":"s"},"amazon-bedrock-guardrailAction":"NONE","amazon-bedrock-trace":{"guardrail":{"match":"x"}},"amazon-bedrock-invocationMetrics":{"inputTokenCount":1}}"#,
        r#"{"generation":"x","prompt":"x","prompt_token_count":1,"generation_token_count":1,"stop_reason":"stop","outputText":"x","results":[{"tokenCount":1,"outputText":"x","completionReason":"FINISH","new":"x"}],"inputTextTokenCount":1,"outputs":[{"text":"x"}],"generations":[{"id":"g","text":"x","finish_reason":"C","token_likelihoods":[{"token":"x"}]}],"text":"x","chat_history":[{"role":"x","message":"x"}],"generation_id":"g","response_id":"r"}"#,
        r#"{"completions":[{"data":{"text":"x","tokens":[{"token":"x"}]},"finishReason":{"reason":"x"}}],"prompt":{"text":"x","tokens":[{"token":"x"}]},"modelSummaries":[{"modelArn":"a","modelId":"m","modelName":"x","providerName":"x"}],"images":["b"]}"#,
    ];
    let labels = [
        "__type",
        "amazon-bedrock-guardrailAction",
        "bytes",
        "completionReason",
        "finish_reason",
        "format",
        "generation_id",
        "id",
        "images",
        "invokedModelId",
        "latency",
        "model",
        "modelArn",
        "modelId",
        "object",
        "redactedContent",
        "response_id",
        "role",
        "service_tier",
        "signature",
        "status",
        "stopReason",
        "stop_reason",
        "toolUseId",
        "type",
    ];
    let counts = [
        "cacheWriteInputTokens",
        "generation_token_count",
        "inputTextTokenCount",
        "inputTokenCount",
        "inputTokens",
        "input_tokens",
        "latencyMs",
        "outputTokens",
        "output_tokens",
        "prompt_token_count",
        "tokenCount",
        "totalTokens",
    ];
    let (strings, numbers) = kept(&ANSWERS, BodyKind::Json, &whole);
    assert_eq!(strings, labels);
    assert_eq!(numbers, counts);

    let events = [
        r#"{"contentBlockStart":{"contentBlockIndex":0,"start":{"toolUse":{"toolUseId":"t","name":"x"},"new":"x"},"p":"x"}}"#,
        r#"{"contentBlockDelta":{"contentBlockIndex":0,"delta":{"text":"x","toolUse":{"input":"x"},"reasoningContent":{"text":"x","signature":"s","redactedContent":"b"},"citation":{"title":"x","source":"x","sourceContent":[{"text":"x"}],"location":{"documentChar":{"start":1,"end":2},"web":{"url":"x"}}},"toolResult":[{"text":"x","json":{"a":"x"}}],"image":{"format":"png","source":{"bytes":"b"},"error":{"message":"x"}},"new":"x"},"p":"x"}}"#,
        r#"{"messageStop":{"stopReason":"end_turn","additionalModelResponseFields":{"a":"x","n":1},"p":"x"}}"#,
        r#"{"metadata":{"usage":{"inputTokens":1},"metrics":{"latencyMs":1},"trace":{"guardrail":{"modelOutput":["x"]}},"new":"x"}}"#,
        r#"{"generation":"x","outputText":"x","outputs":[{"text":"x","new":"x"}],"text":"x","index":0,"event_type":"text-generation","response":{"text":"x","chat_history":[{"message":"x"}]},"new":{"a":"x"},"p":"x","logprobs":{"token":"x"},"completionReason":"F"}"#,
        r#"{"type":"content_block_start","index":0,"content_block":{"type":"tool_use","id":"t","name":"x","input":{"a":"x"}}}"#,
    ];
    let (strings, numbers) = kept(&ANSWERS, BodyKind::EventStream, &events);
    assert_eq!(
        strings,
        [
            "bytes",
            "completionReason",
            "event_type",
            "format",
            "id",
            "redactedContent",
            "signature",
            "stopReason",
            "toolUseId",
            "type"
        ]
    );
    assert_eq!(numbers, ["contentBlockIndex", "end", "index", "inputTokens", "latencyMs", "start"]);
}
