// The real collector on a database of its own; killed by its process id.

import { spawn } from "node:child_process";
import { mkdtemp, rm } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { createInterface } from "node:readline";

const BUILT = new URL("../../../../target/debug/portcullis-collector", import.meta.url).pathname;

let opened = 0;

/** A call that a rule holds for a human: docs/approvals.md. */
function question() {
  opened += 1;
  return {
    binding: opened.toString(16).padStart(64, "0"),
    exchange: "018f3c1e6b7a4d21",
    caller: { id: "https://idp.example.com#alice", issuer: "https://idp.example.com", subject: "alice", groups: ["engineering", "rag-users"] },
    connection: "chat", policy: "rag-chat", revision: "3f2a9c1b7d5e4f60718293a4b5c6d7e8f9012345", digest: "sha256:60303ae2",
    request: { method: "POST", authority: "llm.example.com", path: "/v1/chat/completions", content_type: "application/json", operation: "chat", model: "gpt-4o", size: 512 },
    rules: [{ rule: "db-tools", message: "Tools that reach a database need a second pair of eyes.", approvers: [], quorum: 1 }],
    prompt: { text: "system: You are the release assistant.\n\nuser: Drop the index orders_by_day in staging and tell <EMAIL_ADDRESS> when it is done.", cut: false },
    entities: { EMAIL_ADDRESS: 1 }, flags: ["injection"], ignored: { "/metadata/request_time": "2026-11-01T00:00:00Z" }, ttl: 900,
  };
}

export async function startCollector(more = [], environment = {}, listen = "127.0.0.1:0") {
  const folder = await mkdtemp(join(tmpdir(), "portcullis-console-"));
  const database = `sqlite:${join(folder, "audit.db")}`;
  const child = spawn(process.env.COLLECTOR ?? BUILT, ["--listen", listen, "--database", database, ...more], {
    stdio: ["ignore", "ignore", "pipe"],
    env: { ...process.env, ...environment },
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
  const spoken = (authorization) => ({
    url,
    /** As whoever has this token. */
    as: (token) => spoken({ authorization: `Bearer ${token}` }),
    async post(batch) {
      const response = await fetch(`${url}/v1/logs`, {
        method: "POST",
        headers: { "content-type": "application/json", ...authorization },
        body: JSON.stringify(batch),
      });
      const answer = await response.text();
      if (response.status !== 200 || answer !== "{}") throw new Error(`${response.status}: ${answer}`);
    },
    /** As the filter opens an approval. */
    async open(more = {}) {
      const asked = { ...question(), ...more };
      const headers = { "content-type": "application/json", ...authorization };
      return this.json("/v1/approvals", { method: "POST", headers, body: JSON.stringify(asked) });
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
  });
  return spoken({});
}
