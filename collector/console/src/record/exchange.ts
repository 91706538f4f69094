// One exchange, gathered from its records.

import { type Body, number, parsed, text } from "./body";

export interface Kept {
  /** To the byte. */
  raw: string;
  body: Body;
  seq: number;
}

export interface Exchange {
  id: string;
  chain: string;
  /** In the order of the chain. */
  records: Kept[];
  start: Body | undefined;
  end: Body | undefined;
  /** The record that tells most. */
  facts: Body;
  /** Numbers of the chain that two different bodies claim. */
  conflicts: number[];
}

const EVENT = "event.name";

/** Whoever else claims the same exchange in a chain of their own is shown apart: one of them lies. */
export function exchanges(id: string, raws: string[]): Exchange[] {
  const chains = new Map<string, Kept[]>();
  for (const raw of raws) {
    const body = parsed(raw);
    const chain = text(body, "portcullis.chain.id") ?? "";
    const kept = { raw, body, seq: number(body, "portcullis.chain.seq") ?? 0 };
    chains.set(chain, [...(chains.get(chain) ?? []), kept]);
  }
  return [...chains].map(([chain, records]) => gathered(id, chain, records));
}

function gathered(id: string, chain: string, records: Kept[]): Exchange {
  records.sort((one, other) => one.seq - other.seq);
  const of = (event: string) => records.find((record) => record.body[EVENT] === event)?.body;
  const start = of("portcullis.exchange.start");
  const end = of("portcullis.exchange.end");
  const seqs = records.map((record) => record.seq);
  const conflicts = [...new Set(seqs.filter((seq, at) => seqs.indexOf(seq) !== at))];
  return { id, chain, records, start, end, facts: end ?? start ?? records[0]?.body ?? {}, conflicts };
}

export function eventOf(body: Body): string {
  return (text(body, EVENT) ?? "").replace(/^portcullis\.(exchange\.|chain\.)?/, "");
}
