//! The last events of a stream that we end, as its API writes them where a model has reached its limit of tokens: clients
//! take what they got for an answer that was cut short, not for a failure.
//!
//! Sources: the references of OpenAI's chat completions and completions, of Anthropic's messages and of Gemini.

/// What of a stream that is ended goes into its last events.
#[derive(Debug, Default, PartialEq, Eq)]
pub struct Stopped {
    /// The values that identify the stream, as members of an object, each with a comma behind it.
    pub envelope: Vec<u8>,
    /// The block that is under way, where an API has such.
    pub open: Option<u32>,
}

/// Most answers of one request that are ended one by one.
const MAX_ANSWERS: u64 = 128;

/// The last events; `answers`: how many the stream holds, `tokens`: about how many went out. `None`: the operation's
/// streams have no such end, or it needs more than is known.
pub fn last_events(
    api: &str,
    operation: &str,
    stopped: &Stopped,
    answers: u64,
    tokens: u64,
) -> Option<Vec<u8>> {
    match (api, operation) {
        ("openai", "chat") => Some(choices(stopped, answers, "\"delta\":{}")),
        ("openai", "completions") => Some(choices(stopped, answers, "\"text\":\"\"")),
        ("anthropic", "chat") => Some(message(stopped, tokens)),
        ("gemini", "chat") => Some(candidates(answers)),
        _ => None,
    }
}

fn choices(stopped: &Stopped, answers: u64, empty: &str) -> Vec<u8> {
    let mut events = Vec::new();
    for index in 0..answers.clamp(1, MAX_ANSWERS) {
        events.extend_from_slice(b"data: {");
        events.extend_from_slice(&stopped.envelope);
        let choice =
            format!("\"choices\":[{{\"index\":{index},{empty},\"finish_reason\":\"length\"}}]}}\n\n");
        events.extend_from_slice(choice.as_bytes());
    }
    events.extend_from_slice(b"data: [DONE]\n\n");
    events
}

fn message(stopped: &Stopped, tokens: u64) -> Vec<u8> {
    let mut events = String::new();
    let mut event = |name: &str, more: &str| {
        events.push_str(&format!("event: {name}\ndata: {{\"type\":\"{name}\"{more}}}\n\n"));
    };
    if let Some(index) = stopped.open {
        event("content_block_stop", &format!(",\"index\":{index}"));
    }
    let delta = "\"delta\":{\"stop_reason\":\"max_tokens\",\"stop_sequence\":null}";
    event("message_delta", &format!(",{delta},\"usage\":{{\"output_tokens\":{tokens}}}"));
    event("message_stop", "");
    events.into_bytes()
}

fn candidates(answers: u64) -> Vec<u8> {
    let candidate = |index| {
        let content = "\"content\":{\"parts\":[{\"text\":\"\"}],\"role\":\"model\"}";
        format!("{{{content},\"finishReason\":\"MAX_TOKENS\",\"index\":{index}}}")
    };
    let all: Vec<String> = (0..answers.clamp(1, MAX_ANSWERS)).map(candidate).collect();
    format!("data: {{\"candidates\":[{}]}}\n\n", all.join(",")).into_bytes()
}

#[cfg(test)]
mod tests {
    use serde_json::{Value, json};

    use super::*;
    use crate::protocol::api;

    fn documents(events: &[u8]) -> Vec<Value> {
        let text = std::str::from_utf8(events).unwrap();
        let data = text.lines().filter_map(|line| line.strip_prefix("data: "));
        data.filter(|data| *data != "[DONE]").map(|data| serde_json::from_str(data).unwrap()).collect()
    }

    #[test]
    fn a_stream_of_choices_ends_as_at_the_limit_of_the_model() {
        let stopped = Stopped { envelope: b"\"id\":\"c\",\"model\":\"m\",".to_vec(), open: None };
        let events = last_events("openai", "chat", &stopped, 2, 7).unwrap();
        assert!(events.ends_with(b"data: [DONE]\n\n"));
        let choice = |index| json!({"id": "c", "model": "m", "choices": [{"index": index, "delta": {}, "finish_reason": "length"}]});
        assert_eq!(documents(&events), [choice(0), choice(1)]);
    }

    #[test]
    fn every_operation_of_which_it_is_said_has_an_end_of_its_own() {
        for (api, operation) in
            [(&api::OPENAI, "chat"), (&api::OPENAI, "completions"), (&api::ANTHROPIC, "chat")]
        {
            assert!(api.operations.iter().any(|row| row.name == operation), "{}: {operation}", api.name);
            let events = last_events(api.name, operation, &Stopped::default(), 1, 7);
            assert!(events.is_some(), "{}: {operation}", api.name);
        }
        let events = last_events("openai", "completions", &Stopped::default(), 1, 7).unwrap();
        let choice = json!({"index": 0, "text": "", "finish_reason": "length"});
        assert_eq!(documents(&events), [json!({"choices": [choice]})]);
    }

    #[test]
    fn a_message_closes_the_block_that_is_open() {
        let ends = |open| {
            let events =
                last_events("anthropic", "chat", &Stopped { open, ..Stopped::default() }, 1, 7).unwrap();
            documents(&events)
                .iter()
                .map(|event| event["type"].as_str().unwrap().to_owned())
                .collect::<Vec<_>>()
        };
        assert_eq!(ends(Some(3)), ["content_block_stop", "message_delta", "message_stop"]);
        assert_eq!(ends(None), ["message_delta", "message_stop"]);
    }

    #[test]
    fn gemini_says_why_each_candidate_ended() {
        let events = last_events("gemini", "chat", &Stopped::default(), 1, 7).unwrap();
        assert_eq!(documents(&events)[0]["candidates"][0]["finishReason"], "MAX_TOKENS");
        assert_eq!(last_events("openai", "responses", &Stopped::default(), 1, 7), None);
    }
}
