"""What a request may look like: everything that two readers could read differently, or that nobody can read, ends here."""

from __future__ import annotations

import gzip
import json
import socket
import time
from collections.abc import Callable, Iterator
from typing import Any

import h2.config
import h2.connection
import h2.events
import httpx
import pytest

import policies as sets
from guard import Guard, cli, completion, plugin, question
from parts import process
from parts.idp import Idp
from parts.upstream import json_answer

CHAT = "/v1/chat/completions"
BODY = json.dumps(question()).encode()


def refusal(answer: httpx.Response) -> tuple[int, str]:
    return answer.status_code, answer.json()["error"]["code"]


def head(guard: Guard, path: str = CHAT, *headers: str, method: str = "POST", close: bool = True) -> bytes:
    """The head of an allowed caller's request, as bytes that no client tidies up."""
    lines = [f"{method} {path} HTTP/1.1", "host: api.example.com", f"authorization: Bearer {guard.token()}"]
    lines += ["content-type: application/json"] if not any(line.startswith("content-type:") for line in headers) else []
    lines += ["connection: close"] if close else []
    return "\r\n".join([*lines, *headers, "", ""]).encode()


def status(answer: bytes) -> int:
    return int(answer.split(b" ", 2)[1]) if answer.startswith(b"HTTP/1.1 ") else 0


def raw(guard: Guard, path: str, *headers: str, method: str = "POST", body: bytes = BODY) -> bytes:
    return guard.raw(head(guard, path, *headers, f"content-length: {len(body)}", method=method) + body)


# Bodies.

