"""What a policy lets models do, on a real Envoy and with the official clients."""

from __future__ import annotations

import json
from copy import deepcopy
from typing import Any

import anthropic
import openai
import pytest

import policies as sets
from conftest import StartGuard
from guard import Guard, completion, question
from parts.idp import Idp
from parts.upstream import json_answer

MOST = 64


def policy_set(issuer: str) -> sets.Set:
    made = sets.chat(issuer)
    chat, policy = sets.connection(made), sets.policy(made)
    policy |= {
        "llm": {"operations": ["chat", "responses", "models"], "references": "deny"},
        "limits": {"max_output_tokens": MOST},
    }
    watching = deepcopy(policy) | {"name": "watching", "mode": "monitor"}
    claude = {key: value for key, value in deepcopy(policy).items() if key != "rules"} | {"name": "claude"}
    made["policies"] += [watching, claude]
    made["connections"] = [
        deepcopy(chat)
        | {"name": "watching", "match": {"authority": "watching", "path_prefix": "/v1"}, "policy": "watching"},
        deepcopy(chat)
        | {
            "name": "claude",
            "protocol": "anthropic",
            "match": {"path_prefix": "/anthropic"},
            "policy": "claude",
            "credential": {"header": "x-api-key", "value": "${env:OPENAI_API_KEY}"},
        },
        *made["connections"],
    ]
    return made


@pytest.fixture(scope="module")
def guard(start_guard: StartGuard, idp: Idp) -> Guard:
    return start_guard(policy_set(idp.issuer))


def asked(guard: Guard) -> dict[str, Any]:
    """What the upstream was asked for."""
    (request,) = guard.upstream.wait_for()
    return json.loads(request.body)


def bounded(guard: Guard, exchange: str) -> list[str]:
    """What the record of an exchange says was bounded."""
    start = guard.sink.wait_for(lambda record: record.attributes.get("portcullis.exchange") == exchange)
    return list(start.attributes.get("portcullis.bounded", []))


@pytest.mark.parametrize(
    "given, seen, changed",
    [
        ({}, {"max_completion_tokens": MOST}, ["max_output_tokens"]),
        ({"max_tokens": 4096}, {"max_tokens": MOST}, ["max_output_tokens"]),
        ({"max_completion_tokens": 5, "n": 2}, {"max_completion_tokens": 5, "n": 2}, []),
        (
            {"max_completion_tokens": 65, "store": True},
            {"max_completion_tokens": MOST, "store": False},
            ["max_output_tokens", "store"],
        ),
    ],
)
def test_a_chat_is_bounded_and_otherwise_what_the_client_sent(
    given: dict[str, Any], seen: dict[str, Any], changed: list[str], guard: Guard, token: str
) -> None:
    guard.upstream.answer = json_answer(completion("Hi"))
    answer = guard.openai(token).chat.completions.with_raw_response.create(**question(), **given)
    assert answer.parse().choices[0].message.content == "Hi"
    assert asked(guard) == question() | seen
    assert bounded(guard, answer.headers["x-portcullis-exchange"]) == changed


def test_a_response_is_not_kept_by_the_provider(guard: Guard, token: str) -> None:
    guard.upstream.answer = json_answer(json.dumps({"id": "resp_1", "object": "response", "output": []}))
    guard.openai(token).responses.create(model="gpt-4o", input="Hello")
    assert asked(guard) == {"model": "gpt-4o", "input": "Hello", "max_output_tokens": MOST, "store": False}


def test_what_the_provider_keeps_and_what_is_not_named_never_reaches_it(guard: Guard, token: str) -> None:
    client = guard.openai(token)
    with pytest.raises(openai.APIStatusError) as refused:
        client.responses.create(model="gpt-4o", input="Hello", previous_response_id="resp_1")
    assert refused.value.status_code == 415
    with pytest.raises(openai.PermissionDeniedError, match="does not let the operation `embedding` through"):
        client.embeddings.create(model="gpt-4o", input="Hello")
    assert not guard.upstream.requests


def test_a_message_of_anthropics_client_is_bounded(guard: Guard, token: str) -> None:
    message = {
        "id": "msg_1",
        "type": "message",
        "role": "assistant",
        "model": "claude-sonnet-4-5",
        "content": [{"type": "text", "text": "Hi"}],
        "stop_reason": "end_turn",
        "stop_sequence": None,
        "usage": {"input_tokens": 1, "output_tokens": 1},
    }
    guard.upstream.answer = json_answer(json.dumps(message))
    client = anthropic.Anthropic(base_url=f"{guard.url}/anthropic", api_key=token, max_retries=0, timeout=20)
    asking = {"model": "claude-opus-4-5", "messages": [{"role": "user", "content": "Hello"}]}
    assert client.messages.create(**asking, max_tokens=32_000).content[0].text == "Hi"
    assert asked(guard) == asking | {"max_tokens": MOST}


def test_in_monitor_the_bytes_stay_and_the_record_tells(guard: Guard, token: str) -> None:
    guard.upstream.answer = json_answer(completion("Hi"))
    body = json.dumps(question(max_tokens=4096, store=True)).encode()
    with guard.client(token) as client:
        answer = client.post(
            "/v1/chat/completions", content=body, headers={"host": "watching", "content-type": "application/json"}
        )
    assert answer.status_code == 200
    (request,) = guard.upstream.wait_for()
    assert request.body == body
    record = guard.sink.wait_for(lambda record: record.attributes.get("portcullis.policy") == "watching")
    assert list(record.attributes["portcullis.bounded"]) == ["max_output_tokens", "store"]
