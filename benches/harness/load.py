"""The load (benches/load) as a child, and the processor time that an Envoy takes meanwhile."""

from __future__ import annotations

import json
import subprocess
from pathlib import Path
from typing import Any

from parts import process
from parts.envoy import Envoy

BINARY = process.ROOT / "target" / "bench-load" / "release" / "bench-load"


class Failed(Exception):
    """The load saw what it must not see."""


class Load:
    """Client, upstream and audit sink in one process. It ends when its input does, so it never outlives us."""

    def __init__(self) -> None:
        self._child = subprocess.Popen([BINARY], stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True)
        ports = self._answer("start")
        self.upstream, self.sink = int(ports["upstream"]), int(ports["sink"])

    def begin(self, verb: str, **values: Any) -> None:
        """Gives an order; lists become a key several times. `end` waits for its figures."""
        words = [verb]
        for key, value in values.items():
            words += [f"{key}={one}" for one in (value if isinstance(value, list) else [value])]
        assert self._child.stdin
        self._child.stdin.write(" ".join(words) + "\n")
        self._child.stdin.flush()

    def end(self, verb: str) -> dict[str, Any]:
        return self._answer(verb)

    def order(self, verb: str, **values: Any) -> dict[str, Any]:
        self.begin(verb, **values)
        return self._answer(verb)

    def _answer(self, verb: str) -> dict[str, Any]:
        assert self._child.stdout
        line = self._child.stdout.readline()
        if not line:
            raise Failed(f"{verb}: the load died")
        figures = json.loads(line)
        if "error" in figures:
            raise Failed(f"{verb}: {figures['error']}")
        return figures

    def measured(self, envoy: Envoy, verb: str, **values: Any) -> dict[str, Any]:
        """An order against an Envoy; its figures with `cpu_seconds`, what all threads of that Envoy took for it."""
        before = cpu_seconds(envoy)
        figures = self.order(verb, port=envoy.port, **values)
        return figures | {"cpu_seconds": cpu_seconds(envoy) - before}

    def stop(self) -> None:
        assert self._child.stdin
        self._child.stdin.close()
        self._child.wait()


def cpu_seconds(envoy: Envoy) -> float:
    """Time that the process's threads have been on a processor: the scheduler's own count, in nanoseconds."""
    assert envoy.process
    tasks = Path(f"/proc/{envoy.process.pid}/task").iterdir()
    return sum(int((task / "schedstat").read_text().split()[0]) for task in tasks) / 1e9
