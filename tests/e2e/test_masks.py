"""Operators, masked prompts and what is put back, on a real Envoy and with the official client."""

from __future__ import annotations

import concurrent.futures
import json
import re
import time
from collections.abc import Callable
from copy import deepcopy
from pathlib import Path
from typing import Any

import httpx
import openai
import pytest

import policies as sets
from conftest import StartGuard
from guard import Guard, completion, delta, finish, question
from known import CARD, EMAIL, content, end_of, leaks
from parts import tokens
from parts.idp import Idp
from parts.keys import KeySet
from parts.upstream import Answer, Received, Trailers, cut, json_answer, stream

PATH = "/v1/chat/completions"
JSON = ("content-type", "application/json")
OTHER = "joe.bloggs@example.org"
SSN = "536-90-4399"
NAME = r"<EMAIL_ADDRESS_[0-9a-f]{12}>"

PSEUDONYM = {"entities": ["PII"], "operator": "pseudonym", "key": "${env:PSEUDONYMS}"}
# One guard, a policy for each authority.
MASKS: dict[str, dict[str, Any]] = {
    "prompts": {
        "prompt": {
            "entities": ["PII"],
            "overrides": {
                "CREDIT_CARD": {"operator": "mask", "keep_last": 4},
                "US_SSN": {"operator": "block"},
                "IP_ADDRESS": {"operator": "flag"},
            },
        }
    },
    "restoring": {"prompt": {"entities": ["PII"], "restore": True}, "response": {"entities": ["PII"]}},
    "named": {"prompt": PSEUDONYM | {"restore": True}, "response": PSEUDONYM},
    "tenants": {"response": PSEUDONYM | {"scope": "${identity.claims.tenant}"}},
    "blocking": {"response": {"entities": ["PII"], "overrides": {"CREDIT_CARD": {"operator": "block"}}}},
    "covering": {
        "response": {
            "entities": ["PII"],
            "operator": "mask",
            "overrides": {"EMAIL_ADDRESS": {"operator": "redact"}, "CREDIT_CARD": {"operator": "mask", "keep_last": 4}},
        }
    },
    "flagging": {"response": {"entities": ["PII"], "operator": "flag"}},
}


def policy_set(issuer: str) -> sets.Set:
    made = sets.chat(issuer)
    chat, usual = sets.connection(made), sets.policy(made)
    connections = []
    for name, mask in [
        *MASKS.items(),
        ("growing", {"prompt": PSEUDONYM}),
        ("watching", MASKS["prompts"] | MASKS["blocking"]),
    ]:
        mode = "monitor" if name == "watching" else "enforce"
        rules = [] if name == "growing" else usual["rules"]
        policy = deepcopy(usual) | {"name": name, "mask": mask, "mode": mode, "rules": rules}
        made["policies"].append({key: value for key, value in policy.items() if value != []})
        match = {"authority": name, "path_prefix": "/v1"}
        connections.append(deepcopy(chat) | {"name": name, "match": match, "policy": name})
    # What only flags passes untouched; with a credential, that would be looked for and covered.
    del connections[list(MASKS).index("flagging")]["credential"]
    made["connections"] = connections + made["connections"]
    return made


@pytest.fixture(scope="module")
def guard(start_guard: StartGuard, idp: Idp) -> Guard:
    # The operators of the listener let the key through, as `render envoy` writes it.
    return start_guard(policy_set(idp.issuer), concurrency=2, env={"PSEUDONYMS": "0123456789abcdef" * 2})


def ask(guard: Guard, token: str, policy: str, answer: Answer | None = None, **body: Any) -> httpx.Response:
    if answer:
        guard.upstream.answer = answer
    return guard.chat(token, headers={"host": policy}, **body)


def asked(guard: Guard) -> Received:
    """What the upstream was asked last."""
    return guard.upstream.wait_for()[-1]


def official(guard: Guard, token: str, policy: str) -> openai.OpenAI:
    return guard.openai(token, default_headers={"host": policy})


def record(guard: Guard, reply: httpx.Response) -> dict[str, Any]:
    return end_of(guard.sink, reply.headers["x-portcullis-exchange"])


# Prompts.


