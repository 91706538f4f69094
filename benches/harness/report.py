"""The results as Markdown, for the terminal and for a file."""

from __future__ import annotations

from typing import Any

from . import callers as tokens
from . import masker, policies
from .baselines import ENTITIES, TAKEN
from .figures import MIB, added, memory, ratio, spread
from .requests import LOADS, SECRET
from .requests import SECONDS as REQUEST_SECONDS
from .rounds import QUICK, Spread
from .startup import SETTLE_SECONDS
from .streams import FLOOD, IN_FLIGHT, IN_STEP, PACED, STEPS
from .targets import Row, rows
from .variants import TITLES


def write(results: dict[str, Any]) -> str:
    parts = [
        _head(results),
        requests(results),
        streams(results),
        startup(results),
        policy(results),
        callers(results),
        others(results),
        _masker(results),
        targets(results),
    ]
    return "\n\n".join(part for part in parts if part) + "\n"


def table(head: list[str], lines: list[list[str]]) -> str:
    rule = ["---", *["---:"] * (len(head) - 1)]
    return "\n".join("| " + " | ".join(cells) + " |" for cells in [head, rule, *lines])


def _head(results: dict[str, Any]) -> str:
    facts = "\n".join(f"- {name}: {value}" for name, value in results["machine"].items())
    again = "`BENCH_QUICK=1 make bench`" if QUICK else "`make bench`"
    return f"""# Portcullis beside a bare Envoy

{facts}
- taken: {results["taken"]}, in {results["seconds"]:.0f} s; again: {again}

Client, upstream, audit sink and Envoy (one worker unless said otherwise) share the cores; nothing is pinned. Variants take
turns in every round, in changing order. A figure is the median over the rounds, with the least and the most behind it.
Processor time is what the kernel's scheduler counted for all threads of that Envoy; it includes sending the audit records."""


def requests(results: dict[str, Any]) -> str:
    loaded, alone = results["requests"]["loaded"], results["requests"]["alone"]
    lines = []
    for variant, rounds in loaded.items():
        more = "" if variant == "bare" else Spread.of(added(loaded, variant, "cpu_micros")).text()
        wait = "" if variant == "bare" else Spread.of(added(alone, variant, "latency", "mean")).text()
        lines.append(
            [
                TITLES[variant],
                spread(rounds, "requests_per_second").text(0),
                f"{spread(rounds, 'latency', 'p50').median:.0f} / {spread(rounds, 'latency', 'p99').median:.0f}",
                f"{spread(alone[variant], 'latency', 'p50').median:.0f} / {spread(alone[variant], 'latency', 'p99').median:.0f}",
                spread(rounds, "cpu_micros").text(),
                more,
                wait,
            ]
        )
    head = [
        "",
        "requests/s",
        "p50 / p99 µs",
        "alone p50 / p99 µs",
        "CPU µs a request",
        "added CPU µs",
        "added latency alone µs",
    ]
    text = f"""## Whole requests

Closed loop, HTTP/1.1 kept alive, {LOADS["loaded"]} connections (and one alone), {REQUEST_SECONDS:g} s a turn, {len(loaded["bare"])} rounds. 1 KB of prompt, 2 KB of JSON
answer with an e-mail address, a card and a key; one RS256 token. The guard: token, 5 rules, masking of PII and SECRETS, audit async.

{table(head, lines)}"""
    if "guard" in loaded:
        by_cpu, by_wait = ratio(loaded, "cpu_micros"), ratio(alone, "latency", "mean")
        text += f"""

What the guard adds against what the copying filter adds: {by_cpu.text(2)} times by processor time, {by_wait.text(2)} times by
latency alone. Audit records reached the sink in {results["audit"]["requests"]:.0f} calls with {results["audit"]["bytes"] / MIB:.1f} MiB."""
    return text


