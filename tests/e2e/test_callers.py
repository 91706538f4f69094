"""Who gets through, with what, and what the others are told."""

from __future__ import annotations

import json
import re
from collections.abc import Callable
from pathlib import Path
from typing import Any

import httpx
import openai
import pytest

import policies as sets
from guard import Guard, cli, completion, plugin, question
from parts import process
from parts.upstream import Received, json_answer

CHAT = "/v1/chat/completions"
BEARER = f"Bearer {sets.CREDENTIAL}"


def error(answer: httpx.Response) -> dict[str, Any]:
    """OpenAI's error object of a refusal."""
    return answer.json()["error"]


def everything(seen: Received) -> str:
    """All an upstream saw of a request, as one text to search."""
    return "\n".join([seen.method, seen.path, repr(seen.headers), repr(seen.body), repr(seen.trailers)])


def refused(guard: Guard, answer: httpx.Response, status: int, code: str) -> None:
    assert (answer.status_code, error(answer)["code"]) == (status, code)
    assert guard.upstream.requests == [], "nothing may go upstream"


def test_without_a_token_a_caller_is_challenged(guard: Guard) -> None:
    answer = guard.chat(None)
    refused(guard, answer, 401, "unauthenticated")
    assert answer.headers["www-authenticate"] == 'Bearer realm="portcullis"'
    assert error(answer)["type"] == "authentication_error"


def test_a_faulty_token_is_named_in_the_challenge(guard: Guard) -> None:
    answer = guard.chat("not.a.token")
    refused(guard, answer, 401, "unauthenticated")
    assert 'error="invalid_token"' in answer.headers["www-authenticate"]


def test_a_caller_of_another_group_is_forbidden(guard: Guard) -> None:
    refused(guard, guard.chat(guard.token("bob")), 403, "forbidden")


def test_a_forbidden_model_never_reaches_the_upstream_and_the_rule_is_named(guard: Guard) -> None:
    answer = guard.chat(guard.token(), model="gpt-5")
    refused(guard, answer, 403, "forbidden")
    assert "models" in error(answer)["message"]
    assert "gpt-5" not in answer.text, "what was asked for is not repeated"


@pytest.mark.parametrize("http2", [False, True], ids=["h1", "h2"])
@pytest.mark.parametrize(
    "header, form",
    [("authorization", "Bearer {}"), ("authorization", "bearer   {}"), ("x-api-key", "{}"), ("api-key", "{}")],
)
def test_an_allowed_call_carries_the_credential_and_no_token(guard: Guard, header: str, form: str, http2: bool) -> None:
    token = guard.token()
    answer = guard.chat(None, http2=http2, headers={header: form.format(token)})
    assert answer.status_code == 200
    (seen,) = guard.upstream.requests
    assert seen.header("authorization") == BEARER
    assert [name for name, _ in seen.headers if name.lower() in ("x-api-key", "api-key")] == []
    assert token not in everything(seen)
    assert json.loads(seen.body) == question()


def test_the_same_token_twice_is_one_token_and_is_taken_away_twice(guard: Guard) -> None:
    token = guard.token()
    assert guard.chat(token, headers={"x-api-key": token}).status_code == 200
    assert token not in everything(guard.upstream.requests[0])


@pytest.mark.parametrize(
    "second",
    [("authorization", "Bearer {other}"), ("authorization", "Basic YTpi"), ("x-api-key", "{other}"), ("api-key", "x")],
)
@pytest.mark.parametrize("order", [1, -1], ids=["after", "before"])
def test_two_tokens_that_differ_are_refused(guard: Guard, second: tuple[str, str], order: int) -> None:
    name, form = second
    headers = [("authorization", f"Bearer {guard.token()}"), (name, form.format(other=guard.token("bob")))]
    with guard.client() as client:
        refused(guard, client.post(CHAT, json=question(), headers=headers[::order]), 401, "unauthenticated")


@pytest.mark.parametrize("value", ["", "Bearer", "Bearer ", "Basic YTpi", "Digest x", "Bearer a b", "Bearer \t"])
def test_what_is_no_bearer_token_is_refused(guard: Guard, value: str) -> None:
    head = f"POST {CHAT} HTTP/1.1\r\nhost: a\r\nconnection: close\r\nauthorization: {value}\r\ncontent-length: 2\r\n\r\n{{}}"
    assert guard.raw(head.encode()).startswith(b"HTTP/1.1 401 ")
    assert guard.upstream.requests == []