@pytest.mark.parametrize("http2", [False, True])
def test_the_upstream_sees_the_masked_prompt_in_a_body_of_the_right_length(
    http2: bool, guard: Guard, token: str
) -> None:
    text = f"I am {EMAIL.value}, {CARD.value}, from 10.1.2.3."
    tools = [{"type": "function", "function": {"name": "send", "description": f"to {EMAIL.value}"}}]
    reply = ask(guard, token, "prompts", http2=http2, text=text, tools=tools, user=EMAIL.value)
    assert reply.status_code == 200
    request = asked(guard)
    assert not leaks(request.body, EMAIL.value, CARD.value)
    seen = json.loads(request.body)
    assert seen["messages"][0]["content"] == "I am <EMAIL_ADDRESS>, **** **** **** 1111, from 10.1.2.3."
    assert seen["tools"][0]["function"]["description"] == "to <EMAIL_ADDRESS>"
    assert (seen["user"], seen["model"]) == ("<EMAIL_ADDRESS>", "gpt-4o-mini")
    assert request.header("content-length") == str(len(request.body))
    end = record(guard, reply)
    assert end["portcullis.prompt.entities"] == {"CREDIT_CARD": 1, "EMAIL_ADDRESS": 3, "IP_ADDRESS": 1}
    assert end["portcullis.prompt.operators"] == {"flag": 1, "mask": 1, "replace": 3}
    assert not leaks(json.dumps(end).encode(), EMAIL.value, CARD.value)


def test_a_prompt_that_comes_in_pieces_with_trailers_or_without_a_length_is_masked(guard: Guard, token: str) -> None:
    body = json.dumps(question(EMAIL.text)).encode()
    first, second = cut(body, body.index(b"doe"))
    for trailers in (b"", b"x-sum: 1\r\n"):
        guard.upstream.requests.clear()
        head = (
            f"POST {PATH} HTTP/1.1\r\nhost: prompts\r\nauthorization: Bearer {token}\r\nconnection: close\r\n"
            "content-type: application/json\r\ntransfer-encoding: chunked\r\n\r\n"
        )
        pieces = [b"%x\r\n%s\r\n" % (len(piece), piece) for piece in (first, second)]
        answer = guard.raw(head.encode(), pieces=[*pieces, b"0\r\n" + trailers + b"\r\n"])
        assert answer.startswith(b"HTTP/1.1 200"), answer
        assert json.loads(asked(guard).body)["messages"][0]["content"] == EMAIL.masked


def test_a_prompt_that_masking_makes_larger_is_bounded_by_what_the_proxy_takes(guard: Guard, token: str) -> None:
    def send(values: int) -> httpx.Response:
        # In a field that no rule counts by length.
        metadata = {"who": " ".join(f"u{number}@ex.io" for number in range(values))}
        body = question() | {"metadata": metadata}
        with guard.client(token) as client:
            return client.post(PATH, json=body, headers={"host": "growing"})

    reply = send(40_000)
    assert reply.status_code == 200, reply.text
    body = asked(guard).body
    assert len(body) > 900_000 and b"@" not in body
    guard.upstream.requests.clear()
    reply = send(75_000)
    assert (reply.status_code, reply.json()["error"]["code"]) == (413, "too_large")
    assert not guard.upstream.requests


def test_what_is_not_masked_of_a_request_is_the_same_bytes(guard: Guard, token: str) -> None:
    body = b'{ "model" : "gpt-4o" ,\n"messages":[{"content":"caf\\u00e9 \\/ %s","role":"user"}], "temperature":1.50e0 }'
    with guard.client(token) as client:
        reply = client.post(
            PATH, content=body % EMAIL.value.encode(), headers={"host": "prompts", "content-type": "application/json"}
        )
    assert reply.status_code == 200
    assert asked(guard).body == body % b"<EMAIL_ADDRESS>"


def test_a_blocked_prompt_is_refused_and_the_official_client_says_why(guard: Guard, token: str) -> None:
    with pytest.raises(openai.PermissionDeniedError) as raised:
        official(guard, token, "prompts").chat.completions.create(**question(f"My number is {SSN}."))
    assert raised.value.code == "forbidden"
    assert "US_SSN" in raised.value.message and SSN not in raised.value.message
    assert not guard.upstream.requests
    assert SSN not in guard.log()


