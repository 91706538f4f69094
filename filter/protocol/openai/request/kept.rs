//! Requests about what OpenAI keeps.

use serde_json::json;

use super::threads::{ASSISTANT, CHANGE, CONVERSATION, MESSAGE, OUTPUTS, RUN, THREAD, THREAD_RUN};
use super::*;
use crate::protocol::testing::asked::Asked;

#[test]
fn messages_of_a_thread_are_read_with_who_says_them() {
    let message = json!({"role": "user", "content": [
        {"type": "text", "text": "u"},
        {"type": "image_file", "image_file": {"file_id": "file-1", "detail": "low"}},
        {"type": "image_url", "image_url": {"url": "data:image/png;base64,AA"}},
    ], "attachments": [{"file_id": "file-2", "tools": [{"type": "file_search"}]}], "metadata": {"team": "red"}});
    let asked = Asked(&MESSAGE, "");
    asked.says(&message, &[(Role::User, "u"), (Role::User, "team"), (Role::User, "red")]);
    let view = asked.view(&message);
    assert_eq!((view.messages, view.images), (1, 2));
    assert_eq!(view.references, ["attachments[0].file_id", "content[1].image_file.file_id"]);
    asked.says(&json!({"role": "assistant", "content": "a"}), &[(Role::Assistant, "a")]);
    let thread = json!({"messages": [{"role": "user", "content": "u"}], "tool_resources": {
        "code_interpreter": {"file_ids": ["file-1"]},
        "file_search": {"vector_store_ids": ["vs_1"], "vector_stores": [{"file_ids": ["file-2"]}]},
    }});
    let view = Asked(&THREAD, "").view(&thread);
    assert_eq!((view.messages, view.references.len()), (1, 3));
    assert_eq!(view.text, "u");
}

#[test]
fn what_a_run_is_told_is_read() {
    let run = json!({"assistant_id": "asst_1", "model": "gpt-4o", "instructions": "i", "additional_instructions": "ai",
        "additional_messages": [{"role": "user", "content": "am"}], "stream": true, "max_completion_tokens": 9,
        "tools": [{"type": "function", "function": {"name": "send", "description": "d"}}, {"type": "code_interpreter"}],
        "truncation_strategy": {"type": "last_messages", "last_messages": 3}, "tool_choice": "auto"});
    let asked = Asked(&RUN, "");
    let view = asked.view(&run);
    assert_eq!((view.model.as_str(), view.stream, view.max_output_tokens), ("gpt-4o", true, Some(9)));
    assert_eq!((view.tools.len(), view.messages, view.references.len()), (2, 1, 1));
    asked.says(
        &run,
        &[
            (Role::System, "i"),
            (Role::System, "ai"),
            (Role::User, "am"),
            (Role::Definition, "send"),
            (Role::Definition, "d"),
        ],
    );
    let both = json!({"assistant_id": "asst_1", "thread": {"messages": [{"role": "user", "content": "u"}]}, "stream": true});
    assert_eq!(Asked(&THREAD_RUN, "").view(&both).text, "u");
    let outputs = json!({"tool_outputs": [{"tool_call_id": "call_1", "output": "sent"}], "stream": true});
    Asked(&OUTPUTS, "").says(&outputs, &[(Role::Tool, "sent")]);
    assert!(Asked(&OUTPUTS, "").view(&outputs).stream);
    let assistant = json!({"model": "gpt-4o", "name": "n", "description": "d", "instructions": "i", "tools": [{"type": "file_search"}]});
    Asked(&ASSISTANT, "").says(&assistant, &[(Role::Other, "n"), (Role::Other, "d"), (Role::System, "i")]);
    Asked(&CHANGE, "").says(&json!({"metadata": {"k": "v"}}), &[(Role::Other, "k"), (Role::Other, "v")]);
    let conversation =
        json!({"items": [{"role": "user", "content": "u"}, {"type": "item_reference", "id": "msg_1"}]});
    assert_eq!(Asked(&CONVERSATION, "").view(&conversation).references.len(), 1);
    assert_eq!(Asked(&CONVERSATION, "").view(&conversation).text, "u");
}

#[test]
fn shapes_of_threads_that_cannot_be_read_are_refused() {
    for (asked, body, path) in [
        (&MESSAGE, json!({"role": "system", "content": "x"}), "role"),
        (&MESSAGE, json!({"content": "x"}), "role"),
        (&MESSAGE, json!({"role": "user"}), "content"),
        (&MESSAGE, json!({"role": "user", "content": [{"type": "hologram"}]}), "content[0].type"),
        (&RUN, json!({"additional_messages": {"role": "user"}}), "additional_messages"),
        (&RUN, json!({"tools": [{}]}), "tools[0]"),
        (&OUTPUTS, json!({}), "tool_outputs"),
        (&CONVERSATION, json!({"items": [{"type": "hologram"}]}), "items[0].type"),
    ] {
        assert_eq!(Asked(asked, "").fault(&body), path, "{body}");
    }
}