MESSAGES = '"messages": [{"role": "user", "content": "Hello"}]'
BODIES: dict[str, tuple[bytes, tuple[int, str]]] = {
    "empty": (b"", (400, "invalid_request")),
    "blank": (b" \n", (400, "invalid_request")),
    "cut off": (BODY[:-1], (400, "invalid_request")),
    "cut off in a text": (BODY[:40], (400, "invalid_request")),
    "no JSON": (b"model=gpt-4o-mini", (400, "invalid_request")),
    "more behind": (BODY + b"{}", (400, "invalid_request")),
    "a letter behind": (BODY + b"x", (400, "invalid_request")),
    "a zero byte behind": (BODY + b"\0", (400, "invalid_request")),
    "a byte order mark": (b"\xef\xbb\xbf" + BODY, (400, "invalid_request")),
    "UTF-16": (BODY.decode().encode("utf-16"), (400, "invalid_request")),
    "not UTF-8": (BODY.replace(b"Hello", b"He\xffo"), (400, "invalid_request")),
    "overlong UTF-8": (BODY.replace(b"Hello", b"\xc0\xaf"), (400, "invalid_request")),
    "half a surrogate": (BODY.replace(b"Hello", b"\\ud800"), (400, "invalid_request")),
    "a comment": (b"/**/" + BODY, (400, "invalid_request")),
    "a comma too many": (BODY[:-1] + b",}", (400, "invalid_request")),
    "NaN": (BODY[:-1] + b', "temperature": NaN}', (400, "invalid_request")),
    "single quotes": (BODY.replace(b'"', b"'"), (400, "invalid_request")),
    "two lines of JSON": (BODY + b"\n" + BODY, (400, "invalid_request")),
    "nested deep": (b'{"model": "gpt-4o", "messages": ' + b"[" * 100_000, (400, "invalid_request")),
    "model twice": (f'{{"model": "gpt-4o", {MESSAGES}, "model": "gpt-5"}}'.encode(), (400, "invalid_request")),
    "model twice, once escaped": (
        f'{{"model": "gpt-4o", {MESSAGES}, "mod\\u0065l": "gpt-5"}}'.encode(),
        (400, "invalid_request"),
    ),
    "messages twice": (f'{{"model": "gpt-4o", {MESSAGES}, {MESSAGES}}}'.encode(), (400, "invalid_request")),
    "content twice": (
        b'{"model": "gpt-4o", "messages": [{"role": "user", "content": "a", "content": "b"}]}',
        (400, "invalid_request"),
    ),
    "twice deep down": (BODY[:-1] + b', "metadata": {"a": [{"b": 1, "b": 2}]}}', (400, "invalid_request")),
    "Model beside model": (f'{{"model": "gpt-4o", {MESSAGES}, "Model": "gpt-5"}}'.encode(), (415, "uninspectable")),
    "MODEL alone": (f'{{"MODEL": "gpt-5", {MESSAGES}}}'.encode(), (415, "uninspectable")),
    "Messages": (f'{{"model": "gpt-4o", {MESSAGES.replace("messages", "Messages")}}}'.encode(), (415, "uninspectable")),
    "Content": (BODY.replace(b'"content"', b'"Content"'), (415, "uninspectable")),
    "a list": (b"[]", (415, "uninspectable")),
    "a text": (b'"gpt-4o"', (415, "uninspectable")),
    "null": (b"null", (415, "uninspectable")),
    "no messages": (b'{"model": "gpt-4o"}', (415, "uninspectable")),
    "model as a list": (f'{{"model": ["gpt-4o"], {MESSAGES}}}'.encode(), (415, "uninspectable")),
    "model as an object": (f'{{"model": {{"gpt-4o": 1}}, {MESSAGES}}}'.encode(), (415, "uninspectable")),
    "messages as a text": (b'{"model": "gpt-4o", "messages": "Hello"}', (415, "uninspectable")),
    "content of an unknown kind": (
        b'{"model": "gpt-4o", "messages": [{"role": "user", "content": [{"type": "hologram", "text": "x"}]}]}',
        (415, "uninspectable"),
    ),
    "an image": (
        b'{"model": "gpt-4o", "messages": [{"role": "user", "content": [{"type": "image_url", "image_url": {"url": "data:image/png;base64,AA=="}}]}]}',
        (415, "uninspectable"),
    ),
    "what the provider keeps": (BODY[:-1] + b', "previous_response_id": "resp_1"}', (415, "uninspectable")),
    "store": (BODY[:-1] + b', "store": true}', (415, "uninspectable")),
    "the forbidden model": (BODY.replace(b"gpt-4o-mini", b"gpt-5"), (403, "forbidden")),
    "the forbidden model, escaped": (BODY.replace(b"gpt-4o-mini", b"gpt-\\u0035"), (403, "forbidden")),
    "an allowed model in capitals": (BODY.replace(b"gpt-4o-mini", b"GPT-4o-mini"), (403, "forbidden")),
    "an allowed model with a blank": (BODY.replace(b"gpt-4o-mini", b"gpt-4o-mini "), (403, "forbidden")),
    "an allowed model with a zero byte": (BODY.replace(b"gpt-4o-mini", b"gpt-4o-mini\\u0000x"), (403, "forbidden")),
    "a look-alike of an allowed model": (BODY.replace(b"gpt-4o-mini", "gpt-4\u043e-mini".encode()), (403, "forbidden")),
    "20001 characters": (json.dumps(question("x" * 20_001)).encode(), (403, "forbidden")),
    "20001 characters in pieces": (
        json.dumps(
            {
                "model": "gpt-4o",
                "messages": [{"role": "user", "content": "x" * 10_000}] * 2 + [{"role": "tool", "content": "y"}],
            }
        ).encode(),
        (403, "forbidden"),
    ),
    "20001 characters where none belong": (
        json.dumps(question("Hi", metadata={"a": "x" * 20_001})).encode(),
        (403, "forbidden"),
    ),
    "20001 characters in a tool": (
        json.dumps(
            question("Hi", tools=[{"type": "function", "function": {"name": "f", "description": "x" * 20_001}}])
        ).encode(),
        (403, "forbidden"),
    ),
}


@pytest.mark.parametrize("kind", BODIES)
def test_a_body_is_refused_that_is(kind: str, guard: Guard) -> None:
    body, expected = BODIES[kind]
    with guard.client(guard.token()) as client:
        answer = client.post(CHAT, content=body, headers={"content-type": "application/json"})
    assert refusal(answer) == expected
    assert guard.upstream.requests == []


