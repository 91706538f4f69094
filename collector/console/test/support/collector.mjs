// The real collector on a database of its own; killed by its process id.

import { spawn } from "node:child_process";
import { mkdtemp, rm } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { createInterface } from "node:readline";

const BUILT = new URL("../../../../target/debug/portcullis-collector", import.meta.url).pathname;

export async function startCollector(more = []) {
  const folder = await mkdtemp(join(tmpdir(), "portcullis-console-"));
  const database = `sqlite:${join(folder, "audit.db")}`;
  const child = spawn(process.env.COLLECTOR ?? BUILT, ["--listen", "127.0.0.1:0", "--database", database, ...more], {
    stdio: ["ignore", "ignore", "pipe"],
  });
  const said = [];
  const address = await new Promise((resolve, reject) => {
    child.once("error", reject);
    child.once("exit", () => reject(new Error(`the collector did not start: ${said.join("\n")}`)));
    createInterface(child.stderr).on("line", (line) => {
      said.push(line);
      const found = /listening address=(\S+)/.exec(line);
      if (found) resolve(found[1]);
    });
  });
  const url = `http://${address}`;
  return {
    url,
    async post(batch) {
      const response = await fetch(`${url}/v1/logs`, {
        method: "POST",
        headers: { "content-type": "application/json" },
        body: JSON.stringify(batch),
      });
      const answer = await response.text();
      if (response.status !== 200 || answer !== "{}") throw new Error(`${response.status}: ${answer}`);
    },
    async json(path, options) {
      const response = await fetch(url + path, options);
      if (!response.ok) throw new Error(`${path}: ${response.status}: ${await response.text()}`);
      return response.json();
    },
    async stop() {
      const ended = new Promise((resolve) => child.once("exit", resolve));
      child.kill("SIGKILL");
      await ended;
      await rm(folder, { recursive: true, force: true });
    },
  };
}
