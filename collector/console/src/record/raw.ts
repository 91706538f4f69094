// The bodies of an answer of `/api/exchanges/{id}`, each to the byte: what a hash is taken over must not be written anew.

/** Every object that stands in the answer's list. */
export function bodies(answer: string): string[] {
  const found: string[] = [];
  let depth = 0;
  let begin = 0;
  let quoted = false;
  for (let at = 0; at < answer.length; at += 1) {
    const letter = answer[at];
    if (quoted) {
      if (letter === "\\") at += 1;
      else if (letter === '"') quoted = false;
    } else if (letter === '"') {
      quoted = true;
    } else if (letter === "{" || letter === "[") {
      if (letter === "{" && depth === 2) begin = at;
      depth += 1;
    } else if (letter === "}" || letter === "]") {
      depth -= 1;
      if (letter === "}" && depth === 2) found.push(answer.slice(begin, at + 1));
    }
  }
  return found;
}
