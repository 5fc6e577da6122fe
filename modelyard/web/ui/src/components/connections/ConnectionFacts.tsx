import { Text } from "@mantine/core";
import type { Connection, Provider } from "../../api/connections";
import { sentence } from "../../lib/format";
import { fieldsOf, keyOf } from "../../lib/settingsSchema";
import classes from "./ConnectionFacts.module.css";

interface ConnectionFactsProps {
  connection: Connection;
  /** Undefined where no loaded plugin brings it any more. */
  provider: Provider | undefined;
  /** Whether the server shows its settings to the caller. */
  mayRead: boolean;
}

const shown = (value: unknown) =>
  typeof value === "string" ? value : Array.isArray(value) ? value.join(", ") : JSON.stringify(value);

/** A connection that the caller does not change: what it is set to, without its secrets. */
export function ConnectionFacts({ connection, provider, mayRead }: ConnectionFactsProps) {
  const fields = fieldsOf(provider?.settings_schema ?? {});
  const label = (key: string) => fields.find((field) => keyOf(field) === key)?.label ?? sentence(key);
  return (
    <>
      <dl className={classes.facts}>
        {Object.entries(connection.settings).map(([key, value]) => (
          <div key={key}>
            <dt>{label(key)}</dt>
            <dd>{value === null ? <span className="dim">–</span> : shown(value)}</dd>
          </div>
        ))}
        <div>
          <dt>Secrets</dt>
          <dd>{connection.has_secrets ? "Stored, and never shown" : "None"}</dd>
        </div>
        {connection.kind === "notifier" && (
          <div>
            <dt>Told of</dt>
            <dd>{connection.subscriptions.join(", ") || "Nothing"}</dd>
          </div>
        )}
        <div>
          <dt>In use</dt>
          <dd>{connection.enabled ? "Yes" : "No"}</dd>
        </div>
      </dl>
      {!mayRead && (
        <Text size="sm" c="dimmed" mt={8}>
          Its settings are shown to admins alone.
        </Text>
      )}
    </>
  );
}
