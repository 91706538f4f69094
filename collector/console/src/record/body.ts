// A record's body, read without trust: a member that is not what it should be is not there.

export type Body = Readonly<Record<string, unknown>>;

export function parsed(raw: string): Body {
  try {
    const body: unknown = JSON.parse(raw);
    return isObject(body) ? body : {};
  } catch {
    return {};
  }
}

export function isObject(value: unknown): value is Record<string, unknown> {
  return typeof value === "object" && value !== null && !Array.isArray(value);
}

export function text(body: Body, name: string): string | undefined {
  const value = body[name];
  return typeof value === "string" && value !== "" ? value : undefined;
}

export function number(body: Body, name: string): number | undefined {
  const value = body[name];
  return typeof value === "number" && Number.isFinite(value) ? value : undefined;
}

export function list(body: Body, name: string): string[] {
  const value = body[name];
  return Array.isArray(value) ? value.filter((item): item is string => typeof item === "string") : [];
}

/** Names with counts. */
export function counts(body: Body, name: string): [string, number][] {
  const value = body[name];
  if (!isObject(value)) return [];
  return Object.entries(value).filter((entry): entry is [string, number] => typeof entry[1] === "number");
}

/** Seconds since 1970 of an RFC 3339 time, to the nanosecond as far as a number holds it. */
export function seconds(time: string | undefined): number | undefined {
  const found = time?.match(/^(.+?)(\.\d+)?(Z|[+-]\d\d:\d\d)$/);
  if (!found) return undefined;
  const whole = Date.parse(`${found[1]}${found[3]}`);
  return Number.isNaN(whole) ? undefined : whole / 1000 + Number(found[2] ?? 0);
}
