"""The masker alone, and with the JSON and the events around it: `cargo bench --bench masker`, native and in Node's V8
(the engine that Envoy has too)."""

from __future__ import annotations

import shutil
import subprocess
from pathlib import Path

from parts import process

NATIVE = ["cargo", "bench", "--quiet", "--bench", "masker"]
IN_V8 = [process.ROOT / "benches" / "masker-v8", "run"]
# The columns behind a text's name, which holds no spaces.
TEXTS = ("memchr", "scan", "mask", "4 B", "64 B", "1 KB", "regex", "delta", "values", "mean held")
ANSWERS = ("events", "micros", "MB/s", "document", "mean held")
# The texts that people write; all others are made to slow a scanner down.
PLAIN = ("prose", "docs", "personal", "dense")

Table = dict[str, dict[str, float]]


def measure() -> dict[str, str]:
    """What the benchmark prints, by where it ran."""
    found = {"native": _run(NATIVE)}
    if shutil.which("node"):
        found["V8"] = _run(IN_V8)
    return found


def write(folder: Path) -> None:
    """Texts, the values put into them and what our masker and the regex crate leave of them, for `baselines`."""
    folder.mkdir(parents=True, exist_ok=True)
    _run([*NATIVE, "--", "--write", folder])


def _run(argv: list[str | Path]) -> str:
    """What a benchmark prints."""
    done = subprocess.run([str(part) for part in argv], check=False, capture_output=True, text=True, cwd=process.ROOT)
    if done.returncode != 0:
        raise RuntimeError(f"{argv[0]}: the masker's benchmark failed ({done.returncode}):\n{done.stderr[-2000:]}")
    return done.stdout.strip("\n")


def texts(printed: str) -> Table:
    """The masker alone: by text, its figures by column."""
    return _table(printed.partition("\n== ")[0], TEXTS)


def answers(printed: str) -> Table:
    """With the JSON and the events around the texts."""
    return _table(printed.partition("\n== ")[2], ANSWERS)


def _table(printed: str, columns: tuple[str, ...]) -> Table:
    rows = {}
    for line in printed.splitlines():
        words = line.split()
        figures = words[-len(columns) :]
        if len(words) > len(columns) and all(word == "-" or word.replace(".", "", 1).isdigit() for word in figures):
            name = " ".join(words[: -len(columns)])
            rows[name] = {key: float(word) for key, word in zip(columns, figures, strict=True) if word != "-"}
    return rows
