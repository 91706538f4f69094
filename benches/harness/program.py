"""What the programs of the harness share: the surroundings of a measurement, its failures, and where results are kept."""

from __future__ import annotations

import json
import sys
import time
from collections.abc import Callable
from pathlib import Path
from typing import Any

from parts import process
from parts.keys import Key

from . import machine
from .load import Failed, Load
from .variants import Setting

OUT = process.ROOT / "target" / "bench"


def say(what: str) -> None:
    print(f"bench: {what}", file=sys.stderr, flush=True)


def measured(cli: Path, folder: str, measure: Callable[[Setting, Load], dict[str, Any]]) -> dict[str, Any] | None:
    """What was measured beside a load of its own, in a run directory named so; `None`: it failed, and has said why."""
    process.exit_on_signals()
    load = Load()
    try:
        setting = Setting(cli, process.run_dir(folder), Key.make("RS256"), load.upstream, load.sink)
        return measure(setting, load)
    except (Failed, RuntimeError, TimeoutError, process.NotReady) as failure:
        say(str(failure))
        return None
    finally:
        process.stop_all()
        load.stop()


def stamp() -> dict[str, Any]:
    """The machine and the time, which stand beside what was measured."""
    return {"machine": machine.facts(), "taken": time.strftime("%Y-%m-%d %H:%M %Z")}


def keep(name: str, results: dict[str, Any], text: str | None = None) -> None:
    """Keeps results, and what is printed of them, for the page."""
    OUT.mkdir(parents=True, exist_ok=True)
    (OUT / f"{name}.json").write_text(json.dumps(results, indent=1) + "\n")
    if text is not None:
        (OUT / f"{name}.md").write_text(text)
