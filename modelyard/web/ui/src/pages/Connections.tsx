import { Button, Text } from "@mantine/core";
import { useQuery } from "@tanstack/react-query";
import { Link } from "react-router";
import { connectionsQuery, providersQuery } from "../api/connectionQueries";
import { ConnectionsFrame } from "../components/connections/ConnectionsFrame";
import { ConnectionsTable } from "../components/connections/ConnectionsTable";
import type { ConnectionPlace } from "../components/connections/useConnectionPlace";
import { PlusIcon } from "../components/icons";
import { ListBody } from "../components/ListBody";
import { EmptyState } from "../components/states";
import { paths } from "../lib/paths";

/** The connections of a project or of an organization. */
export function Connections() {
  return (
    <ConnectionsFrame
      title="Connections"
      heading={({ name }) => `Connections of ${name}`}
      aside={({ place, mayChange }) =>
        mayChange && (
          <Button
            size="xs"
            component={Link}
            to={paths.newConnection(place)}
            leftSection={<PlusIcon size={14} />}
          >
            New connection
          </Button>
        )
      }
    >
      {(here) => <Everything here={here} />}
    </ConnectionsFrame>
  );
}

function Everything({ here }: { here: ConnectionPlace }) {
  const { place, name, mayChange, mayCheck } = here;
  const query = useQuery(connectionsQuery(place));
  const providers = useQuery(providersQuery).data?.items ?? [];
  const titles = new Map(providers.map(({ kind, name: provider, title }) => [`${kind}/${provider}`, title]));
  const owner = place.project === undefined ? "organization" : "project";
  return (
    <>
      <Text c="dimmed" maw={720} mb="md">
        {place.project === undefined
          ? "Storages, deployment targets and notifiers that all projects of the organization can use."
          : "Storages, deployment targets and notifiers that this project can use: its own, and its organization’s."}
        {!mayChange && ` Admins of the ${owner} make and change them.`}
      </Text>
      <ListBody
        what="connections"
        query={{ ...query, items: query.data }}
        empty={
          <EmptyState title="No connections yet">
            <Text>
              A connection is a provider of a plugin with its settings: the Slack channel that is told of
              promotions, the folder that keeps artifacts.
            </Text>
            {mayChange && (
              <Button size="sm" component={Link} to={paths.newConnection(place)}>
                Make the first one
              </Button>
            )}
          </EmptyState>
        }
      >
        {(items) => (
          <ConnectionsTable
            place={place}
            name={name}
            connections={items}
            titles={titles}
            mayCheck={mayCheck}
          />
        )}
      </ListBody>
    </>
  );
}
