"""Runs the whole benchmark: `python -m harness --portcullis BINARY [--only VARIANT …]`; `make bench` builds what it needs."""

from __future__ import annotations

import argparse
import json
import sys
import time
from pathlib import Path
from typing import Any

from parts import process
from parts.envoy import Envoy
from parts.keys import Key

from . import baselines, callers, machine, masker, policies, report, requests, startup, streams
from .load import Failed, Load
from .rounds import QUICK
from .variants import FILTERS_OF, LESS, TITLES, Setting

DEFAULT = [variant for variant in FILTERS_OF if variant not in LESS]
OUT = process.ROOT / "target" / "bench"


def arguments() -> argparse.Namespace:
    parser = argparse.ArgumentParser(prog="harness", description=__doc__)
    parser.add_argument("--portcullis", type=Path, required=True, help="the command, for `render envoy`")
    parser.add_argument("--only", nargs="+", choices=list(FILTERS_OF), default=DEFAULT, help="leave variants out")
    parser.add_argument(
        "--explain", action="store_true", help="also the guard less masking, rules, audit: requests only"
    )
    return parser.parse_args()


def say(what: str) -> None:
    print(f"bench: {what}", file=sys.stderr, flush=True)


def run(setting: Setting, load: Load, variants: list[str]) -> dict[str, Any]:
    began = time.monotonic()
    results: dict[str, Any] = {
        "machine": machine.facts(),
        "quick": QUICK,
        "taken": time.strftime("%Y-%m-%d %H:%M %Z"),
        "variants": {variant: TITLES[variant] for variant in variants},
        "modules": machine.modules(),
    }
    say("start-up and memory at rest")
    results["startup"] = startup.measure(setting, variants)
    envoys = {variant: setting.envoy(variant).start() for variant in variants}
    token = setting.token()
    whole = requests.write_request(setting.folder / "whole.http", token, stream=False)
    streamed = requests.write_request(setting.folder / "streamed.http", token, stream=True)
    say(f"whole requests: {', '.join(variants)}")
    results["requests"] = requests.measure(load, envoys, whole)
    say("streams")
    results["streams"] = streams.measure(load, envoys, streamed)
    results["in_flight"] = streams.in_flight(load, setting, variants, streamed)
    results["memory_after"] = {variant: envoy.memory_rss() for variant, envoy in envoys.items()}
    time.sleep(1.0)
    results["audit"] = load.order("sunk")
    check(envoys, results)
    say("who calls, and how much")
    results["callers"] = callers.measure(setting, load)
    say("policies alone")
    results["policies"] = policies.measure()
    say("the masker alone, and what others do with its texts")
    results["masker"] = masker.measure()
    results["baselines"] = baselines.measure(OUT / "texts")
    results["seconds"] = time.monotonic() - began
    return results


def check(envoys: dict[str, Envoy], results: dict[str, Any]) -> None:
    """Numbers of an Envoy whose module trapped, or of a guard that recorded nothing, are no numbers."""
    for variant, envoy in envoys.items():
        if faults := envoy.faults():
            raise Failed(f"{TITLES[variant]}: {faults}")
    if "guard" in envoys and results["audit"]["requests"] == 0:
        raise Failed("no audit record reached the sink")


def main() -> int:
    given = arguments()
    process.exit_on_signals()
    wanted = {*given.only, "bare", "copy", *(LESS if given.explain else ())}
    variants = [variant for variant in FILTERS_OF if variant in wanted]
    load = Load()
    try:
        setting = Setting(given.portcullis, process.run_dir("bench"), Key.make("RS256"), load.upstream, load.sink)
        results = run(setting, load, variants)
    except (Failed, RuntimeError, TimeoutError, process.NotReady) as failure:
        print(f"bench: {failure}", file=sys.stderr)
        return 1
    finally:
        process.stop_all()
        load.stop()
    text = report.write(results)
    OUT.mkdir(parents=True, exist_ok=True)
    (OUT / "results.json").write_text(json.dumps(results, indent=1) + "\n")
    (OUT / "results.md").write_text(text)
    print(text)
    say(f"written to {OUT.relative_to(process.ROOT)}/results.json and results.md")
    return 0


if __name__ == "__main__":
    sys.exit(main())
