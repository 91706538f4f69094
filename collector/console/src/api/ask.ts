// Asks the collector.

/** What it did not do, and why. */
export class Problem extends Error {
  constructor(
    readonly status: number,
    message: string,
  ) {
    super(message);
  }
}

export async function ask(path: string, options: RequestInit = {}): Promise<Response> {
  let response: Response;
  try {
    response = await fetch(path, { credentials: "same-origin", cache: "no-store", ...options });
  } catch (error) {
    if (error instanceof DOMException && error.name === "AbortError") throw error;
    throw new Problem(0, "The collector cannot be reached.");
  }
  if (response.status === 401) login();
  if (!response.ok) throw new Problem(response.status, await detail(response));
  return response;
}

export async function json<T>(path: string, options?: RequestInit): Promise<T> {
  const response = await ask(path, options);
  return (await response.json()) as T;
}

export function wasAborted(error: unknown): boolean {
  return error instanceof DOMException && error.name === "AbortError";
}

export function inWords(error: unknown): string {
  return error instanceof Error ? error.message : String(error);
}

/** The fragment of an address does not travel by itself. */
function login(): void {
  location.assign(`/login?${new URLSearchParams({ to: `/${location.hash}` })}`);
}

/** The collector's own words: a problem (RFC 9457), or an error. */
async function detail(response: Response): Promise<string> {
  const said: unknown = await response.json().catch(() => undefined);
  if (typeof said === "object" && said !== null) {
    for (const name of ["detail", "error", "title"]) {
      const words = (said as Record<string, unknown>)[name];
      if (typeof words === "string" && words !== "") return words;
    }
  }
  return `The collector answered ${response.status}.`;
}
