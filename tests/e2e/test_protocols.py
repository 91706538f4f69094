"""Every protocol on a real Envoy: refusals as official clients read them, masked answers, and policies that mask nothing."""

from __future__ import annotations

import json
from collections.abc import Callable, Iterator
from copy import deepcopy
from typing import Any

import anthropic
import httpx
import ollama
import opensearchpy
import pinecone
import pytest
from google import genai
from google.genai import errors as genai_errors
from pinecone.exceptions import ForbiddenException, UnauthorizedException

import policies as sets
from conftest import StartGuard
from guard import Guard
from known import CARD, EMAIL, documents, leaks
from parts.idp import Idp
from parts.upstream import Answer, Delay, Raw, cut, json_answer

JSON = ("content-type", "application/json")

# A path that each API knows, with its method, and one that it does not.
KNOWN = {
    "openai": ("POST", "/v1/responses"),
    "anthropic": ("POST", "/v1/messages"),
    "gemini": ("POST", "/v1beta/models/gemini-2.5-flash:generateContent"),
    "cohere": ("POST", "/v2/chat"),
    "bedrock": ("POST", "/model/anthropic.claude-3-haiku-20240307-v1%3A0/converse"),
    "ollama": ("POST", "/api/chat"),
    "pinecone": ("POST", "/query"),
    "qdrant": ("POST", "/collections/docs/points/search"),
    "weaviate": ("POST", "/v1/graphql"),
    "chroma": ("POST", "/api/v2/tenants/t/databases/d/collections/c/query"),
    "milvus": ("POST", "/v2/vectordb/entities/search"),
    "opensearch": ("POST", "/docs/_search"),
    "http": ("POST", "/rest/rows"),
}
UNKNOWN = "/v1/no/such/thing"


def policy_set(issuer: str) -> sets.Set:
    """A connection for each protocol below its name, and below `plain/` one that masks nothing."""
    made = sets.chat(issuer)
    masked = sets.policy(made) | {"rules": [{"name": "no-delete", "deny": 'request.method == "DELETE"'}]}
    plain = {key: value for key, value in masked.items() if key != "mask"} | {"name": "plain"}
    chat = sets.connection(made)
    connections = []
    for name in KNOWN:
        wide = {"protocol": name, "name": name, "match": {"path_prefix": f"/{name}"}}
        connections.append(deepcopy(chat) | wide)
        narrow = {"name": f"plain-{name}", "match": {"path_prefix": f"/plain/{name}"}, "policy": "plain"}
        connections.append(deepcopy(chat) | wide | narrow)
    paths = {"text": ["$.rows[*].body", "$.rows[*].tags[*]"], "keep": ["$.rows[*].body.id"]}
    by_path = {"protocol": "http", "name": "paths", "match": {"path_prefix": "/paths"}, "answers": paths}
    made["connections"] = [*connections, deepcopy(chat) | by_path]
    made["policies"] = [masked, plain]
    return made


@pytest.fixture(scope="module")
def guard(start_guard: StartGuard, idp: Idp) -> Guard:
    return start_guard(policy_set(idp.issuer))


@pytest.fixture(scope="module")
def stranger(guard: Guard) -> str:
    """A token of somebody whom no policy lets in."""
    return guard.token("bob")


@pytest.fixture
def client(guard: Guard, token: str) -> Iterator[httpx.Client]:
    with guard.client(token) as client:
        yield client


def ask(
    client: httpx.Client, guard: Guard, protocol: str, answer: Answer, below: str = "", path: str = ""
) -> httpx.Response:
    guard.upstream.answer = answer
    method, known = KNOWN[protocol]
    return client.request(method, f"{below}/{protocol}{path or known}", json={"any": 1})


# Refusals.


def ask_anthropic(url: str, key: str) -> Any:
    client = anthropic.Anthropic(base_url=f"{url}/anthropic", api_key=key, max_retries=0)
    return client.messages.create(model="claude", max_tokens=9, messages=[{"role": "user", "content": "Hello"}])


def ask_gemini(url: str, key: str) -> Any:
    client = genai.Client(api_key=key, http_options={"base_url": f"{url}/gemini"})
    return client.models.generate_content(model="gemini-2.5-flash", contents="Hello")