@pytest.mark.parametrize("text", ["x" * 20_000, "é" * 20_000, "\U0001f600" * 19_000, 'a\\u0000"\n', "Ω\u2028"])
def test_a_body_within_the_rules_passes_byte_for_byte(text: str, guard: Guard) -> None:
    body = json.dumps(question(text), ensure_ascii=False, indent=1).encode()
    with guard.client(guard.token()) as client:
        assert client.post(CHAT, content=body, headers={"content-type": "application/json"}).status_code == 200
    assert guard.upstream.requests[0].body == body


def test_a_refusal_never_repeats_what_the_body_holds(guard: Guard) -> None:
    secret = "hunter2-in-the-body"
    for body in (
        f'{{"{secret}',
        f'{{"model": "{secret}", {MESSAGES}}}',
        f'{{"Model": "{secret}", {MESSAGES}}}',
        f'{{{MESSAGES}, "x{secret}": 1, "x{secret}": 2}}',
    ):
        with guard.client(guard.token()) as client:
            answer = client.post(CHAT, content=body.encode(), headers={"content-type": "application/json"})
        assert answer.status_code in (400, 403, 415)
        assert secret not in answer.text + str(answer.headers)
    assert secret not in guard.log()


TYPES: list[tuple[str | None, int]] = [
    ("application/json", 200),
    ("Application/JSON; charset=UTF-8", 200),
    ('application/json;charset="utf-8"', 200),
    ("application/vnd.openai+json", 200),
    (None, 415),
    ("", 415),
    ("text/plain", 415),
    ("text/json", 415),
    ("application/jsonp", 415),
    ("application/x-www-form-urlencoded", 415),
    ("application/json; charset=utf-16", 415),
    ("application/json; charset=utf-7", 415),
    ("application/json; charset=iso-8859-1", 415),
    ("application/json; charset=utf-8; charset=utf-16", 415),
    ("application/json, text/plain", 415),
    ("multipart/form-data; boundary=application/json", 415),
    ("application/octet-stream", 415),
    ("application/x-ndjson", 415),
]


@pytest.mark.parametrize("kind, expected", TYPES)
def test_only_json_in_utf8_is_a_body_that_can_be_read(kind: str | None, expected: int, guard: Guard) -> None:
    headers = {"content-type": kind} if kind is not None else {}
    with guard.client(guard.token()) as client:
        assert client.post(CHAT, content=BODY, headers=headers).status_code == expected
    assert len(guard.upstream.requests) == (expected == 200)


def test_two_content_types_are_not_one(guard: Guard) -> None:
    answer = raw(guard, CHAT, "content-type: application/json", "content-type: text/plain")
    assert status(answer) == 415 and guard.upstream.requests == []


@pytest.mark.parametrize("encoding", ["gzip", "br", "deflate", "GZIP", "identity, gzip", "unknown", "x-gzip"])
def test_a_compressed_body_is_refused(encoding: str, guard: Guard) -> None:
    with guard.client(guard.token()) as client:
        headers = {"content-type": "application/json", "content-encoding": encoding}
        answer = client.post(CHAT, content=gzip.compress(BODY), headers=headers)
    assert refusal(answer) == (415, "uninspectable")
    assert guard.upstream.requests == []


# Size.

LIMIT = 1 << 20


def padded(size: int) -> bytes:
    body = BODY[:-1] + b', "x": null' + b" " * size
    return body[: size - 1] + b"}"


def chunks(body: bytes, size: int) -> Iterator[bytes]:
    for at in range(0, len(body), size):
        yield body[at : at + size]


SIZES = [(LIMIT, 200), (LIMIT + 1, 413), (3 * LIMIT, 413)]


@pytest.mark.parametrize("chunked", [False, True], ids=["length", "chunked"])
@pytest.mark.parametrize("size, expected", SIZES)
def test_a_body_above_the_limit_is_refused(guard: Guard, chunked: bool, size: int, expected: int) -> None:
    body = padded(size)
    with guard.client(guard.token()) as client:
        content = chunks(body, 100_000) if chunked else body
        answer = client.post(CHAT, content=content, headers={"content-type": "application/json"})
    assert answer.status_code == expected
    if expected == 413:
        assert refusal(answer) == (413, "too_large")
        assert guard.upstream.requests == []
    else:
        assert guard.upstream.requests[0].body == body


