// People log in at a real OpenID provider, in a real Chromium.

import assert from "node:assert/strict";
import { createServer } from "node:net";
import { after, before, test } from "node:test";
import { openPage, startBrowser } from "./support/browser.mjs";
import { startCollector } from "./support/collector.mjs";
import { startProvider } from "./support/provider.mjs";
import { tell } from "./support/story.mjs";

const WRITER = "the-writer-of-this-test-0123456789";
const GROUPS = { ada: ["auditors"], olga: ["approvers", "dba"], nemo: ["others"] };

let collector, provider, browser;

async function freePort() {
  const server = createServer().listen(0, "127.0.0.1");
  await new Promise((resolve) => server.once("listening", resolve));
  const { port } = server.address();
  await new Promise((resolve) => server.close(resolve));
  return port;
}

before(async () => {
  const listen = `127.0.0.1:${await freePort()}`;
  const url = `http://${listen}`;
  provider = await startProvider([`${url}/login/callback`], GROUPS, await freePort());
  const issuer = `${provider.issuer},audience=console,client_id=console,groups_claim=groups,auditor=auditors,approver=approvers`;
  collector = await startCollector(["--issuer", issuer, "--public-url", url], { PORTCULLIS_COLLECTOR_WRITER_TOKEN: WRITER }, listen);
  await tell(collector.as(WRITER));
  browser = await startBrowser();
});
after(async () => {
  await browser?.stop();
  await collector?.stop();
  await provider?.stop();
});

/** Somebody at a browser of their own, who asks nobody but the collector and the provider. */
async function visitor(work) {
  await browser.context.clearCookies();
  const page = await openPage(browser.context, collector.url);
  try {
    await work(page);
    const elsewhere = page.wrong.filter((wrong) => !wrong.startsWith(`asked elsewhere: ${provider.issuer}/`));
    // The provider's own page for tests wants a font of others.
    assert.deepEqual(elsewhere.filter((wrong) => !wrong.includes("fonts.g")), []);
  } finally {
    await page.close();
  }
}

/** The one issuer that there is is gone to without a question. */
async function logIn(page, name) {
  await page.locator("input[name=login]").fill(name);
  await page.locator("input[name=password]").fill("any");
  await page.locator("button[type=submit]").click();
  // Consent.
  await page.locator("button[type=submit]").click();
}

test("an auditor logs in at the provider, comes back to where they were, and reads", async () => {
  await visitor(async (page) => {
    await page.goto(`${collector.url}/#/exchanges?subject=alice`);
    await logIn(page, "ada");
    await page.waitForURL(`${collector.url}/#/exchanges?subject=alice`);
    await page.locator("tbody tr").first().waitFor();
    await page.getByText("ada", { exact: true }).waitFor();
    const me = await page.evaluate(async () => (await fetch("/api/me")).json());
    assert.deepEqual([me.id, me.roles, me.groups], [`${provider.issuer}#ada`, ["auditor"], ["auditors"]]);
    assert.equal(await page.evaluate(() => document.cookie), "", "no script reads the session");
    await page.getByRole("button", { name: "Log out" }).click();
    await page.getByText("You are logged out.").waitFor();
    const asked = await page.context().request.get(`${collector.url}/api/exchanges`);
    assert.equal(asked.status(), 401);
  });
});

test("an approver who logs in decides under their own name, and reads no records", async () => {
  const rules = [{ rule: "db-tools", message: "A second pair of eyes.", approvers: ["dba"], quorum: 1 }];
  const { id } = await collector.as(WRITER).open({ rules });
  await visitor(async (page) => {
    await page.goto(`${collector.url}/#/approvals/${id}`);
    await logIn(page, "olga");
    await page.waitForURL(`${collector.url}/#/approvals/${id}`);
    await page.getByLabel("Reason").fill("looks fine");
    await page.getByRole("button", { name: "Approve", exact: true }).click();
    await page.getByText("looks fine").waitFor();
    const said = await page.evaluate(async (id) => (await fetch(`/api/approvals/${id}`)).json(), id);
    assert.equal(said.state, "approved");
    assert.equal(await page.evaluate(async () => (await fetch("/api/exchanges")).status), 403);
  });
});

test("who has no role is told so, and who they are", async () => {
  await visitor(async (page) => {
    await page.goto(`${collector.url}/#/exchanges`);
    await logIn(page, "nemo");
    await page.waitForURL(new RegExp(`^${collector.url}/`));
    const text = await page.locator("body").innerText();
    assert.match(text, /nemo/);
    assert.match(text, /auditor|role/);
  });
});