def ask_ollama(url: str, key: str) -> Any:
    client = ollama.Client(host=f"{url}/ollama", headers={"authorization": f"Bearer {key}"})
    return client.chat(model="llama", messages=[{"role": "user", "content": "Hello"}])


def ask_pinecone(url: str, key: str) -> Any:
    index = pinecone.Pinecone(api_key=key).Index(host=f"{url}/pinecone")
    return index.query(vector=[0.1, 0.2], top_k=1, include_metadata=True)


def ask_opensearch(url: str, key: str) -> Any:
    client = opensearchpy.OpenSearch(f"{url}/opensearch", headers={"authorization": f"ApiKey {key}"}, max_retries=0)
    return client.search(index="docs", body={"query": {"match_all": {}}})


Ask = Callable[[str, str], Any]
CLIENTS: list[tuple[Ask, type[Exception], type[Exception]]] = [
    (ask_anthropic, anthropic.PermissionDeniedError, anthropic.AuthenticationError),
    (ask_gemini, genai_errors.ClientError, genai_errors.ClientError),
    (ask_ollama, ollama.ResponseError, ollama.ResponseError),
    (ask_pinecone, ForbiddenException, UnauthorizedException),
    (ask_opensearch, opensearchpy.AuthorizationException, opensearchpy.AuthenticationException),
]


@pytest.mark.parametrize(
    ("call", "forbidden", "unauthenticated"), CLIENTS, ids=lambda value: getattr(value, "__name__", None)
)
def test_an_official_client_raises_its_own_typed_error(
    call: Ask, forbidden: type[Exception], unauthenticated: type[Exception], guard: Guard, stranger: str
) -> None:
    with pytest.raises(forbidden) as refused:
        call(guard.url, stranger)
    assert "rag-chat" in str(refused.value) or "allow" in str(refused.value), refused.value
    with pytest.raises(unauthenticated) as refused:
        call(guard.url, "no-token")
    assert "token" in str(refused.value)
    assert not guard.upstream.requests


def message_of(protocol: str, body: dict[str, Any]) -> str:
    """Where the documentation of an API has the text of an error."""
    match protocol:
        case "cohere" | "bedrock" | "chroma" | "milvus":
            return body["message"]
        case "ollama":
            return body["error"]
        case "qdrant":
            return body["status"]["error"]
        case "weaviate":
            return body["error"][0]["message"]
        case "opensearch":
            return body["error"]["reason"]
        case "http":
            return body["detail"]
        case _:
            return body["error"]["message"]


@pytest.mark.parametrize("protocol", KNOWN)
def test_a_refusal_has_the_protocols_own_shape(
    protocol: str, client: httpx.Client, guard: Guard, stranger: str
) -> None:
    method, path = KNOWN[protocol]
    with guard.client(stranger) as other:
        reply = other.request(method, f"/{protocol}{path}", json={})
    assert reply.status_code == 403
    assert message_of(protocol, reply.json())
    if protocol == "bedrock":
        assert reply.headers["x-amzn-errortype"] == "AccessDeniedException"
    if protocol == "opensearch":
        assert reply.json()["status"] == 403
    reply = client.request("POST", f"/{protocol}{UNKNOWN}", json={})
    # Any path is one of any API's.
    assert reply.status_code == (200 if protocol == "http" else 415), reply.text
    assert protocol == "http" or message_of(protocol, reply.json())


@pytest.mark.parametrize("protocol", KNOWN)
def test_a_request_goes_on_as_it_came_with_the_connections_credential(
    protocol: str, client: httpx.Client, guard: Guard, token: str
) -> None:
    guard.upstream.answer = json_answer("{}")
    method, path = KNOWN[protocol]
    body = b'{"twice": 1, "twice": 2, "odd": "\xc3\xa9"}'
    assert client.request(method, f"/{protocol}{path}", content=body, headers=dict([JSON])).status_code == 200
    (request,) = guard.upstream.requests
    assert (request.method, request.path, request.body) == (method, f"/{protocol}{path}", body)
    assert request.header("authorization") == f"Bearer {sets.CREDENTIAL}"
    assert not leaks(repr(request.headers).encode(), token)


# Answers.