def test_the_proxys_own_413_never_overtakes_the_refusal(guard: Guard) -> None:
    body = padded(3 * LIMIT)
    for _ in range(30):
        with guard.client(guard.token()) as client:
            answer = client.post(CHAT, content=chunks(body, 100_000), headers={"content-type": "application/json"})
        assert refusal(answer) == (413, "too_large")


@pytest.mark.parametrize("announced", [False, True], ids=["open", "length"])
@pytest.mark.parametrize("size, expected", SIZES)
def test_a_body_above_the_limit_is_refused_over_http2(guard: Guard, announced: bool, size: int, expected: int) -> None:
    body = padded(size)
    more = [("content-length", str(size))] if announced else []
    assert http2_call(guard, guard.token(), body, [], more)[":status"] == str(expected)
    assert [seen.body == body for seen in guard.upstream.requests] == ([True] if expected == 200 else [])


def test_a_body_that_is_too_large_is_refused_before_it_is_whole(guard: Guard) -> None:
    data = head(guard, CHAT, "transfer-encoding: chunked") + b"".join(
        b"%x\r\n%s\r\n" % (len(c), c) for c in chunks(padded(LIMIT + 4096), 64_000)
    )
    started = time.monotonic()
    assert status(guard.raw(data, timeout=5)) == 413, "its end never came"
    assert time.monotonic() - started < 5


def test_two_lengths_and_two_framings_are_nobodys_request(guard: Guard) -> None:
    """Request smuggling: what a second reader would take for another request."""
    smuggled = b"GET /v1/models HTTP/1.1\r\nhost: a\r\n\r\n"
    for lines in (
        ["content-length: 5", "content-length: 6"],
        ["content-length: 5", "transfer-encoding: chunked"],
        ["transfer-encoding: chunked, identity"],
        ["transfer-encoding: xchunked"],
        ["content-length: +5"],
        ["content-length: 0x5"],
    ):
        answer = guard.raw(head(guard, CHAT, *lines) + b"0\r\n\r\n" + smuggled, timeout=3)
        assert status(answer) in (400, 501), lines
    assert guard.upstream.requests == []


# Pieces.


def test_a_body_in_many_small_pieces_is_one_body(guard: Guard) -> None:
    body = json.dumps(question("é" * 200), ensure_ascii=False).encode()
    with guard.client(guard.token()) as client:
        answer = client.post(CHAT, content=chunks(body, 3), headers={"content-type": "application/json"})
    assert answer.status_code == 200
    assert guard.upstream.requests[0].body == body


def test_a_forbidden_body_in_pieces_sends_nothing_before_it_is_whole(guard: Guard) -> None:
    body = json.dumps(question(model="gpt-5")).encode()
    data = head(guard, CHAT, f"content-length: {len(body)}")
    answer = guard.raw(data, pieces=[body[at : at + 10] for at in range(0, len(body), 10)])
    assert status(answer) == 403
    assert guard.upstream.requests == []


def test_expect_100_continue_is_answered_and_not_passed_on(guard: Guard) -> None:
    data = head(guard, CHAT, f"content-length: {len(BODY)}", "expect: 100-continue")
    answer = guard.raw(data, pieces=[BODY])
    assert answer.startswith(b"HTTP/1.1 100 ") and b"\r\nHTTP/1.1 200 " in answer
    assert guard.upstream.requests[0].header("expect") is None


def test_pipelined_requests_are_judged_one_by_one(guard: Guard) -> None:
    bad = json.dumps(question(model="gpt-5")).encode()
    first = head(guard, CHAT, f"content-length: {len(BODY)}", close=False) + BODY
    second = head(guard, CHAT, f"content-length: {len(bad)}") + bad
    answer = guard.raw(first + second)
    assert answer.count(b"HTTP/1.1 200 ") == 1 and answer.count(b"HTTP/1.1 403 ") == 1
    assert len(guard.upstream.requests) == 1


