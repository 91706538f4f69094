//! Bounds are put where each API reads them, and nothing else changes.

use proptest::prelude::*;
use serde_json::{Value, json};

use super::super::table::{Mark, OnNumber, Place, Request};
use super::super::{Bounds, RequestView, bound};
use super::tables::{requests, roots};
use crate::protocol::{anthropic, bedrock, cohere, gemini, ollama, openai};

const MOST: u64 = 100;

fn bounds() -> Bounds {
    Bounds { max_output_tokens: Some(MOST), forget: true, report_usage: false }
}

/// The body within its bounds, as text.
fn within(request: &Request, model: &str, body: &str) -> String {
    let view = RequestView::read(request, model, body.as_bytes()).unwrap();
    match bound(request, &view, body.as_bytes(), &bounds()).unwrap() {
        Some(bounded) => String::from_utf8(bounded.body).unwrap(),
        None => body.to_owned(),
    }
}

#[test]
fn a_stream_is_asked_for_its_usage_where_it_does_not_tell_by_itself() {
    let asked = |request: &Request, body: &str| {
        let view = RequestView::read(request, "", body.as_bytes()).unwrap();
        let bounds = Bounds { report_usage: true, ..Bounds::default() };
        let bounded = bound(request, &view, body.as_bytes(), &bounds).unwrap()?;
        assert_eq!(bounded.changed, ["stream_options"]);
        let body = String::from_utf8(bounded.body).unwrap();
        assert!(RequestView::read(request, "", body.as_bytes()).unwrap().include_usage);
        Some(body)
    };
    let chat = &openai::request::CHAT;
    for (body, expected) in [
        (
            r#"{"messages":[],"stream":true}"#,
            r#"{"stream_options":{"include_usage":true},"messages":[],"stream":true}"#,
        ),
        (
            r#"{"stream_options":{"include_obfuscation":false},"messages":[],"stream":true}"#,
            r#"{"stream_options":{"include_usage":true,"include_obfuscation":false},"messages":[],"stream":true}"#,
        ),
        (
            r#"{"stream":true,"stream_options":null,"messages":[]}"#,
            r#"{"stream":true,"stream_options":{"include_usage":true},"messages":[]}"#,
        ),
        (
            r#"{"stream":true,"stream_options":{"include_usage": false},"messages":[]}"#,
            r#"{"stream":true,"stream_options":{"include_usage": true},"messages":[]}"#,
        ),
        (
            r#"{"stream":true,"stream_options":{"include_usage":null},"messages":[]}"#,
            r#"{"stream":true,"stream_options":{"include_usage":true},"messages":[]}"#,
        ),
        (
            r#"{"stream":true,"stream_options":{ },"messages":[]}"#,
            r#"{"stream":true,"stream_options":{"include_usage":true },"messages":[]}"#,
        ),
    ] {
        assert_eq!(asked(chat, body).as_deref(), Some(expected), "{body}");
    }
    for body in [
        r#"{"messages":[]}"#,
        r#"{"messages":[],"stream":false}"#,
        r#"{"messages":[],"stream":true,"stream_options":{"include_usage":true}}"#,
        r#"{"messages":[],"stream":true,"stream_options":"x"}"#,
    ] {
        assert_eq!(asked(chat, body), None, "{body}");
    }
    let streaming = r#"{"messages":[],"max_tokens":1,"stream":true}"#;
    assert_eq!(asked(&anthropic::request::MESSAGES, streaming), None, "it always tells");
}

