"""Shortens the function names in a WebAssembly module, in place: `python3 tools/wasm_names.py MODULE`.

A trap prints them, and nothing else reads them; but Envoy keeps every byte of a module several times over, and a table of
the names for each worker: all of them cost it a megabyte and a half a worker. So only our own functions keep theirs, those
of others are printed by their numbers. What generic functions were made for is left out, other names within the module
(locals, data) too.
"""

import re
import sys
from pathlib import Path

from wasm_size import FUNCTION_NAMES, function_names, is_names, sections

OURS = "portcullis"
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


def _ours(module: bytes) -> bytes:
    """The content of a name section: the short names of our own functions alone."""
    named = {number: short(name) for number, name in function_names(module).items()}
    kept = [uleb128(number) + text(name.encode()) for number, name in named.items() if name.startswith(f"{OURS}::")]
    return text(b"name") + bytes([FUNCTION_NAMES]) + text(uleb128(len(kept)) + b"".join(kept))


def rewritten(module: bytes) -> bytes:
    out = bytearray(module[:8])
    for kind, body in sections(module):
        out += bytes([kind]) + text(_ours(module) if is_names(kind, body) else body)
    return bytes(out)


def main(path: Path) -> None:
    path.write_bytes(rewritten(path.read_bytes()))


if __name__ == "__main__":
    main(Path(sys.argv[1]))
