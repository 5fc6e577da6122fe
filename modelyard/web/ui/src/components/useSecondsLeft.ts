import { useEffect, useState } from "react";
import { ApiError } from "../api/errors";

/** Counts down to the time from which the server, which has answered "too many", hears another try. */
export function useSecondsLeft(error: unknown): number {
  const [left, setLeft] = useState(0);
  useEffect(() => {
    const wait =
      error instanceof ApiError && error.status === 429 ? (error.problem.retryAfterSeconds ?? 0) : 0;
    const until = Date.now() + wait * 1000;
    const tick = () => setLeft(Math.max(0, Math.ceil((until - Date.now()) / 1000)));
    tick();
    if (wait === 0) return;
    const timer = window.setInterval(() => {
      tick();
      if (Date.now() >= until) window.clearInterval(timer);
    }, 250);
    return () => window.clearInterval(timer);
  }, [error]);
  return left;
}
