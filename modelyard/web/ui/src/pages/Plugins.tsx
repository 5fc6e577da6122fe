import { Stack, Text, Title } from "@mantine/core";
import { useQuery } from "@tanstack/react-query";
import type { Plugin } from "../api/api";
import { pluginsQuery, sessionQuery } from "../api/queries";
import { CommandBlock } from "../components/Copy";
import { ListBody } from "../components/ListBody";
import { PageTitle } from "../components/PageTitle";
import { PluginCard } from "../components/plugins/PluginCard";
import { EmptyState, LoadingRows } from "../components/states";

const ORDER = ["failed", "held", "loaded", "disabled"];

/** What needs somebody stands first. */
const rank = ({ state, hold }: Plugin) => ORDER.indexOf(hold !== null ? "held" : state);

export function Plugins() {
  const query = useQuery(pluginsQuery);
  const isInstanceAdmin = useQuery(sessionQuery).data?.user.is_instance_admin === true;
  return (
    <>
      <PageTitle parts={["Plugins"]} />
      <div style={{ marginBottom: 18, maxWidth: 720 }}>
        <Title order={1}>Plugins</Title>
        <Text c="dimmed">
          Whatever touches an outside system is a plugin. One that is installed with pip beside the server
          stands here after its next start.
        </Text>
      </div>
      <ListBody
        what="plugins"
        query={{ ...query, items: query.data?.items }}
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
              .sort((a, b) => rank(a) - rank(b) || a.name.localeCompare(b.name))
              .map((plugin) => (
                <PluginCard key={plugin.name} plugin={plugin} isInstanceAdmin={isInstanceAdmin} />
              ))}
          </Stack>
        )}
      </ListBody>
    </>
  );
}
