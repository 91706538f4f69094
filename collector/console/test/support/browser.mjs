// A real Chromium, of the system's own, with nothing of anybody's in it.

import { mkdtemp, rm } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { chromium } from "playwright-core";

const ARGUMENTS = [
  "--no-sandbox", "--disable-gpu", "--disable-quic", "--no-first-run", "--disable-background-networking",
  "--disable-component-update", "--disable-sync",
];

export async function startBrowser() {
  const folder = await mkdtemp(join(tmpdir(), "portcullis-chromium-"));
  const executablePath = process.env.CHROMIUM ?? "/usr/bin/chromium";
  const context = await chromium.launchPersistentContext(folder, {
    executablePath, args: ARGUMENTS, headless: true, timezoneId: "Europe/Berlin", acceptDownloads: true,
  });
  context.setDefaultTimeout(10_000);
  return {
    context,
    async stop() {
      await context.close();
      await rm(folder, { recursive: true, force: true, maxRetries: 5 });
    },
  };
}

/** A page that fails the test when anything is refused, runs or breaks that should not. */
export async function openPage(context, address) {
  const page = await context.newPage();
  const wrong = [];
  page.on("pageerror", (error) => wrong.push(`error: ${error.message}`));
  page.on("console", (message) => {
    // What a server refused is told by the page itself.
    if (message.type() === "error" && !message.text().startsWith("Failed to load resource")) wrong.push(message.text());
  });
  page.on("dialog", (dialog) => {
    wrong.push(`a dialog: ${dialog.message()}`);
    void dialog.dismiss();
  });
  page.on("request", (request) => {
    if (new URL(request.url()).origin !== new URL(address).origin) wrong.push(`asked elsewhere: ${request.url()}`);
  });
  page.wrong = wrong;
  if (address) await page.goto(address);
  return page;
}
