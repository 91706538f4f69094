//! Recorded streams and answers.

use serde_json::{Value, json};

use super::ANSWERS;
use crate::protocol::rewrite::{BodyKind, ResponseRewriter};
use crate::protocol::testing::doors::kept;
use crate::protocol::testing::recorded::{Recorded, SSE};
use crate::protocol::testing::wires::ARRAY;
use crate::protocol::testing::{Simple, masked};

const EMPTY_END: &str = r#"{"candidates":[{"content":{"parts":[{"text":""}],"role":"model"},"finishReason":"STOP","index":0}],"usageMetadata":{"promptTokenCount":4,"candidatesTokenCount":10,"totalTokenCount":14,"promptTokensDetails":[{"modality":"TEXT","tokenCount":4}]},"modelVersion":"gemini-2.5-flash","responseId":"r1"}"#;
const BARE_END: &str = r#"{"candidates":[{"finishReason":"STOP","index":0}],"usageMetadata":{"promptTokenCount":4,"totalTokenCount":14}}"#;

/// The table, in both of the API's framings.
fn laws(delta: &'static str, tail: &'static [(&'static str, &'static str)], at: &'static str) {
    for wire in [SSE, ARRAY] {
        Recorded { table: &ANSWERS, wire, head: &[], delta: ("", delta), tail, at, json: false }.laws();
    }
}

#[test]
fn every_text_of_a_candidate_obeys_the_laws() {
    let text = "/candidates/0/content/parts/0/text";
    laws(
        r#"{"candidates":[{"content":{"parts":[{"text":"?"}],"role":"model"},"index":0}],"usageMetadata":{"promptTokenCount":4,"candidatesTokenCount":10,"totalTokenCount":14},"modelVersion":"gemini-2.5-flash","responseId":"r1"}"#,
        &[("", BARE_END)],
        text,
    );
    laws(
        r#"{"candidates":[{"content":{"parts":[{"text":"?","thought":true}],"role":"model"},"index":0}]}"#,
        &[("", EMPTY_END)],
        text,
    );
    laws(
        r#"{"candidates":[{"content":{"parts":[{"said":"?"}],"role":"model"},"index":0}]}"#,
        &[("", BARE_END)],
        "/candidates/0/content/parts/0/said",
    );
    laws(
        r#"{"candidates":[{"content":{"parts":[{"functionCall":{"partialArgs":[{"jsonPath":"$.to","stringValue":"?","willContinue":true}],"willContinue":true}}],"role":"model"},"index":0}]}"#,
        &[("", BARE_END)],
        "/candidates/0/content/parts/0/functionCall/partialArgs/0/stringValue",
    );
}

fn rewrite(kind: BodyKind, body: &str) -> (String, ResponseRewriter<Simple>) {
    let mut rewriter = ResponseRewriter::new(kind, &ANSWERS, Simple);
    let mut out = Vec::new();
    for piece in body.as_bytes().chunks(13) {
        rewriter.push(piece, false, &mut out).unwrap();
    }
    rewriter.push(b"", true, &mut out).unwrap();
    (String::from_utf8(out).unwrap(), rewriter)
}

/// The texts of a stream, joined as the official client does: by candidate, thoughts apart.
fn joined(events: &[Value]) -> Vec<((u64, bool), String)> {
    let mut texts: Vec<((u64, bool), String)> = Vec::new();
    for candidate in events.iter().flat_map(|event| event["candidates"].as_array().into_iter().flatten()) {
        for part in candidate["content"]["parts"].as_array().into_iter().flatten() {
            let key = (candidate["index"].as_u64().unwrap_or(0), part["thought"] == true);
            let Some(text) = part["text"].as_str() else { continue };
            match texts.iter_mut().find(|(known, _)| *known == key) {
                Some((_, known)) => known.push_str(text),
                None => texts.push((key, text.to_owned())),
            }
        }
    }
    texts.sort();
    texts
}

