// When what happened, as far as the records say: the moments that they hold, and what of the answer was there by then.

import { isObject, number, seconds, text, type Body } from "./body";
import type { Exchange } from "./exchange";

export interface Moment {
  /** Seconds since the beginning. */
  at: number;
  name: string;
  /** The members that say so. */
  from: string;
}

/** A piece of the answer. It came after one moment and before the other; when in between is not recorded. */
export interface Piece {
  /** Number of the text that it belongs to. */
  of: number;
  text: string;
  after: number;
  before: number;
}

export interface Timeline {
  moments: Moment[];
  pieces: Piece[];
  length: number;
  /** What cannot be said, in words. */
  unknown: string[];
}

export function timeline(exchange: Exchange): Timeline {
  const { start, end, records } = exchange;
  const duration = end && number(end, "portcullis.duration");
  const ended = seconds(end && text(end, "time"));
  const judged = seconds(start && text(start, "time"));
  const unknown: string[] = [];
  const head = ended !== undefined && duration !== undefined ? ended - duration : undefined;
  const zero = head ?? judged ?? ended ?? 0;
  const moments: Moment[] = [];
  if (head !== undefined) moments.push({ at: 0, name: "request", from: "time of the end less portcullis.duration" });
  else unknown.push("when the request's head came");
  const since = (time: number) => Math.max(0, time - zero);
  if (judged !== undefined) moments.push({ at: since(judged), name: "judged", from: "time of the start" });
  const first = end && number(end, "portcullis.first_byte");
  if (first !== undefined) moments.push({ at: first, name: "first byte", from: "portcullis.first_byte" });
  else unknown.push("when the answer's first byte came");

  const pieces: Piece[] = [];
  let after = first ?? (judged === undefined ? 0 : since(judged));
  for (const { body } of records) {
    const said = answered(body);
    const time = seconds(text(body, "time"));
    const isEnd = body === end;
    const before = Math.max(after, isEnd && duration !== undefined ? duration : time === undefined ? after : since(time));
    pieces.push(...said.map((piece) => ({ ...piece, after, before })));
    if (said.length === 0) continue;
    const part = number(body, "portcullis.part");
    if (part !== undefined) moments.push({ at: before, name: `part ${part}`, from: "time of the part" });
    after = before;
  }
  const last = duration ?? (ended === undefined ? undefined : since(ended));
  if (last !== undefined) moments.push({ at: last, name: "end", from: duration === undefined ? "time of the end" : "portcullis.duration" });
  else unknown.push("when it ended");
  moments.sort((one, other) => one.at - other.at);
  return { moments, pieces, length: Math.max(last ?? 0, after, moments.at(-1)?.at ?? 0), unknown };
}

export interface Text {
  of: number;
  text: string;
}

/** The answer's texts as they stood at a time. `even`: pieces are spread evenly over the time that they may have come in. */
export function answerAt(pieces: Piece[], at: number, even: boolean): Text[] {
  const texts = new Map<number, string>();
  for (const span of spans(pieces)) {
    if (at < span.after) break;
    const whole = at >= span.before;
    if (!whole && !even) break;
    const length = span.pieces.reduce((sum, piece) => sum + piece.text.length, 0);
    let left = whole ? length : Math.floor((length * (at - span.after)) / (span.before - span.after));
    for (const piece of span.pieces) {
      if (left <= 0) break;
      texts.set(piece.of, (texts.get(piece.of) ?? "") + piece.text.slice(0, left));
      left -= piece.text.length;
    }
  }
  return [...texts].map(([of, text]) => ({ of, text }));
}

/** Pieces of one record. */
function spans(pieces: Piece[]): { after: number; before: number; pieces: Piece[] }[] {
  const found: { after: number; before: number; pieces: Piece[] }[] = [];
  for (const piece of pieces) {
    const last = found.at(-1);
    if (last && last.after === piece.after && last.before === piece.before) last.pieces.push(piece);
    else found.push({ after: piece.after, before: piece.before, pieces: [piece] });
  }
  return found;
}

/** The prompt's texts, each put together from its pieces. */
export function prompt(exchange: Exchange): Text[] {
  const texts = new Map<number, string>();
  for (const { body } of exchange.records) {
    for (const piece of piecesOf(body, "portcullis.prompt.texts")) {
      texts.set(piece.of, (texts.get(piece.of) ?? "") + piece.text);
    }
  }
  return [...texts].sort(([one], [other]) => one - other).map(([of, text]) => ({ of, text }));
}

const answered = (body: Body) => piecesOf(body, "portcullis.response.texts");

function piecesOf(body: Body, name: string): Text[] {
  const value = body[name];
  if (!Array.isArray(value)) return [];
  return value
    .filter(isObject)
    .map((piece) => ({ of: number(piece, "of") ?? 0, text: typeof piece["text"] === "string" ? piece["text"] : "" }));
}
