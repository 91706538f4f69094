"""The official npm clients."""

from __future__ import annotations

import json
import subprocess
from pathlib import Path
from typing import Any

from guard import Guard
from parts import process


def node(api: str, guard: Guard, token: str) -> Any:
    """What the npm client of an API makes of the answer."""
    script = Path(__file__).parent / "clients.mjs"
    argv = ["node", str(script), api, guard.url, token]
    done = subprocess.run(argv, cwd=process.PARTS / "node", capture_output=True, text=True, timeout=60, check=False)
    assert done.returncode == 0, done.stderr
    return json.loads(done.stdout)
