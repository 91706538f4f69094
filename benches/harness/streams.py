"""Streamed answers: events a second, the delay of events and texts, and the memory of streams in flight."""

from __future__ import annotations

import threading
from pathlib import Path
from typing import Any

from parts.envoy import Envoy

from .heaps import in_use
from .load import Load
from .requests import COUNTED, MUST_SEE, NEVER_SEE
from .rounds import pick, turns
from .variants import Setting

VARIANTS = ("bare", "copy", "lua", "monitor", "guard")
# Lua's memory is Envoy's own: what a stream takes is asked of the modules.
IN_MEMORY = ("bare", "copy", "guard")
ROUNDS = int(pick(4, 2))
FLOOD = {"streams": 2, "batch": 24, "seconds": pick(1.5, 0.7)}
STEPS = {"streams": 4, "seconds": pick(2.0, 0.6)}
IN_STEP = {"streams": 16, "events": 12, "first": 20, "every": 10, "seconds": pick(3.0, 1.0)}
# A pause of about a stream's length at most: streams come by chance, as those of many callers do.
PACED = IN_STEP | {"pause": 150}
IN_FLIGHT = {"streams": 300, "events": 8, "first": 300, "every": 300, "seconds": 1}
FIRST_ONE = {"streams": 1, "events": 8, "first": 1, "every": 1, "seconds": 0.1}


def measure(load: Load, envoys: dict[str, Envoy], request: Path) -> dict[str, Any]:
    """By way of streaming and variant: one dict of figures a round."""
    variants = [variant for variant in VARIANTS if variant in envoys]
    ways = ("flood", "steps", "paced", "in_step")
    results: dict[str, Any] = {way: {variant: [] for variant in variants} for way in ways}
    for _, variant in turns(variants, ROUNDS):
        envoy = envoys[variant]
        look = {
            "must": MUST_SEE.get(variant, []),
            "never": NEVER_SEE.get(variant, []),
            "count": COUNTED.get(variant, []),
        }
        for name, figures in (
            ("flood", load.measured(envoy, "flood", file=request, **FLOOD, **look)),
            ("steps", load.measured(envoy, "steps", file=request, **STEPS)),
            ("paced", load.measured(envoy, "paced", file=request, **PACED)),
            ("in_step", load.measured(envoy, "paced", file=request, **IN_STEP)),
        ):
            if "all_events" in figures:
                figures["cpu_micros"] = figures["cpu_seconds"] / figures["all_events"] * 1e6
            results[name][variant].append(figures)
    return results


def in_flight(load: Load, setting: Setting, variants: list[str], request: Path) -> dict[str, float]:
    """Bytes of memory that each of many open streams adds, at most. Each Envoy is a fresh one, for memory that
    earlier load left behind would hide what these streams take."""
    found = {}
    for variant in (variant for variant in IN_MEMORY if variant in variants):
        envoy = setting.envoy(variant, name=f"in-flight-{variant}").start()
        try:
            load.order("paced", port=envoy.port, file=request, **FIRST_ONE)
            found[variant] = _grown(load, envoy, request) / IN_FLIGHT["streams"]
        finally:
            envoy.stop()
    return found


def _grown(load: Load, envoy: Envoy, request: Path) -> int:
    before, most, done = in_use(envoy)["used"], [0], threading.Event()

    def watch() -> None:
        while not done.wait(0.1):
            most[0] = max(most[0], in_use(envoy)["used"])

    watcher = threading.Thread(target=watch)
    watcher.start()
    try:
        load.order("paced", port=envoy.port, file=request, **IN_FLIGHT)
    finally:
        done.set()
        watcher.join()
    return most[0] - before
