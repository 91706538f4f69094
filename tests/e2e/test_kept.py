"""What OpenAI keeps for its callers, and how many tokens a prompt is about: with the official client."""

from __future__ import annotations

import json

import openai
import pytest

import policies as sets
from conftest import StartGuard
from guard import Guard, completion
from parts.idp import Idp
from parts.upstream import json_answer


def policy_set(issuer: str) -> sets.Set:
    made = sets.chat(issuer)
    policy = sets.policy(made)
    policy["llm"] = {"operations": ["chat", "files", "batches", "threads"], "references": "allow"}
    policy["rules"] = [
        {
            "name": "tokens",
            "deny": "llm.prompt_tokens > 1000",
            "message": "About ${string(llm.prompt_tokens)} tokens are too many.",
        }
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
        message = plain.post("/v1/threads/t/messages", json={"role": "user", "content": "Hello"})
        assert message.status_code == 415
        assert plain.get("/v1/assistants/a").status_code == 403, "no operation that is let through"
    assert guard.upstream.requests == []


def test_a_prompt_of_about_too_many_tokens_is_refused_and_recorded(guard: Guard, token: str) -> None:
    guard.upstream.answer = json_answer(completion("Hi"))
    assert guard.chat(token, text="word " * 500).status_code == 200
    answer = guard.chat(token, text="word " * 2000)
    assert answer.status_code == 403
    assert answer.json()["error"]["message"] == "About 1352 tokens are too many."
    exchange = answer.headers["x-portcullis-exchange"]
    record = guard.sink.wait_for(lambda record: record.attributes.get("portcullis.exchange") == exchange)
    assert int(record.attributes["portcullis.llm.prompt_tokens"]) == 1352
