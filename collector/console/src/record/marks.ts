// Where values were masked: `<ENTITY>` in a text.

export interface Span {
  text: string;
  /** The entity; `undefined`: a text. */
  entity?: string;
  /** Whether the record counts such an entity; if not, someone may just have written it so. */
  counted?: boolean;
}

const MARK = /<([A-Z][A-Z0-9_]{1,63})>/g;

export function spans(text: string, counted: ReadonlySet<string>): Span[] {
  const found: Span[] = [];
  let end = 0;
  for (const match of text.matchAll(MARK)) {
    const entity = match[1] ?? "";
    if (match.index > end) found.push({ text: text.slice(end, match.index) });
    found.push({ text: match[0], entity, counted: counted.has(entity) });
    end = match.index + match[0].length;
  }
  if (end < text.length) found.push({ text: text.slice(end) });
  return found;
}

/** A text that is still being shown does not end in half a mark. */
export function whole(text: string): string {
  return text.replace(/<[A-Z][A-Z0-9_]*$/, "");
}
