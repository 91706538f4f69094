"""Which tokens are believed."""

from __future__ import annotations

import base64
import json
import os
import time
from collections.abc import Callable
from typing import Any

import pytest

import policies as sets
from guard import Guard, question
from parts import process, tokens
from parts.idp import Idp
from parts.keys import Key, KeySet, b64

CHAT = "/v1/chat/completions"
ISSUER = "https://idp.example.com"
ALGORITHMS = ("RS256", "RS384", "RS512", "PS256", "PS384", "PS512", "ES256", "ES384", "EdDSA")

KEYS = KeySet.make(*ALGORITHMS)
RSA, EC, EDWARDS = KEYS["RS256"], KEYS["ES256"], KEYS["EdDSA"]
STRANGER = Key.make("RS256", RSA.kid)
"""Another's key under the id of ours."""


def claims(**more: Any) -> dict[str, Any]:
    return tokens.claims(ISSUER, **more)


@pytest.fixture(scope="module")
def inline(start_guard: Callable[..., Guard], idp: Idp) -> Guard:
    """Keys given inline, so that nothing but the token decides."""
    policies = sets.chat(ISSUER)
    policies["issuers"][0]["jwks"] = {"inline": KEYS.jwks()}
    other = policies["issuers"][0] | {
        "name": "other",
        "issuer": "https://other.example.com",
        "jwks": {"inline": KeySet([STRANGER]).jwks()},
    }
    policies["issuers"].append(other)
    sets.connection(policies)["issuers"] = ["corp"]
    return start_guard(policies)


@pytest.mark.parametrize("alg", ALGORITHMS)
def test_a_good_token_passes_whatever_verifies_it(inline: Guard, alg: str) -> None:
    """RS* and ES* are verified by the proxy, the others by the module itself."""
    assert inline.chat(tokens.sign(KEYS[alg], claims())).status_code == 200


@pytest.mark.parametrize("alg", ["RS256", "ES256", "EdDSA"])
def test_a_token_of_a_real_provider_passes(guard: Guard, alg: str) -> None:
    assert guard.chat(guard.token(alg=alg)).status_code == 200


@pytest.mark.parametrize("alg", ALGORITHMS)
def test_a_signature_is_good_for_its_own_words_only(inline: Guard, alg: str) -> None:
    token = tokens.sign(KEYS[alg], claims(groups=["marketing"]))
    assert inline.chat(token).status_code == 403, "it is a good token"
    assert inline.chat(tokens.tampered(token, claims())).status_code == 401


def without_kid(key: Key, alg: str | None = None) -> dict[str, str]:
    return {"alg": alg or key.alg, "typ": "JWT"}


def header(key: Key = RSA, **more: Any) -> dict[str, Any]:
    return {"alg": key.alg, "kid": key.kid, "typ": "JWT"} | more


def mangled(token: str, part: int, change: Callable[[bytes], bytes]) -> str:
    """The token with the bytes of one part changed."""
    parts = token.split(".")
    data = base64.urlsafe_b64decode(parts[part] + "=" * (-len(parts[part]) % 4))
    parts[part] = b64(change(data))
    return ".".join(parts)


NOW = int(time.time())
GOOD = tokens.sign(RSA, claims())
PSYCHIC = f"{b64(json.dumps(header(EC)).encode())}.{b64(json.dumps(claims()).encode())}.{b64(bytes(64))}"

