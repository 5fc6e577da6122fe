import { Button, Text, Title } from "@mantine/core";
import { notifications } from "@mantine/notifications";
import { useMutation, useQueryClient } from "@tanstack/react-query";
import { useState } from "react";
import { type Plugin, unblockPlugin } from "../../api/api";
import { toApiError } from "../../api/errors";
import { pluginsQuery } from "../../api/queries";
import { sentence } from "../../lib/format";
import { RelativeTime } from "../RelativeTime";
import { StatusBadge, ToneBadge } from "../StatusBadge";
import { BlockForm } from "./BlockForm";
import { PluginCounts } from "./PluginCounts";
import classes from "./PluginCard.module.css";

interface PluginCardProps {
  plugin: Plugin;
  isInstanceAdmin: boolean;
}

/** What a plugin is, what it brings, why it is not in use and what to do; its administrators block it here. */
export function PluginCard({ plugin, isInstanceAdmin }: PluginCardProps) {
  const { name, state, error, hint, hold } = plugin;
  return (
    <article className={`panel ${classes.card}`} aria-label={name}>
      <div className={classes.head}>
        <Title order={2} size="h3" className="mono">
          {name}
        </Title>
        <StatusBadge status={state} />
        {hold !== null && (
          <ToneBadge tone="warn" label={hold.by === QUARANTINE ? "In quarantine" : "Blocked"} />
        )}
        <Text size="xs" c="dimmed" className="num">
          {[plugin.distribution, plugin.version].filter(Boolean).join(" ")}
        </Text>
        {isInstanceAdmin && <HoldButton plugin={plugin} />}
      </div>
      {error && (
        <div className={classes.error}>
          <pre className="text">{error}</pre>
          {hint && <Text size="sm">{hint}</Text>}
        </div>
      )}
      {!error && hint && (
        <Text size="sm" c="dimmed">
          {hint}
        </Text>
      )}
      {hold !== null && (
        <div className={classes.held}>
          It is not called: {hold.reason} {hold.by !== QUARANTINE && `(${hold.by})`} Since{" "}
          <RelativeTime at={hold.since} />
          {hold.until !== null && (
            <>
              , until <RelativeTime at={hold.until} />
            </>
          )}
          .
        </div>
      )}
      <Brought plugin={plugin} />
      {isInstanceAdmin && state === "loaded" && <PluginCounts plugin={name} />}
    </article>
  );
}

/** Who has blocked it, where nobody has. */
const QUARANTINE = "quarantine";

function Brought({ plugin }: { plugin: Plugin }) {
  if (plugin.providers.length === 0 && plugin.moments.length === 0) return null;
  return (
    <dl className={classes.provides}>
      {plugin.providers.map((provider) => (
        <div key={`${provider.kind}/${provider.name}`}>
          <dt>{sentence(provider.kind)}</dt>
          <dd>
            {provider.title} <span className="mono dim">{provider.name}</span>
            {provider.capabilities.map((capability) => (
              <ToneBadge key={capability} tone="quiet" dot={false} label={sentence(capability)} />
            ))}
          </dd>
        </div>
      ))}
      {plugin.moments.length > 0 && (
        <div>
          <dt>Told when</dt>
          <dd>{plugin.moments.map((moment) => moment.replaceAll("_", " ")).join(", ")}</dd>
        </div>
      )}
    </dl>
  );
}

function HoldButton({ plugin: { name, state, hold } }: { plugin: Plugin }) {
  const client = useQueryClient();
  const [asking, setAsking] = useState(false);
  const lift = useMutation({
    mutationFn: () => unblockPlugin(name),
    onSettled: () => client.invalidateQueries({ queryKey: pluginsQuery.queryKey }),
    onError: (error) =>
      notifications.show({
        color: "red",
        title: "It is held as it was",
        message: toApiError(error).problem.detail,
      }),
  });
  if (hold !== null) {
    const words = hold.by === QUARANTINE ? "End the quarantine" : "Unblock";
    return (
      <Button
        size="compact-xs"
        variant="default"
        aria-label={hold.by === QUARANTINE ? `${words} of ${name}` : `${words} ${name}`}
        loading={lift.isPending}
        onClick={() => lift.mutate()}
      >
        {words}
      </Button>
    );
  }
  if (state !== "loaded") return null;
  return (
    <>
      <BlockForm plugin={name} opened={asking} onClose={() => setAsking(false)} />
      <Button
        size="compact-xs"
        variant="default"
        aria-label={`Block ${name}`}
        onClick={() => setAsking(true)}
      >
        Block
      </Button>
    </>
  );
}
