"""The measured parts of docs/numbers.md and its plots, from the last runs: `make bench-plot`. What no run measured stays.

What stands between `<!-- measured: NAME -->` and `<!-- end -->` is written anew; the words around it are people's.
"""

from __future__ import annotations

import json
import sys
import unicodedata
from typing import Any

from parts import process

from . import masker, memory, report, store, targets
from .figures import MIB, spread
from .program import OUT
from .svg import Goal, Panel, bars, panels
from .variants import TITLES

DOCS = process.ROOT / "docs"
PAGE = DOCS / "numbers.md"
PLOTS = DOCS / "numbers"

OURS, PALE, NATIVE, REGEX, PRESIDIO = "#1f5fbf", "#86aee6", "#24476f", "#e08a1e", "#b5473f"
ONE_READ, MANY = "#24476f", "#86aee6"


def masking(results: dict[str, Any]) -> str:
    ours, native = (masker.texts(results["masker"][place]) for place in ("V8", "native"))
    answers = masker.answers(results["masker"]["V8"])
    colors = {
        "Portcullis, V8": OURS,
        "in a JSON document, V8": PALE,
        "Portcullis, native": NATIVE,
        "regex, native": REGEX,
        "Presidio": PRESIDIO,
    }
    groups = {}
    for name, found in results["baselines"].items():
        figures = (
            ours[name]["scan"],
            answers[name]["document"],
            native[name]["scan"],
            native[name]["regex"],
            found["Presidio"]["MB/s"],
        )
        groups[name] = dict(zip(colors, figures, strict=True))
    return bars("Masking text", "MB a second, one thread, logarithmic: longer is faster", groups, colors)


def adversarial(results: dict[str, Any]) -> str:
    speeds = {name: row["scan"] for name, row in masker.texts(results["masker"]["V8"]).items()}
    speeds = {
        name: speed for name, speed in sorted(speeds.items(), key=lambda item: item[1]) if name not in masker.PLAIN
    }
    groups = {_plain(name): {"Portcullis, V8": speed} for name, speed in speeds.items()}
    under = "Texts made to slow a scanner down; MB a second in V8, logarithmic: longer is faster"
    return bars("The worst texts", under, groups, {"Portcullis, V8": OURS}, Goal(100, "goal: 100"))


def _plain(name: str) -> str:
    """Few fonts have full-width letters."""
    plain = unicodedata.normalize("NFKC", name)
    return name if plain == name else f"full-width {plain}"


def streams(results: dict[str, Any]) -> str:
    names = {"many events a read": ("flood", MANY), "one event a read, as behind a model": ("steps", ONE_READ)}
    groups = {
        TITLES[variant]: {
            name: spread(results["streams"][way][variant], "cpu_micros").median for name, (way, _) in names.items()
        }
        for variant in results["streams"]["flood"]
    }
    under = "µs of Envoy's processor time for an event of 336 bytes, logarithmic: shorter is faster"
    return bars("A streamed event", under, groups, {name: color for name, (_, color) in names.items()})


def memory_plot(found: dict[str, Any]) -> str:
    long, endless, guard = (found[key] for key in ("deltas", "endless", "crowd-guard"))

    def lines(one: dict[str, Any]) -> dict[str, list[tuple[float, float]]]:
        return {
            name: [(sample["seconds"], sample[key] / MIB) for sample in one["samples"]]
            for name, key in (("resident", "rss"), ("the modules' memory", "wasm"))
        }

    shown = [
        Panel(
            f"{long['deltas'] / 1e6:,.0f} million deltas of four bytes, in {long['streams']} streams",
            f"{long['slope']['rss'] * 3600 / MIB:+.2f} MiB an hour resident after the first fifth",
            lines(long),
        ),
        Panel(
            f"An event that never ends, {endless['streams']} at once, {endless['refused']:,.0f} in all",
            f"at most {endless['grown']['rss'] / MIB:.0f} MiB more than at rest; each is refused at 1 MiB",
            lines(endless),
        ),
        Panel(
            f"{guard['streams']:,} streams at once",
            f"opened in {guard['opened_seconds']:.0f} s, {guard['each']['used'] / 1024:.0f} KiB each; then closed",
            lines(guard),
        ),
    ]
    return panels(
        "Memory of Envoy with the full guard",
        "MiB over time",
        shown,
        {"resident": OURS, "the modules' memory": REGEX},
    )


def facts(results: dict[str, Any]) -> str:
    lines = [f"- {name}: {value}" for name, value in results["machine"].items()]
    lines.append(f"- taken: {results['taken']}, in {results['seconds']:.0f} s")
    if results.get("quick"):
        lines.append("- **a quick run: these figures say little**")
    return "\n".join(lines)


def policy_part(found: dict[str, Any]) -> str:
    """What `make bench-policies` measured, or the same part of a whole run: machine and goals stand with it."""
    facts = "\n".join(f"- {name}: {value}" for name, value in found["machine"].items())
    tables = report.policy(found).partition("\n\n")[2]
    return f"{facts}\n- taken: {found['taken']}\n\n{report.verdicts(targets.of_policies(found))}\n\n{tables}"


