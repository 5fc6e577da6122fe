import { Button, Group, Title } from "@mantine/core";
import { notifications } from "@mantine/notifications";
import { useMutation, useQueryClient } from "@tanstack/react-query";
import { useId, useState } from "react";
import { Link } from "react-router";
import {
  deleteDeployment,
  type Deployment,
  type Scope,
  startDeployment,
  stopDeployment,
} from "../../api/api";
import { toApiError } from "../../api/errors";
import { deploymentsQuery } from "../../api/queries";
import { absolute, paths } from "../../lib/paths";
import { ConfirmByName } from "../ConfirmByName";
import { CopyLine } from "../Copy";
import { ChevronIcon } from "../icons";
import { RelativeTime } from "../RelativeTime";
import { StatusBadge } from "../StatusBadge";
import classes from "./DeploymentCard.module.css";
import { LogsDrawer } from "./LogsDrawer";
import { TryPrediction } from "./TryPrediction";

interface DeploymentCardProps {
  scope: Scope;
  deployment: Deployment;
  editor: boolean;
}

/** Asked to go already: nothing more to press. */
const LEAVING = new Set<string>(["deleted"]);

type Panel = "replicas" | "try" | null;

export function DeploymentCard({ scope, deployment, editor }: DeploymentCardProps) {
  const [panel, setPanel] = useState<Panel>(null);
  const [logs, setLogs] = useState(false);
  const id = useId();
  const toggle = (wanted: Exclude<Panel, null>) => setPanel(panel === wanted ? null : wanted);
  const { name, ready_replicas: ready, replicas } = deployment;
  return (
    <article className="panel" aria-labelledby={id}>
      <div className={classes.top}>
        <div className={classes.title}>
          <Title order={3} id={id}>
            {name}
          </Title>
          <StatusBadge status={deployment.status} />
        </div>
        {editor && !LEAVING.has(deployment.desired_status) && <Verbs scope={scope} deployment={deployment} />}
      </div>
      {deployment.message && (
        <p
          className={classes.message}
          data-bad={["failed", "degraded"].includes(deployment.status) || undefined}
        >
          {deployment.message}
        </p>
      )}
      <dl className={classes.facts}>
        <div>
          <dt>Model</dt>
          <dd>
            <Link className="link" to={paths.model(scope.organization, scope.project, deployment.model)}>
              {deployment.model}
            </Link>{" "}
            v{deployment.version}
          </dd>
        </div>
        <div>
          <dt>Target</dt>
          <dd className="mono">{deployment.target}</dd>
        </div>
        <div>
          <dt>Replicas ready</dt>
          <dd className="num">
            {ready} of {replicas}
          </dd>
        </div>
        <div>
          <dt>Revision</dt>
          <dd className="num">{deployment.revision}</dd>
        </div>
        <div>
          <dt>Changed</dt>
          <dd>
            <RelativeTime at={deployment.updated_at} />
          </dd>
        </div>
        {deployment.address && (
          <div className={classes.address}>
            <dt>Stable address</dt>
            <dd>
              <CopyLine value={absolute(deployment.address)} label={`the address of ${name}`} />
            </dd>
          </div>
        )}
      </dl>
      <div className={classes.tabs}>
        <Toggle open={panel === "replicas"} controls={`${id}-panel`} onClick={() => toggle("replicas")}>
          Replicas
        </Toggle>
        <Toggle open={panel === "try"} controls={`${id}-panel`} onClick={() => toggle("try")}>
          Try a prediction
        </Toggle>
        <Button size="compact-sm" variant="subtle" color="gray" onClick={() => setLogs(true)}>
          Logs
        </Button>
      </div>
      <div id={`${id}-panel`} hidden={panel === null} className={classes.panel}>
        {panel === "replicas" && <Replicas deployment={deployment} />}
        {panel === "try" && <TryPrediction scope={scope} deployment={deployment} />}
      </div>
      <LogsDrawer scope={scope} deployment={name} opened={logs} onClose={() => setLogs(false)} />
    </article>
  );
}

interface ToggleProps {
  open: boolean;
  controls: string;
  onClick: () => void;
  children: string;
}

function Toggle({ open, controls, onClick, children }: ToggleProps) {
  return (
    <Button
      size="compact-sm"
      variant="subtle"
      color="gray"
      aria-expanded={open}
      aria-controls={controls}
      onClick={onClick}
      leftSection={
        <span className={classes.chevron} data-open={open || undefined}>
          <ChevronIcon size={13} />
        </span>
      }
    >
      {children}
    </Button>
  );
}

function Replicas({ deployment }: { deployment: Deployment }) {
  if (deployment.replica_states.length === 0) {
    return (
      <span className="dim">
        No replica runs{deployment.desired_status === "stopped" && ": it is stopped"}.
      </span>
    );
  }
  return (
    <ul className={classes.replicas}>
      {deployment.replica_states.map((replica) => (
        <li key={`${replica.revision}/${replica.index}`}>
          <span className="num">
            Revision {replica.revision}, replica {replica.index}
          </span>
          <StatusBadge status={replica.state} />
          {replica.address && <span className="mono dim">{replica.address}</span>}
          {replica.message && <span>{replica.message}</span>}
        </li>
      ))}
    </ul>
  );
}

function Verbs({ scope, deployment }: Omit<DeploymentCardProps, "editor">) {
  const client = useQueryClient();
  const [deleting, setDeleting] = useState(false);
  const { name } = deployment;
  const refresh = () => client.invalidateQueries({ queryKey: deploymentsQuery(scope).queryKey });
  const running = deployment.desired_status === "running";
  const turn = useMutation({
    mutationFn: () => (running ? stopDeployment(scope, name) : startDeployment(scope, name)),
    onSuccess: refresh,
    onError: (error) => {
      const { detail, hint } = toApiError(error).problem;
      notifications.show({
        color: "red",
        title: running ? `${name} was not stopped` : `${name} was not started`,
        message: [detail, hint].filter(Boolean).join(" "),
      });
    },
  });
  const remove = useMutation({
    mutationFn: () => deleteDeployment(scope, name),
    onSuccess: async () => {
      await refresh();
      setDeleting(false);
    },
  });
  return (
    <Group gap={6}>
      <Button
        size="compact-sm"
        variant="default"
        loading={turn.isPending}
        aria-label={`${running ? "Stop" : "Start"} ${name}`}
        onClick={() => turn.mutate()}
      >
        {running ? "Stop" : "Start"}
      </Button>
      <Button
        size="compact-sm"
        variant="default"
        className={classes.danger}
        aria-label={`Delete ${name}`}
        onClick={() => {
          remove.reset();
          setDeleting(true);
        }}
      >
        Delete
      </Button>
      <ConfirmByName
        opened={deleting}
        onClose={() => setDeleting(false)}
        onConfirm={() => remove.mutate()}
        title={`Delete the deployment ${name}?`}
        name={name}
        action="Delete deployment"
        pending={remove.isPending}
        error={remove.error}
      >
        Its replicas stop and its address answers no more. The model and its versions stay.
      </ConfirmByName>
    </Group>
  );
}
