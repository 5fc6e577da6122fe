import { Text } from "@mantine/core";
import type { Scope } from "../../api/api";
import { stageChangesQuery, usePaged } from "../../api/queries";
import { ListBody } from "../ListBody";
import { RelativeTime } from "../RelativeTime";
import { StageBadge } from "../StatusBadge";
import classes from "./StageHistory.module.css";

export function StageHistory({ scope, model }: { scope: Scope; model: string }) {
  const query = usePaged(stageChangesQuery(scope, model));
  return (
    <ListBody
      what="changes"
      query={query}
      empty={
        <Text size="sm" c="dimmed">
          No version has changed its stage yet. “Promote” moves one, and who did it and why is kept here.
        </Text>
      }
    >
      {(items) => (
        <ol className={classes.timeline}>
          {items.map((change) => (
            <li key={`${change.changed_at}/${change.version}/${change.to_stage}`}>
              <div className={classes.line}>
                <strong>v{change.version}</strong>
                <span className="dim">from</span> {change.from_stage} <span className="dim">to</span>
                <StageBadge stage={change.to_stage} />
              </div>
              {change.reason && <div className={classes.reason}>{change.reason}</div>}
              <Text size="xs" c="dimmed">
                {change.actor && `${change.actor}, `}
                <RelativeTime at={change.changed_at} />
              </Text>
            </li>
          ))}
        </ol>
      )}
    </ListBody>
  );
}