#[test]
fn candidates_and_thoughts_are_kept_apart_and_the_last_chunk_takes_the_tail() {
    let event = |index: u64, part: Value, finish: Option<&str>| {
        let mut candidate = json!({"content": {"parts": [part], "role": "model"}, "index": index});
        if let Some(finish) = finish {
            candidate["finishReason"] = finish.into();
        }
        json!({"candidates": [candidate]})
    };
    let thought = |text: &str| json!({"thought": true, "text": text});
    let text = |text: &str| json!({"text": text});
    let events = [
        event(0, thought("I see SEC"), None),
        event(1, text("jane@"), None),
        event(0, thought("RET and jane@ex"), None),
        event(0, text("to SEC"), None),
        event(1, text("example.com 12"), Some("STOP")),
        event(0, text("R"), Some("STOP")),
    ];
    let expected: Vec<_> = joined(&events).into_iter().map(|(key, text)| (key, masked(&text))).collect();
    let (out, _) = rewrite(BodyKind::JsonArray, &json!(events).to_string());
    let seen: Vec<Value> = serde_json::from_str(&out).unwrap();
    assert_eq!(joined(&seen), expected);
    // Only the thoughts need an event of their own.
    assert_eq!(seen.len(), events.len() + 1);
    let tail = &seen[5]["candidates"][0];
    assert_eq!(tail["content"]["parts"][0], thought("jane@ex"));
    assert_eq!(seen[6]["candidates"][0]["finishReason"], "STOP");
}

#[test]
fn a_candidate_with_a_reason_to_stop_in_every_chunk_goes_on() {
    let event = |part: Value| json!({"candidates": [{"content": {"parts": [part]}, "finishReason": "STOP", "index": 0}]});
    let events = json!([
        event(json!({"text": "I see ", "thought": true})),
        event(json!({"text": "it is SECRET, "})),
        event(json!({"text": "SECRETs.", "thought": true})),
        event(json!({"text": "and no more"})),
    ]);
    let (out, _) = rewrite(BodyKind::JsonArray, &events.to_string());
    let seen: Vec<Value> = serde_json::from_str(&out).unwrap();
    assert_eq!(seen.len(), 4);
    let text = |thought: bool, text: &str| ((0, thought), text.to_owned());
    assert_eq!(joined(&seen), [text(false, "it is <S>, and no more"), text(true, "I see <S>s.")]);
}

#[test]
fn arguments_that_come_in_pieces_are_told_apart_by_their_path() {
    let event = |args: Value| json!({"candidates": [{"content": {"parts": [{"functionCall": {"partialArgs": args}}]}, "index": 0}]});
    let piece = |path: &str, text: &str| json!({"jsonPath": path, "stringValue": text});
    let events = json!([
        event(json!([piece("$.a", "x 9"), piece("$.b", "SEC")])),
        event(json!([piece("$.b", "RET"), {"jsonPath": "$.n", "numberValue": 12345}])),
        event(json!([piece("$.c", "12345 SEC")])),
        {"candidates": [{"finishReason": "STOP", "index": 0}]},
    ]);
    let (out, _) = rewrite(BodyKind::JsonArray, &events.to_string());
    let seen: Vec<Value> = serde_json::from_str(&out).unwrap();
    let mut texts = std::collections::BTreeMap::<String, String>::new();
    for event in &seen {
        for arg in event["candidates"][0]["content"]["parts"][0]["functionCall"]["partialArgs"]
            .as_array()
            .into_iter()
            .flatten()
        {
            *texts.entry(arg["jsonPath"].as_str().unwrap().into()).or_default() +=
                arg["stringValue"].as_str().unwrap_or_default();
        }
    }
    let texts: Vec<(&str, &str)> = texts.iter().map(|(path, text)| (path.as_str(), text.as_str())).collect();
    assert_eq!(texts, [("$.a", "x 9"), ("$.b", "<S>"), ("$.c", "<N> SEC"), ("$.n", "")]);
    assert!(!out.contains("12345"));
}