def test_clients_that_go_while_paused_leave_nothing_behind(guard: Guard) -> None:
    for cut in (0, 10, len(BODY) - 1):
        for _ in range(10):
            with socket.create_connection(("127.0.0.1", guard.ports[0])) as connection:
                connection.sendall(head(guard, CHAT, f"content-length: {len(BODY)}") + BODY[:cut])
                time.sleep(0.005)
    assert guard.envoy
    active = "http.portcullis.downstream_rq_active"
    process.wait_until("no request is held any more", lambda: guard.envoy.stats(active)[active] == 0)
    assert guard.chat(guard.token()).status_code == 200
    assert len(guard.upstream.requests) == 1


def test_a_slow_first_body_is_not_taken_for_a_proxy_that_gives_none(start_guard: Callable[..., Guard]) -> None:
    """The guard looks for a proxy that breaks its promise; a client that thinks for three seconds is not one."""
    guard = start_guard()
    answer: list[bytes] = []
    with socket.create_connection(("127.0.0.1", guard.ports[0])) as connection:
        connection.sendall(head(guard, CHAT, f"content-length: {len(BODY)}"))
        time.sleep(3)
        connection.sendall(BODY)
        while data := connection.recv(65536):
            answer.append(data)
    assert status(b"".join(answer)) == 200


# Paths.

PATHS: list[tuple[str, set[int]]] = [
    (CHAT, {200}),
    ("/v1/./chat/completions", {400}),
    ("/v1/../v1/chat/completions", {400, 404}),
    ("/healthz/../v1/chat/completions", {400, 404}),
    ("/v1/%2e%2e/v1/chat/completions", {400}),
    ("/v1/%2E/chat/completions", {400}),
    ("/v1/..;/chat/completions", {400}),
    ("/v1/.;x=1/chat/completions", {400}),
    ("/v1//chat/completions", {400}),
    ("//v1/chat/completions", {400, 404}),
    ("/v1/chat/completions//", {400}),
    ("/v1/chat%2Fcompletions", {400}),
    ("/v1%2fchat/completions", {400, 404}),
    ("/v1/chat%5ccompletions", {400}),
    ("/v1/chat\\completions", {400}),
    ("/v1/chat/completions%00", {400}),
    ("/v1/chat/completions%0d%0ax", {400}),
    ("/v1/%252e%252e/chat/completions", {400}),
    ("/v1/chat/completions%", {400}),
    ("/v1/chat/completions%zz", {400}),
    ("/v1/chat/completions#x", {400, 404}),
    ("/v1/chat/completi\u00f6ns", {400}),
    ("/v1/chat/completions/", {415}),
    ("/v1/chat/completions;x=1", {415}),
    ("/v1/Chat/Completions", {415}),
    ("/V1/chat/completions", {403, 404}),
    ("/v1/files", {415}),
    ("/v1/responses/resp_1", {415}),
    ("/v1/batches", {415}),
    ("/v1/threads/t/messages", {415}),
    ("/v1/images/generations", {415}),
    ("/v1/audio/transcriptions", {415}),
    ("http://api.example.com/v1/chat/completions", {200}),
    ("http://api.example.com/v1/../v1/chat/completions", {400, 404}),
]


@pytest.mark.parametrize("path, expected", PATHS)
def test_a_path_means_one_thing_or_is_refused(path: str, expected: set[int], guard: Guard) -> None:
    answer = guard.raw(
        head(guard, "@PATH@", f"content-length: {len(BODY)}").replace(b"@PATH@", path.encode("utf-8")) + BODY
    )
    assert status(answer) in expected, answer[:200]
    assert [seen.path for seen in guard.upstream.requests] == ([CHAT] if expected == {200} else [])


@pytest.mark.parametrize("method", ["PUT", "PATCH", "DELETE", "OPTIONS", "TRACE", "HEAD", "post", "FOO"])
def test_other_methods_of_the_chat_path_are_not_chats(method: str, guard: Guard) -> None:
    assert status(raw(guard, CHAT, method=method)) in (400, 405, 415)
    assert guard.upstream.requests == []