OPENAI_ERRORS: list[tuple[str, dict[str, Any], type[openai.APIStatusError], str]] = [
    ("nobody", {}, openai.AuthenticationError, "unauthenticated"),
    ("bob", {}, openai.PermissionDeniedError, "forbidden"),
    ("alice", {"model": "gpt-5"}, openai.PermissionDeniedError, "forbidden"),
    ("alice", {"messages": "Hello"}, openai.APIStatusError, "uninspectable"),
    (
        "alice",
        {"extra_body": {"messages": [{"role": "user", "content": "x" * 2_000_000}]}},
        openai.APIStatusError,
        "too_large",
    ),
]


@pytest.mark.parametrize(
    "user, change, kind, code", OPENAI_ERRORS, ids=[case[3] + "-" + case[0] for case in OPENAI_ERRORS]
)
def test_the_official_client_raises_its_own_errors(
    guard: Guard, user: str, change: dict[str, Any], kind: type[openai.APIStatusError], code: str
) -> None:
    token = "nobody" if user == "nobody" else guard.token(user)
    with pytest.raises(kind) as raised:
        guard.openai(token).chat.completions.create(**(question() | change))
    assert (raised.value.code, raised.value.response.headers["content-type"]) == (code, "application/json")
    assert raised.value.message and raised.value.type
    assert guard.upstream.requests == []


def test_the_official_client_raises_bad_request_for_what_is_no_json(guard: Guard) -> None:
    with pytest.raises(openai.BadRequestError) as raised:
        guard.openai(guard.token()).post(
            "/chat/completions",
            cast_to=httpx.Response,
            content=b"{",
            options={"headers": {"content-type": "application/json"}},
        )
    assert raised.value.code == "invalid_request"


def test_the_official_client_reads_an_allowed_answer(guard: Guard) -> None:
    guard.upstream.answer = json_answer(completion("Hi"))
    answer = guard.openai(guard.token()).chat.completions.create(**question())
    assert answer.choices[0].message.content == "Hi"


UUID = re.compile(r"[0-9a-f]{8}-[0-9a-f]{4}-4[0-9a-f]{3}-[89ab][0-9a-f]{3}-[0-9a-f]{12}")


def test_every_answer_names_exchange_and_policy(guard: Guard) -> None:
    policy = f"rag-chat@{guard.options.revision}"
    names = set()
    for token, status in ((guard.token(), 200), (guard.token("bob"), 403), (None, 401)):
        answer = guard.chat(token, headers={"x-portcullis-exchange": "forged", "x-portcullis-policy": "forged"})
        assert (answer.status_code, answer.headers["x-portcullis-policy"]) == (status, policy)
        name = answer.headers["x-portcullis-exchange"]
        assert UUID.fullmatch(name)
        names.add(name)
        end = guard.sink.wait_for(
            lambda record, name=name: record.event.endswith("end") and record.json()["portcullis.exchange"] == name
        )
        assert end.json()["portcullis.policy"] == "rag-chat"
    assert len(names) == 3


def test_an_upstream_cannot_forge_our_headers(guard: Guard) -> None:
    guard.upstream.answer = json_answer(
        "{}", 200, ("x-portcullis-exchange", "forged"), ("x-portcullis-policy", "forged")
    )
    answer = guard.chat(guard.token())
    assert UUID.fullmatch(answer.headers["x-portcullis-exchange"])
    assert answer.headers["x-portcullis-policy"].startswith("rag-chat@")


TAKEN_AWAY = {
    "x-portcullis-exchange": "mine",
    "x-portcullis-approval": "yes",
    "X-Portcullis-Anything": "at all",
    "x-http-method-override": "DELETE",
    "x-http-method": "DELETE",
    "x-method-override": "DELETE",
    "x-original-url": "/v1/files",
    "x-rewrite-url": "/v1/files",
    "proxy-authorization": "Basic YTpi",
    "x-goog-api-key": "",
    "x-chroma-token": "",
    "range": "bytes=0-3",
    "if-none-match": '"x"',
    "te": "trailers",
}


