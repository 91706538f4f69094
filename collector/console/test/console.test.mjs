// The page in a real Chromium, on the real collector, with records that were really sent to it.

import assert from "node:assert/strict";
import { mkdir, readFile } from "node:fs/promises";
import { createRequire } from "node:module";
import { after, before, beforeEach, afterEach, test } from "node:test";
import { openPage, startBrowser } from "./support/browser.mjs";
import { startCollector } from "./support/collector.mjs";
import { CONDITION, HOSTILE, REPLAYED, SCRIPT, tell } from "./support/story.mjs";
import { Worker } from "./support/worker.mjs";

const AXE = await readFile(createRequire(import.meta.url).resolve("axe-core/axe.min.js"), "utf8");
const SHOTS = new URL("../../../target/console/", import.meta.url).pathname;

let collector, browser, worker, page;

before(async () => {
  await mkdir(SHOTS, { recursive: true });
  collector = await startCollector(["--gap-seconds", "0"]);
  worker = await tell(collector);
  browser = await startBrowser();
});
after(async () => {
  await browser?.stop();
  await collector?.stop();
});
beforeEach(async () => {
  page = await openPage(browser.context, collector.url);
});
afterEach(async () => {
  assert.deepEqual(page.wrong, []);
  await page.close();
});

const at = (hash) => page.goto(`${collector.url}/${hash}`);
const rows = () => page.locator("tbody tr");
const ids = async () => (await page.locator("a.open").evaluateAll((links) => links.map((link) => link.hash)));
/** Waits until something holds. */
async function eventually(look, holds) {
  const until = Date.now() + 10_000;
  for (;;) {
    const seen = await look();
    if (holds(seen)) return seen;
    assert.ok(Date.now() < until, `it did not come to hold: ${JSON.stringify(seen)}`);
    await new Promise((resolve) => setTimeout(resolve, 50));
  }
}
const count = (n) => eventually(() => rows().count(), (seen) => seen === n);

test("the newest exchanges come first, fifty at a time, and each comes once", async () => {
  await at("#/exchanges");
  await count(50);
  assert.match((await ids())[0], new RegExp(HOSTILE));
  const seen = await ids();
  while (await page.getByRole("link", { name: "Older" }).count()) {
    const before = page.url();
    await page.getByRole("link", { name: "Older" }).click();
    await eventually(() => page.url(), (url) => url !== before);
    const last = seen.at(-1);
    await eventually(ids, (now) => now.length > 0 && !seen.includes(now[0]) && now.at(-1) !== last);
    seen.push(...(await ids()));
  }
  const all = (await collector.json("/api/exchanges?limit=1000")).exchanges;
  assert.equal(seen.length, all.length);
  assert.equal(new Set(seen).size, all.length);
  await page.getByRole("link", { name: "Newest" }).click();
  await eventually(async () => (await ids())[0], (first) => first === seen[0]);
});

test("the list filters as one types, and the address holds the filter", async () => {
  await at("#/exchanges");
  await count(50);
  await page.getByLabel("Subject").pressSequentially("alice");
  await page.getByLabel("Decision", { exact: true }).selectOption("deny");
  const asked = await collector.json("/api/exchanges?subject=alice&decision=deny&limit=1000");
  await count(asked.exchanges.length);
  assert.equal(new URL(page.url()).hash, "#/exchanges?subject=alice&decision=deny");
  await page.reload();
  await count(asked.exchanges.length);
  assert.equal(await page.getByLabel("Subject").inputValue(), "alice");
  // One step back is the page before, not the letter before.
  await page.goBack();
  assert.equal(new URL(page.url()).hash, "");
  await at("#/exchanges?rule=nobody");
  await page.getByText("No exchange fits.").waitFor();
});

test("words of prompts and answers are found, and values are offered", async () => {
  await at("#/exchanges");
  await page.getByLabel("Words of prompt or answer").fill("refund banking");
  await count(1);
  await at("#/exchanges?rule=c");
  await page.getByLabel("Rule or budget").focus();
  await eventually(() => page.locator("#values-rule option").evaluateAll((all) => all.map((one) => one.value)), (seen) => seen.join() === "cards");
});

