"""Rules that ask a human, and what rules say: as the official clients see it."""

from __future__ import annotations

import json
from copy import deepcopy
from typing import Any

import anthropic
import httpx
import openai
import pytest

import policies as sets
from conftest import StartGuard
from guard import Guard, cli, completion, question
from parts.idp import Idp
from parts.upstream import json_answer

RULES: list[dict[str, Any]] = [
    {
        "name": "models",
        "deny": 'llm.model.startsWith("o")',
        "message": "${identity.subject} may not use ${llm.model} in $${env}.",
    },
    {"name": "db-tools", "approve": 'llm.tools.exists(t, t.startsWith("db_"))'},
    {"name": "many", "approve": "llm.n > 3", "message": "Ask before you want ${string(llm.n)} answers."},
    {"name": "tenants", "approve": 'llm.n == 3 && identity.claims.tenant == "a"'},
    {"name": "nobody", "deny": "llm.n == 2", "message": "Not for ${identity.claims.tenant}."},
]


def policy_set(issuer: str) -> sets.Set:
    made = sets.chat(issuer)
    usual = sets.policy(made)
    usual["rules"] = RULES
    watching = deepcopy(usual) | {"name": "watching", "mode": "monitor"}
    made["policies"].append(watching)
    chat = sets.connection(made)
    made["connections"] = [
        deepcopy(chat)
        | {"name": "watched", "match": {"path_prefix": "/v1", "authority": "watching"}}
        | {"policy": "watching"},
        chat,
        deepcopy(chat) | {"name": "claude", "protocol": "anthropic", "match": {"path_prefix": "/anthropic"}},
    ]
    return made


@pytest.fixture(scope="module")
def guard(start_guard: StartGuard, idp: Idp) -> Guard:
    return start_guard(policy_set(idp.issuer))


TOOL = {"type": "function", "function": {"name": "db_read", "parameters": {"type": "object"}}}


def record(guard: Guard, exchange: str) -> dict[str, Any]:
    found = guard.sink.wait_for(lambda record: record.attributes.get("portcullis.exchange") == exchange)
    return dict(found.attributes)


def test_a_client_of_openai_gets_a_conflict_that_says_when_to_come_again(guard: Guard, token: str) -> None:
    with pytest.raises(openai.ConflictError) as refused:
        guard.openai(token).chat.completions.create(**question(tools=[TOOL], n=4))
    answer = refused.value.response
    assert (answer.status_code, refused.value.code) == (409, "approval_pending")
    assert (answer.headers["retry-after"], answer.headers["x-should-retry"]) == ("60", "true")
    assert answer.json()["error"] == {
        "message": 'The rule "db-tools" asks a human to approve this request. '
        "Ask before you want 4 answers. (rules: db-tools, many)",
        "type": "conflict_error",
        "param": None,
        "code": "approval_pending",
    }
    assert guard.upstream.requests == []
    seen = record(guard, answer.headers["x-portcullis-exchange"])
    assert list(seen["portcullis.approvals"]) == ["db-tools", "many"]
    assert (seen["portcullis.decision"], seen["portcullis.reason"]) == ("deny", "approval_pending")


def test_a_client_of_anthropic_gets_a_conflict_too(guard: Guard, token: str) -> None:
    client = anthropic.Anthropic(base_url=f"{guard.url}/anthropic", api_key=token, max_retries=0, timeout=20)
    tool = {"name": "db_read", "input_schema": {"type": "object"}}
    with pytest.raises(anthropic.ConflictError) as refused:
        client.messages.create(
            model="claude-sonnet-4-5", max_tokens=5, tools=[tool], messages=[{"role": "user", "content": "Hello"}]
        )
    assert refused.value.response.json()["type"] == "error"
    assert guard.upstream.requests == []


def test_what_asks_nobody_goes_on(guard: Guard, token: str) -> None:
    guard.upstream.answer = json_answer(completion("Hi"))
    assert guard.chat(token).status_code == 200
    assert len(guard.upstream.wait_for()) == 1


def test_an_approval_that_cannot_be_decided_is_an_error_of_the_policy(guard: Guard, token: str) -> None:
    answer = guard.chat(token, n=3)
    assert (answer.status_code, answer.json()["error"]["code"]) == (403, "policy_error")
    assert guard.upstream.requests == []


def test_in_monitor_the_bytes_stay_and_the_record_tells_who_would_be_asked(guard: Guard, token: str) -> None:
    guard.upstream.answer = json_answer(completion("Hi"))
    body = json.dumps(question(tools=[TOOL], n=4)).encode()
    headers = {"host": "watching", "content-type": "application/json"}
    with guard.client(token) as client:
        answer = client.post("/v1/chat/completions", content=body, headers=headers)
    assert answer.status_code == 200
    (request,) = guard.upstream.wait_for()
    assert request.body == body
    seen = guard.sink.wait_for(lambda record: record.attributes.get("portcullis.policy") == "watching").attributes
    assert list(seen["portcullis.approvals"]) == ["db-tools", "many"]
    assert (seen["portcullis.would_reason"], seen["portcullis.would_rule"]) == ("approval_pending", "db-tools")


def told(answer: httpx.Response) -> str:
    return str(answer.json()["error"]["message"])


def test_a_value_in_a_message_is_text_whatever_it_holds(guard: Guard, token: str) -> None:
    model = 'o"},"code":"x\r\n${identity.id}\u2028é\U0001f600\\'
    answer = guard.chat(token, model=model)
    assert (answer.status_code, answer.json()["error"]["code"]) == (403, "forbidden")
    assert told(answer) == f"alice may not use {model} in ${{env}}. (rule: models)"
    long = guard.chat(token, model="o" * 5000)
    assert told(long) == f"alice may not use {'o' * 200}… in ${{env}}. (rule: models)"
    assert guard.upstream.requests == []


def test_a_message_without_its_value_is_an_error_of_the_policy(guard: Guard, token: str) -> None:
    answer = guard.chat(token, n=2)
    assert (answer.status_code, answer.json()["error"]["code"]) == (403, "policy_error")
    named = guard.chat(guard.token(claims={"tenant": "acme"}), n=2)
    assert told(named) == "Not for acme. (rule: nobody)"


def test_the_command_warns_of_a_rule_that_nobody_answers_and_shows_a_wrong_message(guard: Guard, idp: Idp) -> None:
    warned = cli("check", guard.write(policy_set(idp.issuer)))
    assert "the rule `db-tools` asks a human, and the set names no service that does" in warned.stdout
    wrong = policy_set(idp.issuer)
    sets.policy(wrong)["rules"] = [{"name": "a", "deny": "true", "message": "You said ${prompt.text}."}]
    refused = cli("check", guard.write(wrong), check=False)
    assert refused.returncode != 0
    assert "policies[0].rules[0].message: `prompt.text` has no place in what a caller is told" in refused.stdout
    assert "\n    prompt.text\n    ^^^^^^^^^^^\n" in refused.stdout
