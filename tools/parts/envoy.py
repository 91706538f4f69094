"""Envoy: started from a bootstrap, asked over its admin port."""

from __future__ import annotations

import json
import os
import urllib.request
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from . import process

BINARY = process.SITE / "envoy" / "_bin" / "envoy"


def binary() -> Path:
    """The Envoy under test: `ENVOY` in the environment, else the installed one."""
    return Path(os.environ.get("ENVOY", BINARY))


@dataclass
class Envoy:
    """One Envoy process. `listeners_by_file` takes the listeners out of the bootstrap into a file that Envoy watches,
    so that `update` changes them while streams run."""

    bootstrap: dict[str, Any]
    folder: Path
    concurrency: int = 1
    env: dict[str, str] = field(default_factory=dict)
    listeners_by_file: bool = False
    log_level: str = "info"
    drain_seconds: int = 3
    name: str = "envoy"
    ready_timeout: float = 60.0

    def __post_init__(self) -> None:
        self.port: int = _port(self.bootstrap["static_resources"]["listeners"][0]["address"])
        self.admin: int = _port(self.bootstrap["admin"]["address"])
        self.process: process.Process | None = None
        self.running = False
        self._version = 0

    def launch(self) -> None:
        """Starts the process without waiting for it."""
        bootstrap = json.loads(json.dumps(self.bootstrap))
        if self.listeners_by_file:
            listeners = bootstrap["static_resources"].pop("listeners")
            bootstrap.setdefault("node", {"id": "test", "cluster": "test"})
            bootstrap["dynamic_resources"] = {
                "lds_config": {
                    "resource_api_version": "V3",
                    "path_config_source": {
                        "path": str(self._listeners_file),
                        "watched_directory": {"path": str(self.folder)},
                    },
                }
            }
            self._write_listeners(listeners)
        path = self.folder / f"{self.name}.json"
        path.write_text(json.dumps(bootstrap, indent=1))
        argv: list[str | Path] = [
            *(binary(), "-c", path),
            *("--concurrency", str(self.concurrency)),
            *("--log-level", self.log_level),
            *("--drain-time-s", str(self.drain_seconds), "--drain-strategy", "immediate"),
            "--disable-hot-restart",
        ]
        self.process = process.Process(self.name, argv, self.folder, env=self.env)
        self.running = True

    def start(self) -> Envoy:
        """Starts it and waits until it takes requests."""
        self.launch()
        assert self.process
        self.process.wait_ready(self.ready, self.ready_timeout)
        return self

    def stop(self) -> None:
        """Stops it; from then on it is not `running`, while one that died by itself still is."""
        if self.process:
            self.process.stop()
        self.running = False

    def update(self, listeners: list[dict[str, Any]]) -> bool:
        """Gives it other listeners; true when it took them, false when it refused and keeps the old ones."""
        before = self.stats("listener_manager.lds.update_")
        taken, refused = (before.get(f"listener_manager.lds.update_{end}", 0) for end in ("success", "rejected"))
        self._write_listeners(listeners)
        outcome: list[bool] = []

        def settled() -> bool:
            now = self.stats("listener_manager.lds.update_")
            if now.get("listener_manager.lds.update_success", 0) > taken:
                outcome.append(True)
            elif now.get("listener_manager.lds.update_rejected", 0) > refused:
                outcome.append(False)
            return bool(outcome)

        process.wait_until("Envoy takes or refuses the listeners", settled, timeout=30)
        if outcome[0]:
            process.wait_until("the new listeners are warm", self._warm, timeout=30)
        return outcome[0]

    def _warm(self) -> bool:
        return (
            self.stats("listener_manager.total_listeners_warming").get("listener_manager.total_listeners_warming") == 0
        )

    @property
    def _listeners_file(self) -> Path:
        return self.folder / f"{self.name}-listeners.json"

    def _write_listeners(self, listeners: list[dict[str, Any]]) -> None:
        self._version += 1
        kind = "type.googleapis.com/envoy.config.listener.v3.Listener"
        resources = [{"@type": kind, **listener} for listener in listeners]
        aside = self.folder / f".{self.name}-listeners.new"
        aside.write_text(json.dumps({"version_info": str(self._version), "resources": resources}))
        aside.rename(self._listeners_file)

    def admin_get(self, path: str) -> str:
        with urllib.request.urlopen(f"http://127.0.0.1:{self.admin}{path}", timeout=5) as answer:
            return answer.read().decode()

    def ready(self) -> bool:
        return self.admin_get("/ready").strip() == "LIVE" and process.accepts(self.port)

    def stats(self, pattern: str = "") -> dict[str, int]:
        """Counters and gauges whose name matches the regular expression (unused ones are 0)."""
        text = self.admin_get(f"/stats?filter={pattern}")
        pairs = (line.rpartition(": ") for line in text.splitlines())
        return {name: int(value) for name, _, value in pairs if value.isdigit()}

    def prometheus(self) -> str:
        return self.admin_get("/stats/prometheus")

    def config_dump(self) -> Any:
        return json.loads(self.admin_get("/config_dump"))

    def log_text(self) -> str:
        return self.process.log_text() if self.process else ""

    def memory_rss(self) -> int:
        """Resident bytes of the process."""
        assert self.process
        for line in Path(f"/proc/{self.process.pid}/status").read_text().splitlines():
            if line.startswith("VmRSS:"):
                return int(line.split()[1]) * 1024
        return 0

    def faults(self, log_from: int = 0) -> list[str]:
        """Signs that the module trapped or a VM failed since it started, empty when all is well. `log_from`: offset into the log."""
        found = []
        if not self.process or not self.process.alive:
            return [f"Envoy is not running (exit code {self.process.exit_code if self.process else None})"]
        for name, value in self.stats("^wasm").items():
            # vm_reload_* move when a dead VM is replaced; a VM that dies is not counted anywhere else.
            if value and not name.startswith("wasmcustom") and ("reload" in name or "fail" in name):
                found.append(f"{name} = {value}")
        for line in self.log_text()[log_from:].splitlines():
            if any(sign in line for sign in FAULT_SIGNS):
                found.append(line)
        return found


# What Envoy's log says when a module traps (the SDK's panic hook logs at critical), learnt from modules made to.
FAULT_SIGNS = (
    "[critical]",
    "panicked at",
    "Uncaught RuntimeError",
    "Function: proxy_on_",
    "Failed to initialize Wasm VM",
)


def _port(address: dict[str, Any]) -> int:
    return int(address["socket_address"]["port_value"])
