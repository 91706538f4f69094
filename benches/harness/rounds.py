"""Rounds: every variant has its turn in each, in another order each time, so that drift of the machine cancels out."""

from __future__ import annotations

import os
import statistics
from collections.abc import Iterator, Sequence
from dataclasses import dataclass

QUICK = os.environ.get("BENCH_QUICK", "") not in ("", "0")


@dataclass(frozen=True)
class Spread:
    """The median over the rounds with the least and the most of them."""

    median: float
    least: float
    most: float

    @classmethod
    def of(cls, values: Sequence[float]) -> Spread:
        return cls(statistics.median(values), min(values), max(values))

    def inverse(self) -> Spread:
        return Spread(1 / self.median, 1 / self.most, 1 / self.least)

    def text(self, digits: int = 1) -> str:
        return f"{self.median:,.{digits}f} ({self.least:,.{digits}f} to {self.most:,.{digits}f})"


def turns(variants: Sequence[str], rounds: int) -> Iterator[tuple[int, str]]:
    for number in range(rounds):
        shift = number % len(variants)
        order = [*variants[shift:], *variants[:shift]]
        for variant in order if number % 2 == 0 else reversed(order):
            yield number, variant


def pick(full: float, quick: float) -> float:
    """A setting of the whole run, or of `BENCH_QUICK=1`."""
    return quick if QUICK else full