def test_a_prompt_that_waited_for_the_issuers_keys_is_masked(start_guard: Callable[..., Guard], folder: Path) -> None:
    late = Idp(folder)
    late.keys = KeySet.make()
    made = sets.chat(late.issuer)
    sets.policy(made)["mask"] = MASKS["restoring"]
    guard = start_guard(made, provider=late)
    early = tokens.sign(late.keys["RS256"], tokens.claims(late.issuer))
    guard.upstream.answer = lambda request: json_answer(completion(json.loads(request.body)["messages"][0]["content"]))
    with concurrent.futures.ThreadPoolExecutor(3) as pool:
        waiting = [pool.submit(guard.chat, early, text=EMAIL.text) for _ in range(3)]
        time.sleep(0.1)
        assert not any(call.done() for call in waiting), "held, not refused"
        late.start()
        try:
            answers = [call.result() for call in waiting]
        finally:
            late.stop()
    assert [answer.json()["choices"][0]["message"]["content"] for answer in answers] == [EMAIL.text] * 3
    assert all(b"<EMAIL_ADDRESS_1>" in request.body for request in guard.upstream.requests)


# What is put back.


def echo(request: Received) -> Answer:
    """Says letter by letter what it was asked."""
    text = json.loads(request.body)["messages"][0]["content"]
    return stream(*(delta(letter) for letter in text), finish())


@pytest.mark.parametrize("policy", ["restoring", "named"])
def test_the_official_client_gets_its_own_values_back_from_a_stream(policy: str, guard: Guard, token: str) -> None:
    guard.upstream.answer = echo
    text = f"{EMAIL.text} Or {CARD.text}"
    run = official(guard, token, policy).chat.completions.create(**question(text, stream=True))
    seen = "".join(chunk.choices[0].delta.content or "" for chunk in run if chunk.choices)
    assert seen == text
    assert not leaks(asked(guard).body, EMAIL.value, CARD.value)


def test_a_name_cut_anywhere_is_put_back_and_what_is_not_the_callers_is_masked(guard: Guard, token: str) -> None:
    said = f"Ask <EMAIL_ADDRESS_1>, not {OTHER} nor <EMAIL_ADDRESS_2>!"
    wanted = f"Ask {EMAIL.value}, not <EMAIL_ADDRESS> nor <EMAIL_ADDRESS_2>!"
    for at in range(len(said) + 1):
        answer = stream(delta(said[:at]), delta(said[at:]), finish())
        reply = ask(guard, token, "restoring", answer, text=EMAIL.text, stream=True)
        assert content(reply.content) == wanted, at
    assert record(guard, reply)["portcullis.response.restored"] == 1
    reply = ask(guard, token, "restoring", json_answer(completion(said)), text=EMAIL.text)
    assert reply.json()["choices"][0]["message"]["content"] == wanted
    # Another exchange was given no such name.
    reply = ask(guard, token, "restoring", text="nobody")
    assert reply.json()["choices"][0]["message"]["content"] == said.replace(OTHER, "<EMAIL_ADDRESS>")


def test_names_in_the_arguments_of_tools_are_put_back_with_the_escapes_they_need(guard: Guard, token: str) -> None:
    arguments = json.dumps(
        {"to": "<EMAIL_ADDRESS_1>", "cc": [OTHER, "\u003cEMAIL_ADDRESS_1\u003e"], "n": 4111111111111111}
    )
    function = [{"tool_calls": [{"index": 0, "function": {"arguments": piece}}]} for piece in arguments]
    first = {"tool_calls": [{"index": 0, "id": "c", "type": "function", "function": {"name": "send", "arguments": ""}}]}
    events = [
        json.dumps(json.loads(delta("")) | {"choices": [{"index": 0, "delta": each}]}) for each in [first, *function]
    ]
    guard.upstream.answer = stream(*events, finish("tool_calls"))
    tool = {"type": "function", "function": {"name": "send", "parameters": {"type": "object", "properties": {}}}}
    with official(guard, token, "restoring").chat.completions.stream(**question(EMAIL.text), tools=[tool]) as run:
        message = run.get_final_completion().choices[0].message
    assert message.tool_calls
    seen = json.loads(message.tool_calls[0].function.arguments)
    assert seen == {"to": EMAIL.value, "cc": ["<EMAIL_ADDRESS>", EMAIL.value], "n": 0}


def test_a_conversation_gets_the_same_pseudonyms_turn_after_turn_from_every_worker(guard: Guard, token: str) -> None:
    names = set()
    for turn in range(12):
        # Each on a connection of its own, so that both workers get some.
        reply = ask(guard, token, "named", json_answer(completion(OTHER)), text=f"{turn} jane.doe@Example.COM")
        said = reply.json()["choices"][0]["message"]["content"]
        (asked_name,) = re.findall(NAME, json.loads(asked(guard).body)["messages"][0]["content"])
        names.add((asked_name, said))
        guard.upstream.requests.clear()
    assert len(names) == 1, names
    reply = ask(guard, token, "named", json_answer(completion(EMAIL.value)))
    assert reply.json()["choices"][0]["message"]["content"] == names.pop()[0], "in prompts and answers alike"


