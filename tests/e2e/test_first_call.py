"""The shortest way through everything: caller, identity provider, policy, upstream, mask, collector."""

import pytest

import policies as sets
from conftest import StartGuard
from guard import Guard, completion, delta, finish, text_of
from parts.idp import Idp
from parts.upstream import json_answer, stream


def test_a_call_without_a_token_never_reaches_the_upstream(guard: Guard) -> None:
    answer = guard.chat(None)
    assert answer.status_code == 401
    assert answer.json()["error"]["code"] == "unauthenticated"
    assert guard.upstream.requests == []


@pytest.mark.parametrize("alg", ["RS256", "ES256", "EdDSA"])
def test_a_real_providers_token_opens_the_way_and_stays_behind(guard: Guard, alg: str) -> None:
    guard.upstream.answer = json_answer(completion("Write to ann@corp.example."))
    token = guard.token(alg=alg)
    answer = guard.openai(token).chat.completions.create(model="gpt-4o-mini", messages=[])
    assert answer.choices[0].message.content == "Write to <EMAIL_ADDRESS>."
    (seen,) = guard.upstream.requests
    assert seen.header("authorization") == f"Bearer {sets.CREDENTIAL}"
    assert token not in str(seen.headers) + seen.body.decode()


@pytest.mark.parametrize("upstream_http2", [False, True], ids=["h1-up", "h2-up"])
@pytest.mark.parametrize("http2", [False, True], ids=["h1-down", "h2-down"])
def test_a_stream_is_masked_over_every_http(start_guard: StartGuard, http2: bool, upstream_http2: bool) -> None:
    guard = start_guard(upstream_http2=upstream_http2)
    guard.upstream.answer = stream(delta("Write to ann@co"), delta("rp.exam"), delta("ple."), finish())
    answer = guard.chat(guard.token(), http2=http2, stream=True)
    assert text_of(answer.content) == "Write to <EMAIL_ADDRESS>."
    assert answer.content.rstrip().endswith(b"data: [DONE]")


def test_every_worker_judges_and_records(start_guard: StartGuard, idp: Idp) -> None:
    guard = start_guard(sets.chat(idp.issuer), concurrency=2)
    guard.upstream.answer = json_answer(completion("Hello."))
    token = guard.token()
    for _ in range(20):
        assert guard.chat(token).status_code == 200
    guard.sink.wait_for(lambda _: len(guard.sink.events("exchange.end")) == 20)
    chains = {record.attributes["portcullis.chain.id"] for record in guard.sink.events("exchange.end")}
    assert len(chains) == 2
