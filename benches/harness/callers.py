"""Who calls and how much: tokens by algorithm, verified and remembered, beside Envoy's own filters; what bad tokens
cost; budgets. `python -m harness.callers --portcullis BINARY` runs this part of `make bench` alone.

A part of every figure is the bare Envoy's: what is shown is what a variant takes more, of the same round.
"""

from __future__ import annotations

import argparse
import base64
import json
import os
import sys
from pathlib import Path
from typing import Any

from parts import tokens
from parts.envoy import Envoy
from parts.keys import Key, KeySet, b64

from .figures import spread
from .load import Failed, Load
from .program import keep, measured, stamp
from .rounds import Spread, pick, turns
from .variants import ENVIRONMENT, FILTERS, ISSUER, Filter, Setting, full_guard, jwt_and_rbac

ALGORITHMS = ("RS256", "RS384", "RS512", "PS256", "PS384", "PS512", "ES256", "ES384", "EdDSA")
FRESH = 2500
"""Tokens that take turns: more than twice what the module remembers, so that each is new to it when it comes again."""
ROUNDS = int(pick(3, 1))
SECONDS = pick(0.8, 0.3)
CONNECTIONS = 8

TITLES = {
    "bare": "Envoy bare",
    "jwt": "jwt_authn + rbac",
    "jwt-cached": "jwt_authn (token cache) + rbac",
    "native": "jwt_authn (token cache) + rbac + local_ratelimit",
    "identity": "Portcullis: token, `allow`, credential",
    "requests": "… and a budget of requests",
    "everything": "… and a budget of tokens: prompt estimated, bound set, usage settled",
}
TOKENS = {"identity": ("fresh", "cached"), "jwt": ("fresh",), "jwt-cached": ("cached",)}
"""What is asked by each algorithm."""
BUDGETS = ("jwt-cached", "native", "identity", "requests", "everything")

BAD = {
    "no JWT": "token_malformed",
    "another issuer": "token_issuer",
    "expired": "token_expired",
    **{f"bad signature, {alg}": "token_signature" for alg in ALGORITHMS},
}


def measure(setting: Setting, load: Load) -> dict[str, Any]:
    """Figures of every round: by algorithm, way and variant; by bad token; by variant with budgets."""
    keys = KeySet.make(*ALGORITHMS)
    request = _request(setting.folder / "caller.http")
    files = _tokens(setting.folder, keys)
    envoys = {variant: _envoy(setting, variant, keys.keys).start() for variant in TITLES}
    try:
        results = {
            "tokens": _by_algorithm(load, envoys, request, files),
            "bad": _bad(load, envoys, _bare_request(setting.folder / "caller-bad.http"), files),
            "budgets": _budgets(load, envoys, request, files),
        }
        for variant, envoy in envoys.items():
            if faults := envoy.faults():
                raise Failed(f"{TITLES[variant]}: {faults}")
        return results
    finally:
        for envoy in envoys.values():
            envoy.stop()


def _request(path: Path) -> Path:
    """A chat request of a kilobyte; the load puts a token in."""
    body = json.dumps({"model": "gpt-4o-mini", "messages": [{"role": "user", "content": "Hello. " * 140}]})
    lines = [
        "POST /v1/chat/completions HTTP/1.1",
        "host: api.example.com",
        "authorization: Bearer {token}",
        "content-type: application/json",
        f"content-length: {len(body)}",
    ]
    path.write_text("\r\n".join(lines) + "\r\n\r\n" + body)
    return path


def _bare_request(path: Path) -> Path:
    """A request without a body: Envoy hangs up on whoever is refused before their body is there."""
    lines = ["GET /v1/models HTTP/1.1", "host: api.example.com", "authorization: Bearer {token}"]
    path.write_text("\r\n".join(lines) + "\r\n\r\n")
    return path