def test_a_body_where_the_api_has_none_is_not_let_through_unread(guard: Guard) -> None:
    """A GET with a chat in its body: no condition would have seen it."""
    body = json.dumps(question(model="gpt-5")).encode()
    assert status(raw(guard, "/v1/models", method="GET", body=body)) in (400, 415)
    assert guard.upstream.requests == []


def test_a_get_without_a_body_passes(guard: Guard) -> None:
    with guard.client(guard.token()) as client:
        assert client.get("/v1/models/gpt-4o?after=x").status_code == 200
    assert guard.upstream.requests[0].path == "/v1/models/gpt-4o?after=x"


# Tunnels.


def tunnels(made: dict[str, Any]) -> None:
    """An Envoy whose operator lets upgrades and CONNECT in."""
    manager = made["static_resources"]["listeners"][0]["filter_chains"][0]["filters"][0]["typed_config"]
    manager["upgrade_configs"] = [{"upgrade_type": "websocket"}, {"upgrade_type": "CONNECT"}]
    manager["http2_protocol_options"]["allow_connect"] = True
    routes = manager["route_config"]["virtual_hosts"][0]["routes"]
    metadata = {"filter_metadata": {"portcullis": {"connection": "chat"}}}
    routes.insert(0, {"match": {"connect_matcher": {}}, "route": {"cluster": "upstream"}, "metadata": metadata})


@pytest.fixture(scope="module")
def open_house(start_guard: Callable[..., Guard]) -> Guard:
    return start_guard(change=tunnels)


def test_an_upgrade_is_refused_at_once(open_house: Guard) -> None:
    lines = ["upgrade: websocket", "sec-websocket-version: 13", "sec-websocket-key: dGhlIHNhbXBsZSBub25jZQ=="]
    for path in ("/v1/realtime", CHAT):
        data = head(open_house, path, "connection: upgrade", *lines, method="GET", close=False)
        assert status(open_house.raw(data, timeout=1)) == 415
    assert open_house.upstream.requests == []


def test_an_upgrade_that_a_policy_lets_pass_reaches_the_upstream(start_guard: Callable[..., Guard], idp: Idp) -> None:
    made = sets.chat(idp.issuer)
    sets.policy(made)["uninspected"] = {"allow": ["upgrade", "path"]}
    guard = start_guard(made)
    # A tunnel does not wait for keys: a call before it does.
    guard.chat(guard.token())
    lines = [
        f"authorization: Bearer {guard.token()}",
        *("connection: upgrade", "upgrade: websocket"),
        *("sec-websocket-version: 13", "sec-websocket-key: dGhlIHNhbXBsZSBub25jZQ=="),
    ]
    guard.raw("\r\n".join(["GET /v1/realtime HTTP/1.1", "host: guard", *lines, "", ""]).encode(), timeout=1)
    assert [request.path for request in guard.upstream.requests] == [CHAT, "/v1/realtime"]
    assert ("upgrade", "websocket") in [(name.lower(), value) for name, value in guard.upstream.requests[1].headers]


def test_connect_is_refused_at_once(open_house: Guard) -> None:
    data = f"CONNECT api.example.com:443 HTTP/1.1\r\nhost: api.example.com:443\r\nauthorization: Bearer {open_house.token()}\r\n\r\n"
    assert status(open_house.raw(data.encode(), timeout=1)) in (400, 403, 404, 415)
    assert open_house.upstream.requests == []


@pytest.mark.parametrize(
    "kind", ["application/grpc", "application/grpc+proto", "application/grpc-web", "Application/gRPC"]
)
def test_grpc_is_refused_in_its_own_words(kind: str, guard: Guard) -> None:
    with guard.client(guard.token(), http2=True) as client:
        answer = client.post(CHAT, content=BODY, headers={"content-type": kind, "te": "trailers"})
    if kind in ("application/grpc", "application/grpc+proto"):
        assert (answer.status_code, answer.headers["grpc-status"]) == (200, "12")
        assert answer.headers["x-portcullis-exchange"]
        assert answer.headers["cache-control"] == "no-store"
        assert answer.headers["content-type"].startswith("application/grpc")
    else:
        assert refusal(answer) == (415, "uninspectable"), "who speaks no gRPC must not see a 200"
    assert guard.upstream.requests == []


