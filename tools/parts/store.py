"""Our own collector: the audit store, and the service that asks humans."""

from __future__ import annotations

import base64
import os
import secrets
from pathlib import Path
from typing import Any

import httpx

from . import process

COLLECTOR = Path(
    os.environ.get("PORTCULLIS_COLLECTOR", process.ROOT / "target" / "debug" / "portcullis-collector")
).resolve()
WRITER = "writer-token-of-the-tests-0123456789"
ROLES = {"auditor": "auditors", "approver": "approvers", "break_glass": "breakers"}


class Store:
    """`portcullis-collector` on a SQLite file of its own. Those with a token of `issuer` have the roles of their groups."""

    def __init__(self, folder: Path, issuer: str, *, bootstrap: bool = False, port: int | None = None):
        self.folder = folder
        self.issuer = issuer
        self.port = port or process.free_port()
        self.seed = base64.b64encode(bytes(range(32))).decode()
        self.bootstrap = secrets.token_urlsafe(24) if bootstrap else ""
        self.process: process.Process | None = None
        self.client = httpx.Client()

    @property
    def address(self) -> str:
        return f"127.0.0.1:{self.port}"

    def start(self) -> Store:
        roles = ",".join(f"{role}={group}" for role, group in ROLES.items())
        argv: list[str | Path] = [
            *(COLLECTOR, "--listen", self.address, "--database", f"sqlite:{self.folder / 'audit.db'}"),
            *("--issuer", f"{self.issuer},audience=rag,{roles}"),
        ]
        env = {
            "PORTCULLIS_COLLECTOR_WRITER_TOKEN": WRITER,
            "PORTCULLIS_COLLECTOR_APPROVALS_KEY": self.seed,
            "NO_COLOR": "1",
        }
        if self.bootstrap:
            env["PORTCULLIS_COLLECTOR_BOOTSTRAP_TOKEN"] = self.bootstrap
        self.process = process.Process("store", argv, self.folder, env=env)
        # One for all calls: to make one takes longer than a call.
        self.client = httpx.Client(base_url=f"http://{self.address}", timeout=20)
        self.process.wait_ready(lambda: process.accepts(self.port))
        return self

    def stop(self) -> None:
        self.client.close()
        if self.process:
            self.process.stop()

    def ask(self, token: str, method: str, path: str, **more: Any) -> httpx.Response:
        """A call by a person."""
        headers = {"authorization": f"Bearer {token}"}
        return self.client.request(method, path, headers=headers, **more)

    def waiting(self, token: str) -> list[dict[str, Any]]:
        """The approvals that wait, as approvers see them."""
        answer = self.ask(token, "GET", "/api/approvals?state=pending&limit=100")
        answer.raise_for_status()
        ids = [approval["id"] for approval in answer.json()["approvals"]]
        return [self.ask(token, "GET", f"/api/approvals/{approval}").json() for approval in ids]

    def count(self, token: str) -> int:
        """How many wait."""
        answer = self.ask(token, "GET", "/api/approvals?state=pending&limit=200")
        answer.raise_for_status()
        return len(answer.json()["approvals"])

    def decide(self, token: str, approval: str, how: str, reason: str | None = None) -> httpx.Response:
        """`how`: approve, deny or break-glass."""
        return self.ask(token, "POST", f"/api/approvals/{approval}/{how}", json={"reason": reason} if reason else {})
