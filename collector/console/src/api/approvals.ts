import { ask, json } from "./ask";
import { isObject } from "../record/body";

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

export async function approvals(state: string, signal: AbortSignal): Promise<Approval[]> {
  const answer = await json<unknown>(`/api/approvals?state=${encodeURIComponent(state)}`, { signal });
  const found = isObject(answer) ? answer["approvals"] : answer;
  return Array.isArray(found) ? (found as Approval[]) : [];
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
