"""Prints how large a WebAssembly module is, and how much of it is code (what Envoy compiles before the first request)."""

import sys
from collections.abc import Iterator
from pathlib import Path

SECTIONS = {0: "custom", 10: "code", 11: "data"}


def leb128(data: bytes, at: int) -> tuple[int, int]:
    value = shift = 0
    while True:
        byte = data[at]
        at += 1
        value |= (byte & 0x7F) << shift
        shift += 7
        if not byte & 0x80:
            return value, at


def sections(module: bytes) -> Iterator[tuple[int, bytes]]:
    """Kind and bytes of each section."""
    if module[:4] != b"\0asm":
        raise ValueError("not a WebAssembly module")
    at = 8
    while at < len(module):
        kind = module[at]
        size, at = leb128(module, at + 1)
        yield kind, module[at : at + size]
        at += size


def section_sizes(module: bytes) -> dict[str, int]:
    sizes = dict.fromkeys(SECTIONS.values(), 0)
    for kind, body in sections(module):
        if kind in SECTIONS:
            sizes[SECTIONS[kind]] += len(body)
    return sizes


def main(path: str) -> None:
    module = Path(path).read_bytes()
    parts = ", ".join(f"{name} {size:,}" for name, size in section_sizes(module).items())
    print(f"{path}: {len(module):,} bytes ({parts})")


if __name__ == "__main__":
    main(sys.argv[1])
