import { Button, Group, Stack, Text, Title } from "@mantine/core";
import { notifications } from "@mantine/notifications";
import { useMutation, useQuery, useQueryClient } from "@tanstack/react-query";
import { type ReactNode, useState } from "react";
import { Link, useNavigate, useParams } from "react-router";
import { connectionQuery, connectionsKey, providersQuery } from "../api/connectionQueries";
import {
  checkConnection,
  type Connection as Shown,
  deleteConnection,
  type Provider,
} from "../api/connections";
import { ConfirmByName } from "../components/ConfirmByName";
import { ConnectionFacts } from "../components/connections/ConnectionFacts";
import { ConnectionForm } from "../components/connections/ConnectionForm";
import { ConnectionsFrame } from "../components/connections/ConnectionsFrame";
import { HealthCell } from "../components/connections/HealthCell";
import type { ConnectionPlace } from "../components/connections/useConnectionPlace";
import { ErrorState, FormError, LoadingRows, StaleNotice } from "../components/states";
import { needsInstanceAdmin } from "../lib/connections";
import { sentence } from "../lib/format";
import { paths } from "../lib/paths";

/** One connection: how it is, what it is set to, and its end. */
export function Connection() {
  return (
    <ConnectionsFrame title="Connection" heading={(here) => <Name here={here} />}>
      {(here) => <One here={here} />}
    </ConnectionsFrame>
  );
}

function Name({ here }: { here: ConnectionPlace }) {
  const { connection: id = "" } = useParams();
  const { data } = useQuery({ ...connectionQuery(here.place, id), enabled: here.isReady });
  return data?.name ?? "Connection";
}

function One({ here }: { here: ConnectionPlace }) {
  const { connection: id = "" } = useParams();
  const { data, error, refetch, isFetching } = useQuery(connectionQuery(here.place, id));
  const providers = useQuery(providersQuery);
  if (data !== undefined && (providers.data !== undefined || providers.error !== null)) {
    const provider = providers.data?.items.find(
      ({ kind, name }) => kind === data.kind && name === data.provider,
    );
    return (
      <Stack maw={720}>
        <StaleNotice error={error} />
        <State here={here} connection={data} title={provider?.title ?? data.provider} />
        <Settings here={here} connection={data} provider={provider} />
        <End here={here} connection={data} />
      </Stack>
    );
  }
  if (error === null) return <LoadingRows label="the connection" />;
  return (
    <ErrorState
      what="The connection could not be read."
      error={error}
      onRetry={() => void refetch()}
      retrying={isFetching}
      instead={
        <Link className="link" to={paths.connections(here.place)}>
          All connections
        </Link>
      }
    />
  );
}

function State({ here, connection, title }: { here: ConnectionPlace; connection: Shown; title: string }) {
  const client = useQueryClient();
  const check = useMutation({
    mutationFn: () => checkConnection(here.place, connection.id),
    onSettled: () => client.invalidateQueries({ queryKey: connectionsKey(here.place) }),
  });
  return (
    <section className="panel panel-pad" aria-labelledby="state">
      <Title order={here.place.project === undefined ? 2 : 3} size="h3" id="state" mb="sm">
        {title}, a {sentence(connection.kind).toLowerCase()}
      </Title>
      <FormError error={check.error} />
      <Group justify="space-between">
        <HealthCell health={connection.health} />
        {here.mayCheck && (
          <Button size="xs" variant="default" loading={check.isPending} onClick={() => check.mutate()}>
            Check now
          </Button>
        )}
      </Group>
    </section>
  );
}

interface SettingsProps {
  here: ConnectionPlace;
  connection: Shown;
  provider: Provider | undefined;
}

/** Why the caller cannot change it; null where nothing stands against it. */
function whyNot({ here, connection, provider }: SettingsProps): ReactNode {
  const { place } = here;
  if (connection.managed_by !== "api") {
    return (
      <>
        It is declared in the server’s settings file, under <code className="mono">[[connections]]</code>, and
        changed there.
      </>
    );
  }
  if (place.project !== undefined && connection.scope === "organization") {
    return (
      <>
        It is{" "}
        <Link className="link" to={paths.connection({ organization: place.organization }, connection.id)}>
          the organization’s
        </Link>
        , and changed there.
      </>
    );
  }
  if (!here.mayChange) {
    return `Admins of the ${place.project === undefined ? "organization" : "project"} change it.`;
  }
  if (provider === undefined) {
    return (
      <>
        No plugin that is in use brings the provider <span className="mono">{connection.provider}</span>.{" "}
        <Link className="link" to={paths.plugins()}>
          Plugins
        </Link>{" "}
        says why.
      </>
    );
  }
  if (needsInstanceAdmin(provider) && !here.isInstanceAdmin) {
    return "It reaches files or processes of the server itself, so only instance administrators change it.";
  }
  return null;
}

function Settings(props: SettingsProps) {
  const { here, connection, provider } = props;
  const navigate = useNavigate();
  const reason = whyNot(props);
  return (
    <section className="panel panel-pad" aria-labelledby="settings">
      <Title order={here.place.project === undefined ? 2 : 3} size="h3" id="settings" mb="sm">
        Settings
      </Title>
      {reason === null && provider !== undefined ? (
        <ConnectionForm
          key={connection.id}
          place={here.place}
          provider={provider}
          connection={connection}
          onSaved={({ name }) => {
            notifications.show({ message: `The connection ${name} is saved.` });
            void navigate(paths.connections(here.place));
          }}
        />
      ) : (
        <>
          <Text mb="sm">{reason}</Text>
          <ConnectionFacts connection={connection} provider={provider} mayRead={here.mayChange} />
        </>
      )}
    </section>
  );
}

function End({ here, connection }: { here: ConnectionPlace; connection: Shown }) {
  const { place } = here;
  const client = useQueryClient();
  const navigate = useNavigate();
  const [asking, setAsking] = useState(false);
  const end = useMutation({
    mutationFn: () => deleteConnection(place, connection.id),
    onSuccess: async () => {
      notifications.show({ message: `The connection ${connection.name} is deleted.` });
      await navigate(paths.connections(place));
      client.removeQueries({ queryKey: connectionQuery(place, connection.id).queryKey });
      await client.invalidateQueries({ queryKey: connectionsKey(place) });
    },
  });
  const isOwn = (place.project === undefined) === (connection.scope === "organization");
  if (!here.mayChange || !isOwn || connection.managed_by !== "api") return null;
  return (
    <section className="panel panel-pad" aria-labelledby="end">
      <Title order={place.project === undefined ? 2 : 3} size="h3" id="end" mb="sm">
        Delete
      </Title>
      <Group justify="space-between">
        <Text>What uses it must let go of it first.</Text>
        <Button color="red" variant="light" onClick={() => setAsking(true)}>
          Delete connection
        </Button>
      </Group>
      <ConfirmByName
        opened={asking}
        onClose={() => setAsking(false)}
        onConfirm={() => end.mutate()}
        title={`Delete ${connection.name}?`}
        name={connection.name}
        action="Delete the connection"
        pending={end.isPending}
        error={end.error}
      >
        Its settings and secrets are gone with it. The log of what it was told stays.
      </ConfirmByName>
    </section>
  );
}
