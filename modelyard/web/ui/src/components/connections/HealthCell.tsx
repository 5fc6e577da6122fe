import type { Connection } from "../../api/connections";
import { RelativeTime } from "../RelativeTime";
import { ToneBadge } from "../StatusBadge";
import classes from "./HealthCell.module.css";

/** What a connection last said of itself, why, and when. */
export function HealthCell({ health }: Pick<Connection, "health">) {
  if (health === null) return <ToneBadge tone="quiet" label="Not asked yet" />;
  return (
    <div className={classes.health}>
      <ToneBadge tone={health.ok ? "good" : "bad"} label={health.ok ? "Works" : "Does not work"} />
      <span className="dim">
        <RelativeTime at={health.checked_at} />
      </span>
      {health.message && <div className={classes.reason}>{health.message}</div>}
    </div>
  );
}
