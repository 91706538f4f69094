// What cannot be seen, or moves what can be seen, is shown as what it is: whoever approves a call must see the call.

// Controls but tab and line feed; marks and overrides of direction; characters without width.
const HIDDEN =
  /[\u0000-\u0008\u000b-\u001f\u007f-\u009f\u00ad\u061c\u200b\u200e\u200f\u202a-\u202e\u2060-\u2064\u2066-\u2069\ufeff\u{e0000}-\u{e007f}]/gu;

export function visible(text: string): string {
  return text.replace(HIDDEN, (letter) => `\\u{${(letter.codePointAt(0) ?? 0).toString(16)}}`);
}

/** Of a name: on one line. */
export function visibleName(name: string): string {
  return visible(name).replace(/\n/g, "\\n").replace(/\t/g, "\\t");
}
