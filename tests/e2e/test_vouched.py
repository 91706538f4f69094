"""Tokens that Envoy's own jwt_authn verifies, before the module (`verified_by`)."""

from __future__ import annotations

import json
from collections.abc import Callable
from typing import Any

import pytest
import yaml

import policies as sets
from guard import Guard, cli
from parts import tokens
from parts.idp import Idp
from parts.keys import Key, KeySet

ISSUER, MESH, KEYED = "https://idp.example.com", "https://mesh.example.com", "https://keyed.example.com"
FILTER = "envoy.filters.http.jwt_authn"
KEYS = KeySet.make("RS256", "ES256")
KEY = KEYS["RS256"]
STRANGER = Key.make("RS256", KEY.kid)
OWN = KeySet.make("ES256", generation=7)


def claims(**more: Any) -> dict[str, Any]:
    return tokens.claims(ISSUER, **more)


def vouched(name: str, issuer: str, **more: Any) -> dict[str, Any]:
    jwks = {"inline": KEYS.jwks()}
    return {"name": name, "issuer": issuer, "audiences": ["rag"], "verified_by": FILTER, "jwks": jwks} | more


def policies(*issuers: dict[str, Any]) -> sets.Set:
    made = sets.chat(ISSUER)
    keyed = {"name": "keyed", "issuer": KEYED, "audiences": ["rag"], "jwks": {"inline": OWN.jwks()}}
    made["issuers"] = [*issuers, keyed]
    sets.connection(made)["issuers"] = [issuer["name"] for issuer in made["issuers"]]
    return made


def jwt_authn(made: dict[str, Any]) -> dict[str, Any]:
    manager = made["static_resources"]["listeners"][0]["filter_chains"][0]["filters"][0]["typed_config"]
    first, *_ = manager["http_filters"]
    assert first["name"] == FILTER, "it stands before the module"
    return first["typed_config"]


@pytest.fixture(scope="module")
def rendered(start_guard: Callable[..., Guard]) -> Guard:
    """As `render envoy` makes it: two issuers that Envoy verifies, one that the module does."""
    return start_guard(policies(vouched("corp", ISSUER), vouched("mesh", MESH, payload_in_metadata="payload")))


TOLD = {
    "unvouched": "was not verified by the proxy's own filter",
    "signature": "signature does not hold",
    "malformed": "not a JWT of three",
    "algorithm": "algorithm is not accepted",
    "expired": "has expired",
    "claim": "is missing, or has a wrong type",
    "audience": "not meant for this audience",
    "issuer": "issuer is not accepted here",
    "conflict": "two tokens that differ",
    "missing": "no token",
}


def refused(guard: Guard, token: str | None, **more: Any) -> str:
    """What a caller is told who is refused."""
    guard.reset()
    answer = guard.chat(token, **more)
    assert (answer.status_code, answer.json()["error"]["code"]) == (401, "unauthenticated")
    assert guard.upstream.requests == []
    told = answer.json()["error"]["message"]
    return next(word for word, sentence in TOLD.items() if sentence in told)


@pytest.mark.parametrize("alg", ["RS256", "ES256"])
@pytest.mark.parametrize("issuer", [ISSUER, MESH])
def test_a_token_that_envoy_verified_gives_its_caller(rendered: Guard, alg: str, issuer: str) -> None:
    assert rendered.chat(tokens.sign(KEYS[alg], tokens.claims(issuer))).status_code == 200
    assert rendered.upstream.requests[0].header("authorization") == f"Bearer {sets.CREDENTIAL}"
    assert rendered.sink.wait_for(lambda record: record.attributes.get("user.id") == f"{issuer}#alice")
    rendered.reset()
    assert rendered.chat(tokens.sign(KEYS[alg], tokens.claims(issuer, groups=["marketing"]))).status_code == 403


def test_a_token_comes_where_the_sdk_puts_its_key_too(rendered: Guard) -> None:
    assert rendered.chat(None, headers={"x-api-key": tokens.sign(KEY, claims())}).status_code == 200
    assert rendered.upstream.requests[0].header("x-api-key") is None


def test_beside_them_tokens_are_verified_by_the_module(rendered: Guard) -> None:
    assert rendered.chat(tokens.sign(OWN["ES256"], tokens.claims(KEYED))).status_code == 200
    stranger = Key.make("ES256", OWN["ES256"].kid)
    assert refused(rendered, tokens.sign(stranger, tokens.claims(KEYED))) == "signature"


BAD: dict[str, tuple[str, str]] = {
    "another's key": (tokens.sign(STRANGER, claims()), "unvouched"),
    "no signature": (tokens.unsigned(claims(), kid=KEY.kid), "malformed"),
    "HS256 under the public key": (tokens.hmac_with(KEY.public_pem(), claims(), kid=KEY.kid), "algorithm"),
    "changed after it was signed": (tokens.tampered(tokens.sign(KEY, claims()), claims(sub="root")), "unvouched"),
    "expired": (tokens.sign(KEY, claims(ttl=-60)), "expired"),
    "no exp": (tokens.sign(KEY, claims(exp=None)), "claim"),
    "another audience": (tokens.sign(KEY, claims(aud="chat")), "audience"),
    "another issuer": (tokens.sign(KEY, tokens.claims("https://evil.example.com")), "issuer"),
    "no subject": (tokens.sign(KEY, claims(sub=None)), "claim"),
}


