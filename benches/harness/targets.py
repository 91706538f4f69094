"""The goals against what was measured. A target that this run cannot judge says so."""

from __future__ import annotations

import itertools
from collections.abc import Callable
from dataclasses import dataclass
from typing import Any

from . import callers, masker, policies, store
from .figures import MIB, Rounds, added, memory, of, ratio, spread
from .rounds import Spread

MANY = 10_000_000
"""Records of which the store's searches are to be judged."""

EACH_STREAM = 16 * 1024
"""Bytes that a stream in flight may take."""

FLAT_MIB = 1.0
"""Growth an hour that samples of a heap cannot tell from none."""


@dataclass(frozen=True)
class Row:
    target: str
    measured: str
    met: str


def _row(target: str, measured: str, met: bool) -> Row:
    return Row(target, measured, "met" if met else "**not met**")


def _judged(target: str, measured: str, spread: Spread, holds: Callable[[float], bool]) -> Row:
    """Where the rounds disagree, the median does not settle it."""
    verdicts = {holds(spread.least), holds(spread.most)}
    if len(verdicts) == 1:
        return _row(target, measured, verdicts.pop())
    by_median = "met" if holds(spread.median) else "not met"
    return Row(target, measured, f"rounds disagree; {by_median} by the median")


def rows(results: dict[str, Any]) -> list[Row]:
    if "guard" not in results["variants"]:
        return []
    return [
        *_requests(results),
        *_streams(results),
        *_masker(results),
        *of_policies(results),
        *of_callers(results),
        *_sizes(results),
    ]


def _requests(results: dict[str, Any]) -> list[Row]:
    cost = ratio(results["requests"]["loaded"], "cpu_micros")
    text = f"{cost.text(2)} times, by processor time"
    return [
        _judged("full guard adds at most 4 times what the copying filter adds", text, cost, lambda times: times <= 4)
    ]


def _share(by_variant: dict[str, Rounds], figure: str) -> Spread:
    """The guard's figure as a part of the copying filter's, round by round."""
    pairs = zip(of(by_variant["guard"], figure), of(by_variant["copy"], figure), strict=True)
    return Spread.of([guard / copied for guard, copied in pairs])


def _streams(results: dict[str, Any]) -> list[Row]:
    streams, found = results["streams"], []
    ways = {"steps": "one event a read, as models send", "flood": "many events a read"}
    for name, way in ways.items():
        by_cpu, by_rate = _share(streams[name], "cpu_micros").inverse(), _share(streams[name], "events_per_second")
        found.append(
            _judged(
                f"masked SSE: at least half the copying filter's event rate ({way})",
                f"{by_cpu.text(2)} of it by processor time; {by_rate.text(2)} as it ran",
                by_cpu,
                lambda share: share >= 0.5,
            )
        )
    whose = {"guard": "first token", "monitor": "in monitor, first token"}
    when = {"paced": "streams begin by chance", "in_step": "16 begin at once and stay in step"}
    for variant, way in itertools.product(whose, when):
        if variant not in streams[way]:
            continue
        delay = Spread.of([micros / 1000 for micros in added(streams[way], variant, "first_event", "p99")])
        found.append(
            _judged(
                f"{whose[variant]} delayed by under 1 ms at the 99th percentile ({when[way]})",
                f"{delay.text(2)} ms more than bare",
                delay,
                lambda more: more < 1,
            )
        )
    each = results["in_flight"]["guard"] - results["in_flight"]["bare"]
    found.append(
        _row(
            "under 16 KiB for each stream in flight (300, opened at once)",
            f"{each / 1024:.1f} KiB more than bare",
            each < EACH_STREAM,
        )
    )
    return found


def of_memory(found: dict[str, Any]) -> list[Row]:
    """The goals that memory over time tells."""
    guard, bare = found["crowd-guard"], found["crowd-bare"]
    each = guard["each"]["used"] - bare["each"]["used"]
    flat = max(abs(found["deltas"]["slope"][key]) for key in ("rss", "wasm")) * 3600 / MIB
    return [
        _row(
            f"under 16 KiB for each stream in flight ({guard['streams']:,})",
            f"{each / 1024:.1f} KiB more than bare",
            each < EACH_STREAM,
        ),
        _row(
            "a stream that goes on for an hour takes no more memory",
            f"{flat:.2f} MiB an hour, at most",
            flat < FLAT_MIB,
        ),
    ]


