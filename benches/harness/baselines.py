"""What others do with the same texts: Presidio's Analyzer and Anonymizer, and the regex crate.

Presidio runs without a language model (its own engine that does nothing), with its recognisers for those entities
alone that both know; names and places are not asked for. What a masker leaves standing of the values that were put
into a text is counted for all alike.
"""

from __future__ import annotations

import re
import statistics
import time
from collections import Counter
from collections.abc import Callable
from pathlib import Path
from typing import Any

from . import masker
from .rounds import pick

# What both look for. Presidio's other recognisers are not asked, which is to its favour.
ENTITIES = ["EMAIL_ADDRESS", "CREDIT_CARD", "IBAN_CODE", "US_SSN", "PHONE_NUMBER", "IP_ADDRESS", "MAC_ADDRESS"]
TAKEN = int(pick(64, 8)) * 1024
PIECE = 1024
# How a value put into a text looks, in the order of asking.
KINDS = {
    "e-mail address": "@",
    "GitHub token": "ghp_",
    "IBAN": "DE89",
    "card": "4111 ",
    "IPv6 address": "2001:db8:",
    "IPv4 address": "10.",
    "British phone number": "+44",
    "American phone number": "(",
}
OTHER_KIND = "American social security number"
REPLACED = re.compile(r"<[A-Z][A-Z_]*>")

Mask = Callable[[str], str]


def measure(folder: Path) -> dict[str, Any]:
    """By text: what was put into it, and by masker what is left; Presidio with its time."""
    masker.write(folder)
    presidio, found = _presidio(), {}
    for name in masker.PLAIN:
        text = (folder / f"{name}.txt").read_text()
        planted = (folder / f"{name}.values").read_text().splitlines()
        part = "".join(pieces(text, TAKEN))
        begun = len(_standing(planted, part))
        found[name] = {
            "planted": len(planted),
            "Portcullis": _left(planted, (folder / f"{name}.masked").read_text()),
            "regex": _left(planted, (folder / f"{name}.regex").read_text(errors="replace")),
            "Presidio": _timed(presidio, text, planted[:begun]),
        }
    return found


def _presidio() -> Mask:
    # Presidio alone needs these, and importing them takes seconds.
    import tldextract
    from presidio_analyzer import AnalyzerEngine
    from presidio_analyzer.nlp_engine import NoOpNlpEngine
    from presidio_anonymizer import AnonymizerEngine

    # Its check of domains asks the network for the list of public suffixes; the list that it brings will do.
    tldextract.extract = tldextract.TLDExtract(suffix_list_urls=())
    engine = NoOpNlpEngine(models=[{"lang_code": "en", "model_name": "none"}])
    analyzer, anonymizer = AnalyzerEngine(nlp_engine=engine, supported_languages=["en"]), AnonymizerEngine()

    def mask(text: str) -> str:
        return anonymizer.anonymize(text, analyzer.analyze(text, language="en", entities=ENTITIES)).text

    # What it makes at the first use is not the text's cost.
    mask("jane@example.com, 4111 1111 1111 1111, DE89 3704 0044 0532 0130 00, +44 20 7946 0123, 10.1.2.3, 536-90-4399")
    return mask


def _timed(mask: Mask, text: str, planted: list[str]) -> dict[str, Any]:
    """One text in pieces of a kilobyte, as answers come."""
    out, seconds, sizes = [], [], []
    for piece in pieces(text, TAKEN):
        began = time.perf_counter()
        out.append(mask(piece))
        seconds.append(time.perf_counter() - began)
        sizes.append(len(piece.encode()))
    per_kb = sorted(took / size * 1024 * 1e3 for took, size in zip(seconds, sizes, strict=True))
    return {
        "MB/s": sum(sizes) / 1e6 / sum(seconds),
        "ms_per_kb": {"p50": statistics.median(per_kb), "p99": per_kb[int(len(per_kb) * 0.99)]},
        "bytes": sum(sizes),
        "planted": len(planted),
        **_left(planted, "".join(out)),
    }


def pieces(text: str, most: int) -> list[str]:
    """The text's beginning in pieces of a kilobyte and a little more: cut behind sentences, never in a value."""
    found, start = [], 0
    while start < min(most, len(text)):
        ends = [at + 1 for at in (text.find(". ", start + PIECE), text.find("\n", start + PIECE)) if at >= 0]
        end = min(ends, default=len(text))
        found.append(text[start:end])
        start = end
    return found


def _left(planted: list[str], masked: str) -> dict[str, Any]:
    """Values that still stand there whole, by kind; and how often something was replaced."""
    missed = Counter(kind(value) for value in _standing(planted, masked))
    return {"missed": missed.total(), "missed_kinds": dict(missed), "replaced": len(REPLACED.findall(masked))}


def _standing(planted: list[str], text: str) -> list[str]:
    found = []
    for value, times in Counter(planted).items():
        # A longer address that begins like this one is another value.
        whole = re.compile(rf"(?<![\w]){re.escape(value)}(?![\w])" if value[0] != "(" else re.escape(value))
        found += [value] * min(times, len(whole.findall(text)))
    return found


def kind(value: str) -> str:
    return next((kind for kind, sign in KINDS.items() if sign in value), OTHER_KIND)
