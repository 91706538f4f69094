"""The masker alone, native: `cargo bench --bench masker`, its own report taken as it is."""

from __future__ import annotations

import subprocess

from parts import process


def measure() -> str:
    """What the benchmark prints; empty where the tree has none."""
    if not (process.ROOT / "benches" / "masker.rs").exists():
        return ""
    argv = ["cargo", "bench", "--quiet", "--bench", "masker"]
    done = subprocess.run(argv, check=False, capture_output=True, text=True, cwd=process.ROOT)
    if done.returncode != 0:
        raise RuntimeError(f"cargo bench --bench masker:\n{done.stderr[-2000:]}")
    return done.stdout.strip()