#[test]
fn a_whole_answer_is_masked_in_every_part_and_its_side_doors_are_closed() {
    let (mail, hidden) = ("jane@example.com", masked("jane@example.com"));
    let body = json!({
        "candidates": [{
            "content": {"role": "model", "parts": [
                {"text": format!("to {mail}"), "thought": true, "thoughtSignature": "c2lnbmVk"},
                {"text": "SECRET"},
                {"functionCall": {"id": "call-12345", "name": "send", "args": {"to": mail, "n": 12345, "deep": [{"SECRET": "x"}]}}},
                {"executableCode": {"language": "PYTHON", "code": "print('SECRET')"}},
                {"codeExecutionResult": {"outcome": "OUTCOME_OK", "output": "SECRET\n"}},
                {"inlineData": {"mimeType": "image/png", "data": "MTIzNDUxMjM0NQ=="}},
                {"fileData": {"mimeType": "text/plain", "fileUri": format!("https://x/{mail}")}},
            ]},
            "index": 0, "finishReason": "STOP", "finishMessage": "SECRET", "avgLogprobs": -0.12345,
            "safetyRatings": [{"category": "HARM_CATEGORY_HATE_SPEECH", "probability": "NEGLIGIBLE", "blocked": false}],
            "logprobsResult": {"chosenCandidates": [{"token": "SECRET", "tokenId": 12345, "logProbability": -0.1}]},
            "citationMetadata": {"citationSources": [{"startIndex": 12345, "endIndex": 12350, "uri": format!("https://x/{mail}"), "license": ""}]},
            "groundingMetadata": {
                "webSearchQueries": [format!("who is {mail}")],
                "searchEntryPoint": {"renderedContent": "<b>SECRET</b>", "sdkBlob": "MTIzNDU="},
                "groundingChunks": [{"web": {"uri": "https://x/SECRET", "title": "SECRET"}}],
                "groundingSupports": [{"segment": {"startIndex": 3, "endIndex": 12345, "text": format!("to {mail}")}, "groundingChunkIndices": [0], "confidenceScores": [0.12345]}],
            },
            "urlContextMetadata": {"urlMetadata": [{"retrievedUrl": format!("https://x/?q={mail}"), "urlRetrievalStatus": "URL_RETRIEVAL_STATUS_SUCCESS"}]},
        }],
        "promptFeedback": {"blockReason": "SAFETY", "blockReasonMessage": "SECRET"},
        "usageMetadata": {"promptTokenCount": 12345, "candidatesTokenCount": 7, "totalTokenCount": 12352, "cachedContentTokenCount": 3, "thoughtsTokenCount": 5, "trafficType": "ON_DEMAND"},
        "modelVersion": "gemini-2.5-flash", "responseId": "r-12345", "unheard": {"of": "SECRET", "n": 12345},
    });
    let (out, rewriter) = rewrite(BodyKind::JsonArray, &body.to_string());
    let mut expected: Value = serde_json::from_str(
        &body
            .to_string()
            .replace("SECRET", "<S>")
            .replace(mail, &hidden.replace('\\', "\\\\").replace('"', "\\\"")),
    )
    .unwrap();
    let candidate = &mut expected["candidates"][0];
    candidate["content"]["parts"][2]["functionCall"]["args"]["n"] = 0.into();
    candidate["logprobsResult"] = Value::Null;
    // The citations stand before the text here, for serde_json sorts.
    for offset in [
        "/groundingMetadata/groundingSupports/0/segment/startIndex",
        "/groundingMetadata/groundingSupports/0/segment/endIndex",
    ] {
        *candidate.pointer_mut(offset).unwrap() = 0.into();
    }
    expected["unheard"]["n"] = 0.into();
    assert_eq!(serde_json::from_str::<Value>(&out).unwrap(), expected);
    assert_eq!(
        (rewriter.id(), rewriter.model(), rewriter.finish_reason()),
        ("r-12345", "gemini-2.5-flash", "STOP")
    );
    let usage = rewriter.usage();
    assert_eq!(
        (usage.prompt, usage.completion, usage.total, usage.cached, usage.reasoning),
        (Some(12345), Some(7), Some(12352), Some(3), Some(5))
    );
}