def _tokens(folder: Path, keys: KeySet) -> dict[str, Path]:
    """A file for each kind of tokens, one a line."""
    made: dict[str, list[str]] = {}
    for alg in ALGORITHMS:
        made[f"fresh {alg}"] = [_token(keys[alg], number) for number in range(FRESH)]
        made[f"cached {alg}"] = made[f"fresh {alg}"][:1]
        made[f"bad signature, {alg}"] = [_forged(made[f"fresh {alg}"][0], alg) for _ in range(FRESH)]
    key = keys["RS256"]
    for name, change in {"another issuer": {"iss": "https://x.example.com"}, "expired": {"exp": 1}}.items():
        made[name] = [_token(key, number, **change) for number in range(FRESH)]
    made["no JWT"] = [b64(os.urandom(500)) for _ in range(FRESH)]
    files = {}
    for name, lines in made.items():
        files[name] = folder / f"tokens-{name.replace(' ', '-').replace(',', '')}"
        files[name].write_text("\n".join(lines) + "\n")
    return files


def _token(key: Key, number: int, **more: Any) -> str:
    return tokens.sign(key, tokens.claims(ISSUER, ttl=7200, jti=str(number), **more))


def _forged(token: str, alg: str) -> str:
    """Another signature, of numbers that are within their bounds: beyond them it would cost nothing to refuse."""
    signed, _, good = token.rpartition(".")
    first = base64.urlsafe_b64decode(good + "=" * (-len(good) % 4))
    data = bytearray(os.urandom(len(first)))
    if alg == "EdDSA":
        data[:32], data[63] = first[:32], data[63] & 0x0F
    else:
        data[0] &= 0x3F
    return f"{signed}.{b64(bytes(data))}"


def _envoy(setting: Setting, variant: str, keys: list[Key]) -> Envoy:
    made = setting.rendered(f"callers-{variant}", _policy(variant, keys))
    manager = made["static_resources"]["listeners"][0]["filter_chains"][0]["filters"][0]["typed_config"]
    guard, router = manager["http_filters"]
    filters = {
        "bare": [],
        "jwt": jwt_and_rbac(keys, cached=False),
        "jwt-cached": jwt_and_rbac(keys, cached=True),
        "native": [*jwt_and_rbac(keys, cached=True), _local_ratelimit()],
    }
    manager["http_filters"] = [*filters.get(variant, [guard]), router]
    return Envoy(made, setting.folder, 1, ENVIRONMENT, log_level="warning", name=f"callers-{variant}")


def _policy(variant: str, keys: list[Key]) -> dict[str, Any]:
    """The full guard's issuer and credential, and nothing of masking, rules and audit."""
    policy = full_guard(keys)
    policy.pop("audit")
    (connection,), (rules,) = policy["connections"], policy["policies"]
    for name in ("rules", "mask", "uninspected"):
        rules.pop(name)
    if variant != "everything":
        connection["protocol"] = "http"
    requests = {"name": "requests", "key": "identity.id", "requests": 100_000_000, "per": "1m"}
    spent = {"name": "tokens", "key": "identity.id", "tokens": 1_000_000_000, "per": "1m"}
    if variant in ("requests", "everything"):
        rules["budgets"] = [requests] if variant == "requests" else [requests, spent]
    if variant == "everything":
        rules["limits"] = {"max_output_tokens": 4096}
    return policy


def _local_ratelimit() -> Filter:
    whole = {"numerator": 100, "denominator": "HUNDRED"}
    return {
        "name": "envoy.filters.http.local_ratelimit",
        "typed_config": {
            "@type": f"{FILTERS}.local_ratelimit.v3.LocalRateLimit",
            "stat_prefix": "bench",
            "token_bucket": {"max_tokens": 100_000_000, "tokens_per_fill": 100_000_000, "fill_interval": "60s"},
            "filter_enabled": {"default_value": whole},
            "filter_enforced": {"default_value": whole},
        },
    }