def streams(results: dict[str, Any]) -> str:
    streams, rates = results["streams"], []
    delays: dict[str, list[list[str]]] = {"paced": [], "in_step": []}
    for variant in streams["flood"]:
        steps, flood = (streams[way][variant] for way in ("steps", "flood"))
        rates.append(
            [
                TITLES[variant],
                spread(steps, "events_per_second").text(0),
                spread(steps, "cpu_micros").text(),
                f"{spread(steps, 'held').median:.0f}",
                spread(flood, "events_per_second").text(0),
                spread(flood, "cpu_micros").text(2),
            ]
        )
        for way, lines in delays.items():
            figures = streams[way][variant]
            each = (
                f"{spread(figures, what, 'p50').median:,.0f} / {spread(figures, what, 'p99').text(0)}"
                for what in ("first_event", "first_text", "event", "text")
            )
            lines.append([TITLES[variant], *each])
    rate_head = [
        "",
        "events/s, one a read",
        "CPU µs an event",
        "not passed in 50 ms",
        "events/s, many a read",
        "CPU µs an event",
    ]
    delay_head = [
        "",
        "first token's event p50 / p99 µs",
        "its first text p50 / p99 µs",
        "any event p50 / p99 µs",
        "any whole text p50 / p99 µs",
    ]
    memory_lines = [[TITLES[variant], f"{size / 1024:.1f}"] for variant, size in results["in_flight"].items()]
    return f"""## Streamed answers

Events of 336 bytes with a token each. One a read: {STEPS["streams"]} streams, each event written when the last has arrived, as models send.
Many a read: {FLOOD["streams"]} streams that pour {FLOOD["batch"]} events a write. {len(streams["flood"]["bare"])} rounds.

{table(rate_head, rates)}

Delay from the upstream's write to the client's read, one clock: {PACED["streams"]} callers whose streams begin by chance, an
event every {PACED["every"]} ms, prose in which nothing is masked. Text that may yet become an entity waits for the next event, so whole
texts arrive later than their events.

{table(delay_head, delays["paced"])}

The same where all begin at once and stay in step: {IN_STEP["streams"]} calls, and then {IN_STEP["streams"]} events, wait for each other.

{table(delay_head, delays["in_step"])}

Memory with {IN_FLIGHT["streams"]} streams open, above rest:

{table(["", "KiB a stream"], memory_lines)}"""


def startup(results: dict[str, Any]) -> str:
    lines = []
    for variant in results["startup"]["1"]:
        one, four = (results["startup"][workers][variant] for workers in ("1", "4"))
        size = results["modules"].get(variant)
        fixed, each = memory(results["startup"], variant)
        lines.append(
            [
                TITLES[variant],
                f"{size['file']:,} / {size['code']:,}" if size else "",
                spread(one, "ready_seconds").text(2),
                spread(four, "ready_seconds").text(2),
                f"{spread(one, 'rss').median / MIB:.1f} / {spread(four, 'rss').median / MIB:.1f}",
                f"{fixed:.1f} / {each:.2f}" if size else "",
                f"{results['memory_after'][variant] / MIB:.1f}",
            ]
        )
    head = [
        "",
        "module / its code, bytes",
        "ready s, 1 worker",
        "ready s, 4 workers",
        "RSS MiB, 1 / 4 workers",
        "module MiB: fixed / each further worker",
        "RSS MiB after the load, 1 worker",
    ]
    return f"""## Size, start-up, memory

From start until Envoy's admin answers `/ready` with LIVE, {len(results["startup"]["1"]["bare"])} rounds; memory at rest, {SETTLE_SECONDS} s later, before any request.

{table(head, lines)}"""


def policy(results: dict[str, Any]) -> str:
    """What policy costs alone."""
    if not results["policies"]:
        return ""
    found = policies.tables(results["policies"][policies.place(results)])
    heads = {
        "set": ["a set loads", "KB", "parsed, ms", "compiled, ms", "in all, ms", "kept, KB", "at most, KB"],
        "connection": ["the connection is found", "µs"],
        "request": ["a request is read", "bytes", "µs", "memory at most, in times of the body, itself included"],
        "condition": ["a condition is evaluated", "ns"],
        "budget": ["a local budget", "admits, µs", "settles, µs"],
        "token": ["a remembered token", "found, µs"],
    }
    written = [
        table(head, [[name, *(f"{figure:,g}" for figure in row)] for name, row in found[key].items()])
        for key, head in heads.items()
        if key in found
    ]
    return f"""## Policies

Alone, in {policies.place(results)}, one thread, the best of several turns. A set is named by its connections, policies and rules.

{chr(10).join(part + chr(10) for part in written).strip()}"""


def callers(results: dict[str, Any]) -> str:
    """Tokens, bad ones and budgets, beside Envoy's own filters."""
    if "callers" not in results:
        return ""
    found = results["callers"]
    ways = ("identity cached", "jwt-cached cached", "identity fresh", "jwt fresh")
    by_alg = [[alg, *(tokens.more_than_bare(found, alg, way).text() for way in ways)] for alg in found["tokens"]]
    bad = []
    for kind in found["bad"]["identity"]:
        ours, native = (tokens.bad(found, variant, kind) for variant in ("identity", "jwt"))
        bad.append([kind, ours.text(), f"{tokens.judged(found, kind).text(0)} %", native.text()])
    budgets = [
        [
            tokens.TITLES[variant],
            spread(rounds, "requests_per_second").text(0),
            spread(rounds, "cpu_micros").text(),
            f"{spread(rounds, 'latency', 'p50').median:.0f} / {spread(rounds, 'latency', 'p99').median:.0f}",
        ]
        for variant, rounds in found["budgets"].items()
    ]
    heads = (
        [
            "added CPU µs a request",
            "Portcullis, remembered",
            "jwt_authn, token cache",
            "Portcullis, new token",
            "jwt_authn, no cache",
        ],
        ["CPU µs a refused request", "Portcullis", "of them verified", "jwt_authn"],
        ["", "requests/s", "CPU µs a request", "p50 / p99 µs"],
    )
    return f"""## Who calls, and how much

A chat request of 1 KB, {tokens.CONNECTIONS} connections, {tokens.SECONDS:g} s a turn. The token, `allow` by a group, and the upstream's
credential; no rules, masks and records. jwt_authn with rbac asks for the same group. A new token comes again after
{tokens.FRESH:,} others, more than the module remembers. RS* and ES* are verified by Envoy's cryptography, PS* and EdDSA in the module.

{table(heads[0], by_alg)}

A flood of tokens that are no good, all of them new, from one address, as fast as it is answered: what a refusal takes in
all, its answer included. What takes more than an eighth of a worker is not verified any more, but refused with 503.

{table(heads[1], bad)}

With budgets, in Envoy's shared data; a remembered RS256 token.

{table(heads[2], budgets)}"""


