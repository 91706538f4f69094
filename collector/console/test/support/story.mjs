// A day of a team, so that what the page shows looks like what it is for.

import { Worker } from "./worker.mjs";

const HOUR = 3_600_000;
export const SCRIPT = `<script>document.title="run"</script><img src=x onerror="alert(1)">`;

/** The exchange that is replayed. */
export const REPLAYED = "018f3c1e6b7a4d21";
/** Of the rule that flags it. */
export const CONDITION = 'prompt.text.matches("(?i)ignore previous instructions")';
/** One in which everything that can hold a text holds a script. */
export const HOSTILE = "0badc0de00000001";

const QUESTIONS = [
  ["Which runbook covers a failed certificate rotation?", "See *Gateway certificates*, section 3: rotate the staging issuer first, then the mesh."],
  ["Summarise ticket 4711 for the weekly review.", "The customer could not log in after the migration; <EMAIL_ADDRESS> confirmed the fix on Tuesday."],
  ["Write a query that counts orders by region.", "SELECT region, count(*) FROM orders GROUP BY region ORDER BY 2 DESC;"],
  ["Who is on call for payments this week?", "According to the handbook it is <PERSON>, reachable at <PHONE_NUMBER>."],
];

export const replayed = (now) => ({
  id: REPLAYED,
  at: now - 90_000,
  duration: 4.2,
  firstByte: 0.62,
  judged: 0.018,
  prompt: [
    { of: 1, text: "You answer questions of the support team from the handbook. Never give out card numbers." },
    { of: 2, text: "The customer <EMAIL_ADDRESS> says that the refund for the card ending in 4242 did not arrive. " },
    { of: 2, text: "What do we tell them, and whom do we ask?" },
  ],
  parts: [
    { after: 1.9, texts: [{ of: 1, text: "A refund takes five to seven banking days. It was issued on 14 November to the card <CREDIT_CARD>, so it is still within that time.\n\nTell the customer:\n\n" }] },
    { after: 3.1, texts: [{ of: 1, text: "> Your refund was issued on 14 November and arrives by the 25th. Should it not, write to <EMAIL_ADDRESS> and name the order.\n\nShould they insist, " }] },
  ],
  response: [{ of: 1, text: "ask <PERSON> of the payments team, who can see the acquirer's confirmation. Do not promise an earlier date." }],
  facts: {
    "portcullis.flags": ["injection"],
    "portcullis.conditions": { injection: CONDITION },
    "portcullis.prompt.entities": { EMAIL_ADDRESS: 1 },
    "portcullis.prompt.operators": { pseudonym: 1 },
    "portcullis.budget.reserved": { "user-tokens": 630 },
    "gen_ai.request.max_tokens": 512,
    "portcullis.llm.tools": ["search_handbook", "open_ticket"],
    "portcullis.claims": { level: 3, tenant: "acme" },
    "portcullis.source.principal": "spiffe://cluster.local/ns/apps/sa/assistant",
    "portcullis.policy_digest": "sha256:60303ae22b998861bce3b28f33eec1be758a213c86c93c076dbe9f558c11c752",
    trace_id: "4bf92f3577b34da6a3ce929d0e0e4736",
    span_id: "00f067aa0ba902b7",
  },
  answered: {
    "portcullis.response.entities": { CREDIT_CARD: 1, EMAIL_ADDRESS: 1, PERSON: 1 },
    "portcullis.response.operators": { mask: 1, replace: 2 },
    "portcullis.response.restored": 1,
    "gen_ai.usage.input_tokens": 236,
    "gen_ai.usage.output_tokens": 131,
    "portcullis.budget.used": { "user-tokens": 367 },
  },
});

export const hostile = (now) => ({
  id: HOSTILE,
  at: now - 60_000,
  prompt: [{ of: 1, text: `${SCRIPT} \u202Eevil\u202C <NOT_COUNTED> javascript:alert(1)` }],
  response: [{ of: 1, text: `Sure: ${SCRIPT} {@html "x"} <EMAIL_ADDRESS>` }],
  facts: {
    "user.id": `https://idp.example.com#mallory${SCRIPT}`,
    "portcullis.identity.subject": `mallory${SCRIPT}`,
    "portcullis.identity.groups": [SCRIPT, SCRIPT],
    "gen_ai.request.model": `"><script>alert(2)</script>`,
    "portcullis.connection": SCRIPT,
    "portcullis.policy": SCRIPT,
    "portcullis.flags": [SCRIPT, SCRIPT],
    "portcullis.approvals": [SCRIPT, SCRIPT],
    "portcullis.llm.tools": [SCRIPT, SCRIPT],
    "url.path": `/v1/${SCRIPT}`,
    "portcullis.claims": { [SCRIPT]: SCRIPT },
    "portcullis.conditions": { [SCRIPT]: SCRIPT },
    "portcullis.prompt.entities": { [SCRIPT]: 1 },
    "portcullis.budget.reserved": { [SCRIPT]: 1 },
  },
  answered: { "portcullis.response.entities": { EMAIL_ADDRESS: 1 }, "gen_ai.response.model": SCRIPT },
});

/** Exchanges of the last day, the newest last. */
export function day(worker, now) {
  const people = ["alice", "bob", "carol", "ci-release"];
  const models = ["gpt-4o-mini", "gpt-4o", "claude-sonnet-4-5", "text-embedding-3-small"];
  for (let n = 0; n < 160; n += 1) {
    // More by day than by night.
    const at = now - HOUR * 23.5 + n * HOUR * 0.145 + Math.sin(n / 9) * HOUR * 0.9;
    const who = people[(n * 7) % 4];
    const [asked, answer] = QUESTIONS[n % 4];
    const facts = {
      "user.id": `https://idp.example.com#${who}`,
      "portcullis.identity.subject": who,
      "gen_ai.request.model": models[(n * 5 + (n % 3)) % 4],
    };
    if (n % 4 === 3) facts["portcullis.prompt.entities"] = { PERSON: 1 };
    if (n % 11 === 3) Object.assign(facts, { "portcullis.decision": "deny", "portcullis.reason": "forbidden", "portcullis.rule": n % 2 ? "cards" : "prompt-length", "portcullis.prompt.entities": { CREDIT_CARD: 2 } });
    if (n % 17 === 5) Object.assign(facts, { "portcullis.decision": "deny", "portcullis.reason": "rate_limited", "portcullis.rule": "user-tokens" });
    if (n % 41 === 9) Object.assign(facts, { "portcullis.decision": "error", "portcullis.reason": "policy_error", "portcullis.rule_errors": ["tenant"] });
    if (n % 13 === 2) facts["portcullis.flags"] = ["injection"];
    const id = n.toString(16).padStart(16, "0");
    worker.exchange({ id, at: Math.min(at, now - 100_000), facts, prompt: [{ of: 1, text: asked }], response: facts["portcullis.decision"] ? undefined : [{ of: 1, text: answer }],
      answered: n % 4 === 1 ? { "portcullis.response.entities": { EMAIL_ADDRESS: 1 } } : n % 4 === 3 ? { "portcullis.response.entities": { PERSON: 1, PHONE_NUMBER: 1 } } : {} });
  }
}

export async function tell(collector, now = Date.now()) {
  const worker = new Worker("5f0e8a1142c94d7b903a1cee2766b4d8");
  day(worker, now);
  worker.exchange(replayed(now));
  worker.exchange(hostile(now));
  await worker.send(collector);
  return worker;
}
