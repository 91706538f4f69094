"""Memory of a real Envoy over time: `make bench-memory`, or `python -m harness.memory --portcullis BINARY`.

Three things that must not grow: a stream that goes on for an hour, an event that never ends, thousands of streams at
once. `MEMORY_HOURS` (1) and `STREAMS` (10000) say how much of it; `BENCH_QUICK=1` takes two minutes.
"""

from __future__ import annotations

import argparse
import asyncio
import os
import resource
import sys
import threading
import time
from collections.abc import Callable
from pathlib import Path
from typing import Any

from parts.envoy import Envoy

from . import machine, requests
from .crowd import Crowd
from .figures import MIB
from .heaps import in_use
from .load import Failed, Load
from .program import keep, measured, say
from .requests import SECRET
from .rounds import QUICK, pick
from .variants import TITLES, Setting

HOURS = float(os.environ.get("MEMORY_HOURS") or pick(1, 40 / 3600))
STREAMS = int(os.environ.get("STREAMS") or pick(10_000, 1_000))
DELTAS = {"streams": 2, "batch": 8, "tiny": 1, "seconds": HOURS * 3600}
ENDLESS = {"streams": 8, "seconds": pick(60, 15)}
# What one process of ours can write and read in a second, on one core that it shares.
EVENTS_A_SECOND = 1500
EVERY = max(1.0, STREAMS / EVENTS_A_SECOND)
# As many events as bring the whole text on each stream.
CROWD = {"rounds": 20, "every": EVERY}
# A busy machine compiles for long.
READY_SECONDS = 300.0
REST_SECONDS = pick(5, 2)
# Of so many samples at most a run is made.
SAMPLES = 600
# A heap is warm after so much of a run; what it grows from there on is growth.
WARM = 0.2
CIRCUITS = {"max_connections": 100_000, "max_pending_requests": 100_000, "max_requests": 100_000}


class Watch:
    """Takes samples of an Envoy's memory while something runs."""

    def __init__(self, envoy: Envoy, seconds: float):
        self.samples: list[dict[str, float]] = []
        self._envoy, self._every = envoy, max(0.25, seconds / SAMPLES)
        self._began, self._done = time.monotonic(), threading.Event()
        self._thread = threading.Thread(target=self._run)

    def _run(self) -> None:
        while True:
            at = time.monotonic() - self._began
            self.samples.append({"seconds": round(at, 2), **in_use(self._envoy)})
            if self._done.wait(self._every):
                return

    def __enter__(self) -> Watch:
        self._thread.start()
        return self

    def __exit__(self, *_why: object) -> None:
        self._done.set()
        self._thread.join()


def slope(samples: list[dict[str, float]], key: str) -> float:
    """Bytes a second, by least squares over what comes after the warm-up."""
    last = samples[-1]["seconds"]
    points = [(one["seconds"], one[key]) for one in samples if one["seconds"] >= WARM * last]
    x, y = (sum(point[axis] for point in points) / len(points) for axis in (0, 1))
    spread = sum((at - x) ** 2 for at, _ in points)
    return sum((at - x) * (value - y) for at, value in points) / spread if spread else 0.0


def deltas(load: Load, envoy: Envoy, request: Path) -> dict[str, Any]:
    load.order("flood", port=envoy.port, file=request, **(DELTAS | {"seconds": 1}))
    with Watch(envoy, DELTAS["seconds"]) as watch:
        figures = load.order("flood", port=envoy.port, file=request, never=SECRET, must="<EMAIL_ADDRESS>", **DELTAS)
    return {
        "deltas": figures["all_events"],
        "seconds": DELTAS["seconds"],
        "streams": DELTAS["streams"],
        "slope": {key: slope(watch.samples, key) for key in ("rss", "wasm")},
        "samples": watch.samples,
    }


def endless(load: Load, envoy: Envoy, request: Path) -> dict[str, Any]:
    with Watch(envoy, ENDLESS["seconds"] + REST_SECONDS) as watch:
        time.sleep(REST_SECONDS)
        figures = load.order("endless", port=envoy.port, file=request, **ENDLESS)
    rest = watch.samples[0]
    return {
        "refused": figures["refused"],
        "streams": ENDLESS["streams"],
        "grown": {key: max(one[key] for one in watch.samples) - rest[key] for key in ("rss", "wasm")},
        "slope": {key: slope(watch.samples, key) for key in ("rss", "wasm")},
        "samples": watch.samples,
    }


def crowd(setting: Setting, variant: str, request: Path) -> dict[str, Any]:
    """`STREAMS` at once; Envoy's connections upstream carry many, as files are few."""
    return asyncio.run(_crowd(setting, variant, request))


