// How many approvals wait, for the number beside the page's name.

import { approvals } from "./approvals";

/** Between looks. */
const PAUSE = 10_000;

class Waiting {
  count = $state(0);

  /** Gives what stops it. */
  watch(): () => void {
    const stop = new AbortController();
    const look = async () => {
      if (document.hidden) return;
      // A collector without approvals has none; what goes wrong is told where they are listed.
      this.count = await approvals("pending", null, stop.signal).then((page) => page.approvals.length).catch(() => 0);
    };
    const timer = setInterval(look, PAUSE);
    void look();
    return () => {
      clearInterval(timer);
      stop.abort();
    };
  }
}

export const waiting = new Waiting();
