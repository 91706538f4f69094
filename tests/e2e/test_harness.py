"""The harness itself: a check that cannot fail protects nothing."""

from pathlib import Path

import httpx
import pytest

import trapping
from parts import bootstrap
from parts.envoy import Envoy
from parts.upstream import Answer, Close, Reset, Trailers, Upstream, cut
from wasm_names import rewritten, short
from wasm_size import sections


@pytest.fixture
def upstream():
    running = Upstream().start()
    yield running
    running.stop()


def test_a_trap_of_a_module_is_noticed(upstream: Upstream, folder: Path) -> None:
    filter = bootstrap.wasm_filter(trapping.write(folder))
    envoy = Envoy(bootstrap.bootstrap(upstream.address, filter), folder).start()
    try:
        assert envoy.faults() == []
        assert httpx.get(f"http://127.0.0.1:{envoy.port}/").status_code == 503
        assert any("unreachable" in line for line in envoy.faults())
    finally:
        envoy.stop()


def test_a_dead_envoy_is_noticed(upstream: Upstream, folder: Path) -> None:
    envoy = Envoy(bootstrap.bootstrap(upstream.address), folder).start()
    envoy.process.signal(9)
    envoy.process.wait_exit()
    assert "not running" in envoy.faults()[0]


@pytest.mark.parametrize("http2", [False, True], ids=["h1", "h2"])
def test_the_scripted_upstream_says_what_it_is_told(http2: bool, upstream: Upstream, folder: Path) -> None:
    envoy = Envoy(bootstrap.bootstrap(upstream.address, http2=http2), folder).start()
    url = f"http://127.0.0.1:{envoy.port}/v1/x?y=1"
    try:
        upstream.answer = Answer(pieces=[*cut(b"one two three", 1, 5), Trailers([("x-sum", "1")])])
        answer = httpx.post(url, content=b"ask" * 50_000, headers={"x-mark": "m"})
        assert answer.content == b"one two three"
        (seen,) = upstream.requests
        assert (seen.method, seen.path, seen.header("x-mark")) == ("POST", "/v1/x?y=1", "m")
        assert seen.body == b"ask" * 50_000 and seen.complete
        assert seen.protocol == ("h2" if http2 else "http/1.1")

        for break_off in (Reset(), Close()):
            upstream.answer = Answer(pieces=[b"begun", break_off])
            with pytest.raises(httpx.RemoteProtocolError):
                httpx.get(url)
    finally:
        envoy.stop()


@pytest.mark.parametrize(
    ("name", "told"),
    [
        ("portcullis::mask::whole::mask_whole", "portcullis::mask::whole::mask_whole"),
        ("<portcullis::mask::walk::Walks>::go", "portcullis::mask::walk::Walks::go"),
        ("<portcullis::a::B<core::c::D<u8>> as core::e::F<u8>>::g::<&[u8]>", "portcullis::a::B::g"),
        ("<portcullis::a::B>::g::{closure#0}", "portcullis::a::B::g::{closure#0}"),
        ("<alloc::vec::Vec<portcullis::a::B> as core::clone::Clone>::clone", "alloc::vec::Vec::clone"),
        ("<&der::length::Length as core::fmt::Debug>::fmt", "der::length::Length::fmt"),
        ("serde_json::de::from_slice::h0123456789abcdef", "serde_json::de::from_slice"),
        ("dlmalloc", "dlmalloc"),
    ],
)
def test_a_function_is_told_without_what_it_was_made_for(name: str, told: str) -> None:
    assert short(name) == told


def test_a_module_keeps_the_names_of_our_own_functions_alone() -> None:
    def named(names: dict[int, str]) -> bytes:
        functions = bytes([len(names)]) + b"".join(bytes([at, len(name)]) + name.encode() for at, name in names.items())
        locals_ = b"\0"
        return b"\4name" + bytes([1, len(functions)]) + functions + bytes([2, len(locals_)]) + locals_

    names = named({0: "dlmalloc", 1: "<portcullis::B<c::D>>::e", 2: "<a::B<portcullis::D>>::e"})
    module = b"\0asm\1\0\0\0\1\1\0\0" + bytes([len(names)]) + names
    expected = named({1: "portcullis::B::e"})[: -len(b"\2\1\0")]
    assert list(sections(rewritten(module))) == [(1, b"\0"), (0, expected)]