def test_a_value_has_another_name_for_another_tenant(guard: Guard) -> None:
    def name(tenant: str | None) -> Any:
        claims = {"tenant": tenant} if tenant else None
        return ask(guard, guard.token(claims=claims), "tenants", json_answer(completion(EMAIL.value)))

    seen = [name(tenant).json()["choices"][0]["message"]["content"] for tenant in ("acme", "other", "acme")]
    assert seen[0] == seen[2] != seen[1] and all(re.fullmatch(NAME, each) for each in seen)
    refused = name(None)
    assert (refused.status_code, refused.json()["error"]["code"]) == (403, "policy_error")


# Operators in answers.


def test_each_entity_has_its_operator_in_text_arguments_and_numbers(guard: Guard, token: str) -> None:
    arguments = json.dumps({"card": int(CARD.value.replace(" ", "")), "to": EMAIL.value, "mac": "00:1A:2b:3C:4D:5E"})
    call = [{"id": "c", "type": "function", "function": {"name": "pay", "arguments": arguments}}]
    reply = ask(guard, token, "covering", json_answer(completion(f"{CARD.text}; {EMAIL.text}", tool_calls=call)))
    message = reply.json()["choices"][0]["message"]
    assert message["content"] == "card **** **** **** 1111, exp 12/30; Write to  today."
    inner = json.loads(message["tool_calls"][0]["function"]["arguments"])
    assert inner == {"card": 1111, "to": "", "mac": "**:**:**:**:**:**"}
    assert record(guard, reply)["portcullis.response.operators"] == {"mask": 3, "redact": 2}


def test_a_stream_is_blocked_where_the_value_begins_and_the_official_client_raises(guard: Guard, token: str) -> None:
    said = f"first {CARD.text} and so on"
    for at in range(len(said) + 1):
        guard.upstream.answer = stream(delta(said[:at]), delta(said[at:]), finish())
        seen = ""
        with pytest.raises(openai.APIError) as raised:
            for chunk in official(guard, token, "blocking").chat.completions.create(**question(stream=True)):
                seen += chunk.choices[0].delta.content or ""
        assert "CREDIT_CARD" in raised.value.message and raised.value.code == "forbidden"
        assert "first card ".startswith(seen), seen
    reply = ask(guard, token, "blocking", stream=True)
    assert not leaks(reply.content, CARD.value, "4111") and b"[DONE]" not in reply.content
    end = record(guard, reply)
    assert (end["portcullis.outcome"], end["portcullis.decision"]) == ("broken_off", "deny")
    assert end["http.response.status_code"] == 200


@pytest.mark.parametrize("http2", [False, True])
def test_a_whole_answer_is_refused_in_time_or_goes_out_whole(http2: bool, guard: Guard, token: str) -> None:
    body = completion(f"{EMAIL.text} {'x' * 70_000} {CARD.text}").encode()
    pieces = cut(body, 10, 300, 40_000, len(body) - 40)
    reply = ask(guard, token, "blocking", Answer(headers=[JSON], pieces=pieces), http2=http2)
    assert (reply.status_code, reply.json()["error"]["code"]) == (403, "forbidden")
    assert not leaks(reply.content, CARD.value, EMAIL.value)
    assert record(guard, reply)["portcullis.outcome"] == "broken_off"
    body = body.replace(CARD.value.encode(), b"none")
    answers = [
        Answer(headers=[JSON], pieces=cut(body, 10, 300, 40_000)),
        Answer(headers=[JSON, ("content-length", str(len(body)))], pieces=[body]),
        Answer(headers=[("content-type", "text/plain")], pieces=cut(body, 10, 300)),
    ]
    for answer in answers:
        reply = ask(guard, token, "blocking", answer, http2=http2)
        assert (reply.status_code, reply.content) == (200, body.replace(EMAIL.value.encode(), b"<EMAIL_ADDRESS>"))
        assert record(guard, reply)["portcullis.outcome"] == "complete"


def test_the_official_client_is_refused_a_blocked_answer(guard: Guard, token: str) -> None:
    guard.upstream.answer = json_answer(completion(CARD.text))
    with pytest.raises(openai.PermissionDeniedError, match="CREDIT_CARD"):
        official(guard, token, "blocking").chat.completions.create(**question())


