// Records as a worker of the filter sends them: canonical bodies, chained. What they may hold is docs/audit-record.md's
// table, which a test compares them with; that they chain, the collector itself judges.

import { createHash } from "node:crypto";

/** Canonical JSON (RFC 8785), as far as these records need it. */
function canonical(value) {
  if (Array.isArray(value)) return `[${value.map(canonical).join(",")}]`;
  if (typeof value !== "object" || value === null) return JSON.stringify(value);
  const members = Object.keys(value).sort().map((name) => `${JSON.stringify(name)}:${canonical(value[name])}`);
  return `{${members.join(",")}}`;
}

const rfc3339 = (ms) => new Date(ms).toISOString().replace("Z", "000000Z");
const hash = (body) => createHash("sha256").update(body).digest("hex");

export class Worker {
  seq = 0;
  waiting = [];
  /** Names of all members that were written. */
  static names = new Set();

  constructor(chain) {
    this.chain = chain.repeat(32).slice(0, 32);
  }

  record(event, ms, members) {
    this.seq += 1;
    const body = {
      ...members,
      "event.name": event,
      time: rfc3339(ms),
      "portcullis.chain.id": this.chain,
      "portcullis.chain.seq": this.seq,
      "portcullis.record": `${this.chain}-${this.seq}`,
      ...(this.head ? { "portcullis.chain.previous": this.head } : {}),
    };
    Object.keys(body).forEach((name) => Worker.names.add(name));
    const written = canonical(body);
    this.head = hash(written);
    this.waiting.push({ body: written, hash: this.head });
    return body;
  }

  /** A whole exchange. `at`: when its end was written; all else in seconds. */
  exchange({ id, at, duration = 1.2, firstByte = 0.2, judged = 0.01, parts = [], facts = {}, answered = {}, prompt, response, end = true }) {
    const zero = at - duration * 1000;
    const known = {
      "portcullis.exchange": id,
      "user.id": "https://idp.example.com#alice",
      "portcullis.identity.subject": "alice",
      "portcullis.identity.issuer": "https://idp.example.com",
      "portcullis.identity.groups": ["engineering", "rag-users"],
      "client.address": "10.1.2.3",
      "portcullis.connection": "chat",
      "portcullis.policy": "rag-chat",
      "portcullis.mode": "enforce",
      "portcullis.protocol": "openai",
      "http.request.method": "POST",
      "url.path": "/v1/chat/completions",
      "server.address": "llm.example.com",
      "http.request.body.size": 812,
      "portcullis.llm.operation": "chat",
      "gen_ai.request.model": "gpt-4o-mini",
      "gen_ai.request.stream": true,
      "portcullis.llm.messages": 2,
      "portcullis.llm.prompt_chars": 431,
      "portcullis.decision": "allow",
      "portcullis.revision": "3f2a9c1b7d5e4f60718293a4b5c6d7e8f9012345",
      "portcullis.digest": "sha256:9f86d081884c7d659a2feaa0c55ad015a3bf4f1b2b0b822cd15d6c15b0f00a08",
      "portcullis.version": "0.1.0",
      ...facts,
    };
    const of = (side, texts) => (texts ? { "portcullis.capture": "masked", [`portcullis.${side}.texts`]: texts } : {});
    this.record("portcullis.exchange.start", zero + judged * 1000, { ...known, ...of("prompt", prompt) });
    parts.forEach(({ after, texts }, n) => {
      const part = { "portcullis.exchange": id, "portcullis.part": n + 1, ...of("response", texts) };
      this.record("portcullis.exchange.part", zero + after * 1000, part);
    });
    if (!end) return;
    const refused = known["portcullis.decision"] !== "allow";
    const came = refused
      ? { "portcullis.outcome": "refused", "http.response.status_code": 403 }
      : {
          "portcullis.outcome": "complete",
          "http.response.status_code": 200,
          "portcullis.upstream_status": 200,
          "http.response.body.size": 4096,
          "gen_ai.response.model": `${known["gen_ai.request.model"]}-2024-07-18`,
          "gen_ai.response.finish_reasons": ["stop"],
          "gen_ai.usage.input_tokens": 118,
          "gen_ai.usage.output_tokens": 64,
          "portcullis.budget.used": { "user-tokens": 182 },
          "portcullis.budget.settled_by": "usage",
          "portcullis.first_byte": firstByte,
          ...(parts.length > 0 ? { "portcullis.parts": parts.length } : {}),
        };
    this.record("portcullis.exchange.end", at, { ...known, ...came, "portcullis.duration": duration, ...answered, ...of("response", response) });
  }

  /** What waits, as one batch. */
  batch() {
    const logRecords = this.waiting.splice(0).map(({ body, hash }) => ({
      body: { stringValue: body },
      attributes: [{ key: "portcullis.chain.hash", value: { stringValue: hash } }],
    }));
    return { resourceLogs: [{ scopeLogs: [{ logRecords }] }] };
  }

  /** All of it, in batches that the collector takes. */
  async send(collector) {
    while (this.waiting.length > 0) {
      const later = this.waiting.splice(500);
      await collector.post(this.batch());
      this.waiting = later;
    }
  }
}
