"""The results as Markdown, for the terminal and for a file."""

from __future__ import annotations

from typing import Any

from .figures import MIB, added, memory, ratio, spread
from .requests import LOADS
from .requests import SECONDS as REQUEST_SECONDS
from .rounds import QUICK, Spread
from .streams import FLOOD, IN_FLIGHT, PACED, STEPS
from .targets import rows
from .variants import TITLES


def write(results: dict[str, Any]) -> str:
    parts = [
        _head(results),
        _requests(results),
        _streams(results),
        _startup(results),
        _masker(results),
        _targets(results),
    ]
    return "\n\n".join(part for part in parts if part) + "\n"


def _table(head: list[str], lines: list[list[str]]) -> str:
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


def _requests(results: dict[str, Any]) -> str:
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

{_table(head, lines)}"""
    if "guard" in loaded:
        by_cpu, by_wait = ratio(loaded, "cpu_micros"), ratio(alone, "latency", "mean")
        text += f"""

What the guard adds against what the copying filter adds: {by_cpu.text(2)} times by processor time, {by_wait.text(2)} times by
latency alone. Audit records reached the sink in {results["audit"]["requests"]:.0f} calls with {results["audit"]["bytes"] / MIB:.1f} MiB."""
    return text


def _streams(results: dict[str, Any]) -> str:
    streams, rates, delays = results["streams"], [], []
    for variant in streams["flood"]:
        steps, flood, paced = (streams[way][variant] for way in ("steps", "flood", "paced"))
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
        delays.append(
            [
                TITLES[variant],
                *(
                    f"{spread(paced, what, 'p50').median:,.0f} / {spread(paced, what, 'p99').text(0)}"
                    for what in ("first_event", "first_text", "event", "text")
                ),
            ]
        )
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

{_table(rate_head, rates)}

Delay from the upstream's write to the client's read, one clock: {PACED["streams"]} streams at once, an event every {PACED["every"]} ms, prose in
which nothing is masked. Text that may yet become an entity waits for the next event, so whole texts arrive later than their events.

{_table(delay_head, delays)}

Memory with {IN_FLIGHT["streams"]} streams open, above rest:

{_table(["", "KiB a stream"], memory_lines)}"""


def _startup(results: dict[str, Any]) -> str:
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

From start until Envoy's admin answers `/ready` with LIVE, {len(results["startup"]["1"]["bare"])} rounds; memory at rest, before any request.

{_table(head, lines)}"""


def _masker(results: dict[str, Any]) -> str:
    if not results["masker"]:
        return ""
    printed = "\n\n".join(f"{place}:\n\n```\n{text}\n```" for place, text in results["masker"].items())
    return f"## The masker alone\n\n{printed}"


def _targets(results: dict[str, Any]) -> str:
    lines = [[row.target, row.measured, row.met] for row in rows(results)]
    if not lines:
        return ""
    return f"## Targets\n\n{_table(['target', 'measured', ''], lines)}"