#[test]
fn a_failure_ends_the_stream_in_both_forms() {
    let error = json!({"error": {"code": 429, "message": "SECRET is exhausted", "status": "RESOURCE_EXHAUSTED",
        "details": [{"@type": "type.googleapis.com/google.rpc.RetryInfo", "retryDelay": "12345s"}]}});
    let masked = error.to_string().replace("SECRET", "<S>");
    for body in [error.to_string(), format!("[{error}]")] {
        let (out, rewriter) = rewrite(BodyKind::JsonArray, &body);
        assert_eq!(out, body.replace(&error.to_string(), &masked));
        assert!(rewriter.failed());
    }
    let text = json!({"candidates": [{"content": {"parts": [{"text": "a SEC"}]}}]});
    let (out, _) = rewrite(BodyKind::JsonArray, &format!("[{text},{error}]"));
    let seen: Vec<Value> = serde_json::from_str(&out).unwrap();
    assert_eq!(joined(&seen), [((0, false), "a SEC".to_owned())]);
    assert_eq!(seen[2].to_string(), serde_json::from_str::<Value>(&masked).unwrap().to_string());
}

#[test]
fn embeddings_token_counts_and_models_pass_untouched() {
    for body in [
        json!({"embedding": {"values": [0.12345, 12345.0]}}),
        json!({"embeddings": [{"values": [0.12345]}, {"values": [-12345]}]}),
        json!({"totalTokens": 12345, "promptTokensDetails": [{"modality": "TEXT", "tokenCount": 12345}]}),
        json!({"models": [{"name": "models/gemini-2.5-12345", "version": "001", "displayName": "Gemini", "inputTokenLimit": 1048576, "temperature": 1, "supportedGenerationMethods": ["generateContent"]}], "nextPageToken": "Ch12345"}),
    ] {
        let body = body.to_string();
        assert_eq!(rewrite(BodyKind::Json, &body).0, body);
    }
}

