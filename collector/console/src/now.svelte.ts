// The time, told each second while somebody wants to know.

class Now {
  ms = $state(Date.now());
  #wanted = 0;
  #timer: ReturnType<typeof setInterval> | undefined;

  /** Gives what stops it. */
  tick(): () => void {
    this.#wanted += 1;
    this.#timer ??= setInterval(() => (this.ms = Date.now()), 1000);
    return () => {
      this.#wanted -= 1;
      if (this.#wanted > 0) return;
      clearInterval(this.#timer);
      this.#timer = undefined;
    };
  }
}

export const now = new Now();
