"""Everything the story needs, started on free ports of 127.0.0.1 and stopped by process id."""

from __future__ import annotations

import os
import shutil
import subprocess
from pathlib import Path

import show
import yaml

from parts import process
from parts.collector import Rotel, Sink
from parts.envoy import Envoy
from parts.idp import Idp
from parts.model import Aimock, SmolLM
from parts.store import WRITER, Store
from parts.tap import Tap

POLICIES = process.ROOT / "policies" / "rag-chat"
WASM = process.ROOT / "dist" / "portcullis.wasm"
CLI = Path(os.environ.get("PORTCULLIS", process.ROOT / "target" / "release" / "portcullis"))
EXAMPLE_ISSUER = "https://idp.example.com"
AUDIT = "audit: { cluster: audit }"
# What needs our own collector: approvals, and that it asks who writes to it.
AGENTS = Path(__file__).resolve().parent / "agents.yaml"

# What the model's provider would have given us; callers must never see it.
UPSTREAM_KEY = "demo-upstream-key-4c1b"


class Stage:
    """Identity provider, model behind a wire tap, collector, and Envoy with the module in the middle."""

    def __init__(self, model: str, collector: str):
        self.folder = process.run_dir("demo")
        self.real = model == "real"
        self.idp = Idp(self.folder)
        self.model = SmolLM(self.folder) if self.real else Aimock(self.folder, key=UPSTREAM_KEY)
        self.sink = Sink(self.folder)
        self.store: Store | None = None
        self.rotel = Rotel(self.folder, self.sink) if collector == "rotel" else None

    def start(self) -> None:
        show.line(dim_path("logs in ", self.folder))
        with show.progress("identity provider (oidc-provider)"):
            self.idp.start()
        with show.progress(f"model ({self.model.name})"):
            self.model.start()
            self.tap = Tap(self.model.address).start()
        if self.rotel:
            with show.progress("collector (rotel)"):
                self.sink.start()
                self.rotel.start()
        else:
            with show.progress("collector (portcullis-collector)"):
                self.store = Store(self.folder, self.idp.issuer, bootstrap=True).start()
        self.policies, self.revision = self._policy_repository()
        show.line(f"  policies committed to a repository of their own at {self.revision[:12]}")
        with show.progress("Envoy with dist/portcullis.wasm"):
            env = {"OPENAI_API_KEY": UPSTREAM_KEY, "COLLECTOR_TOKEN": WRITER}
            self.envoy = Envoy(self._bootstrap(), self.folder, env=env).start()

    def _bootstrap(self) -> dict[str, object]:
        listen, admin = process.free_port(), process.free_port()
        clusters = {"model": self.tap.address, "idp": self.idp.address, "audit": self.collector}
        if self.store:
            clusters["approvals"] = self.store.address
        argv: list[str | Path] = [
            *(CLI, "render", "envoy", self.policies, "--wasm", WASM),
            *("--listen", f"127.0.0.1:{listen}", "--admin", f"127.0.0.1:{admin}", "--upstream", "model"),
            *(part for name, address in clusters.items() for part in ("--cluster", f"{name}={address}")),
        ]
        return yaml.safe_load(run(argv))

    @property
    def url(self) -> str:
        return f"http://127.0.0.1:{self.envoy.port}"

    @property
    def collector(self) -> str:
        return self.store.address if self.store else self.rotel.address

    def records(self) -> str:
        """What the collector has, as `portcullis audit verify` reads it."""
        if not self.store:
            return self.sink.file.read_text()
        answer = self.store.ask(self.auditor(), "GET", "/api/records")
        answer.raise_for_status()
        return answer.text

    def auditor(self) -> str:
        return self.idp.token("bob", claims={"sub": "audrey", "groups": ["auditors"]})

    def addresses(self) -> dict[str, str]:
        addresses = {
            "Envoy with Portcullis": f"{self.url}/v1",
            "Envoy's administration": f"http://127.0.0.1:{self.envoy.admin}",
            "identity provider": self.idp.issuer,
            "model, unguarded": f"http://{self.model.address}/v1",
        }
        if self.store:
            return addresses | {
                "collector, with its page": f"http://{self.store.address}/",
                "token to log in there": self.store.bootstrap,
            }
        return addresses | {
            "collector": f"http://{self.collector}/v1/logs",
            "records received": str(self.sink.file.relative_to(process.ROOT)),
        }

    def stop(self) -> None:
        process.stop_all()
        self.sink.stop()

    def _policy_repository(self) -> tuple[Path, str]:
        """The example policies in a git repository of their own, as a team keeps them, with this run's parts."""
        directory = self.folder / "policies"
        shutil.copytree(POLICIES, directory)
        replaced = {EXAMPLE_ISSUER: self.idp.issuer}
        if self.store:
            shutil.copy(AGENTS, directory)
            headers = 'headers: { authorization: "Bearer ${env:COLLECTOR_TOKEN}" }'
            replaced[AUDIT] = f"audit: {{ cluster: audit, capture: masked, {headers} }}"
        for old, new in replaced.items():
            changed = 0
            for path in directory.rglob("*.yaml"):
                text = path.read_text()
                changed += text.count(old)
                path.write_text(text.replace(old, new))
            if not changed:
                raise process.NotReady(f"policies/rag-chat no longer holds {old}: change tools/demo/stage.py with it")
        git: list[str | Path] = ["git", "-C", directory, "-c", "user.name=demo", "-c", "user.email=demo@localhost"]
        run([*git, "init", "--quiet"])
        run([*git, "add", "--all"])
        run([*git, "-c", "commit.gpgsign=false", "commit", "--quiet", "--no-verify", "--message", "Guard the chat"])
        return directory, run([*git, "rev-parse", "HEAD"]).strip()


def dim_path(text: str, path: Path) -> str:
    return show.dim(f"  {text}{path.relative_to(process.ROOT)}")


def run(argv: list[str | Path]) -> str:
    """A command's output; its complaint when it fails."""
    done = subprocess.run([str(part) for part in argv], capture_output=True, text=True, timeout=60, check=False)
    if done.returncode != 0:
        raise process.NotReady(f"{Path(argv[0]).name} said {done.returncode}:\n{done.stdout}{done.stderr}")
    return done.stdout
