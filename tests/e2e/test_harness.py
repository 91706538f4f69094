"""The harness itself: a check that cannot fail protects nothing."""

from pathlib import Path

import httpx
import pytest

import trapping
from parts import bootstrap
from parts.envoy import Envoy
from parts.upstream import Answer, Close, Reset, Trailers, Upstream, cut


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
