"""Runs the whole benchmark: `python -m harness --portcullis BINARY [--only VARIANT …]`; `make bench` builds what it needs."""

from __future__ import annotations

import argparse
import sys
import time
from pathlib import Path
from typing import Any

from parts import process
from parts.envoy import Envoy

from . import baselines, callers, machine, masker, policies, report, requests, startup, streams
from .load import Failed, Load
from .program import OUT, keep, measured, say, stamp
from .rounds import QUICK
from .variants import FILTERS_OF, LESS, TITLES, Setting

DEFAULT = [variant for variant in FILTERS_OF if variant not in LESS]


def arguments() -> argparse.Namespace:
    parser = argparse.ArgumentParser(prog="harness", description=__doc__)
    parser.add_argument("--portcullis", type=Path, required=True, help="the command, for `render envoy`")
    parser.add_argument("--only", nargs="+", choices=list(FILTERS_OF), default=DEFAULT, help="leave variants out")
    parser.add_argument(
        "--explain", action="store_true", help="also the guard less masking, rules, audit: requests only"
    )
    return parser.parse_args()


def run(setting: Setting, load: Load, variants: list[str], results: dict[str, Any]) -> dict[str, Any]:
    """Measures part by part, each into `results`."""
    began = time.monotonic()
    results |= {
        **stamp(),
        "quick": QUICK,
        "variants": {variant: TITLES[variant] for variant in variants},
        "modules": machine.modules(),
    }
    # What needs no Envoy comes first: where it fails, little time is lost.
    say("the masker alone, and what others do with its texts")
    results["masker"] = masker.measure()
    results["baselines"] = baselines.measure(OUT / "texts")
    say("policies alone")
    results["policies"] = policies.measure()
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
    wanted = {*given.only, "bare", "copy", *(LESS if given.explain else ())}
    variants = [variant for variant in FILTERS_OF if variant in wanted]
    results: dict[str, Any] = {}
    if measured(given.portcullis, "bench", lambda setting, load: run(setting, load, variants, results)) is None:
        keep("unfinished", results)
        say(f"what was measured before is in {OUT.relative_to(process.ROOT)}/unfinished.json")
        return 1
    text = report.write(results)
    keep("results", results, text)
    print(text)
    say(f"written to {OUT.relative_to(process.ROOT)}/results.json and results.md")
    return 0


if __name__ == "__main__":
    sys.exit(main())
