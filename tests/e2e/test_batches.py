"""Batches of messages with Anthropic's official clients: created, looked up and their results read through a real Envoy."""

from __future__ import annotations

import json
from copy import deepcopy
from typing import Any

import anthropic
import pytest
from npm import node

import policies as sets
from conftest import StartGuard
from guard import Guard
from known import AWS, CARD, EMAIL, leaks
from parts.idp import Idp
from parts.upstream import Answer, Received, json_answer

MOST = 64
BATCHES = "/v1/messages/batches"
BATCH = {
    "id": "msgbatch_1",
    "type": "message_batch",
    "processing_status": "ended",
    "request_counts": {"processing": 0, "succeeded": 2, "errored": 1, "canceled": 0, "expired": 0},
    "created_at": "2026-01-02T03:04:05Z",
    "expires_at": "2026-01-03T03:04:05Z",
    "ended_at": "2026-01-02T04:04:05Z",
    "archived_at": None,
    "cancel_initiated_at": None,
    "results_url": f"https://api.anthropic.com{BATCHES}/msgbatch_1/results",
}


def policy_set(issuer: str) -> sets.Set:
    made = sets.chat(issuer)
    policy = sets.policy(made)
    policy |= {
        "llm": {"operations": ["chat", "batches"], "references": "allow"},
        "limits": {"max_output_tokens": MOST},
        "rules": [{"name": "models", "deny": 'llm.model.startsWith("claude-opus")'}],
    }
    policy["mask"]["prompt"] = {"entities": ["PII", "SECRETS"]}
    made["connections"][0] = deepcopy(sets.connection(made)) | {
        "name": "claude",
        "protocol": "anthropic",
        "match": {"path_prefix": "/anthropic"},
        "credential": {"header": "x-api-key", "value": "${env:OPENAI_API_KEY}"},
    }
    counted = deepcopy(policy) | {
        "name": "counted",
        "budgets": [{"name": "mine", "key": "identity.id", "requests": 4, "per": "1h"}],
    }
    made["policies"].append(counted)
    again = {"name": "counted", "policy": "counted", "match": {"path_prefix": "/counted"}}
    made["connections"].append(deepcopy(made["connections"][0]) | again)
    return made


@pytest.fixture(scope="module")
def guard(start_guard: StartGuard, idp: Idp) -> Guard:
    return start_guard(policy_set(idp.issuer))


def client(guard: Guard, token: str, below: str = "anthropic") -> anthropic.Anthropic:
    return anthropic.Anthropic(base_url=f"{guard.url}/{below}", api_key=token, max_retries=0, timeout=20)


def asks(name: str, said: str, model: str = "claude-haiku-4-5") -> Any:
    return {
        "custom_id": name,
        "params": {"model": model, "max_tokens": 4096, "messages": [{"role": "user", "content": said}]},
    }


def message(text: str) -> dict[str, Any]:
    return {
        "id": "msg_1",
        "type": "message",
        "role": "assistant",
        "model": "claude-haiku-4-5",
        "content": [
            {"type": "text", "text": text},
            {"type": "tool_use", "id": "toolu_1", "name": "mail", "input": {"to": EMAIL.value}},
        ],
        "stop_reason": "end_turn",
        "stop_sequence": None,
        "usage": {"input_tokens": 9, "output_tokens": 9},
    }


def results() -> bytes:
    failed = {"type": "error", "error": {"type": "invalid_request_error", "message": f"bad {AWS.value}"}}
    lines = [
        # A value that two lines would make together is none.
        {"custom_id": "a", "result": {"type": "succeeded", "message": message(f"{CARD.text} {EMAIL.value[:5]}")}},
        {"custom_id": "b", "result": {"type": "succeeded", "message": message(f"{EMAIL.value[5:]} fine")}},
        {"custom_id": "c", "result": {"type": "errored", "error": failed}},
    ]
    return "".join(json.dumps(line) + "\n" for line in lines).encode()


def provider(vague: str) -> Any:
    def answer(request: Received) -> Answer:
        if not request.path.endswith("/results"):
            return json_answer(json.dumps(BATCH))
        body = results()
        return Answer(headers=[("content-type", vague)], pieces=[body[:150], body[150:151], body[151:]])

    return answer


@pytest.mark.parametrize("vague", ["application/x-jsonl", "application/octet-stream", "binary/octet-stream"])
def test_anthropics_client_reads_masked_results_by_way_of_the_guard(vague: str, guard: Guard, token: str) -> None:
    guard.upstream.answer = provider(vague)
    # What it streams does not keep the client, which closes its connections when it goes.
    with client(guard, token) as reader:
        one, two, three = reader.messages.batches.results("msgbatch_1")
    assert one.result.message.content[0].text == f"{CARD.masked} {EMAIL.value[:5]}"
    assert one.result.message.content[1].input == {"to": "<EMAIL_ADDRESS>"}
    assert two.result.message.content[0].text.endswith(" fine")
    assert three.result.error.error.message == "bad <AWS_ACCESS_KEY>"
    paths = [request.path for request in guard.upstream.wait_for(2)]
    assert paths == [f"/anthropic{BATCHES}/msgbatch_1", f"/anthropic{BATCHES}/msgbatch_1/results"]


def test_the_npm_client_reads_them_too(guard: Guard, token: str) -> None:
    guard.upstream.answer = provider("application/x-jsonl")
    read = node("batches", guard, token)
    assert [result["custom_id"] for result in read] == ["a", "b", "c"]
    assert not leaks(json.dumps(read).encode(), CARD.value, AWS.value)


def test_every_request_of_a_batch_is_masked_and_bounded_and_recorded(guard: Guard, token: str) -> None:
    guard.upstream.answer = json_answer(json.dumps(BATCH))
    asked = [asks("a", f"to {EMAIL.text}"), asks("b", f"use {AWS.value}", "claude-sonnet-4-5")]
    answer = client(guard, token).messages.batches.with_raw_response.create(requests=asked)
    assert answer.parse().results_url == f"{BATCHES}/msgbatch_1/results"
    (request,) = guard.upstream.wait_for()
    sent = [item["params"] for item in json.loads(request.body)["requests"]]
    assert [item["messages"][0]["content"] for item in sent] == [f"to {EMAIL.masked}", "use <AWS_ACCESS_KEY>"]
    assert [item["max_tokens"] for item in sent] == [MOST, MOST]
    exchange = answer.headers["x-portcullis-exchange"]
    start = guard.sink.wait_for(lambda record: record.attributes.get("portcullis.exchange") == exchange)
    assert start.attributes["portcullis.llm.requests"] == 2
    assert list(start.attributes["portcullis.llm.models"]) == ["claude-haiku-4-5", "claude-sonnet-4-5"]


def test_one_request_that_may_not_pass_keeps_the_batch_out(guard: Guard, token: str) -> None:
    asked = [asks("a", "Hello"), asks("b", "Hello", "claude-opus-4-5")]
    with pytest.raises(anthropic.PermissionDeniedError, match="models"):
        client(guard, token).messages.batches.create(requests=asked)
    assert not guard.upstream.requests


def test_a_batch_counts_as_the_requests_that_it_holds(guard: Guard, token: str) -> None:
    guard.upstream.answer = json_answer(json.dumps(BATCH))
    batches = client(guard, token, "counted").messages.batches
    batches.create(requests=[asks(name, "Hello") for name in "abc"])
    with pytest.raises(anthropic.RateLimitError):
        batches.create(requests=[asks(name, "Hello") for name in "de"])
    batches.create(requests=[asks("f", "Hello")])