ID = "0e5b2b1c-4111-1111-1111-111111111111"
PAYLOAD = {
    "author": EMAIL.text,
    "tags": [CARD.text, "plain", EMAIL.value],
    EMAIL.value: "as a key",
    "card": 5555555555554444,
    "deep": [{"note": f"<p>{EMAIL.value}</p>"}],
    "rank": 3,
}
VECTOR = [0.4111111111111111, -1.5e-3, 2.0]
HIT = {
    "_index": "docs",
    "_id": ID,
    "_score": 1.5,
    "_source": PAYLOAD,
    "sort": [EMAIL.value],
    "fields": {"a": [EMAIL.text]},
}
ANSWERS: dict[str, list[Any]] = {
    "pinecone": [
        {
            "matches": [{"id": ID, "score": 0.5, "values": VECTOR, "metadata": PAYLOAD}],
            "namespace": ID,
            "usage": {"readUnits": 5},
        },
        {
            "vectors": {ID: {"id": ID, "values": VECTOR, "metadata": PAYLOAD}},
            "namespace": "",
            "usage": {"readUnits": 1},
        },
        {"vectors": [{"id": ID}], "pagination": {"next": ID}, "namespace": ""},
        {"result": {"hits": [{"_id": ID, "_score": 0.5, "fields": PAYLOAD}]}, "usage": {"read_units": 6}},
        {"code": 3, "message": EMAIL.text, "details": [EMAIL.text]},
    ],
    "qdrant": [
        {
            "result": [{"id": ID, "version": 3, "score": 0.5, "payload": PAYLOAD, "vector": {"a": VECTOR}}],
            "status": "ok",
            "time": 1e-3,
        },
        {"result": {"points": [{"id": 7, "payload": PAYLOAD}], "next_page_offset": ID}, "status": "ok", "time": 0.0},
        {"result": {"groups": [{"id": EMAIL.value, "hits": [{"id": ID, "payload": PAYLOAD}]}]}, "status": "ok"},
        {"result": [{"points": [{"id": ID, "payload": PAYLOAD}]}], "status": "ok"},
        {"status": {"error": EMAIL.text}, "time": 0.0},
    ],
    "weaviate": [
        {
            "data": {
                "Get": {
                    "Docs": [
                        PAYLOAD
                        | {"_additional": {"id": ID, "distance": 0.5, "vector": VECTOR, "explainScore": EMAIL.text}}
                    ]
                }
            },
            "errors": [{"message": EMAIL.text}],
        },
        {"objects": [{"class": "Docs", "id": ID, "properties": PAYLOAD, "vector": VECTOR}], "totalResults": 1},
        [
            {
                "class": "Docs",
                "id": ID,
                "properties": PAYLOAD,
                "result": {"errors": {"error": [{"message": EMAIL.text}]}},
            }
        ],
    ],
    "chroma": [
        {
            "ids": [[ID]],
            "distances": [[0.5]],
            "embeddings": [[VECTOR]],
            "documents": [[EMAIL.text]],
            "metadatas": [[PAYLOAD]],
            "uris": [[f"mailto:{EMAIL.value}"]],
        },
        {"ids": [ID], "documents": [EMAIL.text], "metadatas": [PAYLOAD], "embeddings": None},
        {"error": "InvalidArgumentError", "message": EMAIL.text},
    ],
    "milvus": [
        {"code": 0, "cost": 0, "data": [PAYLOAD | {"id": 7, "distance": 0.5, "vector": VECTOR}]},
        {"code": 1100, "message": EMAIL.text},
    ],
    "opensearch": [
        {
            "took": 3,
            "hits": {"total": {"value": 1, "relation": "eq"}, "max_score": 1.5, "hits": [HIT]},
            "aggregations": {
                "by": {"buckets": [{"key": EMAIL.value, "doc_count": 3, "top": {"hits": {"hits": [HIT]}}}]}
            },
        },
        {"responses": [{"hits": {"hits": [HIT]}}, {"error": {"reason": EMAIL.text}, "status": 400}]},
        {"items": [{"index": {"_id": ID, "status": 400, "error": {"reason": EMAIL.text}}}], "errors": True},
        {"_index": "docs", "_id": ID, "found": True, "_source": PAYLOAD},
    ],
    "http": [PAYLOAD, [PAYLOAD], {"rows": [{"id": "7", "body": EMAIL.text}]}],
}
CASES = [
    pytest.param(name, answer, id=f"{name}-{at}")
    for name, answers in ANSWERS.items()
    for at, answer in enumerate(answers)
]


