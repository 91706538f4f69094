"""Plots as SVG, without a library: bars on a logarithmic scale, and lines over time."""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import dataclass, field
from html import escape

INK, SOFT, GRID, PAPER, ALARM = "#1c2733", "#5b6b7c", "#dfe5ec", "#ffffff", "#c0392b"
FONT = "font-family=\"'Inter','Segoe UI',Roboto,'DejaVu Sans',sans-serif\""
WIDTH = 880


@dataclass
class Canvas:
    """A page of shapes, as high as it turns out to be."""

    width: int = WIDTH
    height: float = 0
    shapes: list[str] = field(default_factory=list)

    def text(
        self, x: float, y: float, words: str, *, size: int = 13, at: str = "start", color: str = INK, bold: bool = False
    ) -> None:
        weight = ' font-weight="600"' if bold else ""
        place = f'x="{x:.1f}" y="{y:.1f}" font-size="{size}" text-anchor="{at}" fill="{color}"{weight}'
        self.shapes.append(f'<text {place} xml:space="preserve">{escape(words)}</text>')

    def bar(self, x: float, y: float, width: float, height: float, color: str) -> None:
        place = f'x="{x:.1f}" y="{y:.1f}" width="{max(width, 1):.1f}" height="{height:.1f}"'
        self.shapes.append(f'<rect {place} rx="2" fill="{color}"/>')

    def line(self, points: Sequence[tuple[float, float]], color: str, *, width: float = 1, dash: str = "") -> None:
        path = " ".join(f"{x:.1f},{y:.1f}" for x, y in points)
        dashed = f' stroke-dasharray="{dash}"' if dash else ""
        style = f'fill="none" stroke="{color}" stroke-width="{width:g}" stroke-linejoin="round"{dashed}'
        self.shapes.append(f'<polyline points="{path}" {style}/>')

    def head(self, title: str, under: str) -> float:
        """Title and what is shown; gives where the plot may begin."""
        self.text(24, 36, title, size=18, bold=True)
        self.text(24, 58, under, color=SOFT)
        return 84

    def legend(self, y: float, names: dict[str, str]) -> float:
        x = 24.0
        for name, color in names.items():
            self.bar(x, y - 10, 12, 12, color)
            self.text(x + 18, y, name, size=12, color=SOFT)
            x += 18 + 6.9 * len(name) + 22
        return y + 22

    def svg(self, label: str) -> str:
        body = "\n".join(self.shapes)
        return (
            f'<svg xmlns="http://www.w3.org/2000/svg" viewBox="0 0 {self.width} {self.height:.0f}" width="{self.width}" '
            f'height="{self.height:.0f}" role="img" aria-label="{escape(label, quote=True)}" {FONT}>\n'
            f'<rect width="100%" height="100%" rx="8" fill="{PAPER}"/>\n{body}\n</svg>\n'
        )


@dataclass(frozen=True)
class Log:
    """A logarithmic scale from a power of ten to another."""

    least: float
    most: float
    left: float
    right: float

    @classmethod
    def over(cls, values: Sequence[float], left: float, right: float, *, least: float | None = None) -> Log:
        low = min(values) if least is None else least
        return cls(10 ** math.floor(math.log10(low)), 10 ** math.ceil(math.log10(max(values) * 1.05)), left, right)

    def at(self, value: float) -> float:
        span = math.log10(self.most / self.least)
        share = math.log10(max(value, self.least) / self.least) / span
        return self.left + share * (self.right - self.left)

    def ticks(self) -> list[float]:
        first, last = round(math.log10(self.least)), round(math.log10(self.most))
        return [10.0**power for power in range(first, last + 1)]


def short(value: float) -> str:
    if value >= 10:
        return f"{value:,.0f}"
    return f"{value:.2g}" if value < 1 else f"{value:.1f}".removesuffix(".0")


@dataclass(frozen=True)
class Goal:
    """A line that bars are to reach, or to stay below."""

    value: float
    label: str


def bars(
    title: str, under: str, groups: dict[str, dict[str, float]], colors: dict[str, str], goal: Goal | None = None
) -> str:
    """Groups of horizontal bars, one colour a series. A group without a series leaves it out."""
    page = Canvas()
    alone = len(colors) == 1
    top = page.head(title, under)
    if not alone:
        top = page.legend(top + 4, colors)
    names = max(len(name) for name in groups)
    left, thick, gap = min(24 + 7.4 * names + 12, 300), 15 if not alone else 13, 14 if not alone else 6
    scale = Log.over([value for group in groups.values() for value in group.values()], left, WIDTH - 78)
    y = top + 16 if goal else top + 6
    begin = y
    marks = len(page.shapes)
    for name, group in groups.items():
        page.text(left - 10, y + len(group) * (thick + 2) / 2 + 3, name, at="end")
        for series, value in group.items():
            end = scale.at(value)
            page.bar(left, y, end - left, thick, colors[series])
            page.text(end + 6, y + thick - 3, short(value), size=12, color=SOFT)
            y += thick + 2
        y += gap
    y += 2
    grid = Canvas()
    for tick in scale.ticks():
        x = scale.at(tick)
        grid.line([(x, begin - 6), (x, y - 6)], GRID)
        grid.text(x, y + 10, short(tick), size=11, at="middle", color=SOFT)
    page.shapes[marks:marks] = grid.shapes
    if goal:
        x = scale.at(goal.value)
        page.line([(x, begin - 8), (x, y - 6)], ALARM, width=1.5, dash="5 4")
        page.text(x, begin - 13, goal.label, size=11, at="middle", color=ALARM)
    page.height = y + 28
    return page.svg(f"{title}: {under}")


@dataclass(frozen=True)
class Panel:
    """Lines over seconds, with a note on what they show."""

    title: str
    note: str
    lines: dict[str, list[tuple[float, float]]]


def panels(title: str, under: str, shown: list[Panel], colors: dict[str, str]) -> str:
    """Panels one below the other; the values are MiB, from zero up."""
    page = Canvas()
    y = page.legend(page.head(title, under) + 4, colors) + 8
    left, right, height = 74, WIDTH - 30, 130
    for panel in shown:
        page.text(24, y + 6, panel.title, bold=True)
        page.text(24, y + 24, panel.note, size=12, color=SOFT)
        bottom = y + 38 + height
        most = _round(max(value for line in panel.lines.values() for _, value in line))
        last = max(at for line in panel.lines.values() for at, _ in line) or 1
        for share in (0, 0.5, 1):
            level = bottom - share * height
            page.line([(left, level), (right, level)], GRID)
            page.text(left - 8, level + 4, f"{most * share:,.0f}", size=11, at="end", color=SOFT)
        for share in (0, 0.25, 0.5, 0.75, 1):
            at = left + share * (right - left)
            page.text(at, bottom + 18, _time(last * share, last), size=11, at="middle", color=SOFT)
        for name, line in panel.lines.items():
            points = [(left + at / last * (right - left), bottom - value / most * height) for at, value in line]
            page.line(points, colors[name], width=2)
        y = bottom + 48
    page.height = y - 8
    return page.svg(f"{title}: {under}")


def _round(value: float) -> float:
    """The next round number above."""
    power = 10 ** math.floor(math.log10(max(value, 1)))
    return next(step * power for step in (1, 2, 3, 4, 5, 6, 8, 10) if step * power >= value * 1.02)


def _time(seconds: float, last: float) -> str:
    return f"{seconds / 60:.0f} min" if last >= 600 else f"{seconds:.0f} s"