# HTTP/2 and trailers.


@pytest.mark.parametrize("http2", [False, True], ids=["upstream-h1", "upstream-h2"])
def test_request_trailers_end_a_body_and_carry_no_token(
    http2: bool, start_guard: Callable[..., Guard], guard: Guard
) -> None:
    guard = start_guard(upstream_http2=True) if http2 else guard
    token = guard.token()
    trailers = [
        ("x-sum", "1"),
        ("authorization", f"Bearer {token}"),
        ("x-api-key", token),
        ("x-portcullis-policy", "mine"),
    ]
    assert http2_call(guard, token, BODY, trailers)[":status"] == "200"
    (seen,) = guard.upstream.requests
    assert seen.body == BODY
    assert token not in repr(seen), "no token of the caller goes upstream, in a trailer neither"
    assert not any(name.startswith("x-portcullis-") for name, _ in seen.trailers)


def test_a_forbidden_body_that_ends_with_trailers_is_refused(guard: Guard) -> None:
    body = json.dumps(question(model="gpt-5")).encode()
    assert http2_call(guard, guard.token(), body, [("x-sum", "1")])[":status"] == "403"
    assert http2_call(guard, guard.token(), b"", [("x-sum", "1")])[":status"] == "400"
    assert guard.upstream.requests == []


def test_a_trailer_of_chunked_http1_ends_a_body(start_guard: Callable[..., Guard]) -> None:
    def trailers(made: dict[str, Any]) -> None:
        manager = made["static_resources"]["listeners"][0]["filter_chains"][0]["filters"][0]["typed_config"]
        manager["http_protocol_options"] = {"enable_trailers": True}

    guard = start_guard(change=trailers)
    for body, expected in ((BODY, 200), (json.dumps(question(model="gpt-5")).encode(), 403)):
        data = head(
            guard, CHAT, "transfer-encoding: chunked", "trailer: x-sum"
        ) + b"%x\r\n%s\r\n0\r\nx-sum: 1\r\n\r\n" % (len(body), body)
        assert status(guard.raw(data)) == expected
    assert [seen.body for seen in guard.upstream.requests] == [BODY]


def http2_head(token: str) -> list[tuple[str, str]]:
    pseudo = [(":method", "POST"), (":scheme", "http"), (":authority", "api.example.com"), (":path", CHAT)]
    return [*pseudo, ("authorization", f"Bearer {token}"), ("content-type", "application/json")]


def http2_call(
    guard: Guard, token: str, body: bytes, trailers: list[tuple[str, str]], headers: list[tuple[str, str]] | None = None
) -> dict[str, str]:
    """A chat over HTTP/2, with trailers if there are any; gives the answer's head."""
    session = h2.connection.H2Connection(h2.config.H2Configuration(client_side=True, header_encoding="utf-8"))
    rest = body
    with socket.create_connection(("127.0.0.1", guard.ports[0]), timeout=10) as connection:
        session.initiate_connection()
        session.send_headers(1, [*http2_head(token), *(headers or [])])
        ended = False
        while True:
            while rest and (room := min(session.local_flow_control_window(1), session.max_outbound_frame_size)) > 0:
                session.send_data(1, rest[:room])
                rest = rest[room:]
            if not rest and not ended:
                ended = True
                session.send_headers(1, trailers, end_stream=True) if trailers else session.end_stream(1)
            connection.sendall(session.data_to_send())
            data = connection.recv(65536)
            assert data, "no answer"
            for event in session.receive_data(data):
                if isinstance(event, h2.events.ResponseReceived):
                    return dict(event.headers)
                assert not isinstance(event, h2.events.StreamReset | h2.events.ConnectionTerminated), event


def test_many_streams_of_one_connection_keep_to_themselves(guard: Guard) -> None:
    """All heads before the first body, and every body in two pieces that come in between the others' pieces."""
    guard.upstream.answer = lambda seen: json_answer(completion(json.loads(seen.body)["messages"][0]["content"]))
    bodies = [
        json.dumps(question(f"number {number}", model="gpt-4o" if number % 5 else "gpt-5")).encode()
        for number in range(60)
    ]
    for number, (code, body) in enumerate(http2_calls(guard, guard.token(), bodies)):
        if number % 5:
            assert code == 200
            assert json.loads(body)["choices"][0]["message"]["content"] == f"number {number}"
        else:
            assert code == 403
            assert f"number {number}" not in body.decode()


