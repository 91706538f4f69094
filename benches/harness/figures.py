"""From rounds to figures: spreads, and what a variant adds to the bare Envoy of the same round."""

from __future__ import annotations

from typing import Any

from .rounds import Spread

Rounds = list[dict[str, Any]]
MIB = 1024 * 1024


def of(rounds: Rounds, *path: str) -> list[float]:
    """One figure of every round."""

    def read(figures: Any) -> float:
        for key in path:
            figures = figures[key]
        return float(figures)

    return [read(figures) for figures in rounds]


def spread(rounds: Rounds, *path: str) -> Spread:
    return Spread.of(of(rounds, *path))


def added(by_variant: dict[str, Rounds], variant: str, *path: str) -> list[float]:
    """Round by round, what `variant` has more than the bare Envoy."""
    bare = of(by_variant["bare"], *path)
    return [own - floor for own, floor in zip(of(by_variant[variant], *path), bare, strict=True)]


def ratio(by_variant: dict[str, Rounds], *path: str) -> Spread:
    """What the guard adds, as a multiple of what the copying filter adds, round by round."""
    pairs = zip(added(by_variant, "guard", *path), added(by_variant, "copy", *path), strict=True)
    # A floor of nothing or less is noise; it must not pass for a small ratio.
    return Spread.of([guard / copied if copied > 0 else float("inf") for guard, copied in pairs])


def memory(startup: dict[str, Any], variant: str) -> tuple[float, float]:
    """MiB that a module takes: once, and for each further worker; the bare Envoy's own taken off."""

    def rss(workers: str, which: str) -> float:
        return spread(startup[workers][which], "rss").median / MIB

    fixed = rss("1", variant) - rss("1", "bare")
    each = ((rss("4", variant) - rss("1", variant)) - (rss("4", "bare") - rss("1", "bare"))) / 3
    return fixed, each