#[test]
fn labels_are_kept_and_nothing_else() {
    let answer = r#"{"candidates":[{"index":0,"finishReason":"STOP","finishMessage":"x","tokenCount":1,"avgLogprobs":-1,"new":"x",
        "content":{"role":"model","new":"x","parts":[{"text":"x","thought":true,"thoughtSignature":"s","new":{"a":"x"},
            "inlineData":{"mimeType":"m","data":"b","displayName":"x"},"fileData":{"mimeType":"m","fileUri":"x"},
            "functionCall":{"id":"c","name":"x","args":{"a":"x","n":1},"new":"x","partialArgs":[{"jsonPath":"$.a","stringValue":"x","numberValue":1,"new":"x"}]},
            "functionResponse":{"id":"c","name":"x","response":{"a":"x"}},
            "executableCode":{"language":"PYTHON","code":"x"},"codeExecutionResult":{"outcome":"OK","output":"x"},
            "videoMetadata":{"startOffset":"x"}}]},
        "safetyRatings":[{"category":"c","probability":"p","probabilityScore":1,"severity":"s","severityScore":1,"blocked":false,"new":"x"}],
        "citationMetadata":{"citations":[{"startIndex":1,"endIndex":2,"uri":"x","title":"x","license":"x","publicationDate":{"year":2025}}],
            "citationSources":[{"startIndex":1,"endIndex":2,"uri":"x","license":"x"}]},
        "groundingMetadata":{"webSearchQueries":["x"],"retrievalQueries":["x"],"searchEntryPoint":{"renderedContent":"x","sdkBlob":"b"},
            "groundingChunks":[{"web":{"uri":"x","title":"x","domain":"x"},"retrievedContext":{"uri":"x","title":"x","text":"x"},"maps":{"placeId":"x","text":"x"}}],
            "groundingSupports":[{"segment":{"partIndex":0,"startIndex":1,"endIndex":2,"text":"x"},"groundingChunkIndices":[0],"confidenceScores":[0.5]}],
            "retrievalMetadata":{"googleSearchDynamicRetrievalScore":1},"googleMapsWidgetContextToken":"t"},
        "urlContextMetadata":{"urlMetadata":[{"retrievedUrl":"x","urlRetrievalStatus":"u"}]},
        "logprobsResult":{"topCandidates":[{"candidates":[{"token":"x","tokenId":1,"logProbability":-1}]}],"chosenCandidates":[{"token":"x","tokenId":1}]}}],
        "promptFeedback":{"blockReason":"B","blockReasonMessage":"x","safetyRatings":[]},"modelVersion":"m","responseId":"r","createTime":"t",
        "usageMetadata":{"promptTokenCount":1,"thoughtsTokenCount":1,"toolUsePromptTokenCount":1,"promptTokensDetails":[{"modality":"TEXT","tokenCount":1,"new":"x"}],"trafficType":"T","new":"x"},
        "error":{"code":400,"message":"x","status":"S","details":[{"@type":"t","reason":"R","domain":"d","metadata":{"service":"x"},"fieldViolations":[{"field":"x","description":"x"}]}]},
        "name":"models/m","displayName":"x","description":"x","new":{"a":"x","n":1}}"#;
    let labels = [
        "@type",
        "blockReason",
        "category",
        "createTime",
        "data",
        "domain",
        "finishReason",
        "googleMapsWidgetContextToken",
        "id",
        "jsonPath",
        "language",
        "mimeType",
        "modality",
        "modelVersion",
        "name",
        "outcome",
        "probability",
        "reason",
        "responseId",
        "role",
        "sdkBlob",
        "severity",
        "status",
        "thoughtSignature",
        "trafficType",
        "urlRetrievalStatus",
    ];
    let counts = [
        "avgLogprobs",
        "code",
        "confidenceScores",
        "endIndex",
        "googleSearchDynamicRetrievalScore",
        "groundingChunkIndices",
        "index",
        "partIndex",
        "probabilityScore",
        "promptTokenCount",
        "severityScore",
        "startIndex",
        "thoughtsTokenCount",
        "tokenCount",
        "toolUsePromptTokenCount",
        "year",
    ];
    for kind in [BodyKind::Json, BodyKind::EventStream] {
        let (strings, numbers) = kept(&ANSWERS, kind, &[&answer.replace('\n', "")]);
        assert_eq!(strings, labels);
        assert_eq!(numbers, counts);
    }
    // Names of functions are no names of models, domains of pages none of errors.
    for (place, value) in
        [("\"name\":\"x\"", "\"name\":\"SECRET\""), ("\"domain\":\"x\"", "\"domain\":\"SECRET\"")]
    {
        let (out, _) = rewrite(BodyKind::Json, &answer.replace(place, value));
        assert!(!out.contains("SECRET"), "{place}");
    }
}

#[test]
fn offsets_move_with_what_is_masked_before_them() {
    let piece = |text: &str| json!({"candidates": [{"content": {"parts": [{"text": text}]}, "index": 0}]});
    // Bytes: "é SECRET, " is 11 of them, and 8 when masked.
    let support = json!({"segment": {"startIndex": 11, "endIndex": 15, "text": "true"}});
    let before = json!({"segment": {"endIndex": 2, "text": "é"}});
    let last = json!({"candidates": [{"content": {"parts": [{"text": "true"}]}, "index": 0, "finishReason": "STOP",
        "groundingMetadata": {"groundingSupports": [support, before]}}]});
    let (out, _) = rewrite(BodyKind::JsonArray, &json!([piece("é SEC"), piece("RET, "), last]).to_string());
    let seen: Vec<Value> = serde_json::from_str(&out).unwrap();
    assert_eq!(joined(&seen), [((0, false), "é <S>, true".to_owned())]);
    let supports = &seen[2]["candidates"][0]["groundingMetadata"]["groundingSupports"];
    assert_eq!(supports[0]["segment"], json!({"startIndex": 8, "endIndex": 12, "text": "true"}));
    assert_eq!(supports[1]["segment"], json!({"endIndex": 2, "text": "é"}));
}
