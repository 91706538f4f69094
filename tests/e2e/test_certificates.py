"""Callers who are known by their client certificate: its SPIFFE id, alone or beside a token."""

from __future__ import annotations

import ssl
from collections.abc import Callable
from pathlib import Path
from typing import Any

import httpx
import openai
import pytest

import policies as sets
from guard import Guard, question
from parts import tokens
from parts.certificates import Authority
from parts.keys import Key

CHAT = "/v1/chat/completions"
DOMAIN = "spiffe://cluster.local"
AGENT = f"{DOMAIN}/ns/rag/sa/agent"
TLS = "type.googleapis.com/envoy.extensions.transport_sockets.tls.v3.DownstreamTlsContext"
WORKLOADS = {"name": "workloads", "issuer": DOMAIN, "verified_by": "mtls"}


class Mesh:
    """An authority, a guard that speaks TLS, and clients with certificates."""

    def __init__(self, folder: Path):
        self.folder = folder
        self.authority, self.other = Authority(folder), Authority(folder, "other")
        self.server = self.authority.issue("server", "localhost")

    def secure(self, made: dict[str, Any]) -> None:
        certificate, key = self.server
        files = {"certificate_chain": {"filename": str(certificate)}, "private_key": {"filename": str(key)}}
        context = {
            "@type": TLS,
            "common_tls_context": {
                "tls_certificates": [files],
                "validation_context": {"trusted_ca": {"filename": str(self.authority.file)}},
            },
        }
        chain = made["static_resources"]["listeners"][0]["filter_chains"][0]
        chain["transport_socket"] = {"name": "envoy.transport_sockets.tls", "typed_config": context}

    def client(self, guard: Guard, *names: str, authority: Authority | None = None) -> httpx.Client:
        """A client with a certificate of these names; of none: without one."""
        context = ssl.create_default_context(cafile=str(self.authority.file))
        if names:
            context.load_cert_chain(*(authority or self.authority).issue(names[0].rsplit("/", 1)[-1], *names))
        return httpx.Client(base_url=f"https://localhost:{guard.ports[0]}", verify=context, timeout=20)


@pytest.fixture(scope="module")
def mesh(run_folder: Path) -> Mesh:
    folder = run_folder / "mesh"
    folder.mkdir()
    return Mesh(folder)


def chat(client: httpx.Client, token: str | None = None, **headers: str) -> int:
    more = {"authorization": f"Bearer {token}"} if token else {}
    with client:
        return client.post(CHAT, json=question(), headers=headers | more).status_code


@pytest.fixture(scope="module")
def alone(start_guard: Callable[..., Guard], mesh: Mesh, idp: Any) -> Guard:
    """A connection on which no token counts."""
    made = sets.chat(idp.issuer)
    made["issuers"] = [WORKLOADS]
    sets.policy(made)["allow"] = 'identity.subject.startsWith("spiffe://cluster.local/ns/rag/")'
    return start_guard(made, change=mesh.secure)


def test_a_workload_calls_without_a_token(alone: Guard, mesh: Mesh) -> None:
    assert chat(mesh.client(alone, AGENT)) == 200
    assert alone.upstream.requests[0].header("authorization") == f"Bearer {sets.CREDENTIAL}"
    record = alone.sink.wait_for(lambda record: record.event.endswith("end")).json()
    assert record["user.id"] == f"{DOMAIN}#{AGENT}"
    assert record["portcullis.source.principal"] == AGENT


def test_an_sdks_key_is_no_token_there_and_goes_no_further(alone: Guard, mesh: Mesh) -> None:
    client = openai.OpenAI(
        base_url=f"https://localhost:{alone.ports[0]}/v1",
        api_key="unused",
        max_retries=0,
        http_client=mesh.client(alone, AGENT),
    )
    client.chat.completions.create(model="gpt-4o-mini", messages=[{"role": "user", "content": "Hello"}])
    assert "unused" not in str(alone.upstream.requests[0].headers)


STRANGERS = {
    "no certificate": (),
    "no name": ("localhost",),
    "another domain": ("spiffe://cluster.example/ns/rag/sa/agent",),
    "a domain with ours within": ("spiffe://cluster.local.example/ns/rag/sa/agent",),
    "the domain itself": (DOMAIN,),
    "another scheme": ("https://cluster.local/ns/rag/sa/agent",),
}


@pytest.mark.parametrize("kind", STRANGERS)
def test_without_a_spiffe_id_of_the_trust_domain_nobody_gets_in(kind: str, alone: Guard, mesh: Mesh) -> None:
    assert chat(mesh.client(alone, *STRANGERS[kind])) == 401
    assert alone.upstream.requests == []


def test_no_header_stands_for_a_certificate(alone: Guard, mesh: Mesh) -> None:
    for name in ("x-forwarded-client-cert", "x-spiffe-id", "x-portcullis-principal"):
        assert chat(mesh.client(alone), **{name: f"URI={AGENT}"}) == 401, name


def test_envoy_refuses_a_certificate_of_another_authority(alone: Guard, mesh: Mesh) -> None:
    with pytest.raises(httpx.TransportError):
        chat(mesh.client(alone, AGENT, authority=mesh.other))
    assert alone.upstream.requests == []


def test_a_workload_that_allow_does_not_name_is_refused(alone: Guard, mesh: Mesh) -> None:
    assert chat(mesh.client(alone, f"{DOMAIN}/ns/other/sa/agent")) == 403


def test_a_certificate_can_be_asked_for_beside_a_token(start_guard: Callable[..., Guard], mesh: Mesh) -> None:
    made = sets.chat("")
    key = Key.make("ES256", "one")
    made["issuers"][0] |= {"issuer": "https://idp.example.com", "jwks": {"inline": {"keys": [key.jwk()]}}}
    sets.policy(made)["allow"] = f'"rag-users" in identity.groups && source.principal == "{AGENT}"'
    guard = start_guard(made, change=mesh.secure)
    token = tokens.sign(key, tokens.claims("https://idp.example.com"))
    assert chat(mesh.client(guard, AGENT), token) == 200
    assert guard.sink.wait_for(lambda record: record.event.endswith("end")).json()["user.id"].endswith("#alice")
    assert chat(mesh.client(guard, f"{DOMAIN}/ns/rag/sa/other"), token) == 403
    assert chat(mesh.client(guard), token) == 403
    assert chat(mesh.client(guard, AGENT)) == 401, "a certificate alone is not enough"


def test_where_either_counts_a_bad_token_is_not_made_good_by_a_certificate(
    start_guard: Callable[..., Guard], mesh: Mesh
) -> None:
    made = sets.chat("")
    key = Key.make("ES256", "one")
    made["issuers"][0] |= {"issuer": "https://idp.example.com", "jwks": {"inline": {"keys": [key.jwk()]}}}
    made["issuers"].append(WORKLOADS)
    sets.connection(made)["issuers"] = ["corp", "workloads"]
    sets.policy(made)["allow"] = f'identity.subject in ["alice", "{AGENT}"]'
    guard = start_guard(made, change=mesh.secure)
    token = tokens.sign(key, tokens.claims("https://idp.example.com"))
    assert chat(mesh.client(guard, AGENT)) == 200
    assert chat(mesh.client(guard), token) == 200
    forged = tokens.sign(Key.make("ES256", "one"), tokens.claims("https://idp.example.com"))
    for bad in (forged, "opaque", tokens.sign(key, tokens.claims(DOMAIN, subject=AGENT))):
        assert chat(mesh.client(guard, AGENT), bad) == 401
    assert chat(mesh.client(guard, f"{DOMAIN}/ns/rag/sa/other")) == 403