def masked(value: Any) -> Any:
    """What a caller should see: written with no help of the filter's tables."""
    match value:
        case str():
            return value.replace(EMAIL.value, "<EMAIL_ADDRESS>").replace(CARD.value, "<CREDIT_CARD>")
        case int() if value == PAYLOAD["card"]:
            return 0
        case list():
            return [masked(item) for item in value]
        case dict():
            return {masked(key): masked(item) for key, item in value.items()}
    return value


@pytest.mark.parametrize(("protocol", "answer"), CASES)
def test_every_text_of_an_answer_is_masked(protocol: str, answer: Any, client: httpx.Client, guard: Guard) -> None:
    for status, pretty in ((200, None), (400, 2)):
        body = json.dumps(answer, indent=pretty)
        reply = ask(client, guard, protocol, json_answer(body, status))
        assert reply.status_code == status
        assert reply.json() == masked(answer)
        assert not leaks(reply.content, EMAIL.value, CARD.value, str(PAYLOAD["card"]))


@pytest.mark.parametrize(("protocol", "answer"), CASES)
def test_a_policy_that_masks_nothing_changes_no_byte(
    protocol: str, answer: Any, client: httpx.Client, guard: Guard
) -> None:
    body = json.dumps(answer, indent=1).encode()
    reply = ask(client, guard, protocol, json_answer(body), below="/plain")
    assert reply.content == body


SHORT = {
    "pinecone": {"matches": [{"id": ID, "metadata": {"a": EMAIL.value}}]},
    "qdrant": {"result": [{"id": 7, "payload": {"a": EMAIL.value, "b": 5555555555554444}, "vector": [0.5]}]},
    "weaviate": {"data": {"Get": {"D": [{"a": EMAIL.value, "_additional": {"id": ID}}]}}},
    "chroma": {"ids": [[ID]], "documents": [[EMAIL.value]]},
    "milvus": {"code": 0, "data": [{"id": 7, "a": EMAIL.value}]},
    "opensearch": {"hits": {"hits": [{"_id": ID, "_source": {EMAIL.value: 1}}]}},
    "http": {"a": {"b": [EMAIL.value]}},
}


@pytest.mark.parametrize("protocol", SHORT)
def test_an_answer_is_masked_at_every_cut(protocol: str, client: httpx.Client, guard: Guard) -> None:
    body = json.dumps(SHORT[protocol]).encode()
    for at in range(1, len(body)):
        first, second = cut(body, at)
        reply = ask(client, guard, protocol, Answer(headers=[JSON], pieces=[first, Delay(0.0005), second]))
        assert reply.json() == masked(SHORT[protocol]), at


def test_highlights_are_left_out_for_their_tags_cut_values(client: httpx.Client, guard: Guard) -> None:
    hit = HIT | {"highlight": {"author": ["jane.doe@<em>example.com</em>"]}}
    reply = ask(client, guard, "opensearch", json_answer(json.dumps({"hits": {"hits": [hit]}})))
    assert reply.json()["hits"]["hits"][0]["highlight"] is None
    assert b"jane.doe" not in reply.content


def test_the_answer_of_an_unknown_operation_is_masked_where_it_is_let_pass(start_guard: StartGuard, idp: Idp) -> None:
    made = policy_set(idp.issuer)
    sets.policy(made)["uninspected"] = {"allow": ["path"]}
    guard = start_guard(made)
    with guard.client(guard.token()) as client:
        for protocol in KNOWN:
            reply = ask(client, guard, protocol, json_answer(json.dumps(PAYLOAD)), path=UNKNOWN)
            assert reply.json() == masked(PAYLOAD), protocol


