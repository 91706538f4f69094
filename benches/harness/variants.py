"""What is compared: one Envoy configuration, with another filter before the router each time.

The configuration is what `portcullis render envoy` gives for `benches/policy.yaml`, so that listener, route, clusters
and limits are the same bytes for all.
"""

from __future__ import annotations

import json
import subprocess
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import yaml

from parts import bootstrap as boots
from parts import process, tokens
from parts.envoy import Envoy
from parts.keys import Key

HERE = Path(__file__).resolve().parent
COPY_FILTER = process.ROOT / "dist" / "copy-filter.wasm"
MODULE = process.ROOT / "dist" / "portcullis.wasm"
ISSUER = "https://idp.example.com"
FILTERS = "type.googleapis.com/envoy.extensions.filters.http"
# What the model would be paid with; stands in Envoy's environment alone.
ENVIRONMENT = {"BENCH_UPSTREAM_KEY": "upstream-key-of-the-bench"}

TITLES = {
    "bare": "Envoy bare",
    "jwt": "jwt_authn + rbac",
    "jwt-cached": "jwt_authn (token cache) + rbac",
    "copy": "copying wasm filter",
    "lua": "Lua filter, gsub",
    "monitor": "Portcullis, the same in monitor",
    "guard": "Portcullis, full guard",
}
# Where the guard's cost lies: the full guard less one thing. Run with `--explain` only.
LESS: dict[str, tuple[str, Callable[[dict[str, Any]], object]]] = {
    "guard-no-mask": ("… without masking", lambda policy: policy["policies"][0].pop("mask")),
    "guard-no-rules": ("… without rules", lambda policy: policy["policies"][0].pop("rules")),
    "guard-no-audit": ("… without audit", lambda policy: policy.pop("audit")),
    "guard-none": (
        "… without all three",
        lambda policy: [policy.pop("audit"), *map(policy["policies"][0].pop, ("mask", "rules"))],
    ),
}
# The full guard with a change of its policy set.
CHANGED = {"monitor": lambda policy: policy.update(mode="monitor")} | {
    name: change for name, (_, change) in LESS.items()
}
TITLES |= {variant: title for variant, (title, _) in LESS.items()}


@dataclass
class Setting:
    """What all Envoys of a run have in common."""

    cli: Path
    folder: Path
    key: Key
    upstream: int
    sink: int

    def token(self) -> str:
        return tokens.sign(self.key, tokens.claims(ISSUER, ttl=3600))

    def envoy(self, variant: str, concurrency: int = 1, name: str = "") -> Envoy:
        """An Envoy that is not started yet, on ports of its own."""
        made = self._rendered(variant)
        manager = made["static_resources"]["listeners"][0]["filter_chains"][0]["filters"][0]["typed_config"]
        guard, router = manager["http_filters"]
        manager["http_filters"] = [*FILTERS_OF[variant](self, guard), router]
        return Envoy(made, self.folder, concurrency, ENVIRONMENT, log_level="warning", name=name or variant)

    def _rendered(self, variant: str) -> dict[str, Any]:
        policy = full_guard([self.key])
        if variant in CHANGED:
            CHANGED[variant](policy)
        return self.rendered(variant, policy)

    def rendered(self, name: str, policy: dict[str, Any]) -> dict[str, Any]:
        """Envoy's bootstrap for a policy set."""
        path = self.folder / f"policy-{name}.yaml"
        path.write_text(yaml.safe_dump(policy, sort_keys=False))
        argv = [self.cli, "render", "envoy", path, "--revision", "bench", "--wasm", MODULE, "--upstream", "model"]
        argv += ["--cluster", f"model=127.0.0.1:{self.upstream}", "--cluster", f"audit=127.0.0.1:{self.sink}"]
        argv += ["--listen", f"127.0.0.1:{process.free_port()}", "--admin", f"127.0.0.1:{process.free_port()}"]
        done = subprocess.run([str(part) for part in argv], check=False, capture_output=True, text=True)
        if done.returncode != 0:
            raise RuntimeError(f"portcullis render envoy: {done.stderr}")
        return yaml.safe_load(done.stdout)


def full_guard(keys: list[Key]) -> dict[str, Any]:
    """The policy set, with the keys that sign its tokens."""
    policy: dict[str, Any] = yaml.safe_load((HERE.parent / "policy.yaml").read_text())
    policy["issuers"][0]["jwks"]["inline"]["keys"] = [key.jwk() for key in keys]
    return policy


Filter = dict[str, Any]


def jwt_and_rbac(keys: list[Key], cached: bool) -> list[Filter]:
    """Envoy's own way to ask what our `allow` asks: a signed token, and a group in it."""
    jwks = json.dumps({"keys": [key.jwk() for key in keys]})
    provider: dict[str, Any] = {
        "issuer": ISSUER,
        "audiences": ["rag"],
        "local_jwks": {"inline_string": jwks},
        "payload_in_metadata": "jwt_payload",
    }
    if cached:
        provider["jwt_cache_config"] = {"jwt_cache_size": 1000}
    group = {"list_match": {"one_of": {"string_match": {"exact": "rag-users"}}}}
    path = [{"key": "jwt_payload"}, {"key": "groups"}]
    claim = {"metadata": {"filter": "envoy.filters.http.jwt_authn", "path": path, "value": group}}
    members = {"permissions": [{"any": True}], "principals": [claim]}
    return [
        {
            "name": "envoy.filters.http.jwt_authn",
            "typed_config": {
                "@type": f"{FILTERS}.jwt_authn.v3.JwtAuthentication",
                "providers": {"corp": provider},
                "rules": [{"match": {"prefix": "/"}, "requires": {"provider_name": "corp"}}],
            },
        },
        {
            "name": "envoy.filters.http.rbac",
            "typed_config": {
                "@type": f"{FILTERS}.rbac.v3.RBAC",
                "rules": {"action": "ALLOW", "policies": {"members": members}},
            },
        },
    ]


def _lua() -> Filter:
    """Masking as one would write it in Envoy's Lua filter; nothing else of what the guard does."""
    script = {"inline_string": (HERE.parent / "mask.lua").read_text()}
    return {
        "name": "envoy.filters.http.lua",
        "typed_config": {"@type": f"{FILTERS}.lua.v3.Lua", "default_source_code": script},
    }


FILTERS_OF: dict[str, Callable[[Setting, Filter], list[Filter]]] = {
    "bare": lambda setting, guard: [],
    "jwt": lambda setting, guard: jwt_and_rbac([setting.key], cached=False),
    "jwt-cached": lambda setting, guard: jwt_and_rbac([setting.key], cached=True),
    "copy": lambda setting, guard: [boots.wasm_filter(COPY_FILTER, name="copy")],
    "lua": lambda setting, guard: [_lua()],
    **dict.fromkeys(("monitor", "guard", *LESS), lambda setting, guard: [guard]),
}
