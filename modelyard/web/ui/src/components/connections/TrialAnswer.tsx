import type { Health } from "../../api/connections";
import classes from "./TrialAnswer.module.css";

/** What the test has said, or that it is on its way; read out as it comes. */
export function TrialAnswer({ isPending, health }: { isPending: boolean; health: Health | null }) {
  const tone = isPending ? "busy" : health?.ok ? "good" : "bad";
  return (
    <div role="status" className={classes.answer} data-tone={isPending || health ? tone : undefined}>
      {isPending && "Asking what stands behind it whether it answers…"}
      {!isPending && health && (
        <>
          <strong>{health.ok ? "It answers." : "It does not work."}</strong>{" "}
          {health.message || (health.ok ? "" : "It gave no reason.")}
        </>
      )}
    </div>
  );
}