ATTACKS: dict[str, str] = {
    "HS256 under the RSA key as PEM": tokens.hmac_with(RSA.public_pem(), claims(), kid=RSA.kid),
    "HS256 under the RSA key as PEM, no kid": tokens.hmac_with(RSA.public_pem(), claims()),
    "HS256 under the RSA key as DER": tokens.hmac_with(RSA.public_der(), claims(), kid=RSA.kid),
    "HS512 under the JWK": tokens.hmac_with(json.dumps(RSA.jwk()).encode(), claims(), kid=RSA.kid, alg="HS512"),
    "HS256 under the Ed25519 key": tokens.hmac_with(
        base64.urlsafe_b64decode(EDWARDS.jwk()["x"] + "="), claims(), kid=EDWARDS.kid
    ),
    "HS256 under nothing": tokens.hmac_with(b"", claims(), kid=RSA.kid),
    **{f"alg {alg}": tokens.unsigned(claims(), alg=alg, kid=RSA.kid) for alg in ("none", "None", "NONE", "nOnE", "")},
    "none with a signature": tokens.sign(RSA, claims(), header=header(alg="none")),
    "none without the second dot": tokens.unsigned(claims()).rstrip("."),
    "another alg than the key's": tokens.sign(RSA, claims(), header=header(alg="RS512")),
    "PS256 under a key for RS256": tokens.sign(Key("PS256", RSA.kid, RSA.private), claims()),
    "RS256 signature called ES256": tokens.sign(RSA, claims(), header=header(alg="ES256")),
    "an RSA kid with an EC alg": tokens.sign(EC, claims(), header=header(RSA, alg="ES256")),
    "ES256 with zeros (psychic)": PSYCHIC,
    "alg in small letters": tokens.sign(RSA, claims(), header=header(alg="rs256")),
    "no alg": tokens.sign(RSA, claims(), header={"kid": RSA.kid}),
    "alg twice": tokens.sign(RSA, claims(), header=tokens.with_member_twice(header(alg="none"), "alg", "RS256")),
    "expired": tokens.sign(RSA, claims(ttl=-60)),
    "expired for ever": tokens.sign(RSA, claims(exp=0)),
    "no exp": tokens.sign(RSA, claims(exp=None)),
    "exp as text": tokens.sign(RSA, claims(exp=str(NOW + 600))),
    "exp null": tokens.sign(RSA, json.dumps(claims() | {"exp": None})),
    "exp beyond numbers": tokens.sign(
        RSA, json.dumps(claims()).replace(f'"iat": {NOW}', '"iat": 0')[:-1] + ', "nbf": 1e400}'
    ),
    "exp negative": tokens.sign(RSA, claims(exp=-1)),
    "not valid before an hour": tokens.sign(RSA, claims(nbf=NOW + 3600)),
    "nbf as text": tokens.sign(RSA, claims(nbf="0")),
    "another issuer": tokens.sign(RSA, tokens.claims("https://evil.example.com")),
    "issuer with a slash more": tokens.sign(RSA, claims(iss=ISSUER + "/")),
    "issuer in capitals": tokens.sign(RSA, claims(iss=ISSUER.upper())),
    "issuer as a list": tokens.sign(RSA, claims(iss=[ISSUER])),
    "no issuer": tokens.sign(RSA, claims(iss=None)),
    "an issuer of the set that this connection does not take": tokens.sign(
        STRANGER, tokens.claims("https://other.example.com")
    ),
    "another issuer's key under our name": tokens.sign(STRANGER, claims()),
    "another audience": tokens.sign(RSA, claims(aud="chat")),
    "audience with ours within": tokens.sign(RSA, claims(aud="rag2")),
    "audiences without ours": tokens.sign(RSA, claims(aud=["a", "b"])),
    "no audience": tokens.sign(RSA, claims(aud=None)),
    "empty audience": tokens.sign(RSA, claims(aud=[])),
    "audience as an object": tokens.sign(RSA, claims(aud={"rag": 1})),
    "no subject": tokens.sign(RSA, claims(sub=None)),
    "empty subject": tokens.sign(RSA, claims(sub="")),
    "subject that turns its line round": tokens.sign(RSA, claims(sub="alice\u202e")),
    "subject with a line end": tokens.sign(RSA, claims(sub="alice\nroot")),
    "unknown kid": tokens.sign(RSA, claims(), header=header(kid="nobody")),
    "kid that climbs": tokens.sign(RSA, claims(), header=header(kid="../../../../dev/null")),
    "kid that asks a database": tokens.sign(RSA, claims(), header=header(kid="' OR 1=1 --")),
    "kid as a number": tokens.sign(RSA, claims(), header=header(kid=1)),
    "its own key (jwk)": tokens.sign(STRANGER, claims(), header=header(jwk=STRANGER.jwk())),
    "its own key, by address (jku)": tokens.sign(STRANGER, claims(), header=header(jku="http://127.0.0.1:1/jwks")),
    "its own chain (x5c)": tokens.sign(STRANGER, claims(), header=header(x5c=[b64(STRANGER.public_der())])),
    "crit": tokens.sign(RSA, claims(), header=header(crit=["exp"])),
    "crit, empty": tokens.sign(RSA, claims(), header=header(crit=[])),
    "b64 false": tokens.sign(RSA, claims(), header=header(b64=False, crit=["b64"])),
    "zip": tokens.sign(RSA, claims(), header=header(zip="DEF")),
    "nested": tokens.sign(RSA, claims(), header=header(cty="JWT")),
    "another type": tokens.sign(RSA, claims(), header=header(typ="logout+jwt")),
    "groups twice": tokens.sign(RSA, tokens.with_member_twice(claims(groups=["marketing"]), "groups", ["rag-users"])),
    "exp twice": tokens.sign(RSA, tokens.with_member_twice(claims(ttl=-60), "exp", NOW + 600)),
    "iss twice, once escaped": tokens.sign(
        RSA, json.dumps(claims(iss="https://evil"))[:-1] + f', "\\u0069ss": "{ISSUER}"}}'
    ),
    "claims that are no object": tokens.sign(RSA, "[]"),
    "claims cut off": tokens.sign(RSA, json.dumps(claims())[:-1]),
    "claims with more behind": tokens.sign(RSA, json.dumps(claims()) + "{}"),
    "claims with a byte order mark": tokens.sign(RSA, b"\xef\xbb\xbf" + json.dumps(claims()).encode()),
    "claims that are not UTF-8": tokens.sign(RSA, json.dumps(claims()).encode().replace(b"alice", b"al\xffce")),
    "claims nested deep": tokens.sign(RSA, json.dumps(claims())[:-1] + ', "x": ' + "[" * 3000 + "]" * 3000 + "}"),
    "oversize": tokens.oversize(RSA, claims(), 17_000),
    "JWE": ".".join([b64(b'{"alg":"RSA-OAEP","enc":"A256GCM"}'), *[b64(b"x" * 40)] * 4]),
    "signature cut": GOOD[:-4],
    "signature gone": GOOD.rsplit(".", 1)[0] + ".",
    "two parts": GOOD.rsplit(".", 1)[0],
    "four parts": GOOD + ".AAAA",
    "only dots": "..",
    "signature of another token": GOOD.rsplit(".", 1)[0] + "." + tokens.sign(RSA, claims(sub="bob")).rsplit(".", 1)[1],
    "signature with a bit turned": mangled(GOOD, 2, lambda data: bytes([data[0] ^ 1]) + data[1:]),
    "signature with a zero before": mangled(GOOD, 2, lambda data: b"\0" + data),
    "padding": GOOD + "==",
    "standard base64": ".".join([*GOOD.split(".")[:2], base64.b64encode(RSA.sign(b"x")).decode()]),
}


