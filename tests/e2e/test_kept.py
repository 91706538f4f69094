"""What OpenAI keeps for its callers, and how many tokens a prompt is about: with the official client."""

from __future__ import annotations

import json

import openai
import pytest

import policies as sets
from conftest import StartGuard
from guard import Guard, completion
from known import EMAIL
from parts.idp import Idp
from parts.upstream import Answer, json_answer


def policy_set(issuer: str) -> sets.Set:
    made = sets.chat(issuer)
    policy = sets.policy(made)
    policy["llm"] = {"operations": ["chat", "files", "batches", "threads"], "references": "allow"}
    policy["mask"]["prompt"] = {"entities": ["PII"]}
    policy["rules"] = [
        {"name": "word", "deny": 'prompt.text.contains("forbidden")'},
        {
            "name": "tokens",
            "deny": "llm.prompt_tokens > 1000",
            "message": "About ${string(llm.prompt_tokens)} tokens are too many.",
        },
    ]
    return made


@pytest.fixture(scope="module")
def guard(start_guard: StartGuard, idp: Idp) -> Guard:
    return start_guard(policy_set(idp.issuer))


def test_what_is_kept_is_read_where_references_may_be(guard: Guard, token: str) -> None:
    kept = {"id": "file-1", "object": "file", "bytes": 5, "created_at": 1, "filename": "a.txt", "purpose": "batch"}
    guard.upstream.answer = json_answer(json.dumps(kept | {"status": "processed"}))
    assert guard.openai(token).files.retrieve("file-1").id == "file-1"
    assert len(guard.upstream.wait_for()) == 1


def test_what_is_to_be_kept_unread_does_not_reach_the_provider(guard: Guard, token: str) -> None:
    client = guard.openai(token)
    with pytest.raises(openai.APIStatusError) as refused:
        client.files.create(file=("a.jsonl", b"{}"), purpose="batch")
    assert refused.value.status_code == 415
    with pytest.raises(openai.APIStatusError) as refused:
        client.batches.create(input_file_id="file-1", endpoint="/v1/chat/completions", completion_window="24h")
    assert refused.value.status_code == 415
    with guard.client(token) as plain:
        store = plain.post("/v1/threads/t/no/such/thing", json={"role": "user", "content": "Hello"})
        assert store.status_code == 415
        assert plain.get("/v1/assistants/a").status_code == 403, "no operation that is let through"
    assert guard.upstream.requests == []


MESSAGE = {
    "id": "msg_1",
    "object": "thread.message",
    "created_at": 1,
    "thread_id": "thread_1",
    "status": "completed",
    "role": "assistant",
    "attachments": [],
    "metadata": {},
}


def said(text: str) -> list[dict[str, object]]:
    return [{"type": "text", "text": {"value": text, "annotations": []}}]


def test_what_is_said_in_a_thread_is_masked_and_judged(guard: Guard, token: str) -> None:
    guard.upstream.answer = json_answer(json.dumps(MESSAGE | {"content": said(f"To {EMAIL.value}.")}))
    threads = guard.openai(token).beta.threads
    answer = threads.messages.create("thread_1", role="user", content=[{"type": "text", "text": f"Ask {EMAIL.value}!"}])
    assert answer.content[0].text.value == "To <EMAIL_ADDRESS>."
    (request,) = guard.upstream.wait_for(1)
    assert json.loads(request.body)["content"] == [{"type": "text", "text": "Ask <EMAIL_ADDRESS>!"}]
    guard.reset()
    for refused in (
        lambda: threads.messages.create("thread_1", role="user", content="a forbidden word"),
        lambda: threads.runs.create("thread_1", assistant_id="asst_1", additional_instructions="a forbidden word"),
    ):
        with pytest.raises(openai.PermissionDeniedError):
            refused()
    assert guard.upstream.requests == []


def test_a_streamed_run_is_masked_whatever_its_cuts(guard: Guard, token: str) -> None:
    text = f"Well, {EMAIL.value}."
    step = {"id": "step_1", "object": "thread.run.step", "type": "message_creation", "status": "in_progress"}
    run = {"id": "run_1", "object": "thread.run", "created_at": 1, "status": "queued", "thread_id": "thread_1"}
    events: list[tuple[str, object]] = [("thread.run.created", run), ("thread.run.step.created", step)]
    for piece in (text[:9], text[9:14], text[14:]):
        delta = {"content": [{"index": 0, "type": "text", "text": {"value": piece}}]}
        events.append(("thread.message.delta", {"id": "msg_1", "object": "thread.message.delta", "delta": delta}))
    events.append(("thread.message.completed", MESSAGE | {"content": said(text)}))
    events.append(("thread.run.completed", run | {"status": "completed"}))
    wire = "".join(f"event: {name}\ndata: {json.dumps(document)}\n\n" for name, document in events)
    body = f"{wire}event: done\ndata: [DONE]\n\n".encode()
    guard.upstream.answer = Answer(headers=(("content-type", "text/event-stream"),), pieces=[body])
    seen = list(guard.openai(token).beta.threads.runs.create("thread_1", assistant_id="asst_1", stream=True))
    # What was held of a text may come in an event of its own.
    assert list(dict.fromkeys(event.event for event in seen)) == list(dict.fromkeys(name for name, _ in events))
    deltas = [event.data.delta.content[0].text.value for event in seen if event.event == "thread.message.delta"]
    assert "".join(deltas) == "Well, <EMAIL_ADDRESS>."
    (whole,) = [event for event in seen if event.event == "thread.message.completed"]
    assert whole.data.content[0].text.value == "Well, <EMAIL_ADDRESS>."


def test_a_prompt_of_about_too_many_tokens_is_refused_and_recorded(guard: Guard, token: str) -> None:
    guard.upstream.answer = json_answer(completion("Hi"))
    assert guard.chat(token, text="word " * 500).status_code == 200
    answer = guard.chat(token, text="word " * 2000)
    assert answer.status_code == 403
    assert answer.json()["error"]["message"] == "About 1352 tokens are too many."
    exchange = answer.headers["x-portcullis-exchange"]
    record = guard.sink.wait_for(lambda record: record.attributes.get("portcullis.exchange") == exchange)
    assert int(record.attributes["portcullis.llm.prompt_tokens"]) == 1352
