import { duration, exactTime, relativeTime } from "../lib/format";
import { useClock } from "./useClock";

export function RelativeTime({ at, none = "–" }: { at: string | null; none?: string }) {
  const clock = useClock();
  if (at === null) return <span className="dim">{none}</span>;
  const then = new Date(at).getTime();
  // A row that is newer than the clock's last tick is not from the future.
  const seen = Math.abs(then - clock) < 12_000 ? then : clock;
  return (
    <time dateTime={at} title={exactTime(at)} className="num">
      {relativeTime(at, seen)}
    </time>
  );
}

interface DurationProps {
  seconds: number | null;
  startedAt: string | null;
  /** Still going on: counted from its start. */
  live: boolean;
}

export function Duration({ seconds, startedAt, live }: DurationProps) {
  const clock = useClock();
  if (!live || startedAt === null) return <span className="num">{duration(seconds)}</span>;
  return <span className="num">{duration(Math.max(0, (clock - new Date(startedAt).getTime()) / 1000))}</span>;
}
