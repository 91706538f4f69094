"""The audit store: records it takes a second, and first pages of searches. `make bench-store`, for docs/numbers.md.

Two benchmarks of the collector are run on the binary to ship, and what they print is read.
"""

from __future__ import annotations

import os
import re
import subprocess
import sys
from typing import Any

from parts import process

from .program import keep, stamp

RECORDS = int(os.environ.get("RECORDS", "10000000"))
SERVER = process.ROOT / "target" / "server" / "portcullis-collector"


def measure() -> dict[str, Any]:
    """What they print: by database, and of searches."""
    taken = {name: _printed("ingest", **more) for name, more in {"SQLite": {}, "PostgreSQL": {"POSTGRES": "1"}}.items()}
    return {"ingest": taken, "query": _printed("query", RECORDS=str(RECORDS))}


def rates(printed: dict[str, str]) -> dict[str, float]:
    """Records a second, by database."""
    return {name: float(found(r"(\d+) a second", text)) for name, text in printed.items()}


def records(printed: str) -> int:
    """How many records the searches were asked of."""
    return int(found(r"^(\d+) records ", printed))


def pages(printed: str) -> dict[str, tuple[float, float, int]]:
    """Median and worst in milliseconds, and hits, by search."""
    rows = re.findall(r"^(.+?) {2,}([\d.]+) ms +([\d.]+) ms +(\d+)", printed, re.MULTILINE)
    return {name: (float(median), float(worst), int(hits)) for name, median, worst, hits in rows}


def _printed(bench: str, **more: str) -> str:
    argv = ["cargo", "bench", "--quiet", "--profile", "server", "--package", "portcullis-collector", "--bench", bench]
    env = os.environ | {"COLLECTOR": str(SERVER)} | more
    done = subprocess.run(argv, check=False, capture_output=True, text=True, cwd=process.ROOT, env=env)
    if done.returncode != 0:
        raise RuntimeError(f"the benchmark {bench} of the collector failed:\n{done.stderr[-2000:]}")
    return done.stdout.strip("\n")


def found(pattern: str, text: str) -> str:
    found = re.search(pattern, text, re.MULTILINE)
    if not found:
        raise RuntimeError(f"the benchmark printed no {pattern!r}:\n{text}")
    return found[1]


def main() -> int:
    results = stamp() | {"store": measure()}
    keep("store", results)
    print("\n\n".join([*results["store"]["ingest"].values(), results["store"]["query"]]))
    return 0


if __name__ == "__main__":
    sys.exit(main())
