"""What clients are told before they have a token: RFC 6750's challenges, and RFC 9728's description."""

from __future__ import annotations

from collections.abc import Callable

import httpx
import pytest

import policies as sets
from guard import Guard
from parts.idp import Idp

URI = "http://rag.example.com/v1"
METADATA = "http://rag.example.com/.well-known/oauth-protected-resource/v1"
PATH = "/.well-known/oauth-protected-resource/v1"
HOST = {"host": "rag.example.com"}


@pytest.fixture(scope="module")
def guard(start_guard: Callable[..., Guard], idp: Idp) -> Guard:
    made = sets.chat(idp.issuer)
    sets.connection(made)["resource"] = {"uri": URI, "scopes": ["rag.read", "rag.write"]}
    return start_guard(made)


def get(guard: Guard, path: str = PATH, method: str = "GET", **headers: str) -> httpx.Response:
    with guard.client() as client:
        return client.request(method, path, headers=HOST | headers)


def test_a_client_without_a_token_finds_where_to_get_one(guard: Guard, idp: Idp) -> None:
    """As a client does it: challenge, description, authorization server, token."""
    refused = guard.chat(None)
    assert refused.status_code == 401
    scheme, _, parameters = refused.headers["www-authenticate"].partition(" ")
    told = dict(part.split("=", 1) for part in parameters.split(", "))
    assert (scheme, told["resource_metadata"]) == ("Bearer", f'"{METADATA}"')
    assert told["scope"] == '"rag.read rag.write"'
    assert "error" not in told, "RFC 6750, 3.1: nothing is wrong with a token that did not come"
    document = get(guard, httpx.URL(METADATA).path)
    assert (document.status_code, document.headers["content-type"]) == (200, "application/json")
    assert document.json() == {
        "resource": URI,
        "authorization_servers": [idp.issuer],
        "bearer_methods_supported": ["header"],
        "resource_name": "chat",
        "scopes_supported": ["rag.read", "rag.write"],
    }
    assert guard.upstream.requests == [], "it is answered here"
    server = httpx.get(f"{document.json()['authorization_servers'][0]}/.well-known/openid-configuration").json()
    assert server["token_endpoint"] == f"{idp.issuer}/token"
    assert guard.chat(guard.token()).status_code == 200


def test_a_bad_token_is_told_so_and_where_to_get_a_better_one(guard: Guard) -> None:
    challenge = guard.chat("a.b.c").headers["www-authenticate"]
    assert challenge.startswith('Bearer realm="portcullis", error="invalid_token", error_description="')
    assert f'resource_metadata="{METADATA}"' in challenge


def test_a_token_of_too_little_scope_is_told_which_would_do(guard: Guard) -> None:
    refused = guard.chat(guard.token("bob"))
    assert refused.status_code == 403
    challenge = refused.headers["www-authenticate"]
    assert 'error="insufficient_scope"' in challenge and 'scope="rag.read rag.write"' in challenge
    enough = guard.chat(guard.token("bob", claims={"scope": "x rag.write rag.read"}))
    assert (enough.status_code, "www-authenticate" in enough.headers) == (403, False), "another token would not help"
    ruled = guard.chat(guard.token(), model="gpt-5")
    assert (ruled.status_code, "www-authenticate" in ruled.headers) == (403, False), "nor against a rule"


def test_the_description_is_for_everyone_and_nothing_else_is(guard: Guard) -> None:
    head = get(guard, method="HEAD")
    assert (head.status_code, head.content) == (200, b"")
    assert get(guard, f"{PATH}?x=y").status_code == 200
    assert get(guard, host="RAG.example.com:8080").status_code == 200, "behind another port"
    assert get(guard).headers["access-control-allow-origin"] == "*"
    for path in (PATH + "/", PATH + "x", PATH.removesuffix("/v1"), PATH.replace("v1", "%76x"), f"/v1{PATH}"):
        assert get(guard, path).status_code in (400, 401, 403), path
    for method in ("POST", "PUT", "DELETE"):
        assert get(guard, method=method).status_code == 403, method
    preflight = get(guard, method="OPTIONS")
    assert (preflight.status_code, preflight.content) == (204, b""), "clients in browsers ask first"
    assert preflight.headers["access-control-allow-headers"] == "*"
    assert get(guard, host="other.example.com").status_code == 403
    assert guard.upstream.requests == []


def test_without_a_resource_nothing_of_it_is_told(start_guard: Callable[..., Guard]) -> None:
    plain = start_guard()
    assert plain.chat(None).headers["www-authenticate"] == 'Bearer realm="portcullis"'
    assert "www-authenticate" not in plain.chat(plain.token("bob")).headers
    assert get(plain).status_code == 403