async def _crowd(setting: Setting, variant: str, request: Path) -> dict[str, Any]:
    streams = Crowd(0, request.read_bytes().replace(b"{stream}", b"0"))
    upstream = await streams.serve()
    setting = Setting(setting.cli, setting.folder, setting.key, upstream, setting.sink)
    envoy = setting.envoy(variant, name=f"crowd-{variant}")
    _widen(envoy.bootstrap)
    await asyncio.to_thread(envoy.launch)
    try:
        await asyncio.to_thread(envoy.process.wait_ready, envoy.ready, READY_SECONDS)
        streams.port = envoy.port
        # The first ones make what all share; what they take is not any stream's.
        await streams.open(8)
        with Watch(envoy, CROWD["rounds"] * CROWD["every"] * 1.5) as watch:
            await asyncio.sleep(REST_SECONDS)
            began = time.monotonic()
            await streams.open(STREAMS - 8)
            opened = time.monotonic() - began
            await streams.pace(**CROWD)
            found = streams.check(masked=variant == "guard")
            open_until = watch.samples[-1]["seconds"]
            await streams.close()
            await asyncio.sleep(REST_SECONDS)
        if faults := await asyncio.to_thread(envoy.faults):
            raise Failed(f"{TITLES[variant]}: {faults}")
    finally:
        await asyncio.to_thread(envoy.stop)
        await streams.stop()
    rest = watch.samples[0]
    during = [one for one in watch.samples if one["seconds"] <= open_until]
    held = [one for one in during if one["seconds"] >= REST_SECONDS + opened]
    return {
        **found,
        "opened_seconds": opened,
        "each": {key: (max(one[key] for one in during) - rest[key]) / STREAMS for key in ("rss", "used", "wasm")},
        "slope": {key: slope(held, key) for key in ("rss", "wasm")} if len(held) > 1 else {},
        "samples": watch.samples,
    }


def _widen(bootstrap: dict[str, Any]) -> None:
    """Many requests on few connections, and more of both than Envoy lets through by default."""
    for cluster in bootstrap["static_resources"]["clusters"]:
        cluster["circuit_breakers"] = {"thresholds": [CIRCUITS]}
        if cluster["name"] == "model":
            options = next(iter(cluster["typed_extension_protocol_options"].values()))
            options["explicit_http_config"] = {"http2_protocol_options": {}}


def run(setting: Setting, load: Load) -> dict[str, Any]:
    token = setting.token()
    request = requests.write_request(setting.folder / "streamed.http", token, stream=True)
    results: dict[str, Any] = {"machine": machine.facts(), "taken": time.strftime("%Y-%m-%d %H:%M %Z")}

    def fresh(measure: Callable[[Load, Envoy, Path], dict[str, Any]]) -> dict[str, Any]:
        envoy = setting.envoy("guard", name=measure.__name__)
        envoy.ready_timeout = READY_SECONDS
        try:
            envoy.start()
            found = measure(load, envoy, request)
            if faults := envoy.faults():
                raise Failed(f"{measure.__name__}: {faults}")
            return found
        finally:
            envoy.stop()

    say(f"an event that never ends, {ENDLESS['streams']} at once")
    results["endless"] = fresh(endless)
    for variant in ("bare", "guard"):
        say(f"{STREAMS} streams at once: {TITLES[variant]}")
        results[f"crowd-{variant}"] = crowd(setting, variant, request)
    say(f"4-byte deltas for {DELTAS['seconds']:.0f} s")
    results["deltas"] = fresh(deltas)
    return results


def write(results: dict[str, Any]) -> str:
    facts = "\n".join(f"- {name}: {value}" for name, value in results["machine"].items())
    return f"# Memory of Envoy with the full guard\n\n{facts}\n- taken: {results['taken']}\n\n{table(results)}"


def table(results: dict[str, Any]) -> str:
    long, endless, bare, guard = (results[key] for key in ("deltas", "endless", "crowd-bare", "crowd-guard"))

    def growth(found: dict[str, Any]) -> str:
        return ", ".join(f"{name} {found['slope'][key] * 3600 / MIB:+.2f} MiB an hour" for key, name in KEYS.items())

    used, heap, floor = (found / 1024 for found in (guard["each"]["used"], guard["each"]["wasm"], bare["each"]["used"]))
    rate = long["deltas"] / long["seconds"]
    return f"""| | |
|---|---|
| {long["streams"]} streams of 4-byte deltas for {long["seconds"]:,.0f} s | {long["deltas"] / 1e6:,.1f} million deltas, {rate:,.0f} a second: what takes a model that writes 100 a second {long["deltas"] / 360_000:,.0f} hours |
| their slope after the first fifth | {growth(long)} |
| an event that never ends, {endless["streams"]} at once, again and again | {endless["refused"]:,.0f} streams refused, nothing of the event let through; at most {endless["grown"]["rss"] / MIB:.1f} MiB more resident, {endless["grown"]["wasm"] / MIB:.1f} MiB more of the module's memory |
| {guard["streams"]:,} streams at once | {guard["events"]:,} events, none lost; at most {used:.1f} KiB in use for each, {heap:.1f} of them in the module's memory; a bare Envoy has {floor:.1f} KiB |
| their slope while all are open | {growth(guard)} |
"""


KEYS = {"rss": "resident", "wasm": "module's memory"}


def main() -> int:
    parser = argparse.ArgumentParser(prog="harness.memory", description=__doc__)
    parser.add_argument("--portcullis", type=Path, required=True, help="the command, for `render envoy`")
    given = parser.parse_args()
    _, most = resource.getrlimit(resource.RLIMIT_NOFILE)
    resource.setrlimit(resource.RLIMIT_NOFILE, (most, most))
    if most < STREAMS + 500:
        print(f"memory: {STREAMS} streams need as many open files; this machine lets {most}", file=sys.stderr)
        return 1
    results = measured(given.portcullis, "memory", run)
    if results is None:
        return 1
    results["quick"] = QUICK
    keep("memory", results, write(results))
    print(write(results))
    return 0


if __name__ == "__main__":
    sys.exit(main())
