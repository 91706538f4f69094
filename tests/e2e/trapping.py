"""The smallest proxy-wasm module that traps on every request, put together byte by byte: it shows that the harness
would notice a trap of ours."""

from __future__ import annotations

from pathlib import Path

_I32, _FUNC, _UNREACHABLE, _END = b"\x7f", b"\x60", b"\x00", b"\x0b"


def _i32_const(value: int) -> bytes:
    low, high = value & 0x7F, value >> 7
    return b"\x41" + (bytes([low | 0x80, high]) if high else bytes([low]))


# Name, parameters, results, body.
_FUNCTIONS = [
    ("_initialize", 0, 0, b""),
    ("proxy_abi_version_0_2_1", 0, 0, b""),
    ("proxy_on_memory_allocate", 1, 1, _i32_const(1024)),
    ("proxy_on_context_create", 2, 0, b""),
    ("proxy_on_vm_start", 2, 1, _i32_const(1)),
    ("proxy_on_configure", 2, 1, _i32_const(1)),
    ("proxy_on_request_headers", 3, 1, _UNREACHABLE),
]


def _vector(items: list[bytes]) -> bytes:
    return bytes([len(items)]) + b"".join(items)


def _name(text: str) -> bytes:
    return bytes([len(text)]) + text.encode()


def _section(kind: int, content: bytes) -> bytes:
    size = len(content)
    return bytes([kind, size & 0x7F | 0x80, size >> 7]) + content


def module() -> bytes:
    types = [_FUNC + _vector([_I32] * given) + _vector([_I32] * back) for _, given, back, _ in _FUNCTIONS]
    exports = [_name(name) + bytes([0, index]) for index, (name, *_) in enumerate(_FUNCTIONS)]
    bodies = [b"\x00" + code + _END for *_, code in _FUNCTIONS]
    return b"".join(
        [
            b"\0asm\x01\0\0\0",
            _section(1, _vector(types)),
            _section(3, _vector([bytes([index]) for index in range(len(_FUNCTIONS))])),
            _section(5, _vector([b"\x00\x01"])),
            _section(7, _vector([*exports, _name("memory") + b"\x02\x00"])),
            _section(10, _vector([bytes([len(body)]) + body for body in bodies])),
        ]
    )


def write(folder: Path) -> Path:
    path = folder / "trapping.wasm"
    path.write_bytes(module())
    return path
