"""Fixtures: an identity provider for the session, guards for a module, and after every test the proof of no trap.

A test takes `guard` (the usual set), or `start_guard` to start one with another set or other options:

    guard = start_guard(sets.chat(idp.issuer, mode="monitor"), concurrency=2)
"""

from __future__ import annotations

from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import pytest

import policies as sets
from guard import CLI, WASM, Guard, Options
from parts import process
from parts.envoy import binary
from parts.idp import Idp

_guards: list[Guard] = []


def pytest_sessionstart() -> None:
    process.exit_on_signals()
    for what, path in {"make wasm": WASM, "make cli": CLI, "make parts": binary()}.items():
        if not path.exists():
            pytest.exit(f"{path} is not there: run `{what}` first", returncode=2)


@pytest.fixture(scope="session")
def run_folder() -> Path:
    """Logs, configurations and records of this run, under target/run."""
    return process.run_dir("e2e")


@pytest.fixture(scope="session")
def idp(run_folder: Path) -> Iterator[Idp]:
    """A real OpenID provider. Tests that stop it or change its keys start one of their own: `Idp(folder)`."""
    provider = Idp(run_folder).start()
    yield provider
    provider.stop()


@pytest.fixture
def folder(run_folder: Path, request: pytest.FixtureRequest) -> Path:
    """A folder of the test's own."""
    path = run_folder / request.node.name.replace("/", "_")[:100]
    path.mkdir(exist_ok=True)
    return path


StartGuard = Callable[..., Guard]


@pytest.fixture(scope="module")
def start_guard(idp: Idp, run_folder: Path, request: pytest.FixtureRequest) -> Iterator[StartGuard]:
    """Starts guards that live until the module's tests are over.

    Keywords are those of `Options`, and `provider`: another identity provider; `wait=False`: does not wait for Envoy."""
    mine: list[Guard] = []

    def start(
        policies: sets.Set | None = None, *, provider: Idp | None = None, wait: bool = True, **options: Any
    ) -> Guard:
        name = f"{request.node.path.stem}-{len(mine)}"
        folder = run_folder / name
        folder.mkdir()
        provider = provider or idp
        guard = Guard(policies or sets.chat(provider.issuer), provider, folder, Options(**options))
        mine.append(guard)
        _guards.append(guard)
        return guard.start(wait=wait)

    yield start
    for guard in mine:
        _guards.remove(guard)
        guard.stop()


@pytest.fixture(scope="module")
def guard(start_guard: StartGuard) -> Guard:
    """The usual set, one worker, HTTP/1 upstream (clients choose)."""
    return start_guard()


@pytest.fixture(scope="module")
def token(guard: Guard) -> str:
    """A token of the usual caller, for the module's own guard where it has one."""
    return guard.token()


@pytest.fixture(autouse=True)
def no_trap() -> Iterator[None]:
    """After each test: no VM failed, nothing critical in Envoy's log, Envoy alive. Guards a test stopped are left out."""
    for each in _guards:
        each.reset()
    yield
    faults = {each.folder.name: each.faults() for each in _guards if each.envoy and each.envoy.running}
    faults = {name: found for name, found in faults.items() if found}
    assert not faults, f"the module trapped, or Envoy died: {faults}"


@pytest.hookimpl(hookwrapper=True)
def pytest_runtest_makereport(item: pytest.Item) -> Iterator[None]:
    """A failed test shows the last lines of each Envoy's log."""
    outcome = yield
    report = outcome.get_result()
    if report.failed:
        for each in _guards:
            report.sections.append((f"Envoy's log ({each.folder})", "\n".join(each.log().splitlines()[-30:])))
