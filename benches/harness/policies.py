"""What policy costs: `cargo bench --bench policies`, native and in Node's V8 (the engine that Envoy has too)."""

from __future__ import annotations

import re
import shutil
import subprocess
from typing import Any

from parts import process

NATIVE = ["cargo", "bench", "--quiet", "--bench", "policies"]
IN_V8 = [process.ROOT / "benches" / "masker-v8", "run", "policies"]

Table = dict[str, list[float]]


def measure() -> dict[str, str]:
    """What the benchmark prints, by where it ran."""
    found = {"native": _run(NATIVE)}
    if shutil.which("node"):
        found["V8"] = _run(IN_V8)
    return found


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