def _asked(
    load: Load, envoy: Envoy, request: Path, file: Path, turn: int, status: list[int] | None = None
) -> dict[str, Any]:
    """Each turn begins at another token: the last turn's are remembered still."""
    try:
        figures = _measured(load, envoy, request, file, turn * FRESH // ROUNDS, status or [200])
    except Failed as failure:
        raise Failed(f"{envoy.name}, {file.name}: {failure}") from failure
    return figures | {"cpu_micros": figures["cpu_seconds"] / figures["all_requests"] * 1e6}


def _measured(load: Load, envoy: Envoy, request: Path, file: Path, first: int, status: list[int]) -> dict[str, Any]:
    return load.measured(
        envoy,
        "requests",
        file=request,
        tokens=file,
        first=first,
        status=status,
        connections=CONNECTIONS,
        seconds=SECONDS,
    )


def _by_algorithm(load: Load, envoys: dict[str, Envoy], request: Path, files: dict[str, Path]) -> dict[str, Any]:
    results: dict[str, Any] = {}
    for alg in ALGORITHMS:
        ways = ["bare cached", *(f"{variant} {way}" for variant, all_ways in TOKENS.items() for way in all_ways)]
        found: dict[str, list[dict[str, Any]]] = {way: [] for way in ways}
        for turn, name in turns(ways, ROUNDS):
            variant, _, way = name.rpartition(" ")
            found[name].append(_asked(load, envoys[variant], request, files[f"{way} {alg}"], turn))
        results[alg] = found
    return results


def _bad(load: Load, envoys: dict[str, Envoy], request: Path, files: dict[str, Path]) -> dict[str, Any]:
    results: dict[str, Any] = {variant: {kind: [] for kind in BAD} for variant in ("identity", "jwt")}
    for kind in BAD:
        for turn, variant in turns(list(results), ROUNDS):
            figures = _asked(load, envoys[variant], request, files[kind], turn, status=[401, 503])
            results[variant][kind].append(figures)
    return results


def _budgets(load: Load, envoys: dict[str, Envoy], request: Path, files: dict[str, Path]) -> dict[str, Any]:
    results: dict[str, Any] = {variant: [] for variant in ("bare", *BUDGETS)}
    for _, variant in turns(list(results), ROUNDS + 2):
        results[variant].append(_asked(load, envoys[variant], request, files["cached RS256"], 0))
    return results


def share(found: dict[str, Any]) -> Spread:
    """Requests a second with everything on, as a part of what Envoy's own filters do, round by round."""
    rates = [spread_of["requests_per_second"] for spread_of in found["budgets"]["everything"]]
    native = [spread_of["requests_per_second"] for spread_of in found["budgets"]["native"]]
    return Spread.of([own / other for own, other in zip(rates, native, strict=True)])


def more_than_bare(found: dict[str, Any], alg: str, way: str) -> Spread:
    """Processor time that a request takes beyond the bare Envoy's, in microseconds."""
    pairs = zip(found["tokens"][alg][way], found["tokens"][alg]["bare cached"], strict=True)
    return Spread.of([own["cpu_micros"] - floor["cpu_micros"] for own, floor in pairs])


def bad(found: dict[str, Any], variant: str, kind: str) -> Spread:
    return spread(found["bad"][variant][kind], "cpu_micros")


def judged(found: dict[str, Any], kind: str) -> Spread:
    """The part of a flood whose tokens were verified at all."""
    rounds = found["bad"]["identity"][kind]
    return Spread.of([figures["first_status"] / figures["all_requests"] * 100 for figures in rounds])


def main() -> int:
    """This part of `make bench` alone."""
    from . import report, targets

    parser = argparse.ArgumentParser(prog="harness.callers", description=__doc__)
    parser.add_argument("--portcullis", type=Path, required=True, help="the command, for `render envoy`")
    given = parser.parse_args()
    results = measured(given.portcullis, "bench", lambda setting, load: stamp() | {"callers": measure(setting, load)})
    if results is None:
        return 1
    keep("callers", results)
    print(report.callers(results))
    print("\n" + report.verdicts(targets.of_callers(results)))
    return 0


if __name__ == "__main__":
    sys.exit(main())
