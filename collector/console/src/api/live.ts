// Follows what comes. A page that nobody looks at follows nothing: places are few.

import { ask } from "./ask";
import { type Body, parsed } from "../record/body";

export type Follows = "following" | "connecting" | "off";

/** The wait after the collector broke off. */
const AGAIN = 3000;

export interface Listener {
  record(body: Body): void;
  state(follows: Follows): void;
}

/** Gives what stops it. */
export function follow(listener: Listener): () => void {
  let source: EventSource | undefined;
  let timer: ReturnType<typeof setTimeout> | undefined;
  const close = () => {
    clearTimeout(timer);
    source?.close();
    source = undefined;
  };
  const open = () => {
    close();
    if (document.hidden) return listener.state("off");
    listener.state("connecting");
    source = new EventSource("/api/live");
    source.onopen = () => listener.state("following");
    source.onmessage = (event) => listener.record(parsed(String(event.data)));
    source.onerror = () => {
      listener.state("connecting");
      if (source?.readyState !== EventSource.CLOSED) return;
      // Asking tells whether it is for want of a login.
      timer = setTimeout(() => ask("/api/exchanges?limit=1").then(open, open), AGAIN);
    };
  };
  document.addEventListener("visibilitychange", open);
  open();
  return () => {
    document.removeEventListener("visibilitychange", open);
    close();
    listener.state("off");
  };
}