test("several values of one name stay, and can be taken away", async () => {
  await at("#/exchanges?entity=PERSON&entity=PHONE_NUMBER&since=2026-01-01T00:00:00Z");
  const also = page.getByRole("button", { name: "and entity PHONE_NUMBER : remove" });
  await also.click();
  await eventually(() => new URL(page.url()).hash, (hash) => hash === "#/exchanges?since=2026-01-01T00%3A00%3A00Z&entity=PERSON");
  assert.ok(await page.getByLabel("Since").isVisible());
});

test("what cannot be asked is told in the collector's words", async () => {
  await at("#/exchanges?since=yesterday");
  await page.getByRole("alert").getByText("since cannot be read").waitFor();
});

test("new exchanges come by themselves, and move nothing that somebody reads", async () => {
  await at("#/exchanges");
  await page.getByText("Following live.").waitFor();
  await count(50);
  worker.exchange({ id: "live-1", at: Date.now() });
  await worker.send(collector);
  await eventually(async () => (await ids())[0], (first) => first.includes("live-1"));
  await page.locator("a.open").nth(3).focus();
  const before = await ids();
  worker.exchange({ id: "live-2", at: Date.now() });
  await worker.send(collector);
  await page.getByRole("button", { name: "1 newer" }).waitFor();
  assert.deepEqual(await ids(), before);
  await page.getByRole("button", { name: "1 newer" }).click();
  assert.match((await ids())[0], /live-2/);
  // A filter holds for what comes, too.
  await at("#/exchanges?subject=zoe");
  await page.getByText("No exchange fits.").waitFor();
  worker.exchange({ id: "live-3", at: Date.now(), facts: { "portcullis.identity.subject": "zoe" } });
  worker.exchange({ id: "live-4", at: Date.now() });
  await worker.send(collector);
  await count(1);
  await page.getByRole("button", { name: "Follow" }).click();
  await page.getByText("Not following.").waitFor();
});

test("an exchange is told as it happened", async () => {
  await at(`#/exchanges/${REPLAYED}`);
  await page.getByRole("heading", { level: 1 }).getByText("alice").waitFor();
  const text = await page.locator("main").innerText();
  for (const said of ["customer <EMAIL_ADDRESS> says that the refund", "The call was let through.", "injection", "3f2a9c1b7d5e4f60718293a4b5c6d7e8f9012345",
    "ask <PERSON> of the payments team", "CREDIT_CARD × 1", "367 used of 630 set aside", "131 of at most 512", "their roles are not recorded",
    CONDITION, "spiffe://cluster.local/ns/apps/sa/assistant"]) {
    assert.ok(text.replaceAll("\u202f", " ").includes(said), `${said} is not in:\n${text}`);
  }
  assert.deepEqual(await page.locator(".shown mark").allInnerTexts(), ["<CREDIT_CARD>", "<EMAIL_ADDRESS>", "<PERSON>"]);
});

test("the replay shows what was there by a time, and says what is not recorded", async () => {
  await at(`#/exchanges/${REPLAYED}`);
  const shown = page.locator(".shown");
  const whole = await shown.innerText();
  await page.getByText("How the text came between them is not").waitFor();
  await page.getByRole("button", { name: /^first byte/ }).click();
  assert.equal(await shown.innerText(), "");
  await page.getByRole("button", { name: /^part 1/ }).click();
  assert.ok((await shown.innerText()).trimEnd().endsWith("Tell the customer:"));
  // Without guesses a piece is there once its record says so.
  await page.getByLabel("spread it evenly").uncheck();
  await page.getByLabel("Time of the replay").fill("1.5");
  assert.equal(await shown.innerText(), "");
  await page.getByLabel("spread it evenly").check();
  const lengths = [];
  await page.getByRole("button", { name: /^first byte/ }).click();
  await page.getByLabel("Speed").selectOption("4×");
  const height = (await page.locator(".texts.playing, .texts").last().boundingBox()).height;
  await page.getByRole("button", { name: "Go on" }).click();
  await eventually(async () => lengths.push((await shown.innerText()).length) && page.getByRole("button", { name: "Play" }).count(), (over) => over === 1);
  assert.deepEqual(lengths, [...lengths].sort((one, other) => one - other));
  assert.ok(new Set(lengths).size > 3, `${lengths}`);
  assert.equal(await shown.innerText(), whole);
  assert.equal((await page.locator(".texts").last().boundingBox()).height, height);
});

