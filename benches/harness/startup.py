"""Time until Envoy's admin answers `/ready` with LIVE, and memory at rest, with one worker and with four."""

from __future__ import annotations

import time
import urllib.request
from typing import Any

from parts.envoy import Envoy

from .rounds import pick, turns
from .variants import Setting

VARIANTS = ("bare", "copy", "guard")
ROUNDS = int(pick(3, 1))
WORKERS = (1, 4)
# Free memory is given back bit by bit, as the rendered configuration has it.
SETTLE_SECONDS = pick(10, 1)
TIMEOUT_SECONDS = 60.0


def measure(setting: Setting, variants: list[str]) -> dict[str, Any]:
    """By workers and variant: one dict of figures a round."""
    variants = [variant for variant in VARIANTS if variant in variants]
    results: dict[str, Any] = {str(workers): {variant: [] for variant in variants} for workers in WORKERS}
    for number, variant in turns(variants, ROUNDS):
        for workers in WORKERS:
            envoy = setting.envoy(variant, workers, name=f"start-{variant}-{workers}-{number}")
            results[str(workers)][variant].append(_once(envoy))
    return results


def _once(envoy: Envoy) -> dict[str, float]:
    began = time.monotonic()
    envoy.launch()
    try:
        while not _live(envoy):
            if time.monotonic() - began > TIMEOUT_SECONDS or not envoy.process.alive:
                raise TimeoutError(f"{envoy.name} does not become ready:\n{envoy.process.log_tail()}")
            time.sleep(0.004)
        ready = time.monotonic() - began
        time.sleep(SETTLE_SECONDS)
        return {"ready_seconds": ready, "rss": envoy.memory_rss()}
    finally:
        envoy.stop()


def _live(envoy: Envoy) -> bool:
    try:
        with urllib.request.urlopen(f"http://127.0.0.1:{envoy.admin}/ready", timeout=2) as answer:
            return answer.read().strip() == b"LIVE"
    except OSError:
        return False
