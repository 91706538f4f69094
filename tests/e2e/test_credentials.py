"""What the upstream sees in the place of the caller's token: by the module, and by Envoy's own filters after it."""

from __future__ import annotations

import re
from collections.abc import Callable
from typing import Any

import yaml

import policies as sets
from conftest import StartGuard
from guard import completion
from known import end_of
from parts import process
from parts.idp import Idp
from parts.upstream import json_answer

ONE, OTHER = "one-secret-3b0d51f7", "other/secret&9c2e"
ENCODED = "other%2Fsecret%269c2e"


def after(name: str) -> Callable[[dict[str, Any]], None]:
    """Puts a filter of `envoy/` between the module and the router."""

    def change(bootstrap: dict[str, Any]) -> None:
        (listener,) = bootstrap["static_resources"]["listeners"]
        manager = listener["filter_chains"][0]["filters"][0]["typed_config"]
        manager["http_filters"].insert(-1, yaml.safe_load((process.ROOT / "envoy" / name).read_text()))

    return change


def without_credential(issuer: str) -> sets.Set:
    made = sets.chat(issuer)
    del sets.connection(made)["credential"]
    return made


def test_each_group_has_its_own_and_a_query_is_encoded_and_unrecorded(start_guard: StartGuard, idp: Idp) -> None:
    made = sets.chat(idp.issuer)
    sets.connection(made)["credential"] = [
        {"header": "x-key", "value": "${env:ONE}", "when": '"rag-users" in identity.groups'},
        {"header": "x-key", "value": "nobody", "when": '"others" in identity.groups'},
        {"query": "sig", "value": "${env:OTHER}"},
    ]
    guard = start_guard(made, env={"ONE": ONE, "OTHER": OTHER})
    guard.upstream.answer = json_answer(completion(f"{ONE} {OTHER} {ENCODED}"))
    with guard.client(guard.token()) as client:
        body = {"model": "gpt-4o-mini", "messages": [{"role": "user", "content": "Hello"}]}
        reply = client.post("/v1/chat/completions?a=1&sig=mine", json=body, headers={"x-key": "mine"})
    assert reply.status_code == 200
    (seen,) = guard.upstream.requests
    assert (seen.header("x-key"), seen.header("authorization")) == (ONE, None)
    assert seen.path == f"/v1/chat/completions?a=1&sig={ENCODED}"
    for secret in (ONE, OTHER, ENCODED):
        assert secret not in reply.text
    record = end_of(guard.sink, reply.headers["x-portcullis-exchange"])
    assert record["url.path"] == "/v1/chat/completions" and ENCODED not in str(record)


def test_a_caller_without_one_is_refused(start_guard: StartGuard, idp: Idp) -> None:
    made = sets.chat(idp.issuer)
    when = '"others" in identity.groups'
    sets.connection(made)["credential"] = {"header": "x-key", "value": "${env:ONE}", "when": when}
    guard = start_guard(made, env={"ONE": ONE})
    reply = guard.chat(guard.token())
    assert (reply.status_code, reply.json()["error"]["code"]) == (403, "forbidden")
    assert guard.upstream.requests == []


def test_envoys_own_filter_signs_for_aws_after_the_module(start_guard: StartGuard, idp: Idp) -> None:
    keys = {"AWS_ACCESS_KEY_ID": "AK" + "IA0123456789ABCDEF", "AWS_SECRET_ACCESS_KEY": "x" * 40}
    guard = start_guard(without_credential(idp.issuer), env=keys, change=after("aws-signing.yaml"))
    guard.upstream.answer = json_answer(completion("Hi"))
    token = guard.token()
    process.wait_until("the filter has its keys", lambda: guard.chat(token).status_code == 200, 10, every=0.2)
    seen = guard.upstream.requests[-1]
    signed = seen.header("authorization") or ""
    assert re.match(r"AWS4-HMAC-SHA256 Credential=\w+/\d{8}/us-east-1/bedrock/aws4_request", signed), signed
    assert token not in str(seen.headers)


def test_envoys_own_injector_puts_a_secret_of_its_own_after_the_module(start_guard: StartGuard, idp: Idp) -> None:
    def change(bootstrap: dict[str, Any]) -> None:
        after("credential-injector.yaml")(bootstrap)
        secret = {"environment_variable": "UPSTREAM_KEY"}
        bootstrap["static_resources"]["secrets"] = [{"name": "upstream-key", "generic_secret": {"secret": secret}}]

    guard = start_guard(without_credential(idp.issuer), env={"UPSTREAM_KEY": f"Bearer {ONE}"}, change=change)
    guard.upstream.answer = json_answer(completion("Hi"))
    assert guard.chat(guard.token()).status_code == 200
    assert guard.upstream.requests[-1].header("authorization") == f"Bearer {ONE}"