def test_headers_of_the_caller_that_could_mislead_an_upstream_are_taken_away(guard: Guard) -> None:
    assert guard.chat(guard.token(), headers=TAKEN_AWAY | {"x-mine": "stays"}).status_code == 200
    (seen,) = guard.upstream.requests
    names = {name.lower() for name, _ in seen.headers}
    assert names & {name.lower() for name in TAKEN_AWAY} == set()
    assert (seen.header("x-mine"), seen.header("accept-encoding")) == ("stays", "identity")


@pytest.mark.parametrize(
    "query, left",
    [
        ("?key=s3cret", ""),
        ("?%6bey=s3cret&a=1", "?a=1"),
        ("?a=1;KEY=s3cret", "?a=1"),
        ("?api_key=s3cret&access_token=s3cret", ""),
        ("?+key=s3cret&key+=s3cret&a=1", "?a=1"),
        ("?subscription_key=s3cret&X-Amz-Security-Token=s3cret", ""),
        ("?$httpMethod=DELETE&_method=DELETE&a=1", "?a=1"),
    ],
)
def test_keys_in_the_query_never_go_upstream(guard: Guard, query: str, left: str) -> None:
    with guard.client(guard.token()) as client:
        assert client.post(httpx.URL(guard.url + CHAT + query), json=question()).status_code == 200
    (seen,) = guard.upstream.requests
    assert seen.path == CHAT + left


# Monitor.


@pytest.fixture(scope="module")
def monitor(start_guard: Callable[..., Guard], idp: Any) -> Guard:
    guard = start_guard(sets.chat(idp.issuer, mode="monitor"))
    # Monitor delays nobody, so it has no identities until the first keys are there.
    process.wait_until("the first keys", lambda: guard.envoy.stats("portcullis_key_set_fetches"), 15)
    return guard


@pytest.mark.parametrize(
    "user, body, credential, would",
    [
        ("alice", question(), BEARER, None),
        ("alice", question(model="gpt-5"), BEARER, "forbidden"),
        ("bob", question(), None, "forbidden"),
        (None, question(), None, "unauthenticated"),
        ("forged", question(), None, "unauthenticated"),
    ],
    ids=["allowed", "rule", "group", "anonymous", "forged"],
)
def test_monitor_lets_all_pass_yet_sends_no_token_and_no_credential_for_strangers(
    monitor: Guard, user: str | None, body: dict[str, Any], credential: str | None, would: str | None
) -> None:
    token = "aaaa.bbbb.cccc" if user == "forged" else user and monitor.token(user)
    assert monitor.chat(token, **body).status_code == 200
    (seen,) = monitor.upstream.requests
    assert seen.header("authorization") == credential
    assert json.loads(seen.body) == body
    assert not token or token not in everything(seen)
    record = monitor.sink.wait_for(lambda record: record.event.endswith("end"))
    judged = record.json()
    assert judged["portcullis.decision"] == "allow"
    assert judged.get("portcullis.would_reason") == would


def test_monitor_never_sends_a_stranger_with_anothers_credential(monitor: Guard) -> None:
    """A connection whose clients are kept alive must not hand the credential of one request to the next."""
    with monitor.client() as client:
        for token in (monitor.token(), monitor.token("bob"), None):
            headers = {"authorization": f"Bearer {token}"} if token else {}
            assert client.post(CHAT, json=question(), headers=headers).status_code == 200
    assert [seen.header("authorization") for seen in monitor.upstream.requests] == [BEARER, None, None]


def test_monitor_passes_a_body_it_cannot_read_byte_for_byte(monitor: Guard) -> None:
    with monitor.client(monitor.token()) as client:
        assert client.post(CHAT, content=b'\xff{"model"').status_code == 200
    assert monitor.upstream.requests[0].body == b'\xff{"model"'


# Connections.


def test_a_connection_without_a_protocol_is_left_alone(guard: Guard) -> None:
    headers = {"authorization": "Basic YTpi", "x-portcullis-x": "y", "x-api-key": "k", "accept-encoding": "br"}
    guard.upstream.answer = json_answer('{"mail":"alice@corp.example"}', 200, ("etag", '"1"'))
    with guard.client() as client:
        answer = client.get("/healthz/live?key=k", headers=headers)
    assert (answer.text, answer.headers["etag"]) == ('{"mail":"alice@corp.example"}', '"1"')
    assert "x-portcullis-exchange" not in answer.headers
    (seen,) = guard.upstream.requests
    assert seen.path == "/healthz/live?key=k"
    assert {name: seen.header(name) for name in headers} == headers


