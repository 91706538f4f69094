import { ask, json } from "./ask";
import { bodies } from "../record/raw";
import type { Body } from "../record/body";

export interface Page {
  exchanges: Body[];
  next: string | null;
}

export function list(query: URLSearchParams, signal: AbortSignal): Promise<Page> {
  return json(`/api/exchanges?${query}`, { signal });
}

/** The bodies of an exchange's records. */
export async function records(id: string, signal: AbortSignal): Promise<string[]> {
  const response = await ask(`/api/exchanges/${encodeURIComponent(id)}`, { signal });
  return bodies(await response.text());
}

export async function values(of: string, prefix: string, signal: AbortSignal): Promise<string[]> {
  const query = new URLSearchParams({ of, prefix });
  return (await json<{ values: string[] }>(`/api/values?${query}`, { signal })).values;
}
