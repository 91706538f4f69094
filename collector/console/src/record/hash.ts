// The hash that binds records, computed here: the page believes no hash that it was told.

/** SHA-256 in hexadecimal digits; `undefined`: this browser computes none on a page that came over plain HTTP. */
export async function hash(raw: string): Promise<string | undefined> {
  if (!globalThis.crypto?.subtle) return undefined;
  const digest = await crypto.subtle.digest("SHA-256", new TextEncoder().encode(raw));
  return [...new Uint8Array(digest)].map((byte) => byte.toString(16).padStart(2, "0")).join("");
}
