import type { EventsQuery } from "../api/api";

/** What the form holds and the address keeps: days as people choose them, in their own time zone. */
export interface EventDays {
  actor: string;
  action: string;
  object_kind: string;
  object_id: string;
  from: string;
  to: string;
}

const FIELDS = ["actor", "action", "object_kind", "object_id", "from", "to"] as const;
const DAY = /^\d{4}-\d{2}-\d{2}$/;

/** When a day of the local calendar begins; `later` days after it. */
function beginning(day: string, later = 0): string | undefined {
  if (!DAY.test(day)) return undefined;
  const [year = 0, month = 1, date = 1] = day.split("-").map(Number);
  const moment = new Date(year, month - 1, date + later);
  return Number.isNaN(moment.getTime()) ? undefined : moment.toISOString();
}

/** Reads the address: the form's values, and what they ask of the server. The day `to` is still within. */
export function readFilter(search: URLSearchParams): { days: EventDays; wanted: EventsQuery } {
  const days = Object.fromEntries(FIELDS.map((field) => [field, search.get(field) ?? ""])) as Record<
    (typeof FIELDS)[number],
    string
  >;
  const all: EventsQuery = { ...days, from: beginning(days.from), to: beginning(days.to, 1) };
  const wanted = Object.fromEntries(Object.entries(all).filter(([, value]) => Boolean(value))) as EventsQuery;
  return { days, wanted };
}

export function writeFilter(days: EventDays): Record<string, string> {
  const written = FIELDS.map((field) => [field, days[field].trim()] as const);
  return Object.fromEntries(written.filter(([, value]) => value !== ""));
}