@pytest.mark.parametrize("attack", ATTACKS)
def test_no_forged_token_passes(inline: Guard, attack: str) -> None:
    answer = inline.chat(ATTACKS[attack])
    assert (answer.status_code, answer.json()["error"]["code"]) == (401, "unauthenticated")
    assert inline.upstream.requests == []
    challenge = answer.headers["www-authenticate"]
    assert 'error="invalid_token"' in challenge
    assert "idp.example.com" not in challenge + answer.text, "nothing of the token or the set is told"


def test_the_attacks_are_made_of_a_token_that_passes(inline: Guard) -> None:
    """Else the list above would prove nothing."""
    assert inline.chat(GOOD).status_code == 200
    assert inline.chat(tokens.sign(RSA, claims(nbf=NOW - 5))).status_code == 200
    assert inline.chat(tokens.sign(RSA, claims(aud=["x", "rag"]))).status_code == 200
    assert inline.chat(tokens.sign(RSA, claims(ttl=-10))).status_code == 200, "within the leeway of 30 s"
    assert inline.chat(tokens.sign(RSA, claims(), header=without_kid(RSA))).status_code == 200


def test_a_token_without_a_kid_is_held_to_the_keys_all_the_same(inline: Guard) -> None:
    assert inline.chat(tokens.sign(STRANGER, claims(), header=without_kid(RSA))).status_code == 401


def test_an_ecdsa_signature_in_der_is_not_one_of_jose(inline: Guard) -> None:
    from cryptography.hazmat.primitives import hashes
    from cryptography.hazmat.primitives.asymmetric import ec

    signed = tokens.sign(EC, claims()).rsplit(".", 1)[0]
    der = EC.private.sign(signed.encode(), ec.ECDSA(hashes.SHA256()))
    assert inline.chat(f"{signed}.{b64(der)}").status_code == 401


def test_a_token_that_was_believed_is_not_believed_after_its_end(inline: Guard) -> None:
    """A verified token is remembered; its time is not forgotten over it. The leeway is 30 s."""
    token = tokens.sign(RSA, claims(ttl=-25))
    assert inline.chat(token).status_code == 200
    process.wait_until("its time is over", lambda: inline.chat(token).status_code == 401, timeout=15, every=0.2)


def test_a_token_that_was_believed_opens_for_nobody_who_changes_it(inline: Guard) -> None:
    assert inline.chat(GOOD).status_code == 200
    for changed in (GOOD[:-1], GOOD + "A", GOOD.swapcase(), "A" + GOOD[1:], tokens.tampered(GOOD, claims(sub="root"))):
        assert inline.chat(changed).status_code == 401