def test_answers_of_any_api_are_masked_by_paths(client: httpx.Client, guard: Guard) -> None:
    row = {"by": EMAIL.value, "tags": [EMAIL.value], "body": {"id": EMAIL.value, "x": {"y": EMAIL.text}}}
    guard.upstream.answer = json_answer(json.dumps({"next": EMAIL.value, "rows": [row]}))
    seen = client.get("/paths/any").json()
    expected = {"by": EMAIL.value, "tags": ["<EMAIL_ADDRESS>"], "body": {"id": EMAIL.value, "x": {"y": EMAIL.masked}}}
    assert seen == {"next": EMAIL.value, "rows": [expected]}
    guard.upstream.answer = Answer(headers=[("content-type", "text/plain")], pieces=[EMAIL.text.encode()])
    assert client.get("/paths/any").text == EMAIL.masked


def test_pinecones_own_client_reads_a_masked_answer(guard: Guard, token: str) -> None:
    guard.upstream.answer = json_answer(json.dumps(ANSWERS["pinecone"][0]))
    (match,) = ask_pinecone(guard.url, token).matches
    assert match.id == ID
    assert match.metadata["author"] == EMAIL.masked
    assert list(match.values) == pytest.approx(VECTOR)


def test_opensearchs_own_client_reads_a_masked_answer(guard: Guard, token: str) -> None:
    guard.upstream.answer = json_answer(json.dumps(ANSWERS["opensearch"][0]))
    seen = ask_opensearch(guard.url, token)
    assert seen["hits"]["hits"][0]["_source"]["author"] == EMAIL.masked
    assert guard.upstream.requests[-1].header("authorization") == f"Bearer {sets.CREDENTIAL}"


# Streams that turn unreadable.


@pytest.mark.parametrize("protocol", ["openai", "anthropic", "gemini", "cohere"])
def test_a_stream_that_turns_unreadable_ends_with_the_protocols_own_error(
    protocol: str, client: httpx.Client, guard: Guard
) -> None:
    pieces = [b'event: ping\ndata: {"type": "ping"}\n\n', Delay(0.05), b"data: {no JSON\n\n", Raw(b"")]
    answer = Answer(pieces=pieces)
    reply = ask(client, guard, protocol, answer)
    last = documents(reply.content)[-1]
    match protocol:
        case "anthropic":
            assert (last["type"], last["error"]["type"]) == ("error", "api_error")
            assert reply.text.rstrip().splitlines()[-2] == "event: error"
        case "cohere":
            assert (last["type"], last["delta"]["finish_reason"]) == ("message-end", "ERROR")
        case _:
            assert "error" in last


def test_anthropics_own_client_raises_where_a_stream_breaks_off(guard: Guard, token: str) -> None:
    start = {
        "id": "msg_1",
        "type": "message",
        "role": "assistant",
        "model": "m",
        "content": [],
        "usage": {"input_tokens": 1, "output_tokens": 1},
    }
    first = json.dumps({"type": "message_start", "message": start})
    guard.upstream.answer = Answer(
        pieces=[f"event: message_start\ndata: {first}\n\n".encode(), Delay(0.05), b"data: {no JSON\n\n"]
    )
    client = anthropic.Anthropic(base_url=f"{guard.url}/anthropic", api_key=token, max_retries=0)
    with pytest.raises(anthropic.APIError, match="cannot be read further"):
        list(
            client.messages.create(
                model="m", max_tokens=9, messages=[{"role": "user", "content": "Hello"}], stream=True
            )
        )


def test_ollamas_own_client_raises_where_a_stream_breaks_off(guard: Guard, token: str) -> None:
    lines = ("content-type", "application/x-ndjson")
    first = b'{"model": "m", "message": {"role": "assistant", "content": "Hello there"}, "done": false}\n'
    guard.upstream.answer = Answer(headers=[lines], pieces=[first, Delay(0.05), b"{no JSON\n"])
    client = ollama.Client(host=f"{guard.url}/ollama", headers={"authorization": f"Bearer {token}"})
    with pytest.raises(ollama.ResponseError, match="cannot be read further"):
        list(client.chat(model="m", messages=[{"role": "user", "content": "Hello"}], stream=True))


def test_a_stream_of_bedrock_that_breaks_off_ends_with_an_exception(client: httpx.Client, guard: Guard) -> None:
    frames = ("content-type", "application/vnd.amazon.eventstream")
    reply = ask(client, guard, "bedrock", Answer(headers=[frames], pieces=[b"\0\0\0\x10\0\0\0\0no frame"]))
    assert b":exception-type\x07\0\x19modelStreamErrorException" in reply.content
