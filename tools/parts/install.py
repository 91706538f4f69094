"""Installs the parts below target/parts, from package registries alone: `python3 tools/parts/install.py [GROUP…]`.

Groups are the files of `versions/` (exact versions for Python), `node` (package.json with its lock file), `console` (what
the collector's page is built and tested with, beside its source), and `postgres` and `chromium` (from Debian). Quick when everything is there. Needs nothing but Python's standard library, for it runs before anything is installed.
"""

from __future__ import annotations

import fcntl
import hashlib
import os
import shutil
import subprocess
import sys
import time
from pathlib import Path

HERE = Path(__file__).resolve().parent
ROOT = HERE.parent.parent
PARTS = ROOT / "target" / "parts"
VENV = PARTS / "venv"
NODE = PARTS / "node"
CONSOLE = ROOT / "collector" / "console"
PYTHON_GROUPS = sorted(path.stem for path in (HERE / "versions").glob("*.txt"))
DEFAULT = ("base", "node", "stores")


class Failed(Exception):
    """An installation that did not go through; the message says what to do."""


def run(what: str, argv: list[str | Path], **more: object) -> None:
    """Runs a command with a line of progress; its output is shown only when it fails."""
    print(f"  {what} …", end="", flush=True)
    start = time.monotonic()
    done = subprocess.run([str(part) for part in argv], check=False, capture_output=True, text=True, **more)
    if done.returncode != 0:
        print(" failed")
        raise Failed((done.stdout + done.stderr)[-4000:])
    print(f" {time.monotonic() - start:.0f} s")


def fingerprint(*files: Path) -> str:
    digest = hashlib.sha256(sys.version.encode())
    for file in files:
        digest.update(file.read_bytes())
    return digest.hexdigest()


def up_to_date(stamp: Path, mark: str) -> bool:
    return stamp.is_file() and stamp.read_text() == mark


def debian(packages: list[str]) -> None:
    if not shutil.which("apt-get"):
        raise Failed(f"needs {' '.join(packages)} (Debian's names)")
    if os.geteuid() != 0:
        raise Failed(f"run: sudo apt-get install --no-install-recommends {' '.join(packages)}")
    run("apt-get update", ["apt-get", "update"])
    quiet = {**os.environ, "DEBIAN_FRONTEND": "noninteractive"}
    install = ["apt-get", "install", "-y", "--no-install-recommends", *packages]
    run(f"apt-get install {' '.join(packages)}", install, env=quiet)


def make_venv() -> None:
    if (VENV / "bin" / "pip").exists():
        return
    shutil.rmtree(VENV, ignore_errors=True)
    try:
        run("a Python environment", [sys.executable, "-m", "venv", VENV])
    except Failed:
        # Debian ships Python without the module that makes environments.
        debian(["python3-venv"])
        shutil.rmtree(VENV, ignore_errors=True)
        run("a Python environment", [sys.executable, "-m", "venv", VENV])


def install_python(group: str) -> None:
    versions = HERE / "versions" / f"{group}.txt"
    stamp, mark = PARTS / f"{group}.stamp", fingerprint(versions)
    if up_to_date(stamp, mark) and VENV.is_dir():
        return
    make_venv()
    # Each file names everything it needs, so nothing else is to be resolved.
    exact = ["--disable-pip-version-check", "--only-binary", ":all:", "--no-deps"]
    # Not bin/pip, whose first line names the place where the environment was made.
    pip = [VENV / "bin" / "python", "-m", "pip", "install", *exact, "-r", versions]
    run(f"Python packages: {group}", pip)
    stamp.write_text(mark)


def install_node() -> None:
    sources = [HERE / "node" / name for name in ("package.json", "package-lock.json", ".npmrc")]
    stamp, mark = PARTS / "node.stamp", fingerprint(*sources)
    if up_to_date(stamp, mark) and (NODE / "node_modules").is_dir():
        return
    if not shutil.which("npm"):
        raise Failed("needs Node.js 20 or newer with npm")
    NODE.mkdir(parents=True, exist_ok=True)
    for source in sources:
        shutil.copy(source, NODE / source.name)
    run("Node packages", ["npm", "ci", "--ignore-scripts"], cwd=NODE)
    stamp.write_text(mark)


def install_console() -> None:
    sources = [CONSOLE / name for name in ("package.json", "package-lock.json", ".npmrc")]
    stamp, mark = PARTS / "console.stamp", fingerprint(*sources)
    if up_to_date(stamp, mark) and (CONSOLE / "node_modules").is_dir():
        return
    if not shutil.which("npm"):
        raise Failed("needs Node.js 20.19 or newer with npm")
    run("Node packages of the console", ["npm", "ci", "--ignore-scripts"], cwd=CONSOLE)
    stamp.write_text(mark)


def install_chromium() -> None:
    if not shutil.which("chromium"):
        # A browser without a font shows nothing that could be looked at.
        debian(["chromium", "fonts-dejavu-core"])


def install_postgres() -> None:
    # Debian keeps servers of several versions beside the way.
    if not list(Path("/usr/lib/postgresql").glob("*/bin/initdb")):
        debian(["postgresql"])


def install(groups: list[str]) -> None:
    for group in groups:
        if group not in [*PYTHON_GROUPS, *OTHERS]:
            raise Failed(f"no group {group}: there are {', '.join([*PYTHON_GROUPS, *OTHERS])}")
    PARTS.mkdir(parents=True, exist_ok=True)
    with (PARTS / "lock").open("w") as lock:
        # One at a time: two would make the same environment.
        fcntl.flock(lock, fcntl.LOCK_EX)
        for group in groups:
            other = OTHERS.get(group)
            other() if other else install_python(group)


OTHERS = {
    "node": install_node,
    "console": install_console,
    "postgres": install_postgres,
    "chromium": install_chromium,
}


def main() -> int:
    try:
        install(sys.argv[1:] or list(DEFAULT))
    except Failed as failure:
        print(f"install: {failure}", file=sys.stderr)
        return 1
    return 0


if __name__ == "__main__":
    sys.exit(main())
