"""What policy costs: the benchmark of that name, in Node's V8 (the engine that Envoy has too) or, without Node, natively."""

from __future__ import annotations

import re
import shutil
import subprocess
import sys
from typing import Any

from parts import process

from .program import keep, stamp

NATIVE = ["cargo", "bench", "--quiet", "--bench", "policies"]
IN_V8 = [process.ROOT / "benches" / "masker-v8", "run", "policies"]

Table = dict[str, list[float]]


def measure() -> dict[str, str]:
    """What the benchmark prints, by where it ran."""
    return {"V8": _run(IN_V8)} if shutil.which("node") else {"native": _run(NATIVE)}


def main() -> int:
    """`make bench-policies`: this part of `make bench` alone, for docs/numbers.md."""
    results = stamp() | {"policies": measure()}
    keep("policies", results)
    print("\n\n".join(f"{where}:\n{printed}" for where, printed in results["policies"].items()))
    return 0


def place(results: dict[str, Any]) -> str:
    return "V8" if "V8" in results["policies"] else "native"


def tables(printed: str) -> dict[str, Table]:
    """Its tables, by the first word of their heads: rows by name, with their figures."""
    found: dict[str, Table] = {}
    for block in printed.split("\n\n"):
        head, *rows = block.strip("\n").splitlines()
        cells = [re.split(r"\s{2,}", row.strip()) for row in rows]
        found[head.split()[0]] = {name: [float(word) for word in " ".join(rest).split()] for name, *rest in cells}
    return found


def _run(argv: list[Any]) -> str:
    done = subprocess.run([str(part) for part in argv], check=False, capture_output=True, text=True, cwd=process.ROOT)
    if done.returncode != 0:
        raise RuntimeError(f"{argv[0]}: the benchmark of policies failed:\n{done.stderr[-2000:]}")
    return done.stdout.strip("\n")


if __name__ == "__main__":
    sys.exit(main())
