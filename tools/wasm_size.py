"""Prints how large a WebAssembly module is: its code, which Envoy compiles before the first request, and its largest functions.

What V8 needs to compile a function grows faster than the function. The largest ones set how much memory Envoy's allocator
takes while it starts, and keeps: one of 34 KB took 17 MiB. So what runs once, when a set is loaded, is kept apart by
`inline(never)` where the compiler would make one function of it.
"""

import sys
from collections.abc import Iterator
from pathlib import Path

CUSTOM, IMPORTS, CODE, DATA = 0, 2, 10, 11
SECTIONS = {CUSTOM: "custom", CODE: "code", DATA: "data"}
FUNCTION = 0
# The part of a name section that names functions.
FUNCTION_NAMES = 1
SHOWN = 3


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


def strings(data: bytes, at: int) -> tuple[bytes, int]:
    size, at = leb128(data, at)
    return data[at : at + size], at + size


def imported(imports: bytes) -> int:
    """How many functions come from outside: they have the first numbers. Others than functions are not imported here."""
    count, at = leb128(imports, 0)
    for _ in range(count):
        _, at = strings(imports, at)
        name, at = strings(imports, at)
        if imports[at] != FUNCTION:
            raise ValueError(f"{name.decode()} is imported, and no function")
        _, at = leb128(imports, at + 1)
    return count


def function_sizes(module: bytes) -> dict[int, int]:
    """The bytes of each function's code, by its number."""
    found = dict(sections(module))
    first = imported(found[IMPORTS]) if IMPORTS in found else 0
    count, at = leb128(found[CODE], 0)
    sizes = {}
    for number in range(first, first + count):
        sizes[number], at = leb128(found[CODE], at)
        at += sizes[number]
    return sizes


def function_names(module: bytes) -> dict[int, str]:
    """Of the functions that have one."""
    names = {}
    for kind, body in sections(module):
        if not is_names(kind, body):
            continue
        _, at = strings(body, 0)
        while at < len(body):
            of, (part, at) = body[at], strings(body, at + 1)
            names |= _named(part) if of == FUNCTION_NAMES else {}
    return names


def is_names(kind: int, body: bytes) -> bool:
    """Whether a section is the one of names."""
    return kind == CUSTOM and strings(body, 0)[0] == b"name"


def _named(part: bytes) -> dict[int, str]:
    count, at = leb128(part, 0)
    names = {}
    for _ in range(count):
        number, at = leb128(part, at)
        name, at = strings(part, at)
        names[number] = name.decode()
    return names


def main(path: str) -> None:
    module = Path(path).read_bytes()
    parts = ", ".join(f"{name} {size:,}" for name, size in section_sizes(module).items())
    print(f"{path}: {len(module):,} bytes ({parts})")
    names, sizes = function_names(module), function_sizes(module)
    largest = sorted(sizes, key=lambda number: -sizes[number])[:SHOWN]
    print("  largest functions:", ", ".join(f"{names.get(one, f'#{one}')} {sizes[one]:,}" for one in largest))


if __name__ == "__main__":
    main(sys.argv[1])
