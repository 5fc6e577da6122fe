import { Group, Stack, Text, Title } from "@mantine/core";
import { useQuery } from "@tanstack/react-query";
import type { Plugin } from "../api/api";
import { pluginsQuery } from "../api/queries";
import { CommandBlock } from "../components/Copy";
import { ListBody } from "../components/ListBody";
import { PageTitle } from "../components/PageTitle";
import { EmptyState, LoadingRows } from "../components/states";
import { StatusBadge, ToneBadge } from "../components/StatusBadge";
import { sentence } from "../lib/format";
import classes from "./Plugins.module.css";

/** The list of plugins is short and comes whole. */
const ONE_PAGE = { hasNextPage: false, isFetchingNextPage: false, fetchNextPage: () => undefined };
const ORDER = ["failed", "loaded", "disabled"];

export function Plugins() {
  const query = useQuery(pluginsQuery);
  return (
    <>
      <PageTitle parts={["Plugins"]} />
      <div className={classes.head}>
        <Title order={1}>Plugins</Title>
        <Text c="dimmed">
          Whatever touches an outside system is a plugin. One that is installed with pip beside the server
          stands here after its next start.
        </Text>
      </div>
      <ListBody
        what="plugins"
        query={{ ...query, ...ONE_PAGE, items: query.data?.items }}
        loading={<LoadingRows label="plugins" rows={5} height={72} />}
        empty={
          <EmptyState title="No plugin is installed">
            <Text>
              Not even the built-in ones were found, so the server&apos;s own package is not installed whole:
            </Text>
            <CommandBlock
              label="the command that installs Modelyard"
              text="pip install --force-reinstall modelyard"
            />
          </EmptyState>
        }
      >
        {(items) => (
          <Stack gap={10}>
            {[...items]
              .sort((a, b) => ORDER.indexOf(a.state) - ORDER.indexOf(b.state) || a.name.localeCompare(b.name))
              .map((plugin) => (
                <PluginCard key={plugin.name} plugin={plugin} />
              ))}
          </Stack>
        )}
      </ListBody>
    </>
  );
}

function PluginCard({ plugin }: { plugin: Plugin }) {
  return (
    <article className={`panel ${classes.card}`} aria-label={plugin.name}>
      <Group gap={10}>
        <Title order={2} size="h3" className="mono">
          {plugin.name}
        </Title>
        <StatusBadge status={plugin.state} />
        <Text size="xs" c="dimmed" className="num">
          {[plugin.distribution, plugin.version].filter(Boolean).join(" ")}
        </Text>
      </Group>
      {plugin.error && (
        <div className={classes.error}>
          <pre className="text">{plugin.error}</pre>
          {plugin.hint && <Text size="sm">{plugin.hint}</Text>}
        </div>
      )}
      {!plugin.error && plugin.hint && (
        <Text size="sm" c="dimmed">
          {plugin.hint}
        </Text>
      )}
      {(plugin.providers.length > 0 || plugin.moments.length > 0) && (
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
      )}
    </article>
  );
}
