//! Recorded streams: of chat with the fields of its dialects, and of responses.

use super::ANSWERS;
use crate::mask::{Catalogue, Plan};
use crate::protocol::rewrite::{BodyKind, ResponseRewriter};
use crate::protocol::testing::Simple;
use crate::protocol::testing::doors::kept;
use crate::protocol::testing::recorded::{Recorded, SSE};

/// A stream of events, of which each has one choice of these fields, as it goes out with `PII` masked.
fn streamed(choices: &[&str]) -> Vec<serde_json::Value> {
    let catalogue = Catalogue::built_in();
    let plan = Plan::new(&catalogue, catalogue.resolve("PII").unwrap(), Vec::new());
    let mut rewriter = ResponseRewriter::new(BodyKind::EventStream, &ANSWERS, plan);
    let mut out = Vec::new();
    for choice in choices {
        let event = format!(
            "data: {{\"object\":\"chat.completion.chunk\",\"choices\":[{{\"index\":0,{choice}}}]}}\n\n"
        );
        rewriter.push(event.as_bytes(), false, &mut out).unwrap();
    }
    rewriter.push(b"data: [DONE]\n\n", true, &mut out).unwrap();
    let text = String::from_utf8(out).unwrap();
    let data = text.lines().filter_map(|line| line.strip_prefix("data: ")).filter(|data| *data != "[DONE]");
    data.map(|data| serde_json::from_str::<serde_json::Value>(data).unwrap()["choices"][0].clone()).collect()
}

fn joined(events: &[serde_json::Value], at: &str) -> String {
    events.iter().filter_map(|event| event.pointer(at)?.as_str()).collect()
}

#[test]
fn a_label_that_every_event_repeats_is_no_text_that_hides_its_value() {
    let event = r#""delta":{"content":"Hi. ","customer":"536-90-4399"}"#;
    let events = streamed(&[event; 4]);
    assert_eq!(joined(&events, "/delta/customer"), "<US_SSN>".repeat(4));
    assert_eq!(joined(&events, "/delta/content"), "Hi. Hi. Hi. Hi. ");
}

#[test]
fn labels_of_dialects_stay_in_their_events() {
    let groq = r#""delta":{"channel":"analysis","reasoning":"So "}"#;
    let azure = r#""delta":{"context":{"citations":[{"title":"a","url":"https://a.example","content":"to jane@example.com"}],"intent":"[]"}}"#;
    let gemini = r#""delta":{"content":"x","extra_content":{"google":{"thought_signature":"QUJD"}}}"#;
    let events = streamed(&[groq, groq, azure, gemini]);
    assert!(events[..2].iter().all(|event| event["delta"]["channel"] == "analysis"), "{events:?}");
    let citation = &events[2]["delta"]["context"]["citations"][0];
    assert_eq!((&citation["title"], &citation["content"]), (&"a".into(), &"to <EMAIL_ADDRESS>".into()));
    assert_eq!(events[3]["delta"]["extra_content"]["google"]["thought_signature"], "QUJD");
}