@pytest.mark.parametrize("kind", BAD)
def test_a_token_that_envoy_did_not_verify_is_refused_by_the_module(rendered: Guard, kind: str) -> None:
    token, reason = BAD[kind]
    assert refused(rendered, token) == reason


def test_no_token_is_told_apart_from_a_bad_one(rendered: Guard) -> None:
    answer = rendered.chat(None)
    assert (answer.status_code, answer.headers["www-authenticate"]) == (401, 'Bearer realm="portcullis"')


def test_two_tokens_are_none(rendered: Guard) -> None:
    mine, other = tokens.sign(KEY, claims()), tokens.sign(KEY, claims(sub="bob"))
    forged = tokens.sign(STRANGER, claims(sub="root"))
    keyed = tokens.sign(OWN["ES256"], tokens.claims(KEYED))
    for beside in (other, forged, keyed):
        assert refused(rendered, mine, headers={"x-api-key": beside}) == "conflict"
        assert refused(rendered, beside, headers={"x-api-key": mine}) == "conflict"


def test_no_header_is_taken_for_what_envoy_verified(rendered: Guard) -> None:
    """Claims come by metadata, which callers cannot write."""
    payload = json.dumps(claims())
    for name in (
        "x-jwt-payload",
        "x-envoy-jwt-payload",
        "x-envoy-metadata",
        "envoy.filters.http.jwt-authn",
        "metadata",
    ):
        assert refused(rendered, None, headers={name: payload}) == "missing"


def test_without_the_filter_nobody_gets_in(start_guard: Callable[..., Guard]) -> None:
    def without(made: dict[str, Any]) -> None:
        manager = made["static_resources"]["listeners"][0]["filter_chains"][0]["filters"][0]["typed_config"]
        del manager["http_filters"][0]

    guard = start_guard(policies(vouched("corp", ISSUER)), change=without)
    assert refused(guard, tokens.sign(KEY, claims())) == "unvouched"
    assert refused(guard, None) == "missing"


def test_envoy_may_take_the_token_away(start_guard: Callable[..., Guard]) -> None:
    """`forward: false`, jwt_authn's own default, and a scheme that only refuses there."""

    def taken(made: dict[str, Any]) -> None:
        for provider in jwt_authn(made)["providers"].values():
            provider["forward"] = False

    guard = start_guard(policies(vouched("corp", ISSUER)), change=taken)
    assert guard.chat(tokens.sign(KEY, claims())).status_code == 200
    guard.reset()
    assert guard.chat(tokens.sign(KEY, claims(groups=["marketing"]))).status_code == 403
    forged = tokens.sign(STRANGER, claims(sub="root"))
    assert refused(guard, tokens.sign(KEY, claims()), headers={"x-chroma-token": forged}) == "conflict"


def test_claims_are_held_to_the_set_whatever_envoy_was_told(start_guard: Callable[..., Guard]) -> None:
    """A filter that checks less than the set says."""

    def loose(made: dict[str, Any]) -> None:
        for provider in jwt_authn(made)["providers"].values():
            del provider["issuer"], provider["audiences"]
            provider |= {"require_expiration": False, "clock_skew_seconds": 3600}

    guard = start_guard(policies(vouched("corp", ISSUER)), change=loose)
    assert guard.chat(tokens.sign(KEY, claims())).status_code == 200
    for made, reason in [
        (claims(aud="chat"), "audience"),
        (claims(exp=None), "claim"),
        (claims(ttl=-60), "expired"),
        (tokens.claims("https://evil.example.com"), "issuer"),
    ]:
        assert refused(guard, tokens.sign(KEY, made)) == reason


def test_envoy_gets_the_keys_by_uri(start_guard: Callable[..., Guard], idp: Idp) -> None:
    by_uri = {"cluster": "idp", "uri": f"{idp.issuer}/jwks"}
    guard = start_guard(policies(vouched("corp", idp.issuer, jwks=by_uri)))
    assert guard.chat(guard.token()).status_code == 200
    assert guard.chat(guard.token("bob")).status_code == 403


def test_claims_keep_their_shapes(start_guard: Callable[..., Guard]) -> None:
    made = policies(vouched("corp", ISSUER, groups_claim="realm.roles"))
    sets.policy(made)["allow"] = (
        '"rag-users" in identity.groups && identity.claims.level == 3 && identity.claims.name == "3" && !identity.claims.off'
    )
    guard = start_guard(made)
    good = {"groups": None, "realm": {"roles": ["x", "rag-users"]}, "level": 3, "name": "3", "off": False}
    assert guard.chat(tokens.sign(KEY, claims(**good))).status_code == 200
    for worse in ({"realm": {"roles": {"rag-users": True}}}, {"level": 4}, {"name": 3}, {"off": True}):
        assert guard.chat(tokens.sign(KEY, claims(**(good | worse)))).status_code == 403, worse


def test_render_asks_where_the_keys_are(start_guard: Callable[..., Guard], rendered: Guard) -> None:
    silent = vouched("corp", ISSUER)
    del silent["jwks"]
    directory = rendered.write(policies(silent))
    assert cli("check", directory).returncode == 0, "an Envoy of one's own may know"
    told = cli("render", "envoy", directory, "--wasm", "m", "--cluster", "up=h:1", "--upstream", "up", check=False)
    assert told.returncode == 1
    assert "the set does not say where the keys of `corp` come from" in told.stderr
    assert yaml.safe_load(told.stdout) is None