test("records stand there to the byte, and are checked against each other", async () => {
  await at(`#/exchanges/${REPLAYED}`);
  await page.getByText("follows the record before").first().waitFor();
  assert.equal(await page.getByText("follows the record before").count(), 3);
  await page.locator(".records summary").last().click();
  const raw = await page.locator(".records pre").last().textContent();
  assert.ok((await (await fetch(`${collector.url}/api/exchanges/${REPLAYED}`)).text()).includes(raw));
  // A record of an exchange that was changed after it was chained.
  const tampered = new Worker("7");
  tampered.exchange({ id: "tampered", at: Date.now() - 200_000, prompt: [{ of: 1, text: "x" }] });
  tampered.waiting[0].body = tampered.waiting[0].body.replace('"alice"', '"bob"');
  await tampered.send(collector);
  await at("#/exchanges/tampered");
  await page.getByText("does not follow the record before: one of the two was changed").waitFor();
});

test("whoever claims an exchange in another chain is shown apart", async () => {
  const forger = new Worker("6");
  forger.exchange({ id: REPLAYED, at: Date.now() - 80_000, facts: { "portcullis.identity.subject": "eve" } });
  await forger.send(collector);
  await at(`#/exchanges/${REPLAYED}`);
  await page.getByRole("alert").getByText("2 chains have records of this exchange.").waitFor();
  await page.getByRole("link", { name: "6666666666", exact: true }).click();
  await page.getByRole("heading", { level: 1 }).getByText("eve").waitFor();
});

test("an exchange that goes on is completed when its end comes", async () => {
  worker.exchange({ id: "goes-on", at: Date.now(), end: false, prompt: [{ of: 1, text: "Still there?" }] });
  await worker.send(collector);
  await at("#/exchanges/goes-on");
  await page.getByText("There is no end record yet").waitFor();
  worker.record("portcullis.exchange.end", Date.now(), { "portcullis.exchange": "goes-on", "portcullis.decision": "allow", "portcullis.outcome": "client_gone",
    "portcullis.capture": "masked", "portcullis.response.texts": [{ of: 1, text: "Ye" }], "portcullis.response.cut": "unfinished", "portcullis.duration": 2, "portcullis.first_byte": 1 });
  await worker.send(collector);
  await page.getByText("client gone").waitFor();
  await page.getByText("It ends early: its end did not come.").waitFor();
});

test("what was not captured, or is sealed, is said to be so", async () => {
  worker.exchange({ id: "uncaptured", at: Date.now() - 150_000 });
  worker.exchange({ id: "sealed", at: Date.now() - 150_000, facts: { "portcullis.capture": "full", "portcullis.prompt.sealed": "YWdl" } });
  await worker.send(collector);
  await at("#/exchanges/uncaptured");
  await page.getByText("Not captured").first().waitFor();
  await at("#/exchanges/sealed");
  await page.getByText("It is sealed to the auditors' keys").first().waitFor();
  await at("#/exchanges/not-there");
  await page.getByRole("alert").getByText("there is no record of such an exchange").waitFor();
});

test("nothing that a caller or a model says is run", async () => {
  for (const hash of ["#/exchanges", `#/exchanges/${HOSTILE}`, "#/overview", `#/exchanges?subject=${encodeURIComponent(SCRIPT)}`, `#/exchanges/${encodeURIComponent(SCRIPT)}`, `#/${encodeURIComponent(SCRIPT)}`]) {
    await at(hash);
    await page.waitForLoadState("networkidle", { timeout: 3000 }).catch(() => {});
    assert.equal(await page.locator("main script, main img, main iframe").count(), 0, hash);
    assert.match(await page.title(), /Portcullis$/, hash);
  }
  await at(`#/exchanges/${HOSTILE}`);
  await page.getByText(`Sure: ${SCRIPT}`).last().waitFor();
  // What would turn the text around is shown instead.
  await page.getByText("\\u{202e}evil\\u{202c}").waitFor();
  assert.deepEqual(await page.locator("mark.uncounted").allInnerTexts(), ["<NOT_COUNTED>"]);
});