@pytest.mark.parametrize(
    "method, path", [("POST", "/healthz"), ("GET", "/healthzz"), ("GET", "/v10/models"), ("GET", "/")]
)
def test_a_request_that_matches_no_connection_is_not_let_through(guard: Guard, method: str, path: str) -> None:
    with guard.client(guard.token()) as client:
        assert client.request(method, path).status_code in (403, 404)
    assert guard.upstream.requests == []


def route_for_all(made: dict[str, Any]) -> list[dict[str, Any]]:
    """One route for every path, without metadata: only the module's own matching chooses."""
    (listener,) = made["static_resources"]["listeners"]
    routes = listener["filter_chains"][0]["filters"][0]["typed_config"]["route_config"]["virtual_hosts"][0]["routes"]
    routes[:] = [{"name": "all", "match": {"prefix": "/"}, "route": {"cluster": "upstream"}}]
    return routes


def with_second(made: dict[str, Any]) -> None:
    """Another cluster, which leads to the same upstream."""
    clusters = made["static_resources"]["clusters"]
    upstream = next(cluster for cluster in clusters if cluster["name"] == "upstream")
    clusters.append(json.loads(json.dumps(upstream)) | {"name": "second"})


@pytest.fixture(scope="module")
def routed(start_guard: Callable[..., Guard]) -> Guard:
    """The usual set, and a cluster `second` for routes that tests put there."""
    return start_guard(change=with_second)


@pytest.mark.parametrize("unmatched, status", [("deny", 403), ("allow", 200), ("monitor", 200)])
def test_unmatched_requests_fare_as_the_set_says(routed: Guard, idp: Any, unmatched: str, status: int) -> None:
    guard = routed
    guard.policies = sets.chat(idp.issuer, unmatched=unmatched)
    guard.rewire(route_for_all)
    with guard.client("whatever") as client:
        answer = client.post("/elsewhere", content=b"hello", headers={"x-portcullis-x": "y"})
    assert answer.status_code == status
    if unmatched == "deny":
        assert (answer.headers["content-type"], answer.json()["code"]) == ("application/problem+json", "forbidden")
        assert guard.upstream.requests == []
    else:
        (seen,) = guard.upstream.requests
        assert (seen.body, seen.header("x-portcullis-x")) == (b"hello", None)
        assert sets.CREDENTIAL not in everything(seen)
    guard.sink.records.clear()
    assert guard.chat(guard.token()).status_code == 200, "a path that matches still does"


MATCHES: dict[str, tuple[dict[str, str], tuple[str, str, str]]] = {
    # What the set matches, and a request (method, path, authority) that it chooses it by.
    "authority": ({"authority": "docs.example.com"}, ("POST", CHAT, "docs.example.com:8080")),
    "path_prefix": ({"path_prefix": "/docs"}, ("POST", f"/docs{CHAT}", "a")),
    "method": ({"method": "GET"}, ("GET", "/v1/models", "a")),
    "route": ({"route": "routed"}, ("POST", CHAT, "routed.example.com")),
    "virtual_host": ({"virtual_host": "another"}, ("POST", CHAT, "another.example.com")),
    "cluster": ({"cluster": "second"}, ("POST", CHAT, "second.example.com")),
    "metadata": ({"authority": "nowhere.invalid"}, ("POST", CHAT, "named.example.com")),
}


def dashed(name: str) -> str:
    return name.replace("_", "-")


def routes_of_many_kinds(made: dict[str, Any]) -> None:
    virtual_hosts = made["static_resources"]["listeners"][0]["filter_chains"][0]["filters"][0]["typed_config"]
    virtual_hosts = virtual_hosts["route_config"]["virtual_hosts"]

    def host(virtual: str, domain: str, cluster: str = "upstream", **more: Any) -> dict[str, Any]:
        route = {"match": {"prefix": "/"}, "route": {"cluster": cluster}} | more
        return {"name": virtual, "domains": [domain], "routes": [route]}

    def named(connection: str) -> dict[str, Any]:
        return {"metadata": {"filter_metadata": {"portcullis": {"connection": connection}}}}

    virtual_hosts[:] = [
        host("one", "routed.example.com", name="routed"),
        host("another", "another.example.com"),
        host("two", "second.example.com", cluster="second"),
        host("three", "named.example.com", **named("metadata")),
        host("four", "mistyped.example.com", **named("metadatum")),
        host("rest", "*"),
    ]
    with_second(made)


