"""Shortens the function names in a WebAssembly module, in place: `python3 tools/wasm_names.py MODULE`.

A trap prints them, and nothing else reads them; but Envoy keeps every byte of a module several times over, and a table of
the names for each worker: all of them cost it a megabyte and a half a worker. So only our own functions keep theirs, those
of others are printed by their numbers. What generic functions were made for is left out, other names within the module
(locals, data) too.
"""

import re
import sys
from pathlib import Path

from wasm_size import leb128, sections

OURS = "portcullis"
NAME_SECTION, FUNCTIONS = 0, 1
# What older compilers put behind each name.
HASH = re.compile(r"::h[0-9a-f]{16}$")


def uleb128(value: int) -> bytes:
    out = bytearray()
    while value > 0x7F:
        out.append(value & 0x7F | 0x80)
        value >>= 7
    out.append(value)
    return bytes(out)


def text(value: bytes) -> bytes:
    return uleb128(len(value)) + value


def short(name: str) -> str:
    """`<a::B<C> as d::E<F>>::g::<H>` becomes `a::B::g`."""
    plain = HASH.sub("", name)
    while (less := re.sub(r"<([^<>]*)>", _inner, plain)) != plain:
        plain = less
    return re.sub(r":{3,}", "::", plain).strip(":")


def _inner(match: re.Match[str]) -> str:
    """A type before a method stays, without its trait; what a generic was made for goes."""
    before = match.string[: match.start()]
    opens_path = not before or before[-1] in "<(&, "
    return match.group(1).split(" as ")[0].lstrip("&") if opens_path else ""


def function_names(section: bytes) -> bytes:
    """The name section of a module, with short function names alone."""
    at = 0
    while at < len(section):
        kind = section[at]
        size, at = leb128(section, at + 1)
        if kind == FUNCTIONS:
            names = _shortened(section[at : at + size])
            return text(b"name") + bytes([FUNCTIONS]) + text(names)
        at += size
    return b""


def _shortened(names: bytes) -> bytes:
    count, at = leb128(names, 0)
    kept = []
    for _ in range(count):
        index, at = leb128(names, at)
        size, at = leb128(names, at)
        name = short(names[at : at + size].decode())
        at += size
        if name.startswith(f"{OURS}::"):
            kept.append(uleb128(index) + text(name.encode()))
    return uleb128(len(kept)) + b"".join(kept)


def rewritten(module: bytes) -> bytes:
    out = bytearray(module[:8])
    for kind, body in sections(module):
        if kind == NAME_SECTION:
            size, at = leb128(body, 0)
            if body[at : at + size] == b"name":
                out += bytes([kind]) + text(function_names(body[at + size :]))
                continue
        out += bytes([kind]) + text(body)
    return bytes(out)


def main(path: Path) -> None:
    path.write_bytes(rewritten(path.read_bytes()))


if __name__ == "__main__":
    main(Path(sys.argv[1]))
