"""A server that runs beside us: started, waited for, stopped by its own process id.

Everything started here dies with us, whatever happens: stopped at exit, and killed by the kernel (PR_SET_PDEATHSIG)
should we be killed ourselves. Start servers from the main thread: the kernel watches the thread that started them.
"""

from __future__ import annotations

import atexit
import ctypes
import os
import random
import shutil
import signal
import socket
import subprocess
import time
from collections.abc import Callable
from pathlib import Path

ROOT = Path(__file__).resolve().parents[2]
PARTS = ROOT / "target" / "parts"
RUNS = ROOT / "target" / "run"
SITE = next(iter((PARTS / "venv" / "lib").glob("python3*/site-packages")), PARTS / "venv")

_LIBC = ctypes.CDLL(None)
_PR_SET_PDEATHSIG = 1
_running: list[Process] = []
_given_ports: set[int] = set()


class NotReady(Exception):
    """A server died or did not become ready in time; the message ends with its log's last lines."""


def free_port() -> int:
    """A free port of 127.0.0.1, never given twice, below the range the kernel takes client ports from.

    Test workers that run beside each other (pytest-xdist) share the range out: a port may wait long for its server."""
    workers = int(os.environ.get("PYTEST_XDIST_WORKER_COUNT", "1"))
    worker = int(os.environ.get("PYTEST_XDIST_WORKER", "gw0").removeprefix("gw"))
    while True:
        port = random.randrange(12_000 + worker, 32_000, workers)
        if port in _given_ports:
            continue
        with socket.socket() as probe:
            probe.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
            try:
                probe.bind(("127.0.0.1", port))
            except OSError:
                continue
        _given_ports.add(port)
        return port


def run_dir(name: str) -> Path:
    """A fresh folder for the logs and files of one run; of earlier runs of that name the last five are kept."""
    earlier = sorted(RUNS.glob(f"{name}-*"), key=lambda path: path.stat().st_mtime)
    for path in earlier[:-5]:
        if not Path(f"/proc/{path.name.split('-')[-2]}").exists():
            shutil.rmtree(path, ignore_errors=True)
    path = RUNS / f"{name}-{os.getpid()}-{random.randrange(16**6):06x}"
    path.mkdir(parents=True)
    return path


def wait_until(what: str, holds: Callable[[], object], timeout: float = 10.0, every: float = 0.02) -> None:
    """Polls until `holds()` is true; raises TimeoutError naming `what`."""
    deadline = time.monotonic() + timeout
    while not holds():
        if time.monotonic() > deadline:
            raise TimeoutError(f"{what}: not within {timeout:g} s")
        time.sleep(every)


def accepts(port: int) -> bool:
    with socket.socket() as probe:
        probe.settimeout(0.5)
        return probe.connect_ex(("127.0.0.1", port)) == 0


def _fresh(folder: Path, name: str) -> Path:
    """A log file that no earlier process of that name wrote to."""
    paths = (folder / f"{name}{suffix}.log" for suffix in ("", *(f"-{n}" for n in range(2, 1000))))
    return next(path for path in paths if not path.exists())


class Process:
    """One server process with its log."""

    def __init__(
        self,
        name: str,
        argv: list[str | Path],
        folder: Path,
        *,
        env: dict[str, str] | None = None,
        cwd: Path | None = None,
    ):
        self.name = name
        self.log = _fresh(folder, name)
        parent = os.getpid()

        def die_with_parent() -> None:
            _LIBC.prctl(_PR_SET_PDEATHSIG, signal.SIGKILL)
            if os.getppid() != parent:
                os._exit(1)

        with self.log.open("ab") as log:
            self._child = subprocess.Popen(
                [str(part) for part in argv],
                stdin=subprocess.DEVNULL,
                stdout=log,
                stderr=subprocess.STDOUT,
                env={**os.environ, **(env or {})},
                cwd=cwd,
                preexec_fn=die_with_parent,  # noqa: PLW1509 - it only makes two system calls
            )
        _running.append(self)

    @property
    def pid(self) -> int:
        return self._child.pid

    @property
    def alive(self) -> bool:
        return self._child.poll() is None

    @property
    def exit_code(self) -> int | None:
        return self._child.poll()

    def log_text(self) -> str:
        return self.log.read_text(errors="replace")

    def log_tail(self, lines: int = 25) -> str:
        return "\n".join(self.log_text().splitlines()[-lines:])

    def wait_ready(self, ready: Callable[[], object], timeout: float = 20.0) -> None:
        """Waits for `ready()`; errors of connection count as not yet."""

        def check() -> bool:
            if not self.alive:
                raise NotReady(f"{self.name} ended with {self.exit_code}:\n{self.log_tail()}")
            try:
                return bool(ready())
            except OSError:
                return False

        try:
            wait_until(self.name, check, timeout)
        except TimeoutError as late:
            raise NotReady(f"{late}\n{self.log_tail()}") from None

    def wait(self) -> int:
        """Until it ends by itself."""
        return self._child.wait()

    def wait_exit(self, timeout: float = 10.0) -> int:
        code = self._child.wait(timeout)
        self._forget()
        return code

    def signal(self, number: int) -> None:
        if self.alive:
            self._child.send_signal(number)

    def stop(self, timeout: float = 5.0) -> None:
        """Asks it to end, then insists. Safe to call twice."""
        # A stopped process (SIGSTOP) must be let go on before it can end.
        self.signal(signal.SIGCONT)
        self.signal(signal.SIGTERM)
        try:
            self._child.wait(timeout)
        except subprocess.TimeoutExpired:
            self._child.kill()
            self._child.wait()
        self._forget()

    def _forget(self) -> None:
        if self in _running:
            _running.remove(self)


def stop_all() -> None:
    """Stops what still runs, the last started first."""
    for process in reversed(_running[:]):
        process.stop(timeout=2.0)


atexit.register(stop_all)


def exit_on_signals() -> None:
    """Makes SIGTERM and SIGHUP end the program like Ctrl-C does, so that servers are stopped."""

    def leave(number: int, _frame: object) -> None:
        raise SystemExit(128 + number)

    signal.signal(signal.SIGTERM, leave)
    signal.signal(signal.SIGHUP, leave)