test("the policy of the page forbids what the page does not need", async () => {
  await at("#/overview");
  const refused = await page.evaluate(async () => {
    const seen = new Set();
    addEventListener("securitypolicyviolation", (event) => seen.add(event.effectiveDirective));
    const script = document.createElement("script");
    const image = document.createElement("img");
    const tries = [
      () => (document.querySelector("main").innerHTML = "<b>markup</b>"),
      () => (script.textContent = "window.ran = true"),
      () => document.body.append(script),
      () => document.body.setAttribute("style", "color: red"),
      () => document.body.append(Object.assign(image, { src: "http://127.0.0.2:1/x.png" })),
      () => fetch("http://127.0.0.2:1/").catch(() => {}),
    ];
    for (const one of tries) {
      try {
        await one();
      } catch {
        // What the policy forbids.
      }
    }
    await new Promise((resolve) => setTimeout(resolve, 200));
    return { ran: "ran" in window, markup: document.querySelectorAll("main b").length, seen: [...seen].sort() };
  });
  assert.deepEqual(refused, { ran: false, markup: 0, seen: ["connect-src", "img-src", "require-trusted-types-for", "style-src-attr"] });
  page.wrong.splice(0);
});

test("the overview counts what the collector counts, and every number leads to its exchanges", async () => {
  await at("#/overview");
  const refused = page.locator(".sums a", { hasText: "refused" });
  const n = Number(await refused.locator("strong").innerText().then(async () => eventually(() => refused.locator("strong").innerText(), (text) => /^\d+$/.test(text))));
  assert.ok(n > 10);
  await page.getByRole("link", { name: /^injection/ }).click();
  await eventually(() => new URL(page.url()).hash, (hash) => hash.startsWith("#/exchanges?rule=injection&since="));
  await page.goBack();
  await refused.click();
  await eventually(() => rows().count(), (seen) => seen === Math.min(n, 50));
  await page.goBack();
  // A bar of the chart, by the keyboard.
  await page.locator("figure svg a[tabindex='0']").focus();
  await page.keyboard.press("ArrowLeft");
  await page.keyboard.press("Home");
  await page.keyboard.press("ArrowRight");
  await page.keyboard.press("Enter");
  await eventually(() => new URL(page.url()).hash, (hash) => /^#\/exchanges\?since=.+&until=.+/.test(hash));
});

test("a record that is missing shows in the overview, and so does its coming", async () => {
  const lossy = new Worker("9");
  lossy.exchange({ id: "lossy", at: Date.now() - 120_000 });
  lossy.exchange({ id: "lossy-2", at: Date.now() - 120_000 });
  const late = lossy.waiting.splice(1, 1);
  await lossy.send(collector);
  await eventually(() => collector.json("/api/overview"), (told) => told.missing.some((gap) => gap.alarmed));
  await page.reload();
  await page.locator(".health", { hasText: "Records are missing" }).waitFor();
  lossy.waiting = late;
  await lossy.send(collector);
  await page.reload();
  await page.getByText("missing records came after all").waitFor();
});

test("a call that waits is seen at once, and approved with a reason", async () => {
  await at("#/approvals");
  await page.getByText("Nobody waits.").waitFor();
  const { id } = await collector.open();
  const call = page.getByRole("link", { name: "alice chat gpt-4o" });
  await call.waitFor();
  await page.getByText(/^expires in 1[45]:\d\d$/).waitFor();
  await page.getByText("Tools that reach a database need a second pair of eyes.").waitFor();
  await call.click();
  await page.getByText("Drop the index orders_by_day in staging and tell <EMAIL_ADDRESS>").waitFor();
  await page.getByText("/metadata/request_time").waitFor();
  const before = await page.getByText(/^expires in/).innerText();
  await eventually(() => page.getByText(/^expires in/).innerText(), (now) => now !== before);
  assert.ok(await page.getByRole("button", { name: "Deny" }).isDisabled());
  await page.getByLabel(/^Reason/).fill("Looked at with the database team.");
  await page.getByRole("button", { name: "Approve" }).click();
  await page.getByText("Approved: the call may be repeated once").waitFor();
  await page.getByText("Looked at with the database team.").waitFor();
  assert.equal((await collector.json(`/api/approvals/${id}`)).state, "approved");
});

test("a denial needs a reason, and the caller reads it", async () => {
  const { id } = await collector.open();
  await at(`#/approvals/${id}`);
  await page.getByLabel(/^Reason/).fill("  ");
  assert.ok(await page.getByRole("button", { name: "Deny" }).isDisabled());
  await page.getByLabel(/^Reason/).fill(`Not in the freeze ${SCRIPT}`);
  await page.getByRole("button", { name: "Deny" }).click();
  await page.getByRole("status").getByText("Denied").waitFor();
  const told = await collector.json(`/v1/approvals/${id}`);
  assert.deepEqual([told.state, told.reason], ["denied", `Not in the freeze ${SCRIPT}`]);
  assert.equal(await page.locator("main script, main img").count(), 0);
});

test("who may not decide is told why, and the glass can be broken", async () => {
  const { id } = await collector.open({ rules: [{ rule: "db-tools", message: "", approvers: ["dba"], quorum: 2 }] });
  await at(`#/approvals/${id}`);
  await page.getByText("You cannot approve this: none of the rules asks a group of yours.").waitFor();
  await page.getByText("2 approvals of different people, by dba.").waitFor();
  await page.getByText("Break the glass").first().click();
  await page.getByLabel("Why it cannot wait").fill("The site is down.");
  await page.getByRole("button", { name: "Break the glass" }).click();
  await page.getByText("broke the glass").waitFor();
  assert.equal((await collector.json(`/api/approvals/${id}`)).state, "approved");
});

test("what the collector refuses is shown in its own words", async () => {
  const { id } = await collector.open();
  await at(`#/approvals/${id}`);
  await page.getByLabel(/^Reason/).fill("ü".repeat(900));
  await page.getByRole("button", { name: "Deny" }).click();
  await page.getByRole("alert").getByText("the reason is longer than 1000 bytes").waitFor();
  // Somebody else is faster.
  await page.route("**/deny", async (route) => {
    await collector.json(`/api/approvals/${id}/deny`, { method: "POST", headers: { "content-type": "application/json" }, body: '{"reason":"mine"}' });
    await route.continue();
  });
  await page.getByLabel(/^Reason/).fill("theirs");
  await page.getByRole("button", { name: "Deny" }).click();
  await page.getByRole("status").getByText("Denied").waitFor();
  assert.equal((await collector.json(`/api/approvals/${id}`)).reason, "mine");
  await at("#/approvals/apr_nothing");
  await page.getByRole("alert").getByText("there is no such approval").waitFor();
});

test("an approval whose time is over cannot be decided any more", async () => {
  const { id } = await collector.open({ ttl: 2 });
  await at(`#/approvals/${id}`);
  await page.getByText("Its time is over").waitFor();
  assert.equal(await page.getByRole("button", { name: "Approve" }).count(), 0);
});

test("nothing that a call says is run, or hidden, where it is decided", async () => {
  const { id } = await collector.open({
    caller: { id: `https://i.example#${SCRIPT}`, subject: SCRIPT }, connection: SCRIPT, policy: SCRIPT, flags: [SCRIPT], entities: { [SCRIPT]: 1 },
    request: { model: SCRIPT, [SCRIPT]: SCRIPT }, rules: [1, 2].map((quorum) => ({ rule: SCRIPT, message: SCRIPT, approvers: [], quorum })),
    prompt: { text: `${SCRIPT} drop\u200b the \u202etable`, cut: true }, ignored: { [SCRIPT]: SCRIPT },
  });
  await at("#/approvals");
  await page.getByRole("link", { name: "<script>" }).first().click();
  await page.getByText("drop\\u{200b} the \\u{202e}table").waitFor();
  await page.getByText("That is not all of the prompt").waitFor();
  assert.equal(await page.locator("main script, main img").count(), 0);
  await collector.json(`/api/approvals/${id}/deny`, { method: "POST", headers: { "content-type": "application/json" }, body: '{"reason":"x"}' });
});

test("who is not logged in is led to the login, and back to where they were", async () => {
  const token = "a-token-for-this-test-alone-0123456789";
  const guarded = await startCollector([], { PORTCULLIS_COLLECTOR_BOOTSTRAP_TOKEN: token });
  const visitor = await openPage(browser.context, guarded.url);
  try {
    await visitor.goto(`${guarded.url}/#/exchanges?subject=alice`);
    await visitor.waitForURL(/\/login/);
    await visitor.getByLabel("Bootstrap token").fill(token);
    await visitor.getByRole("button", { name: "Log in" }).click();
    await eventually(() => visitor.url(), (url) => url === `${guarded.url}/#/exchanges?subject=alice`);
    await visitor.getByText("bootstrap").waitFor();
    await visitor.getByText("No exchange fits.").waitFor();
    await visitor.getByText("Following live.").waitFor();
    await visitor.setViewportSize({ width: 360, height: 740 });
    assert.ok(await visitor.evaluate(() => document.documentElement.scrollWidth <= innerWidth));
    await visitor.screenshot({ path: `${SHOTS}logged-in-360.png` });
    await visitor.getByRole("button", { name: "Log out" }).click();
    await visitor.getByText("You are logged out.").waitFor();
    await visitor.goto(`${guarded.url}/#/overview`);
    await visitor.waitForURL(/\/login/);
    assert.deepEqual(visitor.wrong, []);
  } finally {
    await visitor.close();
    await guarded.stop();
  }
});

test("the keyboard is enough", async () => {
  await at("#/overview");
  await page.keyboard.press("Tab");
  await page.keyboard.press("Enter");
  assert.equal(await page.evaluate(() => document.activeElement.tagName), "MAIN");
  await page.getByRole("link", { name: "Exchanges", exact: true }).focus();
  await page.keyboard.press("Enter");
  await count(50);
  assert.equal(await page.evaluate(() => document.activeElement.textContent), "Exchanges");
  await page.locator("a.open").first().focus();
  await page.keyboard.press("ArrowDown");
  const second = (await ids())[1];
  assert.equal(await page.evaluate(() => document.activeElement.hash), second);
  await page.keyboard.press("Enter");
  await eventually(() => new URL(page.url()).hash, (hash) => hash === second);
});

test("a record holds no member that the docs do not know", async () => {
  const docs = await readFile(new URL("../../../docs/audit-record.md", import.meta.url), "utf8");
  const known = new Set([...docs.matchAll(/`([a-z_.]+)`/g)].map((match) => match[1]));
  assert.deepEqual([...Worker.names].filter((name) => !known.has(name)), []);
});

/** What keeps somebody from reading the page. */
async function barriers(page) {
  await page.evaluate(AXE);
  const rules = ["wcag2a", "wcag2aa", "wcag21a", "wcag21aa", "wcag22aa", "best-practice"];
  const { violations } = await page.evaluate((runOnly) => window.axe.run(document, { runOnly }), rules);
  return violations.map((one) => `${one.id}: ${one.nodes.slice(0, 3).map((node) => node.html.slice(0, 160)).join(" | ")}`);
}

for (const colorScheme of ["light", "dark"]) {
  for (const width of [1280, 360]) {
    test(`every page can be read by everybody: ${colorScheme}, ${width} wide`, async () => {
      await page.emulateMedia({ colorScheme });
      await page.setViewportSize({ width, height: 800 });
      const { id } = await collector.open({ rules: [{ rule: "db-tools", message: "Tools that reach a database need a second pair of eyes.", approvers: [], quorum: 2 }, { rule: "production", message: "Production needs its owner.", approvers: ["owners"], quorum: 1 }] });
      const pages = { overview: "#/overview", exchanges: "#/exchanges?decision=deny", exchange: `#/exchanges/${REPLAYED}`, hostile: `#/exchanges/${HOSTILE}`, approvals: "#/approvals", approval: `#/approvals/${id}`, nothing: "#/nothing" };
      for (const [name, hash] of Object.entries(pages)) {
        await page.goto("about:blank");
        await at(hash);
        await page.evaluate(() => {
          window.moved = 0;
          new PerformanceObserver((list) => list.getEntries().forEach((entry) => (window.moved += entry.value))).observe({ type: "layout-shift", buffered: true });
        });
        await page.locator("h1").waitFor();
        await page.waitForTimeout(500);
        // Colours are those of the wide page; what a narrow one hides is the same in the dark.
        if (width === 1280 || colorScheme === "light") assert.deepEqual(await barriers(page), [], name);
        const wide = await page.evaluate(() => document.documentElement.scrollWidth - document.documentElement.clientWidth);
        assert.ok(wide <= 0, `${name} is wider than the screen by ${wide}`);
        assert.ok((await page.evaluate(() => window.moved)) < 0.1, `${name} moves while it comes: ${await page.evaluate(() => window.moved)}`);
        await page.screenshot({ path: `${SHOTS}${name}-${colorScheme}-${width}.png`, fullPage: name !== "exchanges" });
      }
      page.wrong = page.wrong.filter((one) => !one.startsWith("asked elsewhere: about:"));
    });
  }
}
