import { json } from "./ask";
import type { Body } from "../record/body";

export type Decision = "allow" | "deny" | "error" | "other";
export type Piece = { time: string } & Partial<Record<Decision, number>>;

export interface Counted {
  value: string;
  exchanges: number;
}

export interface Overview {
  since: string;
  until: string;
  from: string;
  /** Seconds. */
  width: number;
  decisions: Piece[];
  rules: Counted[];
  entities: Counted[];
  subjects: Counted[];
  models: Counted[];
  budgets: { name: string; refused: number; used: number | null }[];
  read: {
    exchanges: number;
    whole: boolean;
    entities: Record<string, number>;
    input_tokens: number;
    output_tokens: number;
  };
  missing: { chain: string; first: number; last: number; since: string; alarmed: boolean }[];
  alarms: Body[];
}

export function overview(since: Date, until: Date, signal: AbortSignal): Promise<Overview> {
  const query = new URLSearchParams({ since: since.toISOString(), until: until.toISOString() });
  return json(`/api/overview?${query}`, { signal });
}