/// Perplexity says in each event all that was said so far.
#[test]
fn what_is_said_again_beside_a_delta_is_left_out() {
    let pieces = ["SSN: ", "536-", "90-", "4399"];
    let mut said = String::new();
    let events: Vec<String> = pieces
        .iter()
        .map(|piece| {
            said.push_str(piece);
            format!(r#""message":{{"role":"assistant","content":"{said}"}},"delta":{{"content":"{piece}"}}"#)
        })
        .collect();
    let events = streamed(&events.iter().map(String::as_str).collect::<Vec<_>>());
    assert_eq!(joined(&events, "/delta/content"), "SSN: <US_SSN>");
    assert_eq!(joined(&events, "/message/content"), "");
}

fn chat(delta: &'static str, at: &'static str, json: bool) {
    Recorded {
        table: &ANSWERS,
        wire: SSE,
        head: &[(
            "",
            r#"{"id":"chatcmpl-1","object":"chat.completion.chunk","created":12,"model":"gpt-4o","choices":[{"index":1,"delta":{"role":"assistant","content":""},"finish_reason":null}]}"#,
        )],
        delta: ("", delta),
        tail: &[
            (
                "",
                r#"{"id":"chatcmpl-1","object":"chat.completion.chunk","created":12,"model":"gpt-4o","choices":[{"index":1,"delta":{},"finish_reason":"stop"}]}"#,
            ),
            (
                "",
                r#"{"id":"chatcmpl-1","object":"chat.completion.chunk","created":12,"model":"gpt-4o","choices":[],"usage":{"prompt_tokens":1,"completion_tokens":2,"total_tokens":3}}"#,
            ),
        ],
        at,
        json,
    }
    .laws();
}

macro_rules! event {
    ($delta:literal) => {
        concat!(
            r#"{"id":"chatcmpl-1","object":"chat.completion.chunk","created":12,"model":"gpt-4o","choices":[{"index":1,"delta":{"#,
            $delta,
            r#"},"finish_reason":null}],"obfuscation":"xYz"}"#
        )
    };
}

#[test]
fn the_texts_of_chat_obey_the_laws() {
    chat(event!(r#""content":"?""#), "/choices/0/delta/content", false);
    chat(event!(r#""reasoning_content":"?""#), "/choices/0/delta/reasoning_content", false);
    chat(event!(r#""content":[{"type":"text","text":"?"}]"#), "/choices/0/delta/content/0/text", false);
}

#[test]
fn the_texts_of_dialects_obey_the_laws() {
    chat(
        event!(r#""reasoning_details":[{"type":"reasoning.text","index":2,"text":"?"}]"#),
        "/choices/0/delta/reasoning_details/0/text",
        false,
    );
    chat(event!(r#""new_reasoning":"?""#), "/choices/0/delta/new_reasoning", false);
    chat(event!(r#""new":[{"said":"?"}]"#), "/choices/0/delta/new/0/said", false);
    chat(
        event!(r#""tool_calls":[{"index":3,"function":{"arguments":"?"}}]"#),
        "/choices/0/delta/tool_calls/0/function/arguments",
        true,
    );
}

const CREATED: (&str, &str) = (
    "response.created",
    r#"{"type":"response.created","sequence_number":#,"response":{"id":"resp_1","object":"response","created_at":12,"status":"in_progress","error":null,"incomplete_details":null,"instructions":null,"model":"gpt-4o","output":[],"usage":null,"metadata":{}}}"#,
);

struct Response {
    head: &'static [(&'static str, &'static str)],
    delta: (&'static str, &'static str),
    tail: &'static [(&'static str, &'static str)],
    at: &'static str,
    json: bool,
}

impl Response {
    fn laws(self) {
        let Self { head, delta, tail, at, json } = self;
        Recorded { table: &ANSWERS, wire: SSE, head, delta, tail, at, json }.laws();
    }
}

#[test]
fn output_text_and_all_its_repeats_obey_the_laws() {
    Response {
        head: &[
            CREATED,
            ("response.output_item.added", r#"{"type":"response.output_item.added","sequence_number":#,"output_index":1,"item":{"id":"msg_1","type":"message","status":"in_progress","role":"assistant","content":[]}}"#),
            ("response.content_part.added", r#"{"type":"response.content_part.added","sequence_number":#,"item_id":"msg_1","output_index":1,"content_index":0,"part":{"type":"output_text","text":"","annotations":[],"logprobs":[]}}"#),
        ],
        delta: ("response.output_text.delta", r#"{"type":"response.output_text.delta","sequence_number":#,"item_id":"msg_1","output_index":1,"content_index":0,"delta":"?","logprobs":[],"obfuscation":"aBc"}"#),
        tail: &[
            ("response.output_text.done", r#"{"type":"response.output_text.done","sequence_number":#,"item_id":"msg_1","output_index":1,"content_index":0,"text":"?","logprobs":[]}"#),
            ("response.content_part.done", r#"{"type":"response.content_part.done","sequence_number":#,"item_id":"msg_1","output_index":1,"content_index":0,"part":{"type":"output_text","text":"?","annotations":[],"logprobs":[]}}"#),
            ("response.output_item.done", r#"{"type":"response.output_item.done","sequence_number":#,"output_index":1,"item":{"id":"msg_1","type":"message","status":"completed","role":"assistant","content":[{"type":"output_text","text":"?","annotations":[],"logprobs":[]}]}}"#),
            ("response.completed", r#"{"type":"response.completed","sequence_number":#,"response":{"id":"resp_1","object":"response","status":"completed","model":"gpt-4o","output":[{"id":"msg_1","type":"message","status":"completed","role":"assistant","content":[{"type":"output_text","annotations":[],"logprobs":[],"text":"?"}]}],"usage":{"input_tokens":1,"output_tokens":2,"total_tokens":3}}}"#),
        ],
        at: "/delta",
        json: false,
    }
    .laws();
}

#[test]
fn arguments_of_functions_and_their_repeats_obey_the_laws() {
    Response {
        head: &[CREATED],
        delta: ("response.function_call_arguments.delta", r#"{"type":"response.function_call_arguments.delta","sequence_number":#,"item_id":"fc_1","output_index":0,"delta":"?"}"#),
        tail: &[
            ("response.function_call_arguments.done", r#"{"type":"response.function_call_arguments.done","sequence_number":#,"item_id":"fc_1","output_index":0,"arguments":"?"}"#),
            ("response.output_item.done", r#"{"type":"response.output_item.done","sequence_number":#,"output_index":0,"item":{"type":"function_call","id":"fc_1","call_id":"call_1","name":"f","arguments":"?","status":"completed"}}"#),
        ],
        at: "/delta",
        json: true,
    }
    .laws();
}

#[test]
fn reasoning_code_refusals_and_shells_obey_the_laws() {
    let all: [(&str, &str, &str); 5] = [
        (
            "response.reasoning_summary_text.delta",
            r#"{"delta":"?","type":"response.reasoning_summary_text.delta","sequence_number":#,"item_id":"rs_1","output_index":0,"summary_index":2}"#,
            "/delta",
        ),
        (
            "response.refusal.delta",
            r#"{"type":"response.refusal.delta","sequence_number":#,"item_id":"m","output_index":0,"content_index":0,"delta":"?"}"#,
            "/delta",
        ),
        (
            "response.code_interpreter_call_code.delta",
            r#"{"type":"response.code_interpreter_call_code.delta","sequence_number":#,"item_id":"ci","output_index":0,"delta":"?"}"#,
            "/delta",
        ),
        (
            "response.shell_call_output_content.delta",
            r#"{"type":"response.shell_call_output_content.delta","sequence_number":#,"item_id":"sh","output_index":0,"command_index":4,"delta":{"stdout":"?"}}"#,
            "/delta/stdout",
        ),
        (
            "response.of_a_new_kind.delta",
            r#"{"type":"response.of_a_new_kind.delta","sequence_number":#,"item_id":"sh","output_index":0,"delta":"?"}"#,
            "/delta",
        ),
    ];
    for (name, delta, at) in all {
        let tail = &[(
            "response.incomplete",
            r#"{"type":"response.incomplete","sequence_number":#,"response":{"id":"resp_1","status":"incomplete","incomplete_details":{"reason":"max_output_tokens"},"output":[]}}"#,
        )];
        Response { head: &[CREATED], delta: (name, delta), tail, at, json: false }.laws();
    }
}

const CHAT: &str = r#"{"id":"c","object":"chat.completion","created":1,"model":"m","system_fingerprint":"f","service_tier":"s","provider":"x",
"choices":[{"index":0,"finish_reason":"stop","native_finish_reason":"x","stop_reason":"x","token_ids":[1234567],"prompt_logprobs":[{"1234567":{"decoded_token":"SECRET"}}],
"logprobs":{"content":[{"token":"SECRET","bytes":[83],"top_logprobs":[]}]},"content_filter_results":{"hate":{"severity":"x"}},
"message":{"role":"assistant","content":"x","refusal":"x","reasoning":"x","reasoning_content":"x","name":"x","tool_call_id":"t",
"annotations":[{"type":"url_citation","url_citation":{"start_index":0,"end_index":1,"title":"x","url":"x","content":"x"}}],
"audio":{"id":"a","data":"b","expires_at":1,"transcript":"x"},"function_call":{"name":"x","arguments":"\"x\""},
"tool_calls":[{"id":"t","type":"function","function":{"name":"x","arguments":"\"x\""}},{"id":"t","type":"custom","custom":{"name":"x","input":"x"}}],
"reasoning_details":[{"type":"t","id":"i","format":"f","index":0,"text":"x","summary":"x","signature":"s","data":"d"}],
"thinking_blocks":[{"type":"thinking","thinking":"x","signature":"s"}],"images":[{"type":"image_url","image_url":{"url":"x"}}],
"executed_tools":[{"type":"x","arguments":"x","output":"x","search_results":{"results":[{"title":"x","url":"x","content":"x"}]}}],"new":{"x":["x",1]}}}],
"usage":{"prompt_tokens":1,"completion_tokens":1,"total_tokens":1,"new_tokens":1,"note":"x","prompt_tokens_details":{"cached_tokens":1},"completion_tokens_details":{"reasoning_tokens":1}},
"citations":["x"],"search_results":[{"title":"x","url":"x","date":"x","snippet":"x"}],"related_questions":["x"],
"prompt_filter_results":[{"prompt_index":0,"content_filter_results":{"custom_blocklists":{"details":[{"id":"x"}]}}}],
"x_groq":{"id":"r","error":"x","usage":{"queue_time":1}},"obfuscation":"x","__verbose":{"content":"SECRET"},"prompt_token_ids":[1234567],
"text":"x","segments":[{"text":"SECRET","tokens":[1234567]}],"words":[{"word":"SECRET"}],"language":"en","duration":1,
"data":[{"revised_prompt":"x","b64_json":"b","url":"x","new":"x"}]}"#;

const RESPONSE: &str = r#"{"id":"r","object":"response","created_at":1,"completed_at":1,"status":"completed","model":"m","instructions":"x","metadata":{"x":"x"},"user":"x","prompt_cache_key":"x","safety_identifier":"x",
"previous_response_id":"p","conversation":{"id":"c"},"truncation":"t","tool_choice":"auto","service_tier":"s","temperature":1,"top_p":1,"tools":[{"type":"function","name":"x","description":"x"}],"text":{"format":{"type":"x"}},
"incomplete_details":{"reason":"r"},"error":{"code":"c","message":"x"},"usage":{"input_tokens":1,"output_tokens":1,"input_tokens_details":{"cached_tokens":1}},
"output":[{"type":"message","id":"m","status":"s","role":"assistant","content":[{"type":"output_text","text":"x","logprobs":[{"token":"SECRET"}],"annotations":[{"type":"url_citation","start_index":0,"end_index":1,"title":"x","url":"x"},{"type":"file_citation","file_id":"f","index":0,"filename":"x"},{"type":"container_file_citation","container_id":"c","file_id":"f","filename":"x"}]},{"type":"refusal","refusal":"x"}]},
{"type":"reasoning","id":"i","summary":[{"type":"summary_text","text":"x"}],"content":[{"type":"reasoning_text","text":"x"}],"encrypted_content":"e"},
{"type":"function_call","id":"i","call_id":"c","name":"x","arguments":"\"x\""},{"type":"custom_tool_call","call_id":"c","name":"x","input":"x"},
{"type":"file_search_call","queries":["x"],"results":[{"file_id":"f","filename":"x","score":1,"text":"x","attributes":{"x":"x"}}]},
{"type":"web_search_call","action":{"type":"search","query":"x","sources":[{"url":"x"}]}},
{"type":"code_interpreter_call","code":"x","container_id":"c","outputs":[{"type":"logs","logs":"x"},{"type":"image","url":"x"}]},
{"type":"mcp_call","approval_request_id":"a","server_label":"x","name":"x","arguments":"\"x\"","output":"x","error":"x"},
{"type":"shell_call_output","output":[{"stdout":"x","stderr":"x"}]},
{"type":"image_generation_call","id":"i","status":"s","result":"b","revised_prompt":"x","size":"s","quality":"q","background":"b","output_format":"o"},
{"type":"program_output","result":"x"},{"type":"of_a_new_kind","said":"x"}]}"#;

const KEPT: &[&str] = &[
    "approval_request_id",
    "b64_json",
    "background",
    "call_id",
    "container_id",
    "data",
    "encrypted_content",
    "file_id",
    "finish_reason",
    "format",
    "id",
    "language",
    "model",
    "object",
    "output_format",
    "previous_response_id",
    "quality",
    "reason",
    "result",
    "role",
    "service_tier",
    "signature",
    "size",
    "status",
    "system_fingerprint",
    "tool_call_id",
    "tool_choice",
    "truncation",
    "type",
];

#[test]
fn an_answer_keeps_labels_and_nothing_else() {
    let (strings, numbers) = kept(&ANSWERS, BodyKind::Json, &[CHAT, RESPONSE]);
    assert_eq!(strings, KEPT);
    let times = [
        "cached_tokens",
        "completed_at",
        "completion_tokens",
        "created",
        "created_at",
        "duration",
        "end_index",
        "expires_at",
        "index",
        "input_tokens",
        "new_tokens",
        "output_tokens",
        "prompt_tokens",
        "queue_time",
        "reasoning_tokens",
        "score",
        "start_index",
        "total_tokens",
    ];
    assert_eq!(numbers, times);
}

#[test]
fn an_event_keeps_labels_and_nothing_else() {
    let wrapped = |kind: &str| format!(r#"{{"type":"{kind}","sequence_number":1,"response":{RESPONSE}}}"#);
    let events = [
        wrapped("response.created"),
        wrapped("response.completed"),
        wrapped("response.of_a_new_kind"),
        r#"{"type":"response.output_text.delta","sequence_number":1,"item_id":"m","output_index":0,"content_index":0,"delta":"x","logprobs":[{"token":"SECRET","bytes":[83]}],"obfuscation":"x"}"#.to_owned(),
        r#"{"type":"response.output_text.annotation.added","item_id":"m","output_index":0,"content_index":0,"annotation_index":0,"annotation":{"type":"url_citation","start_index":0,"end_index":1,"title":"x","url":"x"}}"#.to_owned(),
        r#"{"type":"response.image_generation_call.partial_image","item_id":"i","output_index":0,"partial_image_b64":"b","partial_image_index":0}"#.to_owned(),
        r#"{"type":"response.audio.delta","delta":"base64"}"#.to_owned(),
        r#"{"type":"response.shell_call_output_content.done","item_id":"s","output_index":0,"command_index":0,"output":[{"stdout":"x","stderr":"x"}]}"#.to_owned(),
        r#"{"type":"error","code":"c","message":"x","param":"x"}"#.to_owned(),
        r#"{"type":"transcript.text.done","text":"x","logprobs":[{"token":"SECRET"}]}"#.to_owned(),
        r#"{"type":"image_generation.completed","b64_json":"b","new":"x"}"#.to_owned(),
    ];
    let events: Vec<&str> = events.iter().map(String::as_str).collect();
    let (strings, _) = kept(&ANSWERS, BodyKind::EventStream, &events);
    let also = ["code", "delta", "item_id", "partial_image_b64"];
    let known = |key: &&String| !KEPT.contains(&key.as_str()) && !also.contains(&key.as_str());
    assert_eq!(strings.iter().filter(known).count(), 0, "{strings:?}");
    assert!(also.iter().all(|key| strings.iter().any(|kept| kept == key)), "{strings:?}");
    // Of deltas, only sound.
    let (strings, _) = kept(&ANSWERS, BodyKind::EventStream, &events[..6]);
    assert!(!strings.contains(&"delta".to_owned()), "{strings:?}");
}

#[test]
fn log_probabilities_and_other_repeats_are_gone() {
    for (kind, body) in [
        (BodyKind::Json, CHAT.to_owned()),
        (BodyKind::EventStream, format!("data: {}\n\n", CHAT.replace('\n', ""))),
    ] {
        let mut out = Vec::new();
        ResponseRewriter::new(kind, &ANSWERS, Simple).push(body.as_bytes(), true, &mut out).unwrap();
        let out = String::from_utf8(out).unwrap();
        assert!(!out.contains("SECRET") && !out.contains("1234567"), "{out}");
    }
}

fn annotation(start: u32, end: u32) -> String {
    format!(r#"{{"type":"url_citation","start_index":{start},"end_index":{end},"title":"t","url":"u"}}"#)
}

fn in_events(events: &[String]) -> String {
    let numbered = events.iter().enumerate().map(|(number, event)| {
        let kind = event.split('"').nth(3).unwrap();
        format!("event: {kind}\ndata: {}\n\n", event.replace('#', &number.to_string()))
    });
    numbered.collect()
}

#[test]
fn annotations_point_to_the_masked_text_and_come_behind_it() {
    const AT: &str = r#""sequence_number":#,"item_id":"m","output_index":0,"content_index":0"#;
    let delta = |text: &str| format!(r#"{{"type":"response.output_text.delta",{AT},"delta":"{text}"}}"#);
    let added = |start, end| {
        let annotation = annotation(start, end);
        format!(
            r#"{{"type":"response.output_text.annotation.added",{AT},"annotation_index":0,"annotation":{annotation}}}"#
        )
    };
    let done = |annotations: &str, text: &str| {
        format!(
            r#"{{"type":"response.content_part.done",{AT},"part":{{"type":"output_text","annotations":[{annotations}],"text":"{text}"}}}}"#
        )
    };
    let whole = |annotations: &str, text: &str| {
        format!(
            r#"{{"type":"response.completed","sequence_number":#,"response":{{"output":[{{"type":"message","content":[{{"type":"output_text","annotations":[{annotations}],"text":"{text}"}}]}}]}}}}"#
        )
    };
    let (before, after) = ("é SECRET see SECRET.", "é <S> see <S>.");
    let were = [annotation(2, 8), annotation(13, 19), annotation(15, 20)].join(",");
    let are = [annotation(2, 5), annotation(10, 13), annotation(10, 14)].join(",");
    let input = in_events(&[
        delta("é SEC"),
        delta("RET see SEC"),
        added(2, 8),
        added(13, 19),
        added(0, 1),
        delta("RET."),
        done(&were, before),
        whole(&were, before),
    ]);
    // The second waits for its text, and the others behind it do not.
    let expected = in_events(&[
        delta("é "),
        delta("<S> see "),
        added(2, 5),
        added(0, 1),
        delta("<S>."),
        added(10, 13),
        done(&are, after),
        whole(&are, after),
    ]);
    for size in [1, 7, 10_000] {
        let mut rewriter = ResponseRewriter::new(BodyKind::EventStream, &ANSWERS, Simple);
        let mut out = Vec::new();
        input.as_bytes().chunks(size).for_each(|piece| rewriter.push(piece, false, &mut out).unwrap());
        rewriter.push(b"", true, &mut out).unwrap();
        assert_eq!(String::from_utf8(out).unwrap(), expected);
    }
}

#[test]
fn an_annotation_whose_text_never_ends_comes_behind_the_tail() {
    const AT: &str = r#""sequence_number":#,"item_id":"m","output_index":0,"content_index":0"#;
    let delta = |text: &str, more: &str| {
        format!(r#"{{"type":"response.output_text.delta",{AT},"delta":"{text}"{more}}}"#)
    };
    let added = format!(
        r#"{{"type":"response.output_text.annotation.added",{AT},"annotation":{}}}"#,
        annotation(0, 5)
    );
    let done = format!(r#"{{"type":"response.output_text.done",{AT},"text":"x SEC"}}"#);
    let run = |events: &[String]| {
        let mut out = Vec::new();
        let mut rewriter = ResponseRewriter::new(BodyKind::EventStream, &ANSWERS, Simple);
        rewriter.push(in_events(events).as_bytes(), true, &mut out).unwrap();
        String::from_utf8(out).unwrap()
    };
    let tail = delta("SEC", r#","logprobs":[]"#);
    let head = [delta("x SEC", ""), added.clone()];
    let shown = [delta("x ", ""), tail, added];
    let ended = run(&[head.as_slice(), std::slice::from_ref(&done)].concat());
    assert_eq!(ended, in_events(&[shown.as_slice(), std::slice::from_ref(&done)].concat()));
    assert_eq!(run(&head), in_events(&shown));
}

const RUN_CREATED: (&str, &str) = (
    "thread.run.created",
    r#"{"id":"run_1","object":"thread.run","created_at":12,"assistant_id":"asst_1","thread_id":"thread_1","status":"queued","model":"gpt-4o","instructions":null,"tools":[],"metadata":{},"usage":null}"#,
);
const RUN_COMPLETED: (&str, &str) = (
    "thread.run.completed",
    r#"{"id":"run_1","object":"thread.run","created_at":12,"status":"completed","model":"gpt-4o","usage":{"prompt_tokens":1,"completion_tokens":2,"total_tokens":3}}"#,
);

#[test]
fn messages_of_a_thread_obey_the_laws() {
    Response {
        head: &[
            RUN_CREATED,
            ("thread.run.step.created", r#"{"id":"step_1","object":"thread.run.step","type":"message_creation","status":"in_progress","step_details":{"type":"message_creation","message_creation":{"message_id":"msg_1"}}}"#),
            ("thread.message.created", r#"{"id":"msg_1","object":"thread.message","created_at":12,"thread_id":"thread_1","status":"in_progress","role":"assistant","content":[]}"#),
            ("thread.message.delta", r#"{"id":"msg_1","object":"thread.message.delta","delta":{"content":[{"index":0,"type":"text","text":{"value":"Well, ","annotations":[]}}]}}"#),
            ("thread.message.completed", r#"{"id":"msg_1","object":"thread.message","status":"completed","role":"assistant","content":[{"type":"text","text":{"value":"Well, ","annotations":[]}}]}"#),
        ],
        delta: ("thread.message.delta", r#"{"id":"msg_2","object":"thread.message.delta","delta":{"content":[{"index":0,"type":"text","text":{"value":"?"}}]}}"#),
        tail: &[
            ("thread.message.completed", r#"{"id":"msg_2","object":"thread.message","status":"completed","role":"assistant","content":[{"type":"text","text":{"value":"?","annotations":[]}}]}"#),
            ("thread.run.step.completed", r#"{"id":"step_1","object":"thread.run.step","type":"message_creation","status":"completed","step_details":{"type":"message_creation","message_creation":{"message_id":"msg_2"}}}"#),
            RUN_COMPLETED,
        ],
        at: "/delta/content/0/text/value",
        json: false,
    }
    .laws();
}

#[test]
fn what_the_steps_of_a_run_do_obeys_the_laws() {
    Response {
        head: &[RUN_CREATED],
        delta: ("thread.run.step.delta", r#"{"id":"step_1","object":"thread.run.step.delta","delta":{"step_details":{"type":"tool_calls","tool_calls":[{"index":1,"type":"function","function":{"arguments":"?"}}]}}}"#),
        tail: &[
            ("thread.run.step.completed", r#"{"id":"step_1","object":"thread.run.step","type":"tool_calls","status":"completed","step_details":{"type":"tool_calls","tool_calls":[{"id":"call_1","type":"function","function":{"name":"f","arguments":"?","output":null}}]}}"#),
            ("thread.run.requires_action", r#"{"id":"run_1","object":"thread.run","status":"requires_action","required_action":{"type":"submit_tool_outputs","submit_tool_outputs":{"tool_calls":[{"id":"call_1","type":"function","function":{"name":"f","arguments":"?"}}]}}}"#),
        ],
        at: "/delta/step_details/tool_calls/0/function/arguments",
        json: true,
    }
    .laws();
    Response {
        head: &[RUN_CREATED],
        delta: ("thread.run.step.delta", r#"{"id":"step_1","object":"thread.run.step.delta","delta":{"step_details":{"type":"tool_calls","tool_calls":[{"index":0,"type":"code_interpreter","code_interpreter":{"input":"?"}}]}}}"#),
        tail: &[
            ("thread.run.step.completed", r#"{"id":"step_1","object":"thread.run.step","type":"tool_calls","status":"completed","step_details":{"type":"tool_calls","tool_calls":[{"id":"call_1","type":"code_interpreter","code_interpreter":{"input":"?","outputs":[{"type":"logs","logs":"?"}]}}]}}"#),
            RUN_COMPLETED,
        ],
        at: "/delta/step_details/tool_calls/0/code_interpreter/input",
        json: false,
    }
    .laws();
    Response {
        head: &[RUN_CREATED],
        delta: ("thread.run.step.delta", r#"{"id":"step_1","object":"thread.run.step.delta","delta":{"step_details":{"type":"tool_calls","tool_calls":[{"index":0,"code_interpreter":{"outputs":[{"index":2,"type":"logs","logs":"?"}]}}]}}}"#),
        tail: &[RUN_COMPLETED],
        at: "/delta/step_details/tool_calls/0/code_interpreter/outputs/0/logs",
        json: false,
    }
    .laws();
    Response {
        head: &[RUN_CREATED],
        delta: ("thread.run.step.delta", r#"{"id":"step_1","object":"thread.run.step.delta","delta":{"step_details":{"type":"tool_calls","tool_calls":[{"index":0,"new_tool":{"said":"?"}}]}}}"#),
        tail: &[RUN_COMPLETED],
        at: "/delta/step_details/tool_calls/0/new_tool/said",
        json: false,
    }
    .laws();
}
