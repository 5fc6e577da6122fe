import { Button } from "@mantine/core";
import { notifications } from "@mantine/notifications";
import { useMutation, useQueryClient } from "@tanstack/react-query";
import { Link } from "react-router";
import type { Place } from "../../api/api";
import { connectionsKey } from "../../api/connectionQueries";
import { checkConnection, type Connection } from "../../api/connections";
import { toApiError } from "../../api/errors";
import { originOf } from "../../lib/connections";
import { sentence } from "../../lib/format";
import { paths } from "../../lib/paths";
import { type Column, DataTable } from "../DataTable";
import { ToneBadge } from "../StatusBadge";
import { HealthCell } from "./HealthCell";

interface ConnectionsTableProps {
  place: Place;
  name: string;
  connections: readonly Connection[];
  /** What providers call themselves, by kind and name. */
  titles: ReadonlyMap<string, string>;
  mayCheck: boolean;
}

export function ConnectionsTable({ place, name, connections, titles, mayCheck }: ConnectionsTableProps) {
  const client = useQueryClient();
  const check = useMutation({
    mutationFn: (id: string) => checkConnection(place, id),
    onError: (error) =>
      notifications.show({ color: "red", title: "Not asked", message: toApiError(error).problem.detail }),
    onSettled: () => client.invalidateQueries({ queryKey: connectionsKey(place) }),
  });
  const checked = check.isPending ? check.variables : null;
  const actions: Column<Connection> = {
    id: "actions",
    numeric: true,
    head: <span className="hidden-text">Actions</span>,
    cell: (connection) => (
      <Button
        size="compact-xs"
        variant="default"
        aria-label={`Check now: ${connection.name}`}
        loading={checked === connection.id}
        disabled={check.isPending}
        onClick={() => check.mutate(connection.id)}
      >
        Check now
      </Button>
    ),
  };
  return (
    <DataTable
      label={`Connections of ${name}`}
      columns={[...columns(place, titles), ...(mayCheck ? [actions] : [])]}
      rows={connections}
      rowKey={(connection) => connection.id}
      rowHref={(connection) => hrefOf(place, connection)}
    />
  );
}

/** What an organization shares is shown, and changed, at the organization. */
function hrefOf(place: Place, { id, scope }: Connection): string {
  return paths.connection(scope === "organization" ? { organization: place.organization } : place, id);
}

function columns(place: Place, titles: ReadonlyMap<string, string>): Column<Connection>[] {
  return [
    {
      id: "name",
      head: "Name",
      cell: (connection) => (
        <>
          <Link className="link strong" to={hrefOf(place, connection)}>
            {connection.name}
          </Link>
          {!connection.enabled && (
            <>
              {" "}
              <ToneBadge tone="quiet" dot={false} label="Off" />
            </>
          )}
        </>
      ),
    },
    { id: "health", head: "Health", cell: ({ health }) => <HealthCell health={health} /> },
    { id: "kind", head: "Interface", cell: ({ kind }) => sentence(kind) },
    {
      id: "provider",
      head: "Provider",
      cell: ({ kind, provider }) => titles.get(`${kind}/${provider}`) ?? provider,
    },
    {
      id: "origin",
      head: "From",
      cell: (connection) => (
        <>
          {originOf(connection)}
          {connection.managed_by !== "api" && <span className="dim">, read only</span>}
        </>
      ),
    },
  ];
}
