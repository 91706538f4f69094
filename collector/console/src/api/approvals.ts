import { ask, json } from "./ask";

export interface Rule {
  rule: string;
  message: string;
  /** Groups of which an approver must have one; none: any approver. */
  approvers: string[];
  quorum: number;
  approved_by: string[];
}

export interface Vote {
  by: string;
  name: string;
  time: string;
  vote: string;
  reason: string | null;
  rules: string[];
}

/** What the one who asks can do now, and why not. */
export interface May {
  approve: boolean;
  deny: boolean;
  break_glass: boolean;
  why_not: string | null;
}

export interface Approval {
  id: string;
  state: string;
  expires: string;
  opened: string;
  exchange: string;
  /** The exchange that was let through. */
  spent_by?: string;
  caller: { id: string; subject?: string; issuer?: string; groups?: string[] };
  connection: string;
  policy: string;
  revision: string;
  request: Record<string, unknown>;
  rules: Rule[];
  entities: Record<string, unknown>;
  flags: string[];
  votes: Vote[];
  may: May;
  reason?: string;
  /** Of one alone. */
  prompt?: { text: string; cut: boolean };
  ignored?: Record<string, unknown>;
}

export type Verdict = "approve" | "deny" | "break-glass";

export interface Page {
  approvals: Approval[];
  next: string | null;
}

export function approvals(state: string, cursor: string | null, signal: AbortSignal): Promise<Page> {
  const query = new URLSearchParams({ state, ...(cursor === null ? {} : { cursor }) });
  return json(`/api/approvals?${query}`, { signal });
}

export function approval(id: string, signal: AbortSignal): Promise<Approval> {
  return json(`/api/approvals/${encodeURIComponent(id)}`, { signal });
}

export async function judge(id: string, verdict: Verdict, reason: string): Promise<void> {
  await ask(`/api/approvals/${encodeURIComponent(id)}/${verdict}`, {
    method: "POST",
    headers: { "content-type": "application/json" },
    body: JSON.stringify({ reason }),
  });
}
