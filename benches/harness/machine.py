"""What the numbers were taken on, and from what."""

from __future__ import annotations

import os
import platform
import subprocess
from pathlib import Path

from parts import process
from parts.envoy import binary
from wasm_size import section_sizes

from .variants import COPY_FILTER, MODULE


def _said(*argv: str | Path) -> str:
    try:
        return subprocess.run(
            [str(part) for part in argv], check=False, capture_output=True, text=True, cwd=process.ROOT
        ).stdout.strip()
    except OSError:
        return "unknown"


def _cpu() -> str:
    names = [
        line.partition(":")[2].strip()
        for line in Path("/proc/cpuinfo").read_text().splitlines()
        if line.startswith("model name")
    ]
    return names[0] if names else platform.machine()


def facts() -> dict[str, str]:
    memory = Path("/proc/meminfo").read_text().split()[1]
    changed = _said("git", "status", "--porcelain", "--untracked-files=no")
    return {
        "processor": f"{_cpu()}, {len(os.sched_getaffinity(0))} cores",
        "memory": f"{int(memory) / 1024**2:.1f} GiB",
        "kernel": f"{platform.system()} {platform.release()}",
        "load before": " ".join(f"{load:.2f}" for load in os.getloadavg()),
        "Envoy": _said(binary(), "--version").split("version: ")[-1],
        "rustc": _said("rustc", "--version"),
        "revision": _said("git", "rev-parse", "--short=12", "HEAD") + (" with changes" if changed else ""),
    }


def modules() -> dict[str, dict[str, int]]:
    """Size of each module: the file and its sections, in bytes."""
    found = {"copy": COPY_FILTER, "guard": MODULE}
    return {
        name: {"file": path.stat().st_size, **section_sizes(path.read_bytes())}
        for name, path in found.items()
        if path.exists()
    }