def test_an_answer_of_a_policy_that_blocks_may_have_trailers_be_large_or_break(
    start_guard: StartGuard, idp: Idp
) -> None:
    made = sets.chat(idp.issuer)
    sets.policy(made)["mask"] = MASKS["blocking"]
    guard = start_guard(made, upstream_http2=True)
    token = guard.token()
    for text, status in (("fine", 200), (CARD.value, 403)):
        body = completion(text).encode()
        guard.upstream.answer = Answer(headers=[JSON], pieces=[*cut(body, 30), Trailers([("x-who", EMAIL.value)])])
        reply = guard.chat(token, http2=True)
        assert reply.status_code == status, reply.content
        assert not leaks(reply.content, CARD.value)
        if status == 200:
            assert reply.content == body
    body = completion("long " * 200_000).encode()
    guard.upstream.answer = Answer(headers=[JSON], pieces=[body])
    assert guard.chat(token).content == body
    # More than the proxy's buffer takes: refused, and nothing traps.
    for length in (210_000, 2_000_000):
        guard.upstream.answer = Answer(headers=[JSON], pieces=[completion("long " * length).encode()])
        assert guard.chat(token).status_code == 502
    guard.upstream.answer = Answer(headers=[JSON], pieces=[b'{"half":'])
    refused = guard.chat(token)
    assert (refused.status_code, refused.json()["error"]["code"]) == (502, "upstream_unreadable")


def test_a_proxy_that_cannot_hold_what_a_policy_blocks_is_told_and_nothing_hangs(
    start_guard: StartGuard, idp: Idp
) -> None:
    made = sets.chat(idp.issuer)
    policy = sets.policy(made)
    policy["mask"] = MASKS["blocking"]
    policy["rules"] = [{"name": "seen", "flag": "true"}]
    guard = start_guard(made, body_before_headers=False, promise=True)
    token = guard.token()
    refused = guard.chat(token)
    assert (refused.status_code, refused.json()["error"]["code"]) == (503, "guard_unavailable")
    assert "allow_on_headers_stop_iteration" in refused.json()["error"]["message"]
    # Without a body there is nothing to see it by: the answer goes out, and is broken off where it must not.
    guard.upstream.answer = json_answer(json.dumps({"data": [{"note": EMAIL.value}]}))
    with guard.client(token) as client:
        assert client.get("/v1/models").json() == {"data": [{"note": "<EMAIL_ADDRESS>"}]}
        guard.upstream.answer = json_answer(json.dumps({"data": [{"note": CARD.value}]}))
        with pytest.raises(httpx.RemoteProtocolError):
            client.get("/v1/models")


def test_what_is_flagged_is_counted_and_no_byte_is_touched(guard: Guard, token: str) -> None:
    answer = stream(delta(EMAIL.text[:15]), delta(EMAIL.text[15:]), finish())
    reply = ask(guard, token, "flagging", answer, stream=True)
    assert reply.content == b"".join(piece for piece in answer.pieces if isinstance(piece, bytes))
    assert record(guard, reply)["portcullis.response.operators"] == {"flag": 1}


def test_monitor_masks_blocks_and_puts_back_nothing(guard: Guard, token: str) -> None:
    text = f"{EMAIL.text} {SSN}"
    reply = ask(guard, token, "watching", json_answer(completion(CARD.text)), text=text)
    assert json.loads(asked(guard).body) == question(text)
    assert reply.content == completion(CARD.text).encode()
    # In monitor no header of ours is set: the record is the connection's only one.
    end = guard.sink.wait_for(
        lambda each: each.event.endswith(".end") and each.attributes["portcullis.connection"] == "watching"
    ).json()
    assert end["portcullis.prompt.operators"] == {"none": 2}
    assert end["portcullis.response.operators"] == {"none": 1}
    assert (end["portcullis.would"], end["portcullis.would_reason"]) == ("deny", "forbidden")


def test_metrics_say_what_was_found_where_and_what_became_of_it(guard: Guard, token: str) -> None:
    record(guard, ask(guard, token, "restoring", json_answer(completion(OTHER)), text=EMAIL.text))
    assert guard.envoy
    lines = [line for line in guard.envoy.prometheus().splitlines() if line.startswith("portcullis_masked_total{")]
    labels = [dict(re.findall(r'(\w+)="([^"]*)"', line)) for line in lines]
    for side in ("prompt", "response"):
        wanted = {"policy": "restoring", "side": side, "entity": "EMAIL_ADDRESS", "operator": "replace"}
        assert any(wanted.items() <= found.items() for found in labels), labels