def others(results: dict[str, Any]) -> str:
    """The masker beside what else masks, text by text."""
    if not results["masker"]:
        return ""
    place = "V8" if "V8" in results["masker"] else "native"
    ours, native = masker.texts(results["masker"][place]), masker.texts(results["masker"]["native"])
    answers = masker.answers(results["masker"][place])
    speeds, misses = [], []
    for name, found in results["baselines"].items():
        scan, regex, presidio = ours[name]["scan"], native[name]["regex"], found["Presidio"]
        waits = presidio["ms_per_kb"]
        speeds.append(
            [
                name,
                f"{scan:,.0f}",
                f"{answers[name]['document']:,.0f}",
                f"{native[name]['scan']:,.0f}",
                f"{regex:,.3f}",
                f"{presidio['MB/s']:.3f}",
                f"{waits['p50']:.1f} / {waits['p99']:.1f}",
                f"{native[name]['scan'] / regex:,.0f}",
                f"{scan / presidio['MB/s']:,.0f}",
            ]
        )
        misses.append([name, *(_left(found, which) for which in ("Portcullis", "regex", "Presidio"))])
    speed_head = [
        "MB/s",
        f"Portcullis ({place})",
        f"in a JSON document ({place})",
        "Portcullis (native)",
        "regex (native)",
        "Presidio",
        "Presidio, ms a KB p50 / p99",
        "native / regex",
        f"{place} / Presidio",
    ]
    miss_head = ["left standing, and replacements", "Portcullis", "regex", "Presidio"]
    return f"""## Masking, beside what others do

The same texts, one thread. Portcullis looks for all its entities; the regex crate for the same patterns (a RegexSet, then
`replace_all` of what it named; no validators, no edges, whole texts only); Presidio's Analyzer and Anonymizer for {len(ENTITIES)} entities
({", ".join(ENTITIES)}), without a language model, on {TAKEN // 1024} KB in pieces of 1 KB.

{table(speed_head, speeds)}

How many of the values that were put into a text stand whole in what comes out. Prose and docs hold none, so what is replaced
there is replaced for nothing.

{table(miss_head, misses)}

{_lua(results)}"""


def _left(found: dict[str, Any], which: str) -> str:
    own = found[which]
    kinds = ", ".join(f"{count} {kind}" for kind, count in own["missed_kinds"].items())
    missed = f"{own['missed']} of {own.get('planted', found['planted'])}" + (f" ({kinds})" if kinds else "")
    return f"{missed}; {own['replaced']} replaced"


def _lua(results: dict[str, Any]) -> str:
    if "lua" not in results["variants"]:
        return ""
    streams, loaded = results["streams"], results["requests"]["loaded"]
    whole, streamed = (spread(rounds["lua"], "counted").median for rounds in (loaded, streams["flood"]))
    text = f"""Envoy's Lua filter (`benches/mask.lua`: eleven patterns by `string.gsub`, piece by piece) let {whole:.0f} of {len(SECRET)} values through in whole answers, and
{streamed:.0f} of {len(SECRET)} in streams: a value cut across events is in no piece whole. It knows no check digits and no escapes of JSON, and
replaces in ids and keys as well."""
    if "guard" in streams["flood"]:
        flood, steps = (
            spread(streams[way]["lua"], "cpu_micros").median / spread(streams[way]["guard"], "cpu_micros").median
            for way in ("flood", "steps")
        )
        text += f""" An event costs {flood:.1f} times what it costs with Portcullis, many events a read, and {steps:.1f}
times with one a read."""
    return text


def _masker(results: dict[str, Any]) -> str:
    if not results["masker"]:
        return ""
    printed = "\n\n".join(f"{place}:\n\n```\n{text}\n```" for place, text in results["masker"].items())
    return f"## The masker alone, and with JSON and events\n\n{printed}"


def targets(results: dict[str, Any]) -> str:
    found = rows(results)
    return f"## Targets\n\n{verdicts(found)}" if found else ""


def verdicts(found: list[Row]) -> str:
    return table(["target", "measured", ""], [[row.target, row.measured, row.met] for row in found])
