import { Text } from "@mantine/core";
import { notifications } from "@mantine/notifications";
import { useQuery } from "@tanstack/react-query";
import { Link, useNavigate, useSearchParams } from "react-router";
import { providersQuery } from "../api/connectionQueries";
import type { Provider } from "../api/connections";
import { ConnectionForm } from "../components/connections/ConnectionForm";
import { ConnectionsFrame } from "../components/connections/ConnectionsFrame";
import { ProviderChoice } from "../components/connections/ProviderChoice";
import type { ConnectionPlace } from "../components/connections/useConnectionPlace";
import { EmptyState, ErrorState, LoadingRows } from "../components/states";
import { needsInstanceAdmin } from "../lib/connections";
import { sentence } from "../lib/format";
import { paths } from "../lib/paths";

/** First what it is made of, which the address keeps, then its settings. */
export function NewConnection() {
  return (
    <ConnectionsFrame title="New connection" heading={() => "New connection"}>
      {(here) =>
        here.mayChange ? (
          <Steps here={here} />
        ) : (
          <EmptyState title="Connections are made by admins">
            <Text>Your role here is too small for it.</Text>
          </EmptyState>
        )
      }
    </ConnectionsFrame>
  );
}

function Steps({ here }: { here: ConnectionPlace }) {
  const [search] = useSearchParams();
  const { data, error, refetch, isFetching } = useQuery(providersQuery);
  if (data === undefined) {
    if (error === null) return <LoadingRows label="the providers" />;
    return (
      <ErrorState
        what="The providers could not be read."
        error={error}
        onRetry={() => void refetch()}
        retrying={isFetching}
      />
    );
  }
  const [kind, name] = [search.get("kind"), search.get("provider")];
  const provider = data.items.find((each) => each.kind === kind && each.name === name);
  if (provider !== undefined) return <TheForm here={here} provider={provider} />;
  return (
    <>
      {name !== null && (
        <EmptyState title={`No plugin brings a provider “${name}” of this kind`}>
          <Text>Choose another one.</Text>
        </EmptyState>
      )}
      <ProviderChoice
        place={here.place}
        providers={data.items}
        kind={kind}
        isInstanceAdmin={here.isInstanceAdmin}
        order={here.place.project === undefined ? 2 : 3}
      />
    </>
  );
}

function TheForm({ here, provider }: { here: ConnectionPlace; provider: Provider }) {
  const navigate = useNavigate();
  const { place, isInstanceAdmin } = here;
  if (needsInstanceAdmin(provider) && !isInstanceAdmin) {
    return (
      <EmptyState title={`${provider.title} is connected by instance administrators`}>
        <Text>It reaches files or processes of the server itself.</Text>
      </EmptyState>
    );
  }
  return (
    <>
      <Text mb="md">
        <strong>{provider.title}</strong>,{" "}
        <span className="dim">
          a {sentence(provider.kind).toLowerCase()} from the plugin{" "}
          <span className="mono">{provider.plugin}</span>
        </span>{" "}
        <Link className="link" to={paths.newConnection(place)}>
          Choose another
        </Link>
      </Text>
      <div className="panel panel-pad" style={{ maxWidth: 720 }}>
        <ConnectionForm
          key={`${provider.kind}/${provider.name}`}
          place={place}
          provider={provider}
          connection={null}
          onSaved={(made) => {
            notifications.show({ message: `The connection ${made.name} is there.` });
            void navigate(paths.connections(place));
          }}
        />
      </div>
    </>
  );
}