#[test]
fn what_is_beyond_the_bound_is_put_down_to_it_in_place() {
    let chat = &openai::request::CHAT;
    for (body, expected) in [
        (r#"{ "max_tokens" : 500 , "messages":[]}"#, r#"{ "max_tokens" : 100 , "messages":[]}"#),
        (
            r#"{"model":"gpt-4o","max_completion_tokens":101,"messages":[]}"#,
            r#"{"model":"gpt-4o","max_completion_tokens":100,"messages":[]}"#,
        ),
        (
            r#"{"max_tokens":7,"max_completion_tokens":900,"messages":[]}"#,
            r#"{"max_tokens":7,"max_completion_tokens":100,"messages":[]}"#,
        ),
        (
            r#"{"max_tokens":7,"n_predict":-1,"messages":[]}"#,
            r#"{"max_tokens":7,"n_predict":100,"messages":[]}"#,
        ),
        (
            r#"{"max_tokens":7,"n_predict":900,"messages":[]}"#,
            r#"{"max_tokens":7,"n_predict":100,"messages":[]}"#,
        ),
        (r#"{"max_tok\u0065ns":500,"messages":[]}"#, r#"{"max_tok\u0065ns":100,"messages":[]}"#),
        (r#"{"max_tokens":100,"messages":[]}"#, r#"{"max_tokens":100,"messages":[]}"#),
        (r#"{"messages":[],"max_tokens":null}"#, r#"{"messages":[],"max_tokens":100}"#),
        (r#"{"messages":[]}"#, r#"{"max_tokens":100,"messages":[]}"#),
        (
            r#"{"messages":[],"model":"o3-mini"}"#,
            r#"{"max_completion_tokens":100,"messages":[],"model":"o3-mini"}"#,
        ),
        (
            r#"{"messages":[],"model":"gpt-5"}"#,
            r#"{"max_completion_tokens":100,"messages":[],"model":"gpt-5"}"#,
        ),
        (
            r#"{"model":"gpt-oss:20b","messages":[]}"#,
            r#"{"max_tokens":100,"model":"gpt-oss:20b","messages":[]}"#,
        ),
        (
            r#"{"model":"openai/gpt-oss-120b","messages":[]}"#,
            r#"{"max_tokens":100,"model":"openai/gpt-oss-120b","messages":[]}"#,
        ),
        (
            r#"{"model":"my-gpt-4o-clone","messages":[]}"#,
            r#"{"max_tokens":100,"model":"my-gpt-4o-clone","messages":[]}"#,
        ),
        (
            r#"{"model":"openai/o3","messages":[]}"#,
            r#"{"max_completion_tokens":100,"model":"openai/o3","messages":[]}"#,
        ),
        (
            r#"{"model":"ft:gpt-4o:us::1","messages":[]}"#,
            r#"{"max_completion_tokens":100,"model":"ft:gpt-4o:us::1","messages":[]}"#,
        ),
        (r#"{"messages":[],"max_tokens":0}"#, r#"{"messages":[],"max_tokens":100}"#),
        (
            r#"{"model":"gpt-4o","messages":[],"max_completion_tokens":0}"#,
            r#"{"model":"gpt-4o","messages":[],"max_completion_tokens":100}"#,
        ),
        (r#"{"messages":[],"model":"pro3"}"#, r#"{"max_tokens":100,"messages":[],"model":"pro3"}"#),
        (" {\n \"messages\":[]}", " {\"max_tokens\":100,\n \"messages\":[]}"),
        (r#"{"messages":[],"max_tokens":5,"store":true}"#, r#"{"messages":[],"max_tokens":5,"store":false}"#),
        (r#"{"messages":[],"max_tokens":5,"store":null}"#, r#"{"messages":[],"max_tokens":5,"store":null}"#),
    ] {
        assert_eq!(within(chat, "", body), expected);
    }
}

#[test]
fn each_api_gets_the_bound_where_it_reads_it() {
    for (request, model, body, expected) in [
        (&openai::request::COMPLETIONS, "", r#"{"prompt":"a"}"#, r#"{"max_tokens":100,"prompt":"a"}"#),
        (&openai::request::EMBEDDINGS, "", r#"{"input":"a"}"#, r#"{"input":"a"}"#),
        (&openai::request::responses::RESPONSES, "", "{}", r#"{"max_output_tokens":100,"store":false}"#),
        (
            &openai::request::responses::RESPONSES,
            "",
            r#"{"input":"a","store":null,"max_output_tokens":5}"#,
            r#"{"input":"a","store":false,"max_output_tokens":5}"#,
        ),
        (&anthropic::request::MESSAGES, "", r#"{"messages":[]}"#, r#"{"max_tokens":100,"messages":[]}"#),
        (&anthropic::request::COUNT, "", r#"{"messages":[]}"#, r#"{"messages":[]}"#),
        (&gemini::request::GENERATE, "m", "{}", r#"{"generationConfig":{"maxOutputTokens":100}}"#),
        (
            &gemini::request::GENERATE,
            "m",
            r#"{"generation_config": { "topK":1}}"#,
            r#"{"generation_config": {"maxOutputTokens":100, "topK":1}}"#,
        ),
        (
            &gemini::request::STREAM,
            "m",
            r#"{"generationConfig":{"max_output_tokens":2000}}"#,
            r#"{"generationConfig":{"max_output_tokens":100}}"#,
        ),
        (
            &gemini::request::GENERATE,
            "m",
            r#"{"generationConfig":null}"#,
            r#"{"generationConfig":{"maxOutputTokens":100}}"#,
        ),
        (
            &gemini::request::GENERATE,
            "m",
            r#"{"generationConfig":{}}"#,
            r#"{"generationConfig":{"maxOutputTokens":100}}"#,
        ),
        (
            &gemini::request::GENERATE,
            "m",
            r#"{"generationConfig":{"maxOutputTokens":0}}"#,
            r#"{"generationConfig":{"maxOutputTokens":100}}"#,
        ),
        (
            &openai::request::responses::RESPONSES,
            "",
            r#"{"store":false,"max_output_tokens":0}"#,
            r#"{"store":false,"max_output_tokens":100}"#,
        ),
        (
            &openai::request::COMPLETIONS,
            "",
            r#"{"prompt":"a","max_tokens":0}"#,
            r#"{"prompt":"a","max_tokens":100}"#,
        ),
        // It fills the cache, and nothing is generated.
        (
            &anthropic::request::MESSAGES,
            "",
            r#"{"messages":[],"max_tokens":0}"#,
            r#"{"messages":[],"max_tokens":0}"#,
        ),
        (
            &bedrock::request::INVOKE,
            "anthropic.claude",
            r#"{"messages":[],"max_tokens":0}"#,
            r#"{"messages":[],"max_tokens":0}"#,
        ),
        (&cohere::request::CHAT, "", r#"{"messages":[]}"#, r#"{"max_tokens":100,"messages":[]}"#),
        (
            &ollama::request::CHAT,
            "",
            r#"{"messages":[],"options":{"num_predict":-1}}"#,
            r#"{"messages":[],"options":{"num_predict":100}}"#,
        ),
        (
            &ollama::request::CHAT,
            "",
            r#"{"messages":[],"options":{"num_predict":0}}"#,
            r#"{"messages":[],"options":{"num_predict":100}}"#,
        ),
        (
            &ollama::request::GENERATE,
            "",
            r#"{"prompt":"a"}"#,
            r#"{"options":{"num_predict":100},"prompt":"a"}"#,
        ),
        (
            &bedrock::request::CONVERSE,
            "x",
            r#"{"messages":[]}"#,
            r#"{"inferenceConfig":{"maxTokens":100},"messages":[]}"#,
        ),
        (
            &bedrock::request::INVOKE,
            "eu.amazon.nova-lite-v1:0",
            r#"{"messages":[],"inferenceConfig":{"max_new_tokens":900}}"#,
            r#"{"messages":[],"inferenceConfig":{"max_new_tokens":100}}"#,
        ),
        (
            &bedrock::request::INVOKE,
            "amazon.titan-text-express-v1",
            r#"{"inputText":"a"}"#,
            r#"{"textGenerationConfig":{"maxTokenCount":100},"inputText":"a"}"#,
        ),
        (
            &bedrock::request::INVOKE,
            "amazon.titan-embed-text-v2:0",
            r#"{"inputText":"a"}"#,
            r#"{"inputText":"a"}"#,
        ),
        (
            &bedrock::request::INVOKE,
            "meta.llama3",
            r#"{"prompt":"a"}"#,
            r#"{"max_gen_len":100,"prompt":"a"}"#,
        ),
    ] {
        assert_eq!(within(request, model, body), expected);
    }
}

/// A small number where the model does not look must not pass for its bound.
#[test]
fn a_bound_in_a_field_that_the_model_passes_over_is_none() {
    let nova = "amazon.nova-lite-v1:0";
    for (request, model, body, expected) in [
        (
            &openai::request::CHAT,
            "",
            r#"{"messages":[],"model":"deepseek-chat","max_completion_tokens":1}"#,
            r#"{"max_tokens":100,"messages":[],"model":"deepseek-chat","max_completion_tokens":1}"#,
        ),
        (
            &openai::request::CHAT,
            "",
            r#"{"messages":[],"model":"gpt-4o","max_tokens":1}"#,
            r#"{"messages":[],"model":"gpt-4o","max_tokens":1}"#,
        ),
        (
            &openai::request::COMPLETIONS,
            "",
            r#"{"prompt":"a","max_completion_tokens":1}"#,
            r#"{"max_tokens":100,"prompt":"a","max_completion_tokens":1}"#,
        ),
        (
            &bedrock::request::CONVERSE,
            nova,
            r#"{"messages":[],"additionalModelRequestFields":{"max_tokens":1}}"#,
            r#"{"inferenceConfig":{"maxTokens":100},"messages":[],"additionalModelRequestFields":{"max_tokens":1}}"#,
        ),
        (
            &bedrock::request::INVOKE,
            nova,
            r#"{"messages":[],"textGenerationConfig":{"maxTokenCount":1},"inferenceConfig":{"topK":1}}"#,
            r#"{"messages":[],"textGenerationConfig":{"maxTokenCount":1},"inferenceConfig":{"maxTokens":100,"topK":1}}"#,
        ),
        (
            &bedrock::request::INVOKE,
            nova,
            r#"{"inferenceConfig":{"topK":1},"textGenerationConfig":{}}"#,
            r#"{"inferenceConfig":{"maxTokens":100,"topK":1},"textGenerationConfig":{}}"#,
        ),
        (
            &bedrock::request::INVOKE,
            nova,
            r#"{"textGenerationConfig":null}"#,
            r#"{"inferenceConfig":{"maxTokens":100},"textGenerationConfig":null}"#,
        ),
    ] {
        assert_eq!(within(request, model, body), expected);
    }
}

#[test]
fn what_the_caller_gives_counts_where_the_model_reads_it_and_then_the_largest() {
    let (chat, completions) = (&openai::request::CHAT, &openai::request::COMPLETIONS);
    let (generate, messages) = (&ollama::request::GENERATE, &anthropic::request::MESSAGES);
    for (request, body, expected) in [
        (chat, r#"{"messages":[],"model":"llama","max_completion_tokens":1}"#, None),
        (chat, r#"{"messages":[],"model":"GPT-4O","max_completion_tokens":1}"#, None),
        (chat, r#"{"messages":[],"model":"codex-mini","max_completion_tokens":1}"#, None),
        (chat, r#"{"messages":[],"model":"computer-use-preview","max_completion_tokens":1}"#, None),
        (chat, r#"{"messages":[],"model":"our-deployment","max_completion_tokens":1}"#, None),
        (chat, r#"{"messages":[],"model":"gpt-oss","max_completion_tokens":1}"#, None),
        (chat, r#"{"messages":[],"model":"llama","max_tokens":1}"#, Some(1)),
        (chat, r#"{"messages":[],"model":"gpt-4o","max_completion_tokens":1}"#, Some(1)),
        (chat, r#"{"messages":[],"model":"gpt-4o","max_tokens":1}"#, Some(1)),
        // Some servers read both, and go by the newer.
        (chat, r#"{"messages":[],"model":"llama","max_tokens":1,"max_completion_tokens":9}"#, Some(9)),
        (chat, r#"{"messages":[],"model":"llama","max_tokens":9,"max_completion_tokens":1}"#, Some(9)),
        (chat, r#"{"messages":[],"model":"llama","max_tokens":9,"max_completion_tokens":0}"#, None),
        (chat, r#"{"messages":[],"model":"llama","max_tokens":null,"max_completion_tokens":1}"#, None),
        (chat, r#"{"messages":[],"model":"llama","max_tokens":0}"#, None),
        (chat, r#"{"messages":[],"model":"llama","max_tokens":1,"n_predict":9}"#, Some(9)),
        (chat, r#"{"messages":[],"model":"llama","max_tokens":1,"n_predict":-1}"#, None),
        (chat, r#"{"messages":[],"model":"llama","n_predict":1}"#, None),
        (completions, r#"{"prompt":"a","model":"llama","max_tokens":1,"n_predict":9}"#, Some(9)),
        (chat, r#"{"messages":[]}"#, None),
        (completions, r#"{"prompt":"a","model":"gpt-4o","max_completion_tokens":1}"#, None),
        (generate, r#"{"prompt":"a","options":{"num_predict":0}}"#, None),
        (generate, r#"{"prompt":"a","options":{"num_predict":-1}}"#, None),
        (messages, r#"{"messages":[],"max_tokens":0}"#, Some(0)),
    ] {
        let view = RequestView::read(request, "", body.as_bytes()).unwrap();
        assert_eq!(request.given(&view), expected, "{body}");
    }
}

/// Paths of the fields of a document that bound its answer, through objects alone.
fn limits(place: &'static Place, way: &[&'static str], found: &mut Vec<Vec<&'static str>>) {
    if matches!(place.number, OnNumber::Read(fact) if fact.bounds_answer()) {
        found.push(way.to_vec());
    }
    let fields = place.object.filter(|_| way.len() < 4).map_or(&[][..], |object| object.fields);
    for (field, below) in fields {
        limits(below, &[way, &[*field]].concat(), found);
    }
}

/// A request that holds this value there, and else what it must.
fn asking(request: &Request, root: &'static Place, model: &str, way: &[&str], value: u64) -> Value {
    let mut body = way.iter().rev().fold(json!(value), |inner, key| json!({ *key: inner }));
    for key in root.object.unwrap().required {
        let (_, place) = root.object.unwrap().fields.iter().find(|(field, _)| field == key).unwrap();
        let least = if place.items.is_some() { json!([]) } else { json!("a") };
        body.as_object_mut().unwrap().entry(*key).or_insert(least);
    }
    if request.batch {
        return json!({ "requests": [body] });
    }
    if !request.path_model {
        body["model"] = json!(model);
    }
    body
}

/// Whatever a request gives elsewhere, what is counted on is what bounds it upstream.
#[test]
fn of_every_api_the_fields_that_a_model_reads_bound_it_and_all_others_do_not() {
    let mut foreign = 0;
    for (name, request) in requests() {
        for row in request.bounded.iter().filter(|row| !row.keys.is_empty()) {
            let model = format!("{}x", row.models.trim_start_matches('^'));
            let root = request.root(&model);
            let root = if request.batch { of_an_item(root) } else { root };
            let mut ways = Vec::new();
            limits(root, &[], &mut ways);
            for way in ways {
                let field = *way.last().unwrap();
                let reads = row.keys.last() == Some(&field) || row.also.contains(&field);
                foreign += usize::from(!reads);
                let body = asking(request, root, &model, &way, 1).to_string();
                let view = RequestView::read(request, &model, body.as_bytes()).unwrap();
                assert_eq!(request.given(&view.requests()[0]), reads.then_some(1), "{name}: {body}");
                let after = within(request, &model, &body);
                let view = RequestView::read(request, &model, after.as_bytes()).unwrap();
                let expected = if reads { 1 } else { MOST };
                assert_eq!(request.given(&view.requests()[0]), Some(expected), "{name}: {after}");
            }
        }
    }
    assert!(foreign > 5, "{foreign}");
}

#[test]
fn a_model_of_which_nobody_knows_the_bound_is_refused() {
    let (request, body) = (&bedrock::request::INVOKE, b"{}");
    let view = RequestView::read(request, "ai21.jamba", body).unwrap();
    let error = bound(request, &view, body, &bounds()).unwrap_err();
    assert_eq!(error.to_string(), "the body: nobody knows what bounds the answers of this model");
}

/// The place of one of the requests of a batch.
fn of_an_item(root: &'static Place) -> &'static Place {
    let items = root.object.unwrap().fields.iter().filter_map(|(_, place)| place.items);
    items.into_iter().find(|item| item.mark == Some(Mark::Request)).unwrap()
}

#[test]
fn where_a_bound_is_put_the_table_reads_one() {
    for (name, request) in requests() {
        for row in request.bounded {
            // The maker's own table, of what the row names.
            let root = match roots(request).as_slice() {
                [(_, root)] => *root,
                _ => request.root(row.models.trim_end_matches('.')),
            };
            let mut place: Option<&Place> = Some(if request.batch { of_an_item(root) } else { root });
            for (at, key) in row.keys.iter().enumerate() {
                assert!(
                    at == 0 || place.is_some_and(|place| place.mark == Some(Mark::Config)),
                    "{name}: {row:?}"
                );
                let fields = place.and_then(|place| place.object).map_or(&[][..], |object| object.fields);
                place = fields.iter().find(|(field, _)| field == key).map(|(_, place)| *place);
            }
            let reads = place.is_some_and(|place| matches!(place.number, OnNumber::Read(_)));
            assert!(row.keys.is_empty() || reads, "{name}: {row:?}");
        }
    }
}

fn body() -> impl Strategy<Value = Value> {
    let tokens = prop_oneof![Just(Value::Null), (0u64..300).prop_map(Value::from)];
    let field =
        |name: &'static str| proptest::option::of(tokens.clone()).prop_map(move |value| (name, value));
    let store = proptest::option::of(prop_oneof![Just(json!(true)), Just(json!(false)), Just(Value::Null)]);
    let fields =
        (field("max_tokens"), field("max_completion_tokens"), store, any::<u16>(), "[a-z {}\"\\\\,:]{0,12}");
    fields.prop_map(|(a, b, store, seed, text)| {
        let mut body = json!({ "messages": [{ "role": "user", "content": text }], "seed": seed });
        for (name, value) in [a, b, ("store", store)] {
            if let Some(value) = value {
                body[name] = value;
            }
        }
        body
    })
}

proptest! {
    #[test]
    fn a_bounded_request_asks_for_no_more_and_is_otherwise_what_it_was(body in body(), pretty in any::<bool>()) {
        let text = if pretty { serde_json::to_string_pretty(&body) } else { serde_json::to_string(&body) }.unwrap();
        for request in [&openai::request::CHAT, &openai::request::responses::RESPONSES] {
            let responses = std::ptr::eq(request, &openai::request::responses::RESPONSES);
            let text = if responses { text.replace("messages", "input") } else { text.clone() };
            let Ok(view) = RequestView::read(request, "", text.as_bytes()) else { continue };
            let bounded = bound(request, &view, text.as_bytes(), &bounds()).unwrap();
            let after = bounded.map_or_else(|| text.clone().into_bytes(), |bounded| bounded.body);
            let view = RequestView::read(request, "", &after).unwrap();
            prop_assert!(view.max_output_tokens.is_some_and(|most| most <= MOST) && !view.stored);
            prop_assert_eq!(bound(request, &view, &after, &bounds()).unwrap(), None, "it is within already");
            let (mut was, mut is): (Value, Value) = (serde_json::from_str(&text).unwrap(), serde_json::from_slice(&after).unwrap());
            for value in [&mut was, &mut is] {
                let object = value.as_object_mut().unwrap();
                for key in ["max_tokens", "max_completion_tokens", "max_output_tokens", "store"] {
                    object.remove(key);
                }
            }
            prop_assert_eq!(was, is);
        }
    }
}
