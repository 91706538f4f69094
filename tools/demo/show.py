"""How the demo looks: plain lines; colour on a terminal alone."""

from __future__ import annotations

import os
import sys
import textwrap
import time
from collections.abc import Iterator
from contextlib import contextmanager
from itertools import zip_longest

COLOUR = sys.stdout.isatty() and "NO_COLOR" not in os.environ
WIDTH = 46


def _paint(code: str, text: str) -> str:
    return f"\x1b[{code}m{text}\x1b[0m" if COLOUR else text


def bold(text: str) -> str:
    return _paint("1", text)


def dim(text: str) -> str:
    return _paint("2", text)


def green(text: str) -> str:
    return _paint("32", text)


def red(text: str) -> str:
    return _paint("31", text)


def line(text: str = "") -> None:
    print(text, flush=True)


def title(text: str) -> None:
    line(f"\n{bold(text)}")


def command(text: str) -> None:
    for number, part in enumerate(text.splitlines()):
        line(dim(f"   {'$' if number == 0 else ' '} {part}"))


def said(text: str) -> None:
    for part in textwrap.wrap(text, 2 * WIDTH + 3) or [""]:
        line(f"   {part}")


def check(holds: bool, text: str) -> None:
    mark = green("ok") if holds else red("NOT SO")
    line(f"   {mark}  {text}")


@contextmanager
def progress(what: str) -> Iterator[None]:
    print(f"  {what} …", end="", flush=True)
    start = time.monotonic()
    try:
        yield
    except BaseException:
        print(red(" failed"), flush=True)
        raise
    print(f" {time.monotonic() - start:.1f} s", flush=True)


def side_by_side(left_title: str, left: str, right_title: str, right: str) -> None:
    """Two texts next to each other."""
    columns = [_wrapped(text) for text in (left, right)]
    line(f"   {bold(left_title.ljust(WIDTH))} │ {bold(right_title)}")
    for one, other in zip_longest(*columns, fillvalue=""):
        line(f"   {one.ljust(WIDTH)} │ {other}")


def _wrapped(text: str) -> list[str]:
    lines = []
    for paragraph in text.splitlines() or [""]:
        # Cut anywhere: where the pieces end matters more than where words do.
        lines += [paragraph[at : at + WIDTH] for at in range(0, len(paragraph), WIDTH)] or [""]
    return lines


def table(rows: list[list[str]]) -> None:
    widths = [max(len(row[column]) for row in rows) for column in range(len(rows[0]))]
    for number, row in enumerate(rows):
        text = "  ".join(cell.ljust(width) for cell, width in zip(row, widths, strict=True)).rstrip()
        line(f"   {bold(text) if number == 0 else text}")
