"""Memory that an Envoy uses, told apart from what it keeps free.

Resident memory does not tell: compiling a module leaves tens of MiB of free memory with Envoy's allocator, and what is
asked for later fills that first, while a bare Envoy has to grow for it. So count what the allocator gave out, and the
memories of modules, which it knows nothing of.
"""

from __future__ import annotations

import json
import re
from pathlib import Path

from parts.envoy import Envoy

# A module's memory ends where V8 keeps addresses free behind it, so that no access needs a check: gigabytes of them.
GUARD_BYTES = 4 << 30


def in_use(envoy: Envoy) -> dict[str, int]:
    """Bytes: resident; in use, as above; and in the modules' own memories."""
    given, wasm = int(json.loads(envoy.admin_get("/memory"))["allocated"]), wasm_heaps(envoy)
    return {"rss": envoy.memory_rss(), "used": given + wasm, "wasm": wasm}


def wasm_heaps(envoy: Envoy) -> int:
    """The sizes of all linear memories, as the kernel has them mapped."""
    assert envoy.process
    found, before = 0, (0, 0, "")
    for line in Path(f"/proc/{envoy.process.pid}/maps").read_text().splitlines():
        match = re.match(r"([0-9a-f]+)-([0-9a-f]+) (\S+)", line)
        assert match
        start, end, access = int(match[1], 16), int(match[2], 16), match[3]
        if access == "---p" and end - start > GUARD_BYTES and before[1] == start and before[2] == "rw-p":
            found += before[1] - before[0]
        before = (start, end, access)
    return found
