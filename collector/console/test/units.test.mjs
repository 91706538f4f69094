// What needs no page: how records are read.

import assert from "node:assert/strict";
import { createHash } from "node:crypto";
import { readFile } from "node:fs/promises";
import { after, before, test } from "node:test";
import { createServer } from "vite";

let vite;
const load = (path) => vite.ssrLoadModule(path);

before(async () => {
  vite = await createServer({
    root: new URL("..", import.meta.url).pathname,
    server: { middlewareMode: true, ws: false, watch: null },
    appType: "custom",
    logLevel: "error",
    optimizeDeps: { noDiscovery: true },
  });
});
after(() => vite.close());

/** The examples of the docs, which the filter's own recorder wrote. */
async function examples() {
  const docs = await readFile(new URL("../../../docs/audit-record.md", import.meta.url), "utf8");
  const block = /<!-- generated: examples -->\n```json\n([^]*?)\n```/.exec(docs)[1];
  return block.split("\n");
}

test("bodies come out of an answer to the byte, whatever stands in them", async () => {
  const { bodies } = await load("/src/record/raw.ts");
  const raws = ['{"a":"}{][\\"\\\\","10":1,"9":[{"x":{}},[]]}', "{}", `{"b":"é\\u0000</script>"}`];
  const answer = `{"portcullis.exchange":"x\\"[{","records":[${raws.join(",")}]}`;
  assert.deepEqual(bodies(answer), raws);
  assert.deepEqual(bodies('{"portcullis.exchange":"x","records":[]}'), []);
  // An answer that broke off gives what is whole.
  assert.deepEqual(bodies(answer.slice(0, answer.lastIndexOf("{}") + 1)), raws.slice(0, 1));
});

test("the hash is the one that binds records", async () => {
  const { hash } = await load("/src/record/hash.ts");
  const [start] = await examples();
  assert.equal(await hash(start), createHash("sha256").update(start).digest("hex"));
});

test("an exchange is told in the order of its chain, and whoever else claims it is shown apart", async () => {
  const { exchanges } = await load("/src/record/exchange.ts");
  const [start, part, end] = await examples();
  const forged = end.replaceAll("5f0e8a1142c94d7b903a1cee2766b4d8", "0".repeat(32));
  const [own, other] = exchanges("018f3c1e6b7a4d21", [end, start, part, forged, start.replace("alice", "bob")]);
  assert.deepEqual(own.records.map((record) => record.seq), [1, 1, 2, 3]);
  assert.deepEqual(own.conflicts, [1]);
  assert.equal(other.records.length, 1);
});

test("a timeline holds the moments that are recorded, and no other", async () => {
  const { exchanges } = await load("/src/record/exchange.ts");
  const { answerAt, timeline } = await load("/src/record/timeline.ts");
  const [start, part, end] = await examples();
  const line = timeline(exchanges("x", [start, part, end])[0]);
  assert.deepEqual(line.moments.map((moment) => moment.name), ["request", "first byte", "judged", "part 1", "end"]);
  const at = Object.fromEntries(line.moments.map((moment) => [moment.name, moment.at]));
  assert.equal(at["first byte"], 0.18025);
  assert.equal(at["end"], 1.2045);
  assert.ok(Math.abs(at["part 1"] - 0.7045) < 1e-5);
  const said = (time, even) => answerAt(line.pieces, time, even).map((text) => text.text).join("|");
  assert.equal(said(0.1, true), "");
  assert.equal(said(0.5, false), "");
  assert.ok("She is in the handbook: ".startsWith(said(0.5, true)) && said(0.5, true).length > 5);
  assert.equal(said(0.71, false), "She is in the handbook: ");
  assert.equal(said(1.2045, false), "She is in the handbook: ask <EMAIL_ADDRESS>.");
  // Without an end nobody knows when it began or ended.
  const open = timeline(exchanges("x", [start, part])[0]);
  assert.deepEqual(open.moments.map((moment) => moment.name), ["judged", "part 1"]);
  assert.equal(open.unknown.length, 3);
});

test("a forged record breaks nothing", async () => {
  const { exchanges } = await load("/src/record/exchange.ts");
  const { answerAt, prompt, timeline } = await load("/src/record/timeline.ts");
  const strange = [null, [], "x", 1, { "portcullis.response.texts": [null, 1, { of: "x", text: 5 }, { text: "y" }] },
    { "event.name": "portcullis.exchange.end", time: "yesterday", "portcullis.duration": -5, "portcullis.first_byte": "soon",
      "portcullis.prompt.texts": { of: 1 }, "portcullis.response.texts": [{ of: 1, text: "z" }] }];
  const [exchange] = exchanges("x", strange.map((one) => JSON.stringify(one)));
  const line = timeline(exchange);
  assert.ok(line.length >= 0);
  assert.deepEqual(prompt(exchange), []);
  assert.equal(answerAt(line.pieces, Infinity, true).map((text) => text.text).join(""), "yz");
});

test("masks are marked where the record counts them, and told apart where it does not", async () => {
  const { spans, whole } = await load("/src/record/marks.ts");
  assert.deepEqual(spans("a <EMAIL_ADDRESS><b> <CODE>", new Set(["EMAIL_ADDRESS"])), [
    { text: "a " },
    { text: "<EMAIL_ADDRESS>", entity: "EMAIL_ADDRESS", counted: true },
    { text: "<b> " },
    { text: "<CODE>", entity: "CODE", counted: false },
  ]);
  assert.equal(whole("see <EMAIL_ADD"), "see ");
  assert.equal(whole("1 < 2"), "1 < 2");
});

test("nothing in a text hides, or moves what stands around it", async () => {
  const { visible, visibleName } = await load("/src/record/visible.ts");
  assert.equal(visible("a\u202Eb\u0000\u200B\u{E0041}\n"), "a\\u{202e}b\\u{0}\\u{200b}\\u{e0041}\n");
  assert.equal(visibleName("a\nb"), "a\\nb");
  assert.equal(visible("naïve 日本語 👩‍👩‍👧 שלום"), "naïve 日本語 👩‍👩‍👧 שלום");
});
