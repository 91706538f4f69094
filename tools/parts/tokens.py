"""Tokens made by hand, for what no identity provider would sign."""

from __future__ import annotations

import hashlib
import hmac
import json
import time
from typing import Any

from .keys import Key, b64

Json = dict[str, Any] | str | bytes


def _encode(part: Json) -> str:
    if isinstance(part, dict):
        part = json.dumps(part, separators=(",", ":"))
    return b64(part.encode() if isinstance(part, str) else part)


def claims(
    issuer: str, *, audience: Any = "rag", subject: str = "alice", ttl: float = 3600, **more: Any
) -> dict[str, Any]:
    """The payload of a good token; `more` adds claims, and takes one away where it is None."""
    now = int(time.time())
    payload = {
        "iss": issuer,
        "aud": audience,
        "sub": subject,
        "iat": now,
        "exp": int(now + ttl),
        "groups": ["rag-users"],
    }
    payload |= more
    return {name: value for name, value in payload.items() if value is not None}


def sign(key: Key, payload: Json, *, alg: str | None = None, header: Json | None = None) -> str:
    """A token over `payload`, which may be raw text to hold what JSON encoders refuse (a member twice, cut off).

    `header` replaces the whole header; the signature is the key's own all the same.
    """
    if header is None:
        header = {"alg": alg or key.alg, "kid": key.kid, "typ": "at+jwt"}
    text = f"{_encode(header)}.{_encode(payload)}"
    return f"{text}.{b64(key.sign(text.encode(), alg))}"


def unsigned(payload: Json, *, alg: str = "none", kid: str | None = None) -> str:
    """`alg: none`, with an empty signature."""
    header = {"alg": alg, "typ": "JWT"} | ({"kid": kid} if kid else {})
    return f"{_encode(header)}.{_encode(payload)}."


def hmac_with(secret: bytes, payload: Json, *, kid: str | None = None, alg: str = "HS256") -> str:
    """Algorithm confusion: signed symmetrically with a secret that is public, such as a key's PEM or DER."""
    header = {"alg": alg, "typ": "JWT"} | ({"kid": kid} if kid else {})
    text = f"{_encode(header)}.{_encode(payload)}"
    digest = {"HS256": hashlib.sha256, "HS384": hashlib.sha384, "HS512": hashlib.sha512}[alg]
    return f"{text}.{b64(hmac.new(secret, text.encode(), digest).digest())}"


def with_member_twice(payload: dict[str, Any], name: str, second: Any) -> str:
    """JSON text of the payload with one member given again: which of the two counts must not be a matter of luck."""
    return f"{json.dumps(payload)[:-1]}, {json.dumps(name)}: {json.dumps(second)}}}"


def tampered(token: str, payload: Json) -> str:
    """The token with another payload under the old signature."""
    header, _, signature = token.split(".")
    return f"{header}.{_encode(payload)}.{signature}"


def oversize(key: Key, payload: dict[str, Any], size: int) -> str:
    """A good token that is at least `size` bytes long."""
    return sign(key, payload | {"padding": "x" * size})