def callers_part(found: dict[str, Any]) -> str:
    """What `make bench-callers` measured, or the same part of a whole run."""
    facts = "\n".join(f"- {name}: {value}" for name, value in found["machine"].items())
    tables = report.callers(found).partition("\n\n")[2]
    return f"{facts}\n- taken: {found['taken']}\n\n{report.verdicts(targets.of_callers(found))}\n\n{tables}"


def store_part(results: dict[str, Any]) -> str:
    """What `make bench-store` measured."""
    facts = "\n".join(f"- {name}: {value}" for name, value in results["machine"].items())
    ingest, query = results["store"]["ingest"], results["store"]["query"]
    taken = [
        [name, f"{rate:,.0f}", store.found(r"\((\d+) bytes", ingest[name])]
        for name, rate in store.rates(ingest).items()
    ]
    searches = [
        [f"{name}", f"{median:,.1f}", f"{worst:,.1f}", f"{hits}"]
        for name, (median, worst, hits) in store.pages(query).items()
    ]
    filled = store.found(r"^(\d+ records .*)$", query)
    return "\n\n".join(
        [
            f"{facts}\n- taken: {results['taken']}",
            report.verdicts(targets.of_store(results)),
            "Sixteen workers that send batches of a hundred records; each is on the disk before the answer:",
            report.table(["database", "records a second", "bytes a record"], taken),
            f"First pages of fifty exchanges, in SQLite, of {filled}:",
            report.table(["search", "median ms", "worst ms", "hits"], searches),
        ]
    )


def memory_table(found: dict[str, Any]) -> str:
    quick = " **A quick run: these figures say little.**" if found.get("quick") else ""
    goals = report.verdicts(targets.of_memory(found))
    return f"Taken: {found['taken']}.{quick}\n\n{goals}\n\n{memory.table(found)}"


def adversarial_table(results: dict[str, Any]) -> str:
    texts, answers = (read(results["masker"]["V8"]) for read in (masker.texts, masker.answers))
    lines = []
    for name in [*texts, *(name for name in answers if name not in texts)]:
        text, answer = texts.get(name, {}), answers.get(name, {})
        cells = [(text, "scan", 0), (text, "delta", 0), (answer, "document", 0), (answer, "micros", 2)]
        lines.append([f"`{name}`", *(f"{row[key]:,.{digits}f}" if key in row else "" for row, key, digits in cells)])
    head = ["text", "MB/s", "ns a 4-byte delta", "MB/s in a JSON document", "µs an event"]
    return report.table(head, lines)


def written(results: dict[str, Any]) -> dict[str, str]:
    """The parts that `make bench` measures, by name."""
    parts = {
        "facts": facts(results),
        "targets": report.targets(results),
        "requests": report.requests(results),
        "streams": report.streams(results),
        "startup": report.startup(results),
        "policies": policy_part(results),
        **({"callers": callers_part(results)} if "callers" in results else {}),
        "others": report.others(results),
        "texts": adversarial_table(results),
    }
    # The page has headings of its own.
    return {name: text.partition("\n\n")[2] if text.startswith("#") else text for name, text in parts.items()}


def fill(page: str, parts: dict[str, str]) -> str:
    for name, text in parts.items():
        begin = f"<!-- measured: {name} -->\n"
        before, found, rest = page.partition(begin)
        _, end, after = rest.partition("<!-- end -->")
        if not found or not end:
            raise ValueError(f"docs/numbers.md has no part {name}")
        page = f"{before}{begin}{text.strip()}\n{end}{after}"
    return page


def main() -> int:
    runs = {name: OUT / f"{name}.json" for name in ("results", "memory", "policies", "callers", "store")}
    results, found, *_ = every = [json.loads(path.read_text()) if path.exists() else None for path in runs.values()]
    if not any(every):
        print("page: nothing was measured: run make bench, or one of its parts", file=sys.stderr)
        return 1
    if results and "V8" not in results["masker"]:
        print("page: the masker was not measured in V8: make bench needs Node", file=sys.stderr)
        return 1
    parts, plots = {}, {}
    if results:
        parts |= written(results)
        plots |= {"masking": masking(results), "adversarial": adversarial(results), "streams": streams(results)}
    for name, write in {"policies": policy_part, "callers": callers_part}.items():
        if runs[name].exists() and (not results or runs[name].stat().st_mtime > runs["results"].stat().st_mtime):
            parts[name] = write(json.loads(runs[name].read_text()))
    if runs["store"].exists():
        parts["store"] = store_part(json.loads(runs["store"].read_text()))
    if found:
        parts["memory"], plots["memory"] = memory_table(found), memory_plot(found)
    PLOTS.mkdir(exist_ok=True)
    for name, plot in plots.items():
        (PLOTS / f"{name}.svg").write_text(plot)
    PAGE.write_text(fill(PAGE.read_text(), parts))
    print(f"page: wrote {len(parts)} parts of {PAGE.relative_to(process.ROOT)} and {len(plots)} plots")
    return 0


if __name__ == "__main__":
    sys.exit(main())
