import { Button, Group, Stack, Text } from "@mantine/core";
import { notifications } from "@mantine/notifications";
import { useMutation, useQuery, useQueryClient } from "@tanstack/react-query";
import { useState } from "react";
import { Link } from "react-router";
import { allowLocalDeployments, type Project } from "../api/api";
import { toApiError } from "../api/errors";
import { deploymentsQuery, modelsQuery, projectQuery, sessionQuery, usePaged } from "../api/queries";
import { DeploymentCard } from "../components/deployments/DeploymentCard";
import { DeploymentForm } from "../components/deployments/DeploymentForm";
import { PlusIcon } from "../components/icons";
import { ListBody } from "../components/ListBody";
import { PageTitle } from "../components/PageTitle";
import { EmptyState, LoadingRows } from "../components/states";
import { useScope } from "../components/useScope";
import { paths } from "../lib/paths";
import { mayEdit } from "../lib/roles";
import classes from "./Deployments.module.css";

export function Deployments() {
  const scope = useScope();
  const query = usePaged(deploymentsQuery(scope));
  const models = usePaged(modelsQuery(scope)).items;
  const project = useQuery(projectQuery(scope)).data;
  const editor = mayEdit(project?.role);
  const [creating, setCreating] = useState(false);
  const open = () => setCreating(true);

  return (
    <>
      <PageTitle parts={["Deployments", project?.name ?? scope.project]} />
      <h2 className="hidden-text">Deployments</h2>
      {project && !project.allow_local_deployments && <LocalNotice project={project} />}
      {editor && (query.items?.length ?? 0) > 0 && (
        <Group justify="flex-end" mb={12}>
          <Button leftSection={<PlusIcon size={15} />} onClick={open}>
            New deployment
          </Button>
        </Group>
      )}
      <DeploymentForm
        scope={scope}
        models={models ?? []}
        opened={creating}
        onClose={() => setCreating(false)}
      />
      <ListBody
        what="deployments"
        query={query}
        loading={<LoadingRows label="deployments" rows={3} height={110} />}
        empty={
          <EmptyState title="No deployments yet">
            {models?.length === 0 ? (
              <Text>
                A deployment serves a version of a model, and this project has no model yet.{" "}
                <Link className="link" to={paths.models(scope.organization, scope.project)}>
                  How to register one
                </Link>
              </Text>
            ) : (
              <>
                <Text>A deployment serves a version of a model under a stable address.</Text>
                {editor ? (
                  <Button onClick={open}>New deployment</Button>
                ) : (
                  <Text>An editor of the project makes one.</Text>
                )}
              </>
            )}
          </EmptyState>
        }
      >
        {(items) => (
          <Stack gap={12}>
            {items.map((deployment) => (
              <DeploymentCard key={deployment.id} scope={scope} deployment={deployment} editor={editor} />
            ))}
          </Stack>
        )}
      </ListBody>
    </>
  );
}

/** Local deployments run users' code on the server's host: off until an administrator of the instance allows them. */
function LocalNotice({ project }: { project: Project }) {
  const scope = useScope();
  const client = useQueryClient();
  const administrator = useQuery(sessionQuery).data?.user.is_instance_admin === true;
  const allow = useMutation({
    mutationFn: () => allowLocalDeployments(scope),
    onSuccess: (changed) => client.setQueryData(projectQuery(scope).queryKey, changed),
    onError: (error) =>
      notifications.show({ color: "red", title: "Not allowed", message: toApiError(error).problem.detail }),
  });
  return (
    <div className={classes.notice}>
      <div>
        <strong>Local deployments are off for {project.name}.</strong>{" "}
        {administrator
          ? "They run the models' code on the server's own host; allow them if you trust this project's editors."
          : "They run the models' code on the server's own host; an administrator of this server can allow them."}
      </div>
      {administrator && (
        <Button size="xs" variant="default" loading={allow.isPending} onClick={() => allow.mutate()}>
          Allow local deployments
        </Button>
      )}
    </div>
  );
}
