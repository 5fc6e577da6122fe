import { Button, Group, Text, Title } from "@mantine/core";
import { useQuery } from "@tanstack/react-query";
import { useState } from "react";
import { Link, useParams } from "react-router";
import type { Model as ModelData, Scope, Version } from "../api/api";
import { modelQuery, projectQuery, usePaged, versionsQuery } from "../api/queries";
import { CommandBlock } from "../components/Copy";
import { type Column, DataTable } from "../components/DataTable";
import { ListBody } from "../components/ListBody";
import { PromoteModal } from "../components/models/PromoteModal";
import { StageHistory } from "../components/models/StageHistory";
import { PageTitle } from "../components/PageTitle";
import { RelativeTime } from "../components/RelativeTime";
import { EmptyState, ErrorState, LoadingRows, StaleNotice } from "../components/states";
import { StageBadge, ToneBadge } from "../components/StatusBadge";
import { useScope } from "../components/useScope";
import { shortId } from "../lib/format";
import { paths } from "../lib/paths";
import { mayEdit } from "../lib/roles";
import classes from "./Model.module.css";

export function Model() {
  const scope = useScope();
  const { model: name = "" } = useParams();
  const { data: model, error, refetch, isFetching } = useQuery(modelQuery(scope, name));
  const editor = mayEdit(useQuery(projectQuery(scope)).data?.role);
  const [promoting, setPromoting] = useState<Version | null>(null);

  if (model === undefined) {
    return (
      <>
        <PageTitle parts={[name, scope.project]} />
        {error === null ? (
          <LoadingRows label="the model" rows={6} />
        ) : (
          <ErrorState
            what={`The model “${name}” could not be read.`}
            error={error}
            onRetry={() => void refetch()}
            retrying={isFetching}
            instead={
              <Link className="link" to={paths.models(scope.organization, scope.project)}>
                All models
              </Link>
            }
          />
        )}
      </>
    );
  }
  return (
    <>
      <PageTitle parts={[model.name, scope.project]} />
      <StaleNotice error={error} />
      <div className={classes.head}>
        <Group gap={12}>
          <Title order={1}>{model.name}</Title>
          {Object.entries(model.aliases).map(([alias, version]) => (
            <ToneBadge key={alias} tone="quiet" dot={false} label={`@${alias} v${version}`} />
          ))}
        </Group>
        {model.description && <Text c="dimmed">{model.description}</Text>}
      </div>
      <div className={classes.columns}>
        <div className={classes.main}>
          <Title order={2} mb={10}>
            Versions
          </Title>
          <Versions scope={scope} model={model} onPromote={editor ? setPromoting : undefined} />
        </div>
        <section aria-label="Stage history" className={classes.side}>
          <Title order={2} mb={10}>
            Stage history
          </Title>
          <StageHistory scope={scope} model={model.name} />
        </section>
      </div>
      <PromoteModal scope={scope} version={promoting} onClose={() => setPromoting(null)} />
    </>
  );
}

interface VersionsProps {
  scope: Scope;
  model: ModelData;
  onPromote?: (version: Version) => void;
}

function Versions({ scope, model, onPromote }: VersionsProps) {
  const query = usePaged(versionsQuery(scope, model.name));
  return (
    <ListBody
      what="versions"
      query={query}
      empty={
        <EmptyState title="No versions yet">
          <Text>Register one from a run:</Text>
          <CommandBlock
            label="the code that registers a version"
            text={`mlflow.register_model("runs:/<run id>/model", "${model.name}")`}
          />
        </EmptyState>
      }
    >
      {(items) => (
        <DataTable
          label="Versions"
          columns={columns(scope, onPromote)}
          rows={items}
          rowKey={(version) => String(version.version)}
        />
      )}
    </ListBody>
  );
}

const none = <span className="dim">–</span>;

function columns(scope: Scope, onPromote?: (version: Version) => void): Column<Version>[] {
  const all: Column<Version>[] = [
    {
      id: "version",
      head: "Version",
      cell: (version) => (
        <Group gap={8} wrap="nowrap">
          <strong>v{version.version}</strong>
          {version.aliases.map((alias) => (
            <ToneBadge key={alias} tone="quiet" dot={false} label={`@${alias}`} />
          ))}
        </Group>
      ),
    },
    { id: "stage", head: "Stage", cell: (version) => <StageBadge stage={version.stage} /> },
    {
      id: "run",
      head: "Run",
      cell: (version) =>
        version.run_id ? (
          <Link
            className="link mono"
            title={version.run_id}
            to={paths.run(scope.organization, scope.project, version.run_id)}
          >
            {shortId(version.run_id)}
          </Link>
        ) : (
          none
        ),
    },
    { id: "by", head: "Created by", cell: (version) => version.created_by || none },
    { id: "created", head: "Created", cell: (version) => <RelativeTime at={version.created_at} /> },
  ];
  if (onPromote) {
    all.push({
      id: "actions",
      numeric: true,
      head: <span className="hidden-text">Actions</span>,
      cell: (version) => (
        <Button
          size="compact-xs"
          variant="default"
          aria-label={`Promote version ${version.version}`}
          onClick={() => onPromote(version)}
        >
          Promote
        </Button>
      ),
    });
  }
  return all;
}