@pytest.mark.parametrize(
    "groups", [{"rag-users": True}, [["rag-users"]], "rag-usersx", ["RAG-USERS"], 7, None, [], "ragusers"]
)
def test_groups_of_another_shape_grant_nothing(inline: Guard, groups: Any) -> None:
    assert inline.chat(tokens.sign(RSA, claims(groups=groups))).status_code == 403


@pytest.mark.parametrize("groups", ["rag-users", "a rag-users", "a,rag-users", ["a", "rag-users"]])
def test_groups_come_as_a_list_or_a_string(inline: Guard, groups: Any) -> None:
    assert inline.chat(tokens.sign(RSA, claims(groups=groups))).status_code == 200


# Headers that are no text.


def request(*headers: bytes, body: bytes = json.dumps(question()).encode()) -> bytes:
    lines = [
        f"POST {CHAT} HTTP/1.1".encode(),
        b"host: a",
        b"connection: close",
        b"content-type: application/json",
        *headers,
    ]
    return b"\r\n".join([*lines, b"content-length: %d" % len(body), b"", body])


@pytest.mark.parametrize("name", [b"authorization: Bearer ", b"x-api-key: ", b"api-key: "])
@pytest.mark.parametrize(
    "token", [b"\xff\xfe\x80", GOOD.encode()[:-1] + b"\xc3\xa9", "tökén".encode("latin-1"), "токен".encode()]
)
def test_a_token_that_is_not_utf8_is_refused_without_harm(inline: Guard, name: bytes, token: bytes) -> None:
    assert inline.raw(request(name + token)).startswith(b"HTTP/1.1 401 ")
    assert inline.upstream.requests == []


def test_other_headers_may_hold_any_bytes(inline: Guard) -> None:
    odd = [
        b"x-odd: \xff\xfe\x80",
        b"traceparent: \xff",
        b"user-agent: \xc3",
        b"x-request-id: \xfe",
        b"x-forwarded-for: \xff",
    ]
    answer = inline.raw(request(b"authorization: Bearer " + GOOD.encode(), *odd))
    assert answer.startswith(b"HTTP/1.1 200 ")
    assert inline.upstream.requests[0].header("x-odd") == b"\xff\xfe\x80".decode("latin-1")


def test_very_many_headers_are_refused_or_served_and_never_harm(inline: Guard) -> None:
    good = b"authorization: Bearer " + GOOD.encode()
    many = [b"x-%d: y" % number for number in range(80)]
    assert inline.raw(request(good, *many)).startswith(b"HTTP/1.1 200 ")
    too_many = [b"x-%d: y" % number for number in range(2000)]
    assert inline.raw(request(good, *too_many)).startswith(b"HTTP/1.1 431 ")
    assert len(inline.upstream.requests) == 1


def test_a_flood_of_bad_tokens_opens_nothing_and_harms_nobody(inline: Guard) -> None:
    with inline.client() as client:
        for number in range(300):
            token = tokens.unsigned(claims(sub=f"flood-{number}"))
            answer = client.post(CHAT, json=question(), headers={"authorization": f"Bearer {token}"})
            assert answer.status_code == 401
    assert inline.upstream.requests == []
    assert inline.chat(GOOD).status_code == 200


def test_a_flood_of_signatures_takes_a_share_of_a_worker_and_leaves_known_callers_alone(inline: Guard) -> None:
    """PS512 is verified in the module, where it takes a millisecond and more."""
    signed = tokens.sign(KEYS["PS512"], claims(sub="flood")).rsplit(".", 1)[0]
    assert inline.chat(GOOD).status_code == 200
    inline.reset()
    statuses = []
    with inline.client() as client:
        for number in range(600):
            forged = b"\x01" + os.urandom(255)
            token = GOOD if number % 20 == 0 else f"{signed}.{b64(forged)}"
            answer = client.get("/v1/models", headers={"authorization": f"Bearer {token}"})
            statuses.append((token == GOOD, answer.status_code))
            if answer.status_code == 503:
                assert answer.json()["error"]["code"] == "guard_unavailable"
    assert {status for good, status in statuses if good} == {200}, "who is known goes on"
    refused = [status for good, status in statuses if not good]
    assert set(refused) == {401, 503}
    assert inline.envoy
    counted = [line for line in inline.envoy.prometheus().splitlines() if 'kind="token_flood"' in line]
    assert [int(line.split()[-1]) for line in counted] == [refused.count(503)]
    fresh = tokens.sign(KEYS["ES256"], claims(sub="later"))
    process.wait_until("it is heard again", lambda: inline.chat(fresh).status_code == 200, timeout=15, every=0.5)
