export type MetricValue = number | string;

const MINUTE = 60;
const HOUR = 60 * MINUTE;
const DAY = 24 * HOUR;

/** "just now", "5 min ago", "in 3 days"; older than a month: the date. */
export function relativeTime(iso: string | number, now: number = Date.now()): string {
  const then = new Date(iso).getTime();
  if (Number.isNaN(then)) return String(iso);
  const seconds = Math.round((now - then) / 1000);
  const ahead = seconds < 0;
  const distance = Math.abs(seconds);
  if (distance < 10) return "just now";
  const say = (count: number, unit: string) => {
    const words = `${count} ${unit}${count === 1 || unit === "min" || unit === "s" || unit === "h" ? "" : "s"}`;
    return ahead ? `in ${words}` : `${words} ago`;
  };
  if (distance < MINUTE) return say(distance, "s");
  if (distance < HOUR) return say(Math.floor(distance / MINUTE), "min");
  if (distance < DAY) return say(Math.floor(distance / HOUR), "h");
  if (distance < 31 * DAY) return say(Math.floor(distance / DAY), "day");
  return new Date(then).toLocaleDateString(undefined, { year: "numeric", month: "short", day: "numeric" });
}

export function exactTime(iso: string | number): string {
  const date = new Date(iso);
  if (Number.isNaN(date.getTime())) return String(iso);
  return date.toLocaleString(undefined, { dateStyle: "full", timeStyle: "long" });
}

/** "0.4 s", "12 s", "3 min 5 s", "2 h 10 min", "4 d 3 h". */
export function duration(seconds: number | null): string {
  if (seconds === null || !Number.isFinite(seconds)) return "–";
  if (seconds < 10) return `${seconds.toFixed(1)} s`;
  const whole = Math.round(seconds);
  const two = (a: number, unitA: string, b: number, unitB: string) =>
    b === 0 ? `${a} ${unitA}` : `${a} ${unitA} ${b} ${unitB}`;
  if (whole < MINUTE) return `${whole} s`;
  if (whole < HOUR) return two(Math.floor(whole / MINUTE), "min", whole % MINUTE, "s");
  if (whole < DAY) return two(Math.floor(whole / HOUR), "h", Math.floor((whole % HOUR) / MINUTE), "min");
  return two(Math.floor(whole / DAY), "d", Math.floor((whole % DAY) / HOUR), "h");
}

export function bytes(size: number | null): string {
  if (size === null) return "–";
  if (size < 1024) return `${size} B`;
  const units = ["KiB", "MiB", "GiB", "TiB"];
  let value = size / 1024;
  let unit = 0;
  while (value >= 1024 && unit < units.length - 1) {
    value /= 1024;
    unit += 1;
  }
  return `${value < 10 ? value.toFixed(1) : Math.round(value)} ${units[unit]}`;
}

/** Short but true: five significant digits, exponents only where needed; NaN and infinities as they are. */
export function metric(value: MetricValue): string {
  if (typeof value === "string") return value === "Infinity" ? "∞" : value === "-Infinity" ? "−∞" : value;
  if (Number.isInteger(value) && Math.abs(value) < 1e9) return String(value);
  const size = Math.abs(value);
  if (size !== 0 && (size < 1e-4 || size >= 1e9)) return value.toExponential(3);
  return String(Number(value.toPrecision(5)));
}

export function plural(count: number, one: string, many = `${one}s`): string {
  return `${count} ${count === 1 ? one : many}`;
}

/** "run.finished" → "Run finished": for words that the server adds after this page was built. */
export function sentence(word: string): string {
  const words = word.replace(/[._-]+/g, " ").trim();
  return words.charAt(0).toUpperCase() + words.slice(1);
}

/** The end of an id: its beginning is the time, which neighbours share. */
export function shortId(id: string): string {
  return id.slice(-8);
}