@pytest.fixture(scope="module")
def crossing(start_guard: Callable[..., Guard], idp: Any, run_folder: Path) -> Guard:
    """A connection for each kind of match; each has a credential header of its own, by which the upstream tells them
    apart. `render` draws no routes for some of them: the set goes in by `bundle`, and the routes are written here."""
    policies = sets.chat(idp.issuer)
    policies["connections"] = [
        sets.connection(policies)
        | {
            "name": name,
            "match": match,
            "credential": {"header": f"x-upstream-{dashed(name)}", "value": "${env:OPENAI_API_KEY}"},
        }
        for name, (match, _) in MATCHES.items()
    ]
    (run_folder / "crossing.yaml").write_text(json.dumps(policies))
    bundle = cli("bundle", run_folder / "crossing.yaml", "--revision", "test").stdout

    def change(made: dict[str, Any]) -> None:
        plugin(made)["configuration"]["value"] = bundle
        routes_of_many_kinds(made)

    return start_guard(change=change)


@pytest.mark.parametrize("kind", MATCHES)
def test_a_connection_is_found_by(kind: str, crossing: Guard) -> None:
    method, path, authority = MATCHES[kind][1]
    body = json.dumps(question()).encode() if method == "POST" else None
    headers = {"host": authority, "content-type": "application/json"}
    with crossing.client(crossing.token()) as client:
        answer = client.request(method, path, content=body, headers=headers)
    assert answer.status_code == 200, answer.text
    (seen,) = crossing.upstream.requests
    ours = {name.lower(): value for name, value in seen.headers if name.lower().startswith("x-upstream-")}
    assert ours == {f"x-upstream-{dashed(kind)}": sets.CREDENTIAL}


@pytest.mark.parametrize("authority", ["mistyped.example.com", "elsewhere.example.com", "docs.example.com.evil.test"])
def test_a_connection_that_is_not_there_opens_no_other_way(authority: str, crossing: Guard) -> None:
    answer = crossing.chat(crossing.token(), headers={"host": authority})
    assert answer.status_code == 403
    assert crossing.upstream.requests == []


# Routes that match headers which the module changes.


def route_to(cluster: str, connection: str | None, **match: Any) -> dict[str, Any]:
    named = {"filter_metadata": {"portcullis": {"connection": connection}}} if connection else {}
    return {"match": {"prefix": "/", **match}, "route": {"cluster": cluster}, "metadata": named}


@pytest.mark.parametrize(
    "before, after, answered",
    [
        (("upstream", "chat"), ("second", "chat"), True),
        (("upstream", "chat"), ("upstream", "other"), False),
        (("upstream", "chat"), ("upstream", None), False),
        (("upstream", None), ("second", None), False),
        (("upstream", None), ("upstream", None), True),
        (("upstream", None), ("second", "chat"), True),
        (("upstream", None), ("upstream", "other"), False),
    ],
    ids=[
        "same connection",
        "another connection",
        "no connection any more",
        "another cluster",
        "same cluster",
        "its own connection by name",
        "another connection by name",
    ],
)
def test_a_request_that_its_new_headers_lead_to_another_connection_gets_no_answer(
    before: tuple[str, str | None],
    after: tuple[str, str | None],
    answered: bool,
    routed: Guard,
) -> None:
    """Envoy looks its route up again once the caller's token has made room for the connection's credential."""

    def change(made: dict[str, Any]) -> None:
        token = {"name": "authorization", "string_match": {"prefix": "Bearer ey"}}
        route_for_all(made)[:] = [route_to(*before, headers=[token]), route_to(*after)]

    guard = routed
    guard.policies = sets.chat(guard.idp.issuer)
    guard.rewire(change)
    answer = guard.chat(guard.token())
    if answered:
        assert answer.status_code == 200
    else:
        assert (answer.status_code, error(answer)["code"]) == (503, "guard_unavailable")
    assert len(guard.upstream.requests) == 1, "it has gone by then: the operator has a fault to mend"