def http2_calls(guard: Guard, token: str, bodies: list[bytes]) -> list[tuple[int, bytes]]:
    """Chats as so many streams of one connection, their frames mixed; gives each answer's status and body.

    Not by httpx: threads that share one of its connections change the state of one session without a lock.
    """
    session = h2.connection.H2Connection(h2.config.H2Configuration(client_side=True, header_encoding="utf-8"))
    streams = range(1, 2 * len(bodies), 2)
    statuses: dict[int, int] = {}
    answers = dict.fromkeys(streams, b"")
    open_streams = set(streams)
    with socket.create_connection(("127.0.0.1", guard.ports[0]), timeout=30) as connection:
        session.initiate_connection()
        for stream in streams:
            session.send_headers(stream, http2_head(token))
        for stream, body in zip(streams, bodies, strict=True):
            session.send_data(stream, body[: len(body) // 2])
        for stream, body in zip(streams, bodies, strict=True):
            session.send_data(stream, body[len(body) // 2 :], end_stream=True)
        while open_streams:
            connection.sendall(session.data_to_send())
            data = connection.recv(65536)
            assert data, "the connection ended"
            for event in session.receive_data(data):
                assert not isinstance(event, h2.events.StreamReset | h2.events.ConnectionTerminated), event
                if isinstance(event, h2.events.ResponseReceived):
                    statuses[event.stream_id] = int(dict(event.headers)[":status"])
                elif isinstance(event, h2.events.DataReceived):
                    answers[event.stream_id] += event.data
                    session.acknowledge_received_data(event.flow_controlled_length, event.stream_id)
                elif isinstance(event, h2.events.StreamEnded):
                    open_streams.remove(event.stream_id)
    return [(statuses[stream], answers[stream]) for stream in streams]


# The proxy's promise.


def test_a_promise_that_the_proxy_does_not_keep_is_a_refusal_that_names_the_option(
    start_guard: Callable[..., Guard],
) -> None:
    guard = start_guard(body_before_headers=False, promise=True)
    for _ in range(2):
        answer = guard.chat(guard.token())
        assert refusal(answer) == (503, "guard_unavailable")
        assert "allow_on_headers_stop_iteration" in answer.text
    assert guard.upstream.requests == []


def test_body_rules_without_the_promise_are_refused_at_load(guard: Guard, idp: Idp) -> None:
    """By `render`, and by the module for a bundle that says otherwise than the proxy was told."""
    directory = guard.write(sets.chat(idp.issuer))
    refused = cli("bundle", directory, "--body-before-headers", "false", check=False)
    message = "must read the body before a call goes on"
    assert refused.returncode == 1 and message in refused.stderr

    made = guard.bootstrap(guard.policies)
    configuration = plugin(made)["configuration"]
    configuration["value"] = configuration["value"].replace('"body_before_headers":true', '"body_before_headers":false')
    assert guard.envoy and not guard.envoy.update(made["static_resources"]["listeners"])
    assert message in guard.log() and "allow_on_headers_stop_iteration" in guard.log()
    assert guard.chat(guard.token()).status_code == 200, "the old set goes on"
    assert [line for line in guard.faults() if "failed to load" not in line] == []
    guard.reset()


def test_rules_on_the_head_alone_need_no_promise(start_guard: Callable[..., Guard], idp: Idp) -> None:
    policies = sets.chat(idp.issuer)
    sets.policy(policies)["rules"] = [{"name": "agents", "deny": 'request.headers["user-agent"].startsWith("evil")'}]
    guard = start_guard(policies, body_before_headers=False)
    assert guard.chat(guard.token()).status_code == 200
    assert guard.chat(guard.token(), headers={"user-agent": "evil/1"}).status_code == 403
    assert len(guard.upstream.requests) == 1
