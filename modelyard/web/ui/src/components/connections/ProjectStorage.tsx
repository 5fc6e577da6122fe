import { Button, Group, NativeSelect, Stack, Title } from "@mantine/core";
import { notifications } from "@mantine/notifications";
import { useMutation, useQuery, useQueryClient } from "@tanstack/react-query";
import { useState } from "react";
import { Link } from "react-router";
import type { Project, Scope } from "../../api/api";
import { connectionsQuery } from "../../api/connectionQueries";
import { editProject } from "../../api/people";
import { projectQuery } from "../../api/queries";
import { formErrors, formLevelError } from "../../lib/formErrors";
import { paths } from "../../lib/paths";
import { FormError, StaleNotice } from "../states";

const FIELDS = ["storage_connection_id"];
const OF_THE_SERVER = "";

/** Where a project keeps its artifacts: chosen before there are any. */
export function ProjectStorage({ scope, project }: { scope: Scope; project: Project }) {
  const client = useQueryClient();
  const connections = useQuery(connectionsQuery(scope));
  const present = project.storage_connection_id ?? OF_THE_SERVER;
  const [chosen, setChosen] = useState(present);
  const use = useMutation({
    mutationFn: () => editProject(scope, { storage_connection_id: chosen === OF_THE_SERVER ? null : chosen }),
    onSuccess: async () => {
      notifications.show({ message: "The storage is chosen." });
      await client.invalidateQueries({ queryKey: projectQuery(scope).queryKey });
    },
  });
  const storages = (connections.data ?? []).filter(({ kind }) => kind === "storage");
  return (
    <section className="panel panel-pad" aria-labelledby="storage">
      <Title order={3} id="storage" mb="sm">
        Storage
      </Title>
      <form
        noValidate
        onSubmit={(event) => {
          event.preventDefault();
          use.mutate();
        }}
      >
        <Stack>
          <StaleNotice error={connections.error} />
          <FormError error={formLevelError(use.error, FIELDS)} />
          <NativeSelect
            label="Keeps the artifacts"
            description="It can be chosen as long as the project has no artifacts: they would stay behind."
            disabled={connections.data === undefined}
            error={formErrors(use.error, FIELDS).storage_connection_id}
            data={[
              { value: OF_THE_SERVER, label: "The server’s own storage" },
              ...storages.map(({ id, name, provider }) => ({ value: id, label: `${name} (${provider})` })),
            ]}
            value={chosen}
            onChange={(event) => {
              setChosen(event.currentTarget.value);
              use.reset();
            }}
          />
          <Group justify="space-between">
            <Link className="link" to={paths.newConnection(scope, { kind: "storage" })}>
              New storage
            </Link>
            <Button type="submit" disabled={chosen === present} loading={use.isPending}>
              Use this storage
            </Button>
          </Group>
        </Stack>
      </form>
    </section>
  );
}