def _masker(results: dict[str, Any]) -> list[Row]:
    names = (
        "masker in V8: at least 750 MB/s on prose",
        "masker in V8: at most 120 ns a 4-byte delta",
        "masker in V8: at least 100 MB/s on entity-dense and adversarial text",
        "mean hold under 5 bytes on prose",
        "JSON and SSE included in V8: at most 1.5 µs an event of 336 bytes",
    )
    if "V8" not in results["masker"]:
        return [Row(name, "not run (it needs Node)", "not judged") for name in names]
    texts, answers = (read(results["masker"]["V8"]) for read in (masker.texts, masker.answers))
    prose = texts["prose"]
    hard = {name: row for name, row in texts.items() if name not in masker.PLAIN or name == "dense"}
    slow = sorted((name for name in hard if hard[name]["scan"] < 100), key=lambda name: hard[name]["scan"])
    worst = min(hard, key=lambda name: hard[name]["scan"])
    events = {name: row["micros"] for name, row in answers.items() if name in texts}
    slowest = max(events, key=lambda name: events[name])
    return [
        _row(names[0], f"{prose['scan']:.0f} MB/s", prose["scan"] >= 750),
        _row(names[1], f"{prose['delta']:.0f} ns on prose", prose["delta"] <= 120),
        _row(
            names[2],
            f"{hard[worst]['scan']:.0f} MB/s on the worst, `{worst}`; {len(slow)} of {len(hard)} below 100",
            not slow,
        ),
        _row(names[3], f"{prose['mean held']:.1f} bytes", prose["mean held"] < 5),
        _row(
            names[4],
            f"{events['prose']:.2f} µs on prose, {events[slowest]:.2f} on the worst, `{slowest}`",
            events[slowest] <= 1.5,
        ),
    ]


def of_policies(results: dict[str, Any]) -> list[Row]:
    where = policies.place(results)
    found = policies.tables(results["policies"][where])
    measured = {name: row[0] for name, row in found["condition"].items()}
    # A pattern takes its time by the text that it reads, not by the rule.
    pattern = "a pattern on 1 KB"
    conditions = {name: nanos for name, nanos in measured.items() if name != pattern}
    slowest = max(conditions, key=lambda name: conditions[name])
    views = {name: row for name, row in found["request"].items() if row[0] > 10_000}
    worst, hungry = (max(views, key=lambda name: views[name][at]) for at in (1, 2))
    loads, chosen = found["set"]["200/50/1000"][3], max(row[0] for row in found["connection"].values())
    small = found["request"]["chat of 1 KB"][1]
    return [
        _row(
            f"a typical condition in {where}: under 1 µs",
            f"{conditions[slowest]:,.0f} ns on the slowest, {slowest}; {pattern}: {measured[pattern]:,.0f} ns",
            conditions[slowest] < 1000,
        ),
        _row(f"a chat of 1 KB read in {where}: under 15 µs", f"{small:.1f} µs", small < 15),
        _row(
            f"a body of 100 KB read in {where}: under 1 ms",
            f"{views[worst][1] / 1000:.2f} ms on the slowest, {worst}",
            views[worst][1] < 1000,
        ),
        _row(
            "reading takes at most 3 times the body", f"{views[hungry][2]:.1f} times, {hungry}", views[hungry][2] <= 3
        ),
        *(
            _row(f"local budget admission in {where}: under 10 µs, {name}", f"{row[0]:.2f} µs", row[0] < 10)
            for name, row in found.get("budget", {}).items()
        ),
        *(
            _row(f"verified-token cache hit in {where}: under 5 µs, {name}", f"{row[0]:.2f} µs", row[0] < 5)
            for name, row in found.get("token", {}).items()
        ),
        _row(f"200 connections in {where}: chosen in under 5 µs", f"{chosen:.2f} µs for the last", chosen < 5),
        _row(
            f"200 connections, 50 policies, 1,000 rules load in {where}: under 300 ms", f"{loads:.0f} ms", loads < 300
        ),
    ]


def _sizes(results: dict[str, Any]) -> list[Row]:
    code = results["modules"]["guard"]["code"] / 1e6
    fixed, each = memory(results["startup"], "guard")
    ready = spread(results["startup"]["1"]["guard"], "ready_seconds")
    return [
        _row("code section under 1.5 MB", f"{code:.2f} MB", code < 1.5),
        _judged("ready in 1.2 s", f"{ready.text(2)} s", ready, lambda seconds: seconds < 1.2),
        _row("under 80 MB fixed", f"{fixed:.1f} MiB more than bare", fixed * 1.048576 < 80),
        _row("under 4 MiB for each further worker at rest", f"{each:.1f} MiB more than bare", each < 4),
    ]


def of_callers(results: dict[str, Any]) -> list[Row]:
    if "callers" not in results:
        return []
    share = callers.share(results["callers"])
    return [
        _judged(
            "tokens and budgets: at least 0.6 of the requests a second of jwt_authn (cached) + rbac + local_ratelimit",
            f"{share.text(2)} of them",
            share,
            lambda part: part >= 0.6,
        )
    ]


def of_store(results: dict[str, Any]) -> list[Row]:
    """The goals of the audit store alone."""
    ingest, query = results["store"]["ingest"], results["store"]["query"]
    rate, records = store.rates(ingest)["SQLite"], store.records(query)
    name, (slowest, *_) = max(store.pages(query).items(), key=lambda page: page[1])
    searched = "a search's first page over ten million records in 100 ms"
    measured = f"{slowest:,.0f} ms over {records:,} records, the slowest by its median ({name})"
    return [
        _row("the store takes 5,000 records a second on SQLite", f"{rate:,.0f}", rate >= 5000),
        _row(searched, measured, slowest <= 100) if records >= MANY else Row(searched, measured, "not judged: fewer"),
    ]
