"""The identity provider: oidc-provider in Node."""

from __future__ import annotations

import base64
import json
import urllib.parse
import urllib.request
from pathlib import Path
from typing import Any

from . import process
from .keys import KeySet

SCRIPT = Path(__file__).parent / "node" / "idp.mjs"


class Idp:
    """Users: alice (rag-users, engineering), bob (marketing), ci (rag-users, ci). Audience: rag."""

    def __init__(self, folder: Path, keys: KeySet | None = None, port: int | None = None):
        self.folder = folder
        self.keys = keys or KeySet.make()
        self.port = port or process.free_port()
        self.process: process.Process | None = None

    @property
    def issuer(self) -> str:
        return f"http://127.0.0.1:{self.port}"

    @property
    def address(self) -> str:
        return f"127.0.0.1:{self.port}"

    def start(self) -> Idp:
        keys = self.keys.save(self.folder / f"idp-{self.port}-keys.json")
        node = process.PARTS / "node"
        self.process = process.Process("idp", ["node", SCRIPT, str(self.port), keys], self.folder, cwd=node)
        self.process.wait_ready(self.discovery, 30)
        return self

    def stop(self) -> None:
        if self.process:
            self.process.stop()

    def rotate(self, keys: KeySet) -> None:
        """Comes back at the same address with other keys."""
        self.stop()
        self.keys = keys
        self.start()

    def discovery(self) -> dict[str, Any]:
        with urllib.request.urlopen(f"{self.issuer}/.well-known/openid-configuration", timeout=5) as answer:
            return json.load(answer)

    def token(
        self,
        user: str = "alice",
        *,
        alg: str = "RS256",
        ttl: int = 600,
        audience: str = "rag",
        claims: dict[str, Any] | None = None,
    ) -> str:
        """An access token by client_credentials. `claims` are laid over the payload (`sub`, `groups`, …)."""
        form = {"grant_type": "client_credentials", "resource": "urn:rag", "alg": alg, "ttl": ttl, "audience": audience}
        if claims:
            form["claims"] = json.dumps(claims)
        basic = base64.b64encode(f"{user}:{user}-secret".encode()).decode()
        request = urllib.request.Request(
            f"{self.issuer}/token",
            data=urllib.parse.urlencode(form).encode(),
            headers={"authorization": f"Basic {basic}"},
        )
        with urllib.request.urlopen(request, timeout=10) as answer:
            return json.load(answer)["access_token"]
