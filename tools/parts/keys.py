"""Signing keys as JWK sets: made fresh for every run, so that no private key is ever committed."""

from __future__ import annotations

import base64
import json
from collections.abc import Iterable
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from cryptography.hazmat.primitives import hashes, serialization
from cryptography.hazmat.primitives.asymmetric import ec, ed25519, padding, rsa
from cryptography.hazmat.primitives.asymmetric.utils import decode_dss_signature

CURVES = {"ES256": (ec.SECP256R1, "P-256", hashes.SHA256), "ES384": (ec.SECP384R1, "P-384", hashes.SHA384)}
RSA_HASHES = {"RS256": hashes.SHA256, "RS384": hashes.SHA384, "RS512": hashes.SHA512}
PSS_HASHES = {"PS256": hashes.SHA256, "PS384": hashes.SHA384, "PS512": hashes.SHA512}


def b64(data: bytes) -> str:
    return base64.urlsafe_b64encode(data).rstrip(b"=").decode()


def _number(value: int, length: int | None = None) -> str:
    return b64(value.to_bytes(length or (value.bit_length() + 7) // 8, "big"))


@dataclass(frozen=True)
class Key:
    """A private key with its id and the algorithm it is for."""

    alg: str
    kid: str
    private: Any

    @classmethod
    def make(cls, alg: str, kid: str | None = None, rsa_bits: int = 2048) -> Key:
        if alg in RSA_HASHES or alg in PSS_HASHES:
            private: Any = rsa.generate_private_key(65537, rsa_bits)
        elif alg in CURVES:
            private = ec.generate_private_key(CURVES[alg][0]())
        elif alg == "EdDSA":
            private = ed25519.Ed25519PrivateKey.generate()
        else:
            raise ValueError(f"no way to make a key for {alg}")
        return cls(alg, kid or f"{alg.lower()}-1", private)

    def sign(self, text: bytes, alg: str | None = None) -> bytes:
        """A JWS signature; `alg` other than the key's own where the key can (RS256 and PS256 share keys)."""
        alg = alg or self.alg
        if alg in RSA_HASHES:
            return self.private.sign(text, padding.PKCS1v15(), RSA_HASHES[alg]())
        if alg in PSS_HASHES:
            digest = PSS_HASHES[alg]
            return self.private.sign(text, padding.PSS(padding.MGF1(digest()), digest.digest_size), digest())
        if alg in CURVES:
            size = (self.private.curve.key_size + 7) // 8
            r, s = decode_dss_signature(self.private.sign(text, ec.ECDSA(CURVES[alg][2]())))
            return r.to_bytes(size, "big") + s.to_bytes(size, "big")
        return self.private.sign(text)

    def public_pem(self) -> bytes:
        encoding, form = serialization.Encoding.PEM, serialization.PublicFormat.SubjectPublicKeyInfo
        return self.private.public_key().public_bytes(encoding, form)

    def public_der(self) -> bytes:
        encoding, form = serialization.Encoding.DER, serialization.PublicFormat.SubjectPublicKeyInfo
        return self.private.public_key().public_bytes(encoding, form)

    def jwk(self, private: bool = False) -> dict[str, str]:
        head = {"kid": self.kid, "alg": self.alg, "use": "sig"}
        if isinstance(self.private, rsa.RSAPrivateKey):
            numbers = self.private.private_numbers()
            public = {"kty": "RSA", "n": _number(numbers.public_numbers.n), "e": _number(numbers.public_numbers.e)}
            secret = {name: _number(getattr(numbers, name)) for name in ("d", "p", "q")}
            secret |= {"dp": _number(numbers.dmp1), "dq": _number(numbers.dmq1), "qi": _number(numbers.iqmp)}
        elif isinstance(self.private, ec.EllipticCurvePrivateKey):
            numbers = self.private.private_numbers()
            size = (self.private.curve.key_size + 7) // 8
            x, y = numbers.public_numbers.x, numbers.public_numbers.y
            public = {"kty": "EC", "crv": CURVES[self.alg][1], "x": _number(x, size), "y": _number(y, size)}
            secret = {"d": _number(numbers.private_value, size)}
        else:
            raw = serialization.Encoding.Raw
            point = self.private.public_key().public_bytes(raw, serialization.PublicFormat.Raw)
            plain = serialization.NoEncryption()
            public = {"kty": "OKP", "crv": "Ed25519", "x": b64(point)}
            secret = {"d": b64(self.private.private_bytes(raw, serialization.PrivateFormat.Raw, plain))}
        return head | public | (secret if private else {})


class KeySet:
    """Some keys, found by algorithm."""

    def __init__(self, keys: Iterable[Key]):
        self.keys = list(keys)

    @classmethod
    def make(cls, *algs: str, generation: int = 1) -> KeySet:
        return cls(Key.make(alg, f"{alg.lower()}-{generation}") for alg in algs or ("RS256", "ES256", "EdDSA"))

    def __getitem__(self, alg: str) -> Key:
        return next(key for key in self.keys if key.alg == alg)

    def jwks(self, private: bool = False) -> dict[str, Any]:
        return {"keys": [key.jwk(private) for key in self.keys]}

    def save(self, path: Path) -> Path:
        path.touch(mode=0o600)
        path.write_text(json.dumps(self.jwks(private=True)))
        return path
