// Numbers and times, as people read them.

const NUMBERS = new Intl.NumberFormat("en");
const TIME: Intl.DateTimeFormatOptions = { hour: "2-digit", minute: "2-digit", second: "2-digit", hourCycle: "h23" };
const CLOCK = new Intl.DateTimeFormat("en-GB", TIME);
const DAY = new Intl.DateTimeFormat("en-GB", { day: "2-digit", month: "short" });
const FULL = new Intl.DateTimeFormat("en-GB", {
  ...TIME, day: "2-digit", month: "short", year: "numeric", fractionalSecondDigits: 3, timeZoneName: "short",
});

export const count = (number: number): string => NUMBERS.format(number);

export function exchangesInWords(number: number): string {
  return `${count(number)} ${number === 1 ? "exchange" : "exchanges"}`;
}

/** The clock's time; the day too where it is another. */
export function clock(time: string, now = new Date()): { day: string | null; clock: string } {
  const date = new Date(time);
  if (Number.isNaN(date.getTime())) return { day: null, clock: "unknown" };
  const day = DAY.format(date);
  return { day: day === DAY.format(now) ? null : day, clock: CLOCK.format(date) };
}

export function full(time: string): string {
  const date = new Date(time);
  return Number.isNaN(date.getTime()) ? "unknown" : FULL.format(date);
}

export function duration(seconds: number): string {
  if (seconds < 1) return `${Math.round(seconds * 1000)} ms`;
  if (seconds < 60) return `${seconds.toFixed(2)} s`;
  return left(seconds);
}

/** Minutes and seconds. */
export function left(seconds: number): string {
  const whole = Math.max(0, Math.floor(seconds));
  const [hours, minutes] = [Math.floor(whole / 3600), Math.floor(whole / 60) % 60];
  const two = (number: number) => String(number).padStart(2, "0");
  return hours > 0 ? `${hours}:${two(minutes)}:${two(whole % 60)}` : `${minutes}:${two(whole % 60)}`;
}

export function bytes(number: number): string {
  if (number < 1024) return `${number} B`;
  if (number < 1 << 20) return `${(number / 1024).toFixed(1)} KiB`;
  return `${(number / (1 << 20)).toFixed(1)} MiB`;
}

export const short = (hash: string): string => hash.replace(/^([0-9a-f]{10})[0-9a-f]{4,}/, "$1");
