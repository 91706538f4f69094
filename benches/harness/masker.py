"""The masker alone: `cargo bench --bench masker`, native and in Node's V8 (the engine that Envoy has too)."""

from __future__ import annotations

import shutil
import subprocess
from pathlib import Path

from parts import process

from .rounds import QUICK

NATIVE = ["cargo", "bench", "--quiet", "--bench", "masker"]
IN_V8 = [process.ROOT / "benches" / "masker-v8", "run"]
# The columns behind a text's name, which may hold spaces.
COLUMNS = ("memchr", "scan", "mask", "4 B", "64 B", "1 KB", "regex", "delta", "values", "mean held")


def measure() -> dict[str, str]:
    """What the benchmark prints, by where it ran; nothing in a quick run, for it takes longer than all the rest."""
    if QUICK or not (process.ROOT / "benches" / "masker.rs").exists():
        return {}
    found = {"native": _run(NATIVE)}
    if shutil.which("node"):
        found["V8"] = _run(IN_V8)
    return found


def _run(argv: list[str | Path]) -> str:
    done = subprocess.run([str(part) for part in argv], check=False, capture_output=True, text=True, cwd=process.ROOT)
    if done.returncode != 0:
        raise RuntimeError(f"{argv[0]}: the masker's benchmark failed:\n{done.stderr[-2000:]}")
    return done.stdout.strip("\n")


def table(printed: str) -> dict[str, dict[str, float]]:
    """The printed table: by text, its figures by column."""
    rows = {}
    for line in printed.splitlines():
        words = line.split()
        if len(words) <= len(COLUMNS):
            continue
        figures = words[-len(COLUMNS) :]
        if all(word == "-" or word.replace(".", "", 1).isdigit() for word in figures):
            name = " ".join(words[: -len(COLUMNS)])
            rows[name] = {key: float(word) for key, word in zip(COLUMNS, figures, strict=True) if word != "-"}
    return rows
